//! What the program costs a real server and this machine: `cargo bench --bench live`.
//!
//! Prints figures, judges nothing. Needs a `redis-server` on `PATH` and Linux's `/proc`.

mod process;

use std::io::Write as _;
use std::time::Duration;

use amr_top::demo::server::Server;

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

    // The first screen with numbers: 200,000 keys are on it.
    let seen = process::dashboard(&server.address(), "200,000", FIRST_SCREEN, WATCH);
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
