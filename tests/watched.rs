//! Watched keys on real servers: what became of each, and when.

mod support;

use std::path::Path;
use std::time::Duration;

use amr_top::config::Settings;
use amr_top::demo::server::{Server, Signal, find};
use amr_top::diagnosis::{Ending, Fate, diagnose};
use amr_top::model::{Assumptions, History};
use amr_top::source::Clock;
use rstest::rstest;
use support::{DEADLINE, Watch, client, run, settings};
use tokio::time::timeout;

fn key(name: &str) -> amr_top::model::Watch {
    amr_top::model::Watch::Key(name.to_owned())
}

fn prefix(name: &str) -> amr_top::model::Watch {
    amr_top::model::Watch::Prefix(name.to_owned())
}

/// A poller that watches keys, and what was understood of what it told.
struct Stage {
    watch: Watch,
    history: History,
}

impl Stage {
    fn open(settings: Settings) -> Self {
        let keep = Duration::from_secs(3_600);
        Self {
            history: History::new(settings.node(), Assumptions::default(), keep),
            watch: Watch::start(settings),
        }
    }

    fn clock(&self) -> Clock {
        self.watch.clock
    }

    async fn hear(&mut self) {
        let told = self.watch.aside(|_| true).await;
        self.history.observe(told);
    }

    /// Listens until a condition holds of what was told so far.
    async fn until<T>(&mut self, what: &str, met: impl Fn(&History) -> Option<T>) -> T {
        let all = async {
            loop {
                if let Some(met) = met(&self.history) {
                    return met;
                }
                self.hear().await;
            }
        };
        match timeout(DEADLINE, all).await {
            Ok(met) => met,
            Err(late) => panic!("{late}: no {what}: {:#?}", fates(&self.history)),
        }
    }

    /// Listens until a key has come to this end.
    async fn ending(&mut self, name: &str, ending: Ending) -> Fate {
        let is = |history: &History| fate(history, name).filter(|fate| fate.ending == ending);
        self.until(&format!("{name} {ending:?}"), is).await
    }

    /// Listens until each of these keys was read and is there.
    async fn standing(&mut self, names: &[&str]) {
        for name in names {
            self.ending(name, Ending::Present).await;
        }
    }

    /// Listens until a poll was answered from now on: what happens next is counted from there.
    async fn poll(&mut self) {
        let now = self.clock().elapsed();
        let fresh = |history: &History| {
            let last = history.last_sample()?;
            (last.moment.elapsed > now).then_some(())
        };
        self.until("answer", fresh).await;
    }
}

fn fates(history: &History) -> Vec<Fate> {
    diagnose(&history.window()).fates
}

fn fate(history: &History, name: &str) -> Option<Fate> {
    fates(history).into_iter().find(|fate| &*fate.name == name)
}

/// What is said of it, without who may have done it.
fn plain(fate: &Fate) -> String {
    fate.without_names().summary
}

fn watching(server: &Server, watch: Vec<amr_top::model::Watch>) -> Settings {
    Settings {
        watch,
        ..settings(server.port())
    }
}

const SERVERS: [&str; 2] = ["redis-server", "valkey-server"];

fn start(binary: &str, args: &[&str]) -> Server {
    let binary = match binary {
        "redis-server" => find().expect("a redis-server"),
        other => Path::new("/usr/bin").join(other),
    };
    Server::start_with(&binary, args).unwrap_or_else(|error| panic!("{error}"))
}

/// One key is made by `make`, watched, and ended by `end`.
async fn ended(
    args: &[&str],
    make: &[&str],
    end: impl Fn(&mut redis::Connection),
    ending: Ending,
) -> Fate {
    let server = start(SERVERS[0], args);
    let mut redis = client(&server);
    for line in make {
        run(&mut redis, line);
    }
    let mut stage = Stage::open(watching(&server, vec![key("k")]));
    stage.standing(&["k"]).await;
    stage.poll().await;
    let before = stage.clock().now();
    end(&mut redis);
    let after = stage.clock().now();
    let fate = stage.ending("k", ending).await;
    let (from, to) = (fate.from.expect("a time"), fate.to.expect("a time"));
    assert!(to.elapsed >= before.elapsed, "{fate:#?}");
    // Pushed: the moment itself. Otherwise it lies between two readings.
    let late = from.elapsed.saturating_sub(after.elapsed);
    assert!(late < Duration::from_secs(1), "{late:?} late: {fate:#?}");
    fate
}

#[rstest]
#[case("DEL k", "SET k v EX 3600", "deleted (DEL), its TTL had 3,5")]
#[case("UNLINK k", "SET k v", "deleted (UNLINK), it had no TTL")]
#[case("GETDEL k", "SET k v", "deleted (GETDEL), it had no TTL")]
#[case("LPOP k", "RPUSH k only", "deleted (its last element was taken: LPOP)")]
#[case("HDEL k f", "HSET k f v", "deleted (its last element was taken: HDEL)")]
#[case("EVAL return(redis.call('DEL','k')) 0", "SET k v", "deleted (DEL)")]
#[tokio::test]
async fn deleted(#[case] line: &str, #[case] make: &str, #[case] says: &str) {
    let fate = ended(
        &[],
        &[make],
        |redis| drop(run(redis, line)),
        Ending::Deleted,
    )
    .await;
    assert!(fate.is_certain(), "{fate:#?}");
    assert!(plain(&fate).starts_with("vanished at "), "{fate:#?}");
    assert!(plain(&fate).contains(says), "{}", plain(&fate));
    assert!(!fate.evidence.is_empty());
}

#[tokio::test]
async fn who_deleted_it_is_likely_the_client_whose_last_command_it_was() {
    let server = start(SERVERS[0], &[]);
    let mut redis = client(&server);
    run(&mut redis, "SET k v EX 3600");
    run(&mut redis, "CLIENT SETNAME worker-3");
    let mut stage = Stage::open(watching(&server, vec![key("k")]));
    stage.standing(&["k"]).await;
    stage.poll().await;
    run(&mut redis, "DEL k");
    let named = |history: &History| {
        let fate = fate(history, "k").filter(|fate| fate.ending == Ending::Deleted)?;
        fate.sentence().contains("worker-3").then_some(fate)
    };
    let fate = stage.until("name", named).await;
    assert!(
        fate.sentence()
            .contains("deleted (DEL, likely by 127.0.0.1:"),
        "{fate:#?}"
    );
    let hidden = fate.without_names();
    let said = format!("{hidden:?}");
    assert!(!said.contains("worker-3"), "{said}");
    assert!(
        hidden.sentence().starts_with("'key 1' vanished"),
        "{hidden:#?}"
    );
    assert!(
        hidden.sentence().contains("deleted (DEL), its TTL"),
        "{hidden:#?}"
    );
}

#[tokio::test]
async fn two_causes_at_once_are_both_named() {
    let both = |redis: &mut redis::Connection| {
        let mut both = redis::pipe();
        both.atomic().cmd("LPOP").arg("k").cmd("DEL").arg("other");
        both.exec(redis).expect("both run");
    };
    let make = ["RPUSH k only", "SET other v"];
    let fate = ended(&[], &make, both, Ending::Deleted).await;
    assert!(!fate.is_certain(), "{fate:#?}");
    let said = plain(&fate);
    assert!(
        said.contains("probably deleted (DEL), possibly deleted (its last element"),
        "{said}"
    );
}

#[tokio::test]
async fn expired_on_time() {
    let server = start(SERVERS[0], &[]);
    let mut redis = client(&server);
    run(&mut redis, "SET k v PX 1500");
    let mut stage = Stage::open(watching(&server, vec![key("k")]));
    stage.standing(&["k"]).await;
    // Another command runs in the same time, and is not blamed.
    run(&mut redis, "SET other v");
    run(&mut redis, "DEL other");
    let fate = stage.ending("k", Ending::Expired).await;
    assert!(fate.is_certain(), "{fate:#?}");
    assert_eq!(fate.ttl_left, Some(Duration::ZERO));
    assert!(
        plain(&fate).ends_with("expired, its TTL had run out"),
        "{fate:#?}"
    );
}

#[tokio::test]
async fn evicted() {
    // Only a key with a TTL may go, and there is one: it is the one that goes.
    let args = ["--maxmemory", "3mb", "--maxmemory-policy", "volatile-lru"];
    let fill = |redis: &mut redis::Connection| {
        let full = (0..10_000).any(|n| {
            redis::cmd("SET")
                .arg(format!("fill:{n}"))
                .arg("x".repeat(1_024))
                .exec(redis)
                .is_err()
        });
        assert!(full, "10 MB do not fill 3");
    };
    let fate = ended(&args, &["SET k v EX 3600"], fill, Ending::Evicted).await;
    assert!(fate.is_certain(), "{fate:#?}");
    assert!(
        plain(&fate).contains("evicted (memory was full, volatile-lru), its TTL had 3,5"),
        "{fate:#?}"
    );
}

#[rstest]
#[case("FLUSHALL")]
#[case("FLUSHDB ASYNC")]
#[tokio::test]
async fn flushed(#[case] line: &str) {
    let fate = ended(
        &[],
        &["SET k v"],
        |redis| drop(run(redis, line)),
        Ending::Flushed,
    )
    .await;
    assert!(fate.is_certain(), "{fate:#?}");
    let name = line.split(' ').next().unwrap_or_default();
    assert!(
        plain(&fate).contains(&format!("flushed ({name})")),
        "{fate:#?}"
    );
}

#[tokio::test]
async fn another_database_that_is_flushed_takes_no_watched_key() {
    let server = start(SERVERS[0], &[]);
    let mut redis = client(&server);
    run(&mut redis, "SET k v");
    let mut stage = Stage::open(watching(&server, vec![key("k")]));
    stage.standing(&["k"]).await;
    run(&mut redis, "SELECT 1");
    run(&mut redis, "FLUSHDB");
    run(&mut redis, "SELECT 0");
    // It is armed again: the next change is pushed.
    let flushed = |history: &History| {
        let mut steps = history.window().steps().collect::<Vec<_>>().into_iter();
        steps.find(|step| step.emptied().is_some()).map(|_| ())
    };
    stage.until("flush", flushed).await;
    assert_eq!(
        fate(&stage.history, "k").map(|fate| fate.ending),
        Some(Ending::Present)
    );
    run(&mut redis, "DEL k");
    stage.ending("k", Ending::Deleted).await;
}

#[tokio::test]
async fn moved_and_renamed() {
    let moved = |line: &'static str| move |redis: &mut redis::Connection| drop(run(redis, line));
    let fate = ended(&[], &["SET k v"], moved("MOVE k 1"), Ending::Moved).await;
    assert!(plain(&fate).contains("moved (MOVE)"), "{fate:#?}");
    let fate = ended(&[], &["SET k v"], moved("RENAME k l"), Ending::Moved).await;
    assert!(plain(&fate).contains("moved (RENAME)"), "{fate:#?}");
    // Nothing is pushed for it: the next turn finds it.
    let fate = ended(&[], &["SET k v"], moved("SWAPDB 0 1"), Ending::Moved).await;
    assert!(plain(&fate).contains("vanished between"), "{fate:#?}");
    assert!(plain(&fate).contains("moved (SWAPDB)"), "{fate:#?}");
}

#[rstest]
#[case("SADD k m", "overwritten at", "set, is string now (SET)", "SET k v")]
#[case(
    "SET k v",
    "overwritten at",
    "string, is list now (RENAME)",
    "RENAME l k"
)]
#[tokio::test]
async fn overwritten(
    #[case] make: &str,
    #[case] when: &str,
    #[case] says: &str,
    #[case] line: &str,
) {
    let server = start(SERVERS[0], &[]);
    let mut redis = client(&server);
    run(&mut redis, make);
    run(&mut redis, "RPUSH l a");
    let mut stage = Stage::open(watching(&server, vec![key("k")]));
    stage.standing(&["k"]).await;
    stage.poll().await;
    run(&mut redis, line);
    // What wrote it is known with the next poll.
    let said = |history: &History| {
        let fate = fate(history, "k").filter(|fate| fate.ending == Ending::Overwritten)?;
        plain(&fate).contains(says).then_some(fate)
    };
    let fate = stage.until(says, said).await;
    assert!(plain(&fate).contains(when), "{fate:#?}");
}

#[tokio::test]
async fn lost_in_a_crash() {
    let server = start(SERVERS[0], &[]);
    let mut redis = client(&server);
    run(&mut redis, "SET k v");
    let mut stage = Stage::open(watching(&server, vec![key("k")]));
    stage.standing(&["k"]).await;
    drop(redis);
    server.signal(Signal::Kill).expect("killed");
    server.restart().expect("starts again");
    let fate = stage.ending("k", Ending::Lost).await;
    assert!(fate.is_certain(), "{fate:#?}");
    assert!(
        plain(&fate).contains("lost (the server restarted)"),
        "{fate:#?}"
    );
}

#[tokio::test]
async fn it_comes_back_and_goes_again() {
    let server = start(SERVERS[1], &[]);
    let mut redis = client(&server);
    let mut stage = Stage::open(watching(&server, vec![key("k")]));
    stage.ending("k", Ending::Missing).await;
    for _ in 0..3 {
        run(&mut redis, "SET k v");
        stage.ending("k", Ending::Present).await;
        stage.poll().await;
        run(&mut redis, "UNLINK k");
        stage.ending("k", Ending::Deleted).await;
    }
}

#[tokio::test]
async fn a_key_that_is_changed_all_the_time_is_not_lost_sight_of() {
    let server = start(SERVERS[0], &[]);
    let mut redis = client(&server);
    run(&mut redis, "SET k 0");
    let mut stage = Stage::open(watching(&server, vec![key("k")]));
    stage.standing(&["k"]).await;
    for _ in 0..20_000 {
        run(&mut redis, "INCR k");
    }
    run(&mut redis, "DEL k");
    stage.ending("k", Ending::Deleted).await;
    let reads = calls(&mut redis, "pttl");
    let most = stage.clock().elapsed().as_millis() / 100 + 10;
    assert!(u128::from(reads) <= most, "{reads} reads, {most} at most");
}

/// How often a real server ran a command.
fn calls(redis: &mut redis::Connection, name: &str) -> u64 {
    let start = format!("cmdstat_{name}:calls=");
    let stats = commandstats(redis);
    let line = stats.lines().find_map(|line| line.strip_prefix(&start));
    let calls = line.and_then(|line| line.split(',').next());
    calls.map_or(0, |calls| calls.parse().expect("a number"))
}

fn commandstats(redis: &mut redis::Connection) -> String {
    let redis::Value::BulkString(stats) = run(redis, "INFO commandstats") else {
        panic!("INFO");
    };
    String::from_utf8_lossy(&stats).into_owned()
}

#[tokio::test]
async fn a_thousand_keys_under_heavy_writes() {
    let server = start(SERVERS[0], &[]);
    let mut redis = client(&server);
    let names: Vec<String> = (0..1_000).map(|n| format!("k:{n}")).collect();
    let set = |redis: &mut redis::Connection| {
        let mut all = redis::pipe();
        for name in &names {
            all.cmd("SET")
                .arg(name)
                .arg("v")
                .arg("EX")
                .arg(3_600)
                .ignore();
        }
        all.exec(redis).expect("all are set");
    };
    set(&mut redis);
    let watched = names.iter().map(|name| key(name)).collect();
    let mut stage = Stage::open(watching(&server, watched));
    let present = |history: &History| {
        let fates = fates(history);
        let there = fates.iter().filter(|fate| fate.ending == Ending::Present);
        (there.count() == 1_000).then_some(())
    };
    stage.until("all keys read", present).await;
    let writer = std::thread::spawn({
        let address = server.address();
        let names = names.clone();
        move || {
            let client = redis::Client::open(format!("redis://{address}/")).expect("a client");
            let mut redis = client.get_connection().expect("a connection");
            for round in 0..100 {
                let mut all = redis::pipe();
                for name in &names {
                    all.cmd("SET")
                        .arg(name)
                        .arg(round)
                        .arg("EX")
                        .arg(3_600)
                        .ignore();
                }
                all.exec(&mut redis).expect("all are set");
            }
            run(&mut redis, "DEL k:0 k:499 k:999");
        }
    });
    for name in ["k:0", "k:499", "k:999"] {
        stage.ending(name, Ending::Deleted).await;
    }
    writer.join().expect("all was written");
    let gone = fates(&stage.history);
    let gone = gone.iter().filter(|fate| fate.ending.is_gone()).count();
    assert_eq!(gone, 3);
    let reads = calls(&mut redis, "pttl");
    let seconds = stage.clock().elapsed().as_secs() + 1;
    assert!(reads <= 2_200 * seconds, "{reads} reads in {seconds} s");
}

#[tokio::test]
async fn more_changes_than_the_budget_slow_the_reading_down_and_it_is_said() {
    let server = start(SERVERS[0], &[]);
    let mut redis = client(&server);
    let names: Vec<String> = (0..1_000).map(|n| format!("k:{n}")).collect();
    let watched = names.iter().map(|name| key(name)).collect();
    let mut stage = Stage::open(watching(&server, watched));
    let all_read = |history: &History| (fates(history).len() == 1_000).then_some(());
    stage.until("all keys read", all_read).await;
    let writer = std::thread::spawn({
        let (slowed, is_slow) = std::sync::mpsc::channel::<()>();
        let address = server.address();
        let thread = std::thread::spawn(move || {
            let client = redis::Client::open(format!("redis://{address}/")).expect("a client");
            let mut redis = client.get_connection().expect("a connection");
            while is_slow.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                let mut all = redis::pipe();
                for name in &names {
                    all.cmd("INCR").arg(name).ignore();
                }
                all.exec(&mut redis).expect("all are written");
            }
        });
        move || (slowed, thread)
    });
    let (slowed, thread) = writer.join().expect("a writer");
    let says = |words: &'static str| {
        move |history: &History| {
            let mut changes = history.changes().rev();
            let said = changes.find(|change| change.kind.sentence().contains("watched keys"));
            said.filter(|change| change.kind.sentence().contains(words))
                .map(|_| ())
        }
    };
    stage.until("slow reading", says("read once a poll")).await;
    drop(slowed);
    thread.join().expect("it wrote to the end");
    stage
        .until("normal reading", says("each change is read"))
        .await;
    run(&mut redis, "DEL k:7");
    stage.ending("k:7", Ending::Deleted).await;
}

#[tokio::test]
async fn reading_touches_no_clock_and_sends_nothing_but_the_list() {
    for binary in SERVERS {
        for policy in ["allkeys-lru", "allkeys-lfu"] {
            let server = start(
                binary,
                &["--maxmemory-policy", policy, "--maxmemory", "100mb"],
            );
            let mut redis = client(&server);
            run(&mut redis, "SET k v");
            run(&mut redis, "SET p:1 v");
            run(&mut redis, "CONFIG RESETSTAT");
            let question = if policy == "allkeys-lru" {
                "IDLETIME"
            } else {
                "FREQ"
            };
            let clock =
                |redis: &mut redis::Connection| match run(redis, &format!("OBJECT {question} k")) {
                    redis::Value::Int(n) => n,
                    other => panic!("{other:?}"),
                };
            let before = clock(&mut redis);
            let mut stage = Stage::open(watching(&server, vec![key("k"), prefix("p:")]));
            stage.standing(&["k"]).await;
            // Read again in turn, several times.
            let read = |redis: &mut redis::Connection| calls(redis, "pttl");
            while read(&mut redis) < 4 {
                stage.hear().await;
            }
            let after = clock(&mut redis);
            match question {
                "IDLETIME" => assert!(after >= before + 2, "{before} to {after}"),
                _ => assert!(after <= before, "{before} to {after}"),
            }
            let own = ["object|idletime", "object|freq", "config|resetstat"];
            nothing_but_the_list(&mut redis, &own);
            assert_eq!(run(&mut redis, "ACL LOG"), redis::Value::Array(vec![]));
        }
    }
}

/// The server has counted nothing but what the list names and what the test itself sent.
fn nothing_but_the_list(redis: &mut redis::Connection, own: &[&str]) {
    let stats = commandstats(redis);
    let lines = stats
        .lines()
        .filter_map(|line| line.strip_prefix("cmdstat_"));
    for line in lines {
        let name = line.split(':').next().unwrap_or_default();
        let listed = amr_top::source::commands::ALL
            .iter()
            .any(|entry| entry.name == name);
        assert!(listed || own.contains(&name), "'{name}' was sent:\n{stats}");
    }
}

#[tokio::test]
async fn a_prefix_tells_which_of_its_keys_vanished() {
    let server = start(SERVERS[0], &[]);
    let mut redis = client(&server);
    run(&mut redis, "SET s:unseen v EX 900");
    let mut stage = Stage::open(watching(&server, vec![prefix("s:")]));
    stage
        .until("tracking", |history| {
            (history.last_sample().is_some()).then_some(())
        })
        .await;
    // Armed when the first of these is told.
    let mut n = 0;
    while fates(&stage.history).is_empty() {
        run(&mut redis, "SET s:probe v");
        run(&mut redis, "DEL s:probe");
        n += 1;
        assert!(n < 10_000, "nothing is told");
        stage.hear().await;
    }
    run(&mut redis, "SET t:1 v");
    // It was read before it goes. The first reading may still be one of the probe.
    for _ in 0..2 {
        let before = calls(&mut redis, "pttl");
        run(&mut redis, "SET s:1 v EX 900");
        while calls(&mut redis, "pttl") == before {
            stage.hear().await;
        }
    }
    run(&mut redis, "DEL s:unseen s:1 t:1");
    let seen = stage.ending("s:1", Ending::Deleted).await;
    assert!(seen.is_member);
    assert!(plain(&seen).contains("its TTL had 8"), "{seen:#?}");
    let unseen = stage.ending("s:unseen", Ending::Deleted).await;
    assert!(!plain(&unseen).contains("TTL"), "{unseen:#?}");
    assert_eq!(fate(&stage.history, "t:1"), None);
}

#[tokio::test]
async fn a_prefix_that_is_too_busy_is_switched_off_and_others_are_not() {
    let server = start(SERVERS[0], &[]);
    let mut redis = client(&server);
    run(&mut redis, "SET k v");
    let mut stage = Stage::open(watching(&server, vec![prefix("s:"), key("k")]));
    stage.standing(&["k"]).await;
    let off = |history: &History| {
        let sentences = history.changes().map(|change| change.kind.sentence());
        sentences
            .into_iter()
            .find(|said| said.starts_with("s:* is not watched"))
    };
    while off(&stage.history).is_none() {
        let mut many = redis::pipe();
        for n in 0..2_000 {
            many.cmd("SET").arg(format!("s:{n}")).arg("v").ignore();
        }
        many.exec(&mut redis).expect("many are written");
        stage.hear().await;
    }
    run(&mut redis, "DEL k");
    stage.ending("k", Ending::Deleted).await;
}

/// Databases that are emptied again and again, others too, do not make us read all keys each time.
#[tokio::test]
async fn a_prefix_reads_no_more_than_its_budget_however_often_a_database_is_emptied() {
    let server = start(SERVERS[0], &[]);
    let mut redis = client(&server);
    let mut stage = Stage::open(watching(&server, vec![prefix("s:")]));
    // Keys that come and go: once the second is told, everything before the first was read.
    let mut probes = 0;
    let mut probe = async |stage: &mut Stage, redis: &mut redis::Connection| {
        for _ in 0..2 {
            probes += 1;
            let name = format!("s:probe{probes}");
            while fate(&stage.history, &name).is_none() {
                run(redis, &format!("SET {name} v"));
                run(redis, &format!("DEL {name}"));
                stage.hear().await;
            }
        }
    };
    probe(&mut stage, &mut redis).await;
    let mut many = redis::pipe();
    for n in 0..400 {
        many.cmd("SET").arg(format!("s:{n}")).arg("v").ignore();
    }
    many.exec(&mut redis).expect("keys are written");
    probe(&mut stage, &mut redis).await;
    let mut other = client(&server);
    run(&mut other, "SELECT 1");
    let (clock, before) = (Clock::start(), calls(&mut redis, "pttl"));
    while clock.elapsed() < Duration::from_secs(3) {
        run(&mut other, "FLUSHDB");
        stage.hear().await;
    }
    let (took, read) = (
        clock.elapsed().as_secs(),
        calls(&mut redis, "pttl") - before,
    );
    assert!(
        (400..=1_000 * (took + 2)).contains(&read),
        "{read} in {took} s"
    );
    // What has gone is not read any more.
    run(&mut redis, "FLUSHALL");
    probe(&mut stage, &mut redis).await;
    let before = calls(&mut redis, "pttl");
    run(&mut other, "FLUSHDB");
    probe(&mut stage, &mut redis).await;
    let read = calls(&mut redis, "pttl") - before;
    assert!(read < 100, "{read}");
}

#[tokio::test]
async fn a_user_needs_what_is_documented_and_is_told_what_is_missing() {
    let server = start(SERVERS[1], &[]);
    let mut redis = client(&server);
    run(&mut redis, "SET s:1 v");
    run(&mut redis, "SET other v");
    run(
        &mut redis,
        "ACL SETUSER ann on >pw resetkeys resetchannels -@all +info +slowlog|get \
         +client|tracking +pttl +type +memory|usage %R~s:*",
    );
    let mut stage = Stage::open(Settings {
        auth: support::auth(Some("ann"), "pw"),
        ..watching(&server, vec![key("s:1"), key("other")])
    });
    stage.standing(&["s:1"]).await;
    let other = stage.ending("other", Ending::Unreadable).await;
    assert!(other.sentence().contains("grant +pttl"), "{other:#?}");
    run(&mut redis, "DEL s:1");
    stage.ending("s:1", Ending::Deleted).await;
}

#[tokio::test]
async fn a_server_that_refuses_tracking_says_so() {
    let server = start(SERVERS[0], &[]);
    let mut redis = client(&server);
    run(
        &mut redis,
        "ACL SETUSER ann on >pw resetkeys -@all +info +slowlog|get",
    );
    let mut stage = Stage::open(Settings {
        auth: support::auth(Some("ann"), "pw"),
        ..watching(&server, vec![key("k")])
    });
    let said = |history: &History| {
        let sentences = history.changes().map(|change| change.kind.sentence());
        sentences
            .into_iter()
            .find(|said| said.starts_with("keys cannot be watched"))
    };
    let said = stage.until("refusal", said).await;
    assert!(said.contains("+client|tracking"), "{said}");
}

#[test]
fn check_tells_the_fate() {
    let server = start(SERVERS[0], &[]);
    let mut redis = client(&server);
    run(&mut redis, "SET session:42 v EX 3600");
    run(&mut redis, "SET session:43 v");
    run(&mut redis, "CONFIG RESETSTAT");
    let check = |format: &str| {
        std::process::Command::new(assert_cmd::cargo::cargo_bin("amr-top"))
            .args([
                "check",
                "--for",
                "3s",
                "--format",
                format,
                "--watch",
                "session:42",
            ])
            .args(["--watch", "session:43", &server.address()])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("it starts")
    };
    let json = check("json");
    let clock = Clock::start();
    while calls(&mut redis, "pttl") < 2 {
        assert!(clock.elapsed() < DEADLINE, "nothing is read");
    }
    run(&mut redis, "UNLINK session:42");
    let report = json.wait_with_output().expect("it ends").stdout;
    let report: serde_json::Value = serde_json::from_slice(&report).expect("is JSON");
    let watched = report["watched"].as_array().expect("a list");
    assert_eq!(watched.len(), 2, "{watched:#?}");
    let gone = &watched[0];
    assert_eq!(gone["key"], "session:42");
    assert_eq!(gone["fate"], "deleted");
    assert_eq!(gone["certain"], true);
    assert_eq!(gone["type"], "string");
    assert!(
        gone["ttl_left_ms"]
            .as_u64()
            .is_some_and(|ms| ms > 3_500_000)
    );
    assert_eq!(gone["evidence"][0]["field"], "cmdstat_unlink.calls");
    assert_eq!(watched[1]["fate"], "present");
    let text = check("text").wait_with_output().expect("it ends").stdout;
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(
        text.contains("Watched   missing  'session:42' is not there"),
        "{text}"
    );
}

#[rstest]
#[case(&["--watch", "*"], "every key")]
#[case(&["--watch", "a*b"], "at the end")]
#[case(&["check", "--once", "--watch", "k"], "need time")]
#[case(&["snapshot", "-o", "-", "--watch", "k"], "need time")]
fn what_cannot_be_watched_is_a_usage_error(#[case] args: &[&str], #[case] says: &str) {
    let program = assert_cmd::cargo::cargo_bin("amr-top");
    let done = std::process::Command::new(program)
        .args(args)
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(2), "{said}");
    assert!(said.contains(says), "{said}");
}

#[tokio::test]
async fn a_sample_foretells_expirations_and_says_what_it_cost() {
    let server = start(SERVERS[0], &[]);
    let mut redis = client(&server);
    let mut many = redis::pipe();
    for n in 0..300 {
        let ttl = if n % 2 == 0 { 200 } else { 90_000 };
        many.cmd("SET").arg(n).arg("v").arg("EX").arg(ttl).ignore();
    }
    many.exec(&mut redis).expect("keys are written");
    run(&mut redis, "CONFIG RESETSTAT");
    let mut stage = Stage::open(Settings {
        sample: Some(500),
        ..settings(server.port())
    });
    let forecast = |history: &History| diagnose(&history.window()).forecast;
    let forecast = stage.until("forecast", forecast).await;
    assert_eq!((forecast.sampled_keys, forecast.with_ttl), (300, 300));
    assert_eq!(
        (forecast.share, forecast.within_s),
        (0.5, 360),
        "{forecast:#?}"
    );
    assert!(
        forecast
            .summary
            .starts_with("50.0 % of keys with TTL expire in the next 6 m"),
        "{forecast:#?}"
    );
    assert!(forecast.summary.contains("SCAN reaps expired keys"));
    // No more than was allowed, and all of it is told.
    let (scans, reads) = (calls(&mut redis, "scan"), calls(&mut redis, "pttl"));
    assert_eq!(reads, 300);
    assert!((3..=6).contains(&scans), "{scans}");
    nothing_but_the_list(&mut redis, &["config|resetstat"]);
    // One round trip a SCAN, and one for the TTLs of the keys that it brought, where it brought any.
    let told = forecast.calls as u64;
    assert!((scans + 1..=2 * scans).contains(&told), "{told} of {scans}");
}

#[tokio::test]
async fn a_sample_that_is_refused_says_so_once() {
    let server = start(SERVERS[0], &[]);
    let mut redis = client(&server);
    run(
        &mut redis,
        "ACL SETUSER ann on >pw resetkeys -@all +info +slowlog|get",
    );
    let mut stage = Stage::open(Settings {
        auth: support::auth(Some("ann"), "pw"),
        sample: Some(10),
        ..settings(server.port())
    });
    let forecast = |history: &History| diagnose(&history.window()).forecast;
    let forecast = stage.until("refusal", forecast).await;
    assert!(
        forecast.summary.contains("grant +scan +pttl"),
        "{forecast:#?}"
    );
}
