//! Throw-away servers: they answer, they obey, and nothing is left of them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use amr_top::demo::server::{Server, ServerError, Signal};

const DEADLINE: Duration = Duration::from_secs(10);

fn ask(server: &Server, command: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(server.address())?;
    stream.set_read_timeout(Some(DEADLINE))?;
    write!(stream, "{command}\r\nQUIT\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Whether a process exists that is more than a zombie.
fn lives(pid: u32) -> bool {
    let ps = Command::new("ps")
        .args(["-o", "stat=", "-p", &pid.to_string()])
        .output();
    assert!(ps.is_ok(), "the tests need 'ps': {ps:?}");
    let state = ps.map(|ps| ps.stdout).unwrap_or_default();
    let state = String::from_utf8_lossy(&state).trim().to_owned();
    !state.is_empty() && !state.starts_with('Z')
}

#[expect(clippy::disallowed_methods, reason = "a deadline of a test")]
fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "not within 10 s: {what}");
        std::thread::yield_now();
    }
}

fn assert_gone(pid: u32, dir: &Path) {
    until("the process is gone", || !lives(pid));
    until("the folder is gone", || !dir.exists());
}

#[test]
fn it_starts_answers_and_is_gone_after_drop() {
    let server = Server::start(&[]).unwrap();
    assert!(ask(&server, "PING").unwrap().starts_with("+PONG"));
    assert!(ask(&server, "CONFIG GET save").unwrap().contains("$0\r\n"));
    assert!(server.log().contains("eady to accept connections"));
    assert!(server.is_running() && lives(server.pid()));
    let (pid, dir) = (server.pid(), server.dir().to_owned());
    drop(server);
    assert!(!lives(pid), "drop waits for the process");
    assert!(!dir.exists(), "drop waits for the folder");
}

#[test]
fn a_stopped_server_leaves_nothing() {
    let server = Server::start(&[]).unwrap();
    server.signal(Signal::Stop).unwrap();
    let (pid, dir) = (server.pid(), server.dir().to_owned());
    drop(server);
    assert!(!lives(pid) && !dir.exists());
}

#[test]
fn it_restarts_on_the_same_port_with_or_without_data() {
    let server = Server::start(&["--appendonly", "yes", "--appendfsync", "always"]).unwrap();
    let (port, first) = (server.port(), server.pid());
    ask(&server, "SET k v").unwrap();
    server.signal(Signal::Kill).unwrap();
    server.wait_exit(DEADLINE).unwrap();
    assert!(!server.is_running());
    assert!(matches!(
        server.signal(Signal::Kill),
        Err(ServerError::NotRunning)
    ));
    server.restart().unwrap();
    assert_eq!(server.port(), port);
    assert_ne!(server.pid(), first);
    until("the data is loaded", || {
        ask(&server, "GET k").unwrap().contains("\r\nv\r\n")
    });

    server.signal(Signal::Term).unwrap();
    server.wait_exit(DEADLINE).unwrap();
    server.restart().unwrap();
    let running = server.pid();
    server.restart().unwrap();
    assert!(!lives(running), "a restart ends what still runs");
    assert!(lives(server.pid()));
}

#[test]
fn a_stopped_server_goes_on() {
    let server = Server::start(&[]).unwrap();
    server.signal(Signal::Stop).unwrap();
    assert!(server.wait_exit(Duration::from_millis(50)).is_err());
    assert!(server.is_running());
    server.signal(Signal::Cont).unwrap();
    assert!(ask(&server, "PING").unwrap().starts_with("+PONG"));
}

#[test]
fn a_server_with_a_password_counts_as_ready() {
    let server = Server::start(&["--requirepass", "secret"]).unwrap();
    assert!(ask(&server, "PING").unwrap().starts_with("-NOAUTH"));
}

#[test]
fn arguments_may_name_the_folder() {
    let server = Server::start(&["--unixsocket", "{dir}/redis.sock"]).unwrap();
    assert!(server.dir().join("redis.sock").exists());
}

#[test]
fn a_server_that_refuses_its_arguments_says_why() {
    let error = Server::start(&["--no-such-option", "1"]).unwrap_err();
    assert!(matches!(error, ServerError::Ended { .. }), "{error}");
    assert!(error.to_string().contains("no-such-option"), "{error}");
}

#[test]
fn the_leash_of_one_does_not_hold_another() {
    let first = Server::start(&[]).unwrap();
    let second = Server::start(&[]).unwrap();
    assert_ne!(first.port(), second.port());
    drop(first);
    assert!(ask(&second, "PING").unwrap().starts_with("+PONG"));
    let third = Server::start(&[]).unwrap();
    drop(second);
    assert!(ask(&third, "PING").unwrap().starts_with("+PONG"));
}

const HELPER: &str = "AMR_TOP_TEST_OWNER";

/// What [`nothing_is_left_when_the_owner_is_killed`] does in another process.
fn own_two_servers() {
    let servers = [
        Server::start(&[]).expect("a server"),
        Server::start(&[]).expect("a server"),
    ];
    servers[1].signal(Signal::Stop).expect("a signal");
    let mut out = std::io::stdout();
    for server in &servers {
        writeln!(out, "\nserver {} {}", server.pid(), server.dir().display()).expect("a pipe");
    }
    writeln!(out, "all").expect("a pipe");
    // Until we are killed.
    let _ = std::io::stdin().read(&mut [0]);
    std::process::abort();
}

#[test]
fn nothing_is_left_when_the_owner_is_killed() {
    if std::env::var_os(HELPER).is_some() {
        return own_two_servers();
    }
    for how in ["kill -9", "abort"] {
        let mut owner = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "nothing_is_left_when_the_owner_is_killed",
                "--nocapture",
            ])
            .env(HELPER, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let servers: Vec<(u32, PathBuf)> = BufReader::new(owner.stdout.take().unwrap())
            .lines()
            .map(Result::unwrap)
            .take_while(|line| line != "all")
            .filter_map(|line| {
                let (pid, dir) = line.strip_prefix("server ")?.split_once(' ')?;
                Some((pid.parse().unwrap(), dir.into()))
            })
            .collect();
        assert_eq!(servers.len(), 2, "{how}");
        assert!(servers.iter().all(|(pid, dir)| lives(*pid) && dir.exists()));
        if how == "kill -9" {
            owner.kill().unwrap();
        } else {
            drop(owner.stdin.take());
        }
        owner.wait().unwrap();
        for (pid, dir) in &servers {
            assert_gone(*pid, dir);
        }
    }
}
