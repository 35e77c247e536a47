//! The real program in a real (pseudo) terminal against real servers.

#[path = "support/terminal.rs"]
mod terminal;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;

use amr_top::demo::server::{Server, Signal as ToServer};
use rstest::rstest;
use rustix::process::Signal;
use tempfile::TempDir;

use terminal::{PATIENCE, Run, program};

const ESC: &str = "\x1b";
const CTRL_C: &str = "\x03";

fn server() -> Server {
    Server::start(&[]).expect("a redis-server")
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// The dashboard of a server, with its first answer on the screen.
fn dashboard(server: &Server, folder: &Path) -> Run {
    let run = Run::start(program(&[&server.address()], folder), 120, 40);
    run.see("● live");
    run
}

#[test]
fn starts_and_shows_the_causes() {
    let (server, folder) = (server(), folder());
    let run = dashboard(&server, folder.path());
    run.see(&server.address());
    for cause in [
        "Key expiration",
        "Key eviction",
        "Key deletion",
        "Async replication",
        "Key flushing",
        "Instance failure",
    ] {
        run.see(cause);
    }
    for panel in [
        "Causes",
        "Where did the keys go",
        "Incidents",
        "Keyspace / TTL",
        "Eviction vs maxmemory",
        "Commandstats",
        "Replication",
        "Persistence and instance",
        "Changes",
    ] {
        run.see(panel);
    }
    assert!(run.is_raw());
}

#[test]
fn every_panel_has_a_key_fills_the_screen_and_goes_back() {
    let (server, folder) = (server(), folder());
    let mut run = dashboard(&server, folder.path());
    for (key, panel, other) in [
        ("1", "Causes", "Keyspace / TTL"),
        ("2", "Where did the keys go", "Keyspace / TTL"),
        ("3", "Incidents", "Keyspace / TTL"),
        ("4", "Keyspace / TTL", "Eviction vs maxmemory"),
        ("5", "Eviction vs maxmemory", "Keyspace / TTL"),
        ("6", "Commandstats", "Keyspace / TTL"),
        ("7", "Replication", "Keyspace / TTL"),
        ("8", "Persistence and instance", "Keyspace / TTL"),
        ("9", "Changes", "Keyspace / TTL"),
    ] {
        run.keys(key);
        run.keys("z");
        run.see_no(other);
        run.see(panel);
        run.keys(ESC);
        run.see(other);
    }
}

#[test]
fn a_cause_opens_as_a_card() {
    let (server, folder) = (server(), folder());
    let mut run = dashboard(&server, folder.path());
    // The second poll: the order of the causes is settled.
    run.see("every key that went is accounted for");
    run.keys("\r");
    run.see("Documentation");
    run.see_no("Commandstats");
    run.keys(ESC);
    run.see("Commandstats");
    // Arrow keys as terminals send them.
    let to_the_last_row = "\x1b[B".repeat(9);
    run.keys(&format!("{to_the_last_row}\r"));
    run.see("Documentation");
    run.see("Unexplained");
}

#[test]
fn help_lists_the_keys_and_q_closes_it() {
    let (server, folder) = (server(), folder());
    let mut run = dashboard(&server, folder.path());
    run.keys("?");
    run.see("next, previous panel");
    run.keys("q");
    run.see_no("next, previous panel");
    run.keys("q");
    assert_eq!(run.given_back().0, 0);
}

#[test]
fn a_filter_shows_any_command_and_takes_q_as_text() {
    let (server, folder) = (server(), folder());
    let mut run = dashboard(&server, folder.path());
    run.keys("6");
    run.keys("/");
    run.see("keep");
    run.keys("info");
    run.see("INFO");
    run.keys("q");
    run.see("infoq");
    run.keys("\x7f\r");
    run.see_no("keep");
    run.see("INFO");
    run.keys(ESC);
    run.see_no("INFO");
}

#[test]
fn pausing_stops_the_screen_and_stepping_moves_it() {
    let (server, folder) = (server(), folder());
    let mut run = Run::start(
        program(&["--interval", "200ms", &server.address()], folder.path()),
        120,
        40,
    );
    run.see("● live");
    run.keys(" ");
    run.see("PAUSED");
    run.see("s behind live");
    run.keys("(");
    run.see("PAUSED");
    run.keys("[");
    run.keys("]");
    run.see("PAUSED");
    run.keys("p");
    run.see_no("PAUSED");
    run.see("● live");
}

#[test]
fn interval_keys_change_the_interval() {
    let (server, folder) = (server(), folder());
    let mut run = dashboard(&server, folder.path());
    run.keys("+");
    run.see("every 2 s");
    run.keys("--");
    run.see("every 500 ms");
}

#[test]
fn every_size_is_drawn_right() {
    let (server, folder) = (server(), folder());
    let run = dashboard(&server, folder.path());
    let whole = |run: &Run, text: &str| {
        run.see_no("mangled");
        run.see(text);
    };
    run.resize(80, 24);
    whole(&run, "9 Changes");
    run.resize(30, 8);
    whole(&run, "40");
    run.resize(200, 60);
    whole(&run, "Persistence and instance");
    run.resize(120, 40);
    whole(&run, "Persistence and instance");
    // A terminal that was resized and is back before the program looked has lost its cells too.
    run.resize(121, 40);
    run.resize(120, 40);
    whole(&run, "Key flushing");
    run.see("q quit");
}

#[test]
fn a_snapshot_is_written_for_the_owner_alone() {
    let (server, folder) = (server(), folder());
    let mut run = dashboard(&server, folder.path());
    run.keys("s");
    run.see(".json");
    run.keys("q");
    assert_eq!(run.given_back().0, 0);
    let mut ends = Vec::new();
    for entry in fs::read_dir(folder.path()).expect("the folder") {
        let entry = entry.expect("an entry");
        let mode = entry.metadata().expect("its mode").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", entry.path().display());
        let name = entry.file_name().to_string_lossy().into_owned();
        assert!(name.starts_with("amr-top-"), "{name}");
        ends.push(name.rsplit('.').next().unwrap_or_default().to_owned());
    }
    ends.sort();
    assert_eq!(ends, ["json", "md"]);
}

#[test]
fn a_folder_that_takes_no_files_is_a_notice() {
    let server = server();
    let gone = folder();
    let mut run = dashboard(&server, gone.path());
    // Not a folder without permissions: tests may run as root, whom none stops.
    gone.close().expect("the folder is empty");
    run.keys("s");
    run.see("cannot write");
    run.keys("6");
    run.see("● live");
    run.keys("q");
    assert_eq!(run.given_back().0, 0);
}

#[rstest]
#[case::q("q")]
#[case::ctrl_c(CTRL_C)]
#[case::ctrl_c_in_help("?\x03")]
#[case::ctrl_c_in_a_filter("/q\x03")]
fn keys_that_quit_give_the_terminal_back(#[case] keys: &str) {
    let (server, folder) = (server(), folder());
    let mut run = dashboard(&server, folder.path());
    run.keys(keys);
    assert_eq!(run.given_back().0, 0);
}

#[rstest]
#[case::term(Signal::TERM, 143)]
#[case::hup(Signal::HUP, 129)]
#[case::int(Signal::INT, 130)]
fn signals_give_the_terminal_back(#[case] signal: Signal, #[case] code: u32) {
    let (server, folder) = (server(), folder());
    let run = dashboard(&server, folder.path());
    run.signal(signal);
    assert_eq!(run.given_back().0, code);
}

/// `AMR_TOP_TEST_PANIC` is listened to where debug assertions are on, as they are in tests.
#[rstest]
#[case::in_the_loop("loop")]
#[case::in_a_task("task")]
fn a_panic_gives_the_terminal_back_and_reports_once(#[case] place: &str) {
    let (server, folder) = (server(), folder());
    let mut command = program(&[&server.address()], folder.path());
    command.env("AMR_TOP_TEST_PANIC", place);
    let run = Run::start(command, 120, 40);
    let (code, text) = run.given_back();
    assert_eq!(code, 101);
    let report = format!(
        "asked to panic in {} {place}",
        if place == "loop" { "the" } else { "a" }
    );
    assert_eq!(text.matches(&report).count(), 1, "{text}");
    assert!(!text.contains("Key expiration"), "a clean screen:\n{text}");
}

#[test]
fn a_terminal_that_goes_away_without_a_signal_ends_the_program() {
    let (server, folder) = (server(), folder());
    let mut command = program(&[&server.address()], folder.path());
    // Then no SIGHUP comes.
    command.set_controlling_tty(false);
    let mut run = Run::start(command, 120, 40);
    run.see("● live");
    run.hang_up();
    assert_ne!(run.exit(), 0);
}

#[test]
fn without_a_terminal_it_says_what_to_use() {
    assert_cmd::Command::new(env!("CARGO_BIN_EXE_amr-top"))
        .arg("127.0.0.1:1")
        .assert()
        .code(1)
        .stderr(predicates::str::contains("amr-top check"))
        .stdout("");
}

#[test]
fn a_killed_server_is_said_and_its_return_is_a_restart() {
    let (server, folder) = (server(), folder());
    let mut run = dashboard(&server, folder.path());
    server.signal(ToServer::Kill).expect("it runs");
    server.wait_exit(PATIENCE).expect("it ended");
    run.see("✖ lost");
    run.see("connection refused");
    run.see("retry in");
    run.keys("6");
    run.see("✖ lost");
    server.restart().expect("it starts again");
    run.see("● live");
    run.keys("7z");
    run.see("restart");
    run.keys("q");
    assert_eq!(run.given_back().0, 0);
}

#[test]
fn a_server_that_hangs_is_said_while_keys_still_work() {
    let (server, folder) = (server(), folder());
    let mut run = Run::start(
        program(&["--timeout", "500ms", &server.address()], folder.path()),
        120,
        40,
    );
    run.see("● live");
    server.signal(ToServer::Stop).expect("it runs");
    run.see("does not answer");
    run.keys("?");
    run.see("next, previous panel");
    run.keys(ESC);
    run.see_no("next, previous panel");
    server.signal(ToServer::Cont).expect("it runs");
    run.see("● live");
}

#[test]
fn nobody_there_is_a_screen_too() {
    let folder = folder();
    let mut run = Run::start(program(&["127.0.0.1:1"], folder.path()), 80, 24);
    run.see("connection refused");
    run.keys("q");
    assert_eq!(run.given_back().0, 0);
}

/// Answers every command with one text.
fn fake(info: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address").to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let info = info.clone();
            thread::spawn(move || {
                let Ok(mut stream) = stream else { return };
                let mut some = [0; 4096];
                while let Ok(count @ 1..) = stream.read(&mut some) {
                    let commands = String::from_utf8_lossy(&some[..count])
                        .lines()
                        .filter(|line| line.starts_with('*'))
                        .count();
                    for _ in 0..commands {
                        let reply = format!("${}\r\n{info}\r\n", info.len());
                        if stream.write_all(reply.as_bytes()).is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    address
}

#[test]
fn escape_sequences_from_a_server_are_inert() {
    const HOSTILE: &str = "\x1b]0;pwned\x07\x1b[2J\x1b[31m\u{9b}5mX\u{202e}evil";
    let info = include_str!("fixtures/info/redis-7.0.15-primary.txt")
        .replace(
            "redis_version:7.0.15",
            &format!("redis_version:7.0.15{HOSTILE}"),
        )
        .replace("maxmemory_policy:", &format!("maxmemory_policy:{HOSTILE}"))
        .replace("role:master", &format!("role:master{HOSTILE}"))
        .replace("cmdstat_", &format!("cmdstat_{HOSTILE}"))
        .replace("state=online", &format!("state=online{HOSTILE}"));
    let folder = folder();
    let mut run = Run::start(program(&[&fake(info)], folder.path()), 120, 40);
    run.see("● live");
    for key in ["2", "3", "4", "5", "6", "7"] {
        run.keys(key);
        run.keys("z");
        run.see_no("Key expiration");
        run.keys(ESC);
        run.see("Key expiration");
    }
    run.keys("q");
    assert_eq!(run.given_back().0, 0);
    let raw = run.raw();
    let has = |bytes: &[u8]| raw.windows(bytes.len()).any(|window| window == bytes);
    assert!(!has(b"\x1b]"), "no operating system command");
    assert!(!has(b"\x07"), "no bell");
    assert!(!has("\u{9b}".as_bytes()), "no C1 control");
    assert!(!has("\u{202e}".as_bytes()), "no bidirectional override");
}

/// Waits until a folder is empty: the keeper of a throw-away server removes its folder last, after
/// it has ended the server.
fn empties(folder: &Path) {
    let look = std::time::Duration::from_millis(20);
    for _ in 0..PATIENCE.as_millis() / look.as_millis() {
        if fs::read_dir(folder).expect("a folder").next().is_none() {
            return;
        }
        thread::park_timeout(look);
    }
    panic!(
        "left behind: {:?}",
        fs::read_dir(folder).expect("a folder").collect::<Vec<_>>()
    );
}

/// The demo with its throw-away servers in a folder of the test's.
fn demo(folder: &Path, panic: bool) -> Run {
    let mut command = program(&["demo"], folder);
    command.env("TMPDIR", folder);
    if panic {
        command.env("AMR_TOP_TEST_PANIC", "task");
    }
    Run::start(command, 120, 40)
}

#[test]
fn the_demo_shows_its_incident_and_leaves_nothing() {
    let folder = folder();
    let mut run = demo(folder.path(), false);
    run.see("● live");
    run.see("CONFIRMED  Key flushing");
    run.keys("q");
    assert_eq!(run.given_back().0, 0);
    empties(folder.path());
}

#[rstest]
#[case::ctrl_c(Some(CTRL_C), None)]
#[case::term(None, Some(Signal::TERM))]
#[case::kill(None, Some(Signal::KILL))]
fn however_the_demo_ends_it_leaves_nothing(
    #[case] keys: Option<&str>,
    #[case] signal: Option<Signal>,
) {
    let folder = folder();
    let mut run = demo(folder.path(), false);
    run.see("● live");
    assert!(
        fs::read_dir(folder.path())
            .expect("a folder")
            .next()
            .is_some()
    );
    if let Some(keys) = keys {
        run.keys(keys);
    }
    if let Some(signal) = signal {
        run.signal(signal);
    }
    run.exit();
    empties(folder.path());
}

#[test]
fn a_panic_in_the_demo_leaves_nothing() {
    let folder = folder();
    let run = demo(folder.path(), true);
    assert_eq!(run.given_back().0, 101);
    empties(folder.path());
}

#[test]
fn without_a_server_the_demo_shows_a_recorded_incident() {
    let folder = folder();
    let mut command = program(&["demo"], folder.path());
    command.env("PATH", folder.path());
    let mut run = Run::start(command, 120, 40);
    run.see("no redis-server on PATH");
    run.see("recorded-incident");
    run.keys("q");
    assert_eq!(run.given_back().0, 0);
}
