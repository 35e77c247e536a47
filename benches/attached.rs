//! What a thousand watched keys cost a server under heavy writes: `cargo bench --bench attached`.
//!
//! Writers set keys as fast as the server takes them, a hundred a round trip; now with nobody
//! attached, now with `amr-top check` that polls, now with a thousand of those keys watched besides.
//! Prints the medians and their ratios, judges nothing. Needs a `redis-server` on `PATH`.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use amr_top::demo::server::Server;

const WATCHED: usize = 1_000;
/// Keys that are written: one in twenty is watched.
const KEYS: usize = 20 * WATCHED;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(1);
/// Commands a second that the writers aim at; 0 for as many as they can.
const PACES: [u64; 2] = [20_000, 0];

fn main() {
    let server = Server::start(&[]).expect("a server");
    let mut out = std::io::stdout();
    for pace in PACES {
        let mut seen: [Vec<f64>; 3] = Default::default();
        for _ in 0..ROUNDS {
            for (watched, seen) in [None, Some(0), Some(WATCHED)].into_iter().zip(&mut seen) {
                seen.push(round(&server, watched, pace));
            }
        }
        let [alone, polled, watched] = seen.map(|mut rates| {
            rates.sort_by(f64::total_cmp);
            rates[rates.len() / 2]
        });
        let aim = match pace {
            0 => "as many writes as it takes".to_owned(),
            pace => format!("{pace} writes a second"),
        };
        // A figure that nobody reads is no reason to fail.
        let _ = writeln!(
            out,
            "{aim}: {alone:.0}/s alone, {polled:.0}/s polled (ratio {:.4}), {watched:.0}/s with \
             {WATCHED} keys watched (ratio {:.4})",
            polled / alone,
            watched / alone
        );
    }
}

/// Writes a second that the server took.
fn round(server: &Server, watched: Option<usize>, pace: u64) -> f64 {
    let mut attached = watched.map(|count| attach(server, count));
    let stop = Arc::new(AtomicBool::new(false));
    let writer = thread::spawn({
        let (stop, address) = (Arc::clone(&stop), server.address());
        move || write(&address, pace, &stop)
    });
    pause(ROUND);
    stop.store(true, Ordering::Relaxed);
    let rate = writer.join().expect("the writer ends");
    if let Some(child) = &mut attached {
        let _ = child.kill();
        let _ = child.wait();
    }
    rate
}

fn attach(server: &Server, count: usize) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_amr-top"));
    command.args(["check", "--for", "1h", &server.address()]);
    for n in 0..count {
        command.args(["--watch", &format!("k:{n}")]);
    }
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let child = child.expect("the program starts");
    pause(Duration::from_millis(700));
    child
}

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock and waits"
)]
fn pause(time: Duration) {
    thread::sleep(time);
}

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock and waits"
)]
fn write(address: &str, pace: u64, stop: &AtomicBool) -> f64 {
    let client = redis::Client::open(format!("redis://{address}/")).expect("a client");
    let mut redis = client.get_connection().expect("a connection");
    let start = Instant::now();
    let mut written = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        let mut many = redis::pipe();
        for _ in 0..100 {
            let key = (written * 7_919) % KEYS as u64;
            many.cmd("SET").arg(format!("k:{key}")).arg("v").ignore();
            written += 1;
        }
        many.exec(&mut redis).expect("keys are written");
        if pace > 0 {
            let due = Duration::from_secs_f64(written as f64 / pace as f64);
            thread::sleep(due.saturating_sub(start.elapsed()));
        }
    }
    written as f64 / start.elapsed().as_secs_f64()
}
