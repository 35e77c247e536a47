//! What watching many nodes costs: `cargo bench --bench scale`.
//!
//! A cluster of 1, 10, 100 and 500 pretended nodes, served by a process of its own, is watched at
//! 1 Hz by the dashboard in a terminal of 200x60. Prints a table, judges nothing. Needs Linux's
//! `/proc`. `--bench scale -- 100` measures one size.

#[path = "../tests/support/simulated.rs"]
mod simulated;

mod process;

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use simulated::Cluster;

const SIZES: [usize; 4] = [1, 10, 100, 500];
const PATIENCE: Duration = Duration::from_secs(60);
const WATCH: Duration = Duration::from_secs(20);
/// Says to serve, and how many nodes.
const SERVE: &str = "--serve";

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [serve, nodes] = &words[..]
        && serve == SERVE
    {
        return serve_until_killed(nodes.parse().expect("a number"));
    }
    let sizes: Vec<usize> = words.iter().filter_map(|word| word.parse().ok()).collect();
    let sizes = if sizes.is_empty() {
        SIZES.to_vec()
    } else {
        sizes
    };
    let mut out = std::io::stdout();
    let _ = writeln!(
        out,
        "{:>5}  {:>12}  {:>15}  {:>10}  {:>9}  {:>11}",
        "nodes", "all on screen", "CPU s per 10 s", "ms/node/s", "memory", "KB per node"
    );
    for nodes in sizes {
        let (mut cluster, port) = cluster(nodes);
        let full = match nodes {
            1 => "100,000".to_owned(),
            nodes => format!("{nodes} nodes, {nodes} shards"),
        };
        let target = format!("127.0.0.1:{port}");
        let seen = process::dashboard(&target, &full, PATIENCE, WATCH);
        let _ = cluster.kill();
        let _ = cluster.wait();
        let cpu = seen.cpu.as_secs_f64();
        let seconds = WATCH.as_secs_f64();
        let _ = writeln!(
            out,
            "{nodes:>5}  {:>10} ms  {:>15.2}  {:>10.2}  {:>6.1} MB  {:>11.0}",
            seen.first_screen.as_millis(),
            cpu * 10.0 / seconds,
            cpu * 1_000.0 / seconds / nodes as f64,
            seen.resident_kb as f64 / 1_024.0,
            seen.resident_kb as f64 / nodes as f64,
        );
    }
}

/// A cluster in a process of its own, and the port of its first node.
fn cluster(nodes: usize) -> (Child, u16) {
    let this = std::env::current_exe().expect("this program has a path");
    let mut command = Command::new(this);
    command
        .args([SERVE, &nodes.to_string()])
        .stdout(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut line = String::new();
    let out = child.stdout.take().expect("its output is read");
    BufReader::new(out)
        .read_line(&mut line)
        .expect("it names its port");
    (child, line.trim().parse().expect("a port"))
}

fn serve_until_killed(nodes: usize) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let cluster = Cluster::serve(nodes, nodes.checked_sub(2)).await;
        let _ = writeln!(std::io::stdout(), "{}", cluster.ports[0]);
        std::future::pending::<()>().await;
    });
}
