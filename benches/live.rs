//! What the program costs a real server and this machine: `cargo bench --bench live`.
//!
//! Prints figures, judges nothing. Needs a `redis-server` on `PATH` and Linux's `/proc`.

use std::io::{Read as _, Write as _};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use amr_top::demo::server::Server;
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use vt100::Parser;

/// The sections of a poll, as `source::commands` lists them.
const POLL: &[&str] = &[
    "server",
    "clients",
    "memory",
    "persistence",
    "stats",
    "replication",
    "commandstats",
    "errorstats",
    "cluster",
    "keyspace",
];
const ROUNDS: u32 = 200;
const WATCH: Duration = Duration::from_secs(20);
const FIRST_SCREEN: Duration = Duration::from_secs(10);

fn main() {
    let server = Server::start(&[]).expect("a server");
    let client = redis::Client::open(format!("redis://{}/", server.address())).expect("a client");
    let mut redis = client.get_connection().expect("a connection");
    fill(&mut redis);

    let mut out = std::io::stdout();
    let mut say = |what: &str, figure: String| {
        // A figure that nobody reads is no reason to fail.
        let _ = writeln!(out, "{what:<44} {figure}");
    };
    let (poll, bytes) = server_time(&mut redis, POLL);
    let (plain, _) = server_time(&mut redis, &[]);
    say("server time of one poll", format!("{poll:.0} µs"));
    say(
        "server time of a default INFO",
        format!("{plain:.0} µs, ratio {:.1}", poll / plain),
    );
    say("reply of one poll", format!("{bytes} bytes"));

    let seen = dashboard(&server);
    say(
        "start to first full screen, 200x60",
        format!("{} ms", seen.first_screen.as_millis()),
    );
    let per_10_s = seen.cpu.as_secs_f64() * 10.0 / WATCH.as_secs_f64();
    say(
        "CPU of the dashboard at 1 Hz, 200x60",
        format!("{per_10_s:.3} s per 10 s"),
    );
    say(
        "resident memory after that",
        format!("{:.1} MB", seen.resident_kb as f64 / 1024.0),
    );
}

fn fill(redis: &mut redis::Connection) {
    for batch in 0..20 {
        let mut pipeline = redis::pipe();
        for n in 0..10_000 {
            let key = format!("key:{batch}:{n}");
            pipeline
                .cmd("SET")
                .arg(key)
                .arg("value")
                .arg("EX")
                .arg(3_600)
                .ignore();
        }
        pipeline.exec(redis).expect("keys are written");
    }
}

/// Server time of one INFO in microseconds, by the server's own count, and the reply's size.
fn server_time(redis: &mut redis::Connection, sections: &[&str]) -> (f64, usize) {
    let spent = |redis: &mut redis::Connection| -> f64 {
        let stats: String = redis::cmd("INFO")
            .arg("commandstats")
            .query(redis)
            .expect("command statistics");
        let line = stats
            .lines()
            .find(|line| line.starts_with("cmdstat_info:"))
            .expect("a line");
        let usec = line
            .split(',')
            .find_map(|item| item.strip_prefix("usec="))
            .expect("a time");
        usec.parse().expect("a number")
    };
    // The first INFO is not counted yet when it answers.
    redis::cmd("INFO").exec(redis).expect("INFO");
    let before = spent(redis);
    let mut bytes = 0;
    for _ in 0..ROUNDS {
        let reply: String = redis::cmd("INFO").arg(sections).query(redis).expect("INFO");
        bytes = reply.len();
    }
    ((spent(redis) - before) / f64::from(ROUNDS), bytes)
}

struct Seen {
    first_screen: Duration,
    cpu: Duration,
    resident_kb: u64,
}

/// Runs the dashboard in a terminal of 200x60 and looks at its process.
#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock and waits"
)]
fn dashboard(server: &Server) -> Seen {
    let size = PtySize {
        rows: 60,
        cols: 200,
        pixel_width: 0,
        pixel_height: 0,
    };
    let pair = native_pty_system().openpty(size).expect("a terminal");
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_amr-top"));
    command.arg(server.address());
    command.env("TERM", "xterm-256color");
    let start = Instant::now();
    let mut child = pair
        .slave
        .spawn_command(command)
        .expect("the program starts");
    drop(pair.slave);
    let screen = Arc::new(Mutex::new(Parser::new(
        60u16.try_into().expect("not zero"),
        200u16.try_into().expect("not zero"),
        0,
    )));
    let mut reader = pair.master.try_clone_reader().expect("a reader");
    let drawn = Arc::clone(&screen);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 65_536];
        while let Ok(n @ 1..) = reader.read(&mut buffer) {
            drawn
                .lock()
                .expect("no reader panics")
                .process(&buffer[..n]);
        }
    });
    // The first screen with numbers: 200,000 keys are on it.
    let is_full = || {
        screen
            .lock()
            .expect("no reader panics")
            .screen()
            .contents()
            .contains("200,000")
    };
    while !is_full() {
        assert!(start.elapsed() < FIRST_SCREEN, "no screen with numbers");
        std::thread::sleep(Duration::from_millis(1));
    }
    let first_screen = start.elapsed();
    let pid = child.process_id().expect("a process");
    let before = cpu(pid);
    std::thread::sleep(WATCH);
    let seen = Seen {
        first_screen,
        cpu: cpu(pid).saturating_sub(before),
        resident_kb: resident_kb(pid),
    };
    let _ = child.kill();
    let _ = child.wait();
    seen
}

/// User and system time of a process; clock ticks are 10 ms on Linux.
fn cpu(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("/proc is there");
    let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let fields: Vec<u64> = after_name
        .split(' ')
        .skip(11)
        .take(2)
        .filter_map(|n| n.parse().ok())
        .collect();
    Duration::from_millis(10 * fields.iter().sum::<u64>())
}

fn resident_kb(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("/proc is there");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next())
        .and_then(|n| n.parse().ok())
        .unwrap_or(0)
}
