//! The program in a terminal of its own, looked at from outside: time to its first screen, CPU,
//! memory. Linux's `/proc`.

use std::io::Read as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use vt100::Parser;

/// What was seen of it.
pub(crate) struct Seen {
    pub(crate) first_screen: Duration,
    /// User and system time while it was watched.
    pub(crate) cpu: Duration,
    pub(crate) resident_kb: u64,
}

/// Runs the dashboard in a terminal of 200x60 until `full` stands on it, and looks at its process for
/// a while.
#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock and waits"
)]
pub(crate) fn dashboard(target: &str, full: &str, patience: Duration, watch: Duration) -> Seen {
    let size = PtySize {
        rows: 60,
        cols: 200,
        pixel_width: 0,
        pixel_height: 0,
    };
    let pair = native_pty_system().openpty(size).expect("a terminal");
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_amr-top"));
    command.arg(target);
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
    let is_full = || {
        screen
            .lock()
            .expect("no reader panics")
            .screen()
            .contents()
            .contains(full)
    };
    while !is_full() {
        assert!(start.elapsed() < patience, "no screen with '{full}'");
        std::thread::sleep(Duration::from_millis(1));
    }
    let first_screen = start.elapsed();
    let pid = child.process_id().expect("a process");
    let before = cpu(pid);
    std::thread::sleep(watch);
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
