//! The demo: quick to start, lively, and nothing is left of it.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use amr_top::demo::{Demo, Incident};
use amr_top::info::Info;

const SECTIONS: &str = "server clients memory persistence stats replication commandstats \
                        errorstats cluster keyspace";

/// A poll as the program makes it, over a bare socket.
struct Poller(BufReader<TcpStream>);

impl Poller {
    fn new(demo: &Demo) -> Self {
        let stream = TcpStream::connect(demo.address()).unwrap();
        let deadline = Some(Duration::from_secs(5));
        stream.set_read_timeout(deadline).unwrap();
        Self(BufReader::new(stream))
    }

    fn info(&mut self) -> String {
        let question = format!("INFO {SECTIONS}\r\n");
        self.0.get_mut().write_all(question.as_bytes()).unwrap();
        let mut length = String::new();
        self.0.read_line(&mut length).unwrap();
        let length = length.trim().strip_prefix('$').unwrap();
        let mut reply = vec![0; length.parse::<usize>().unwrap() + 2];
        self.0.read_exact(&mut reply).unwrap();
        reply.truncate(reply.len() - 2);
        String::from_utf8(reply).unwrap()
    }

    /// Polls until the reply satisfies `found`.
    fn until(&mut self, what: &str, within: Duration, found: impl Fn(&Info) -> bool) -> Info {
        let deadline = now() + within;
        loop {
            let info = Info::parse(self.info());
            if found(&info) {
                return info;
            }
            assert!(
                now() < deadline,
                "not within {within:?}: {what}\n{}",
                info.text()
            );
            wait(Duration::from_millis(50));
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "deadlines of a test")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "the spacing of polls")]
fn wait(time: Duration) {
    std::thread::sleep(time);
}

fn keys(info: &Info) -> u64 {
    info.get("Keyspace", "db0")
        .and_then(|db| amr_top::info::Composite::new(db).u64("keys"))
        .unwrap_or(0)
}

fn calls(info: &Info, command: &str) -> u64 {
    info.get("Commandstats", &format!("cmdstat_{command}"))
        .and_then(|line| amr_top::info::Composite::new(line).u64("calls"))
        .unwrap_or(0)
}

#[test]
fn it_starts_full_with_a_replica_and_leaves_nothing() {
    let demo = Demo::start(Incident::Flush).unwrap();
    let info = Info::parse(Poller::new(&demo).info());
    assert!(keys(&info) > 5_000, "{}", info.text());
    assert_eq!(info.u64("Replication", "connected_slaves"), Some(1));
    let dirs = [
        demo.stage().primary.dir().to_owned(),
        demo.stage().replica.dir().to_owned(),
    ];
    drop(demo);
    assert!(dirs.iter().all(|dir| !dir.exists()));
}

/// `UPDATE_INCIDENT=1 cargo test --test demo traffic` also writes the bundled incident anew.
#[test]
fn traffic_goes_on_and_the_flush_comes() {
    let demo = Demo::start(Incident::Flush).unwrap();
    let mut poller = Poller::new(&demo);
    if std::env::var_os("UPDATE_INCIDENT").is_some() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/incident-flush.txt");
        std::fs::write(file, capture(&mut poller)).unwrap();
        return;
    }
    let soon = Duration::from_secs(5);
    poller.until("reads", soon, |info| calls(info, "get") > 100);
    let info = poller.until("a flush", Duration::from_secs(20), |info| {
        calls(info, "flushall") > 0
    });
    assert!(keys(&info) < 5_000);
}

#[test]
fn keys_expire_together() {
    let demo = Demo::start(Incident::Expiration).unwrap();
    Poller::new(&demo).until("an expiry wave", Duration::from_secs(30), |info| {
        info.u64("Stats", "expired_keys").unwrap_or(0) > 10_000
    });
}

#[test]
fn keys_are_evicted() {
    let demo = Demo::start(Incident::Eviction).unwrap();
    Poller::new(&demo).until("evictions", Duration::from_secs(40), |info| {
        info.u64("Stats", "evicted_keys").unwrap_or(0) > 500
    });
}

#[test]
fn keys_are_deleted() {
    let demo = Demo::start(Incident::Deletion).unwrap();
    Poller::new(&demo).until("deletions", Duration::from_secs(40), |info| {
        calls(info, "hdel") > 100 && calls(info, "getdel") > 100 && calls(info, "unlink") > 20
    });
}

#[test]
fn the_server_comes_back_empty() {
    let demo = Demo::start(Incident::Restart).unwrap();
    let run_id = |info: &Info| info.get("Server", "run_id").map(str::to_owned);
    let before = Info::parse(Poller::new(&demo).info());
    demo.stage()
        .primary
        .wait_exit(Duration::from_secs(20))
        .unwrap();
    let deadline = now() + Duration::from_secs(20);
    while !demo.stage().primary.is_running() {
        assert!(now() < deadline, "{}", demo.stage().primary.log());
        wait(Duration::from_millis(20));
    }
    // It is running; the port opens a moment later.
    while TcpStream::connect(demo.address()).is_err() {
        assert!(now() < deadline, "{}", demo.stage().primary.log());
        wait(Duration::from_millis(20));
    }
    let after = Info::parse(Poller::new(&demo).info());
    assert_ne!(run_id(&before), run_id(&after));
    assert!(keys(&after) < 3_000);
}

#[test]
fn the_replica_falls_behind() {
    let demo = Demo::start(Incident::Replication).unwrap();
    Poller::new(&demo).until("a lag", Duration::from_secs(30), |info| {
        let offset = info.u64("Replication", "master_repl_offset").unwrap_or(0);
        let replica = info.get("Replication", "slave0").unwrap_or("");
        let acked = amr_top::info::Composite::new(replica).u64("offset");
        acked.is_some_and(|acked| offset.saturating_sub(acked) > 5_000_000)
    });
}

/// Writes the bundled incident: half a minute of replies, one a second, paths made neutral.
#[expect(clippy::disallowed_methods, reason = "an edge: it observes")]
fn capture(poller: &mut Poller) -> String {
    let begin = now();
    let mut text = String::new();
    for second in 0..30 {
        wait((begin + Duration::from_secs(second)).saturating_duration_since(now()));
        let asked = now();
        let reply = poller.info();
        let head = format!(
            "@ {} {} {}\n",
            begin.elapsed().as_millis(),
            jiff::Timestamp::now().as_millisecond(),
            asked.elapsed().as_micros()
        );
        text.push_str(&head);
        for line in reply.split_inclusive('\n') {
            text.push_str(match line {
                line if line.starts_with("executable:") => "executable:/usr/bin/redis-server\r\n",
                line if line.starts_with("os:") => "os:Linux x86_64\r\n",
                line => line,
            });
        }
    }
    text
}
