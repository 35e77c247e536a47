//! Incidents on real servers, from the poller to the verdict. What a test expects is what it did
//! to the server itself.

mod support;

use std::time::Duration;

use amr_top::demo::server::{Server, Signal};
use amr_top::diagnosis::{Cause, Diagnosis, Level, Verdict, diagnose};
use amr_top::model::{History, Sample};
use amr_top::source::{Clock, Control, poll};
use rstest::rstest;
use support::{client, run, settings};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

const DEADLINE: Duration = Duration::from_secs(20);

/// A server under watch.
struct Scene {
    server: Server,
    redis: redis::Connection,
    history: History,
    observations: mpsc::Receiver<amr_top::model::Observation>,
    _control: watch::Sender<Control>,
    stop: CancellationToken,
}

impl Scene {
    /// Starts a server, prepares it, and waits for the first answer to the poller.
    async fn begin(args: &[&str], prepare: impl FnOnce(&mut redis::Connection)) -> Self {
        let server = Server::start(args).expect("a server");
        let mut redis = client(&server);
        prepare(&mut redis);
        Self::watch(server, redis).await
    }

    async fn watch(server: Server, redis: redis::Connection) -> Self {
        let settings = settings(server.port());
        let keep = Duration::from_secs(600);
        let history = History::new(settings.node(), settings.assumptions.clone(), keep);
        let (out, observations) = mpsc::channel(64);
        let (control, changes) = watch::channel(Control {
            interval: settings.interval,
            monitors: 0,
        });
        let stop = CancellationToken::new();
        tokio::spawn(poll(settings, Clock::start(), changes, out, stop.clone()));
        let mut scene = Self {
            server,
            redis,
            history,
            observations,
            _control: control,
            stop,
        };
        scene
            .until("a first answer", |history, _| {
                history.last_sample().is_some()
            })
            .await;
        scene
    }

    fn run(&mut self, line: &str) -> redis::Value {
        run(&mut self.redis, line)
    }

    /// Waits for more polls until the diagnosis satisfies the condition.
    async fn until(
        &mut self,
        what: &str,
        condition: impl Fn(&History, &Diagnosis) -> bool,
    ) -> Diagnosis {
        let deadline = tokio::time::Instant::now() + DEADLINE;
        loop {
            let diagnosis = diagnose(&self.history.window());
            if condition(&self.history, &diagnosis) {
                return diagnosis;
            }
            match tokio::time::timeout_at(deadline, self.observations.recv()).await {
                Ok(Some(observation)) => self.history.observe(observation),
                ended => panic!(
                    "no {what} ({ended:?}): {:#?}\nthe server's log:\n{}",
                    diagnosis.verdicts,
                    self.server.log()
                ),
            }
        }
    }

    /// Waits until a cause is named with so many keys, and checks that it leads.
    async fn names(&mut self, cause: Cause, level: Level, keys: Option<u64>) -> Verdict {
        let hit = |verdict: &Verdict| {
            verdict.is_loss_in_window() && verdict.level == level && verdict.keys_lost == keys
        };
        let diagnosis = self
            .until(cause.id(), |_, diagnosis| {
                diagnosis.of(cause).is_some_and(hit)
            })
            .await;
        assert_eq!(
            diagnosis.top_cause,
            Some(cause),
            "{:#?}",
            diagnosis.verdicts
        );
        let verdict = diagnosis.of(cause).cloned().expect("it was just there");
        assert!(
            !verdict.evidence.is_empty() && !verdict.next_steps.is_empty(),
            "{verdict:#?}"
        );
        verdict
    }

    /// Waits until a condition on the newest sample holds, then checks that nothing is called a
    /// loss.
    async fn stays_healthy(
        &mut self,
        what: &str,
        condition: impl Fn(&Sample) -> bool,
    ) -> Diagnosis {
        let reached =
            |history: &History, _: &Diagnosis| history.last_sample().is_some_and(&condition);
        let diagnosis = self.until(what, reached).await;
        let losses: Vec<_> = diagnosis
            .verdicts
            .iter()
            .filter(|v| v.is_loss_in_window())
            .collect();
        assert!(
            losses.is_empty() && diagnosis.top_cause.is_none(),
            "{losses:#?}"
        );
        diagnosis
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Writes keys `PREFIX:0…` with one pipeline; `extra` follows the value, for example `PX 500`.
fn fill(redis: &mut redis::Connection, prefix: &str, keys: u32, extra: &str) {
    let mut pipeline = redis::pipe();
    for n in 0..keys {
        let command = pipeline
            .cmd("SET")
            .arg(format!("{prefix}:{n}"))
            .arg("value");
        for word in extra.split_whitespace() {
            command.arg(word);
        }
    }
    pipeline.exec(redis).expect("keys are written");
}

/// Runs one command on every key `PREFIX:0…`, with one pipeline.
fn each(redis: &mut redis::Connection, command: &str, prefix: &str, keys: u32, extra: &[&str]) {
    let mut pipeline = redis::pipe();
    for n in 0..keys {
        pipeline
            .cmd(command)
            .arg(format!("{prefix}:{n}"))
            .arg(extra);
    }
    pipeline.exec(redis).expect("the commands run");
}

fn calls(sample: &Sample, command: &str) -> u64 {
    let commands = sample.commands.as_ref();
    commands
        .and_then(|commands| commands.get(command))
        .map_or(0, |stat| stat.calls)
}

#[rstest]
#[case::flushall("FLUSHALL")]
#[case::asynchronously("FLUSHALL ASYNC")]
#[case::flushdb("FLUSHDB")]
#[tokio::test(flavor = "multi_thread")]
async fn a_flush_is_named_with_all_keys(#[case] command: &str) {
    let mut scene = Scene::begin(&[], |redis| fill(redis, "k", 2_000, "")).await;
    scene.run(command);
    scene
        .names(Cause::Flush, Level::Confirmed, Some(2_000))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flush_from_a_script_or_a_transaction_is_a_flush() {
    let mut scene = Scene::begin(&[], |redis| fill(redis, "k", 500, "")).await;
    redis::cmd("EVAL")
        .arg("return redis.call('FLUSHALL')")
        .arg(0)
        .exec(&mut scene.redis)
        .expect("the script runs");
    scene.names(Cause::Flush, Level::Confirmed, Some(500)).await;
    fill(&mut scene.redis, "again", 700, "");
    scene
        .until("the new keys", |history, _| {
            history.last_sample().and_then(Sample::keys) == Some(700)
        })
        .await;
    redis::pipe()
        .atomic()
        .cmd("FLUSHDB")
        .exec(&mut scene.redis)
        .expect("the transaction runs");
    scene
        .names(Cause::Flush, Level::Confirmed, Some(1_200))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flush_of_one_database_leaves_the_others_out() {
    let mut scene = Scene::begin(&[], |redis| {
        fill(redis, "k", 1_000, "");
        run(redis, "SELECT 3");
        fill(redis, "k", 400, "");
    })
    .await;
    scene.run("FLUSHDB");
    let verdict = scene.names(Cause::Flush, Level::Confirmed, Some(400)).await;
    assert!(
        verdict.evidence.iter().any(|e| e.field == "db3.keys"),
        "{verdict:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_whose_time_is_up_are_an_expiration() {
    let mut scene = Scene::begin(&[], |redis| {
        fill(redis, "stays", 500, "");
        fill(redis, "session", 1_000, "PX 1500");
    })
    .await;
    let verdict = scene
        .names(Cause::Expiration, Level::Confirmed, Some(1_000))
        .await;
    assert_eq!(verdict.evidence[0].field, "expired_keys");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_pushed_out_by_memory_are_an_eviction() {
    let args = ["--maxmemory", "3mb", "--maxmemory-policy", "allkeys-lru"];
    let mut scene = Scene::begin(&args, |redis| fill(redis, "old", 200, "")).await;
    let mut pipeline = redis::pipe();
    for n in 0..3_000 {
        pipeline
            .cmd("SET")
            .arg(format!("new:{n}"))
            .arg("x".repeat(1_000));
    }
    pipeline.exec(&mut scene.redis).expect("keys are written");
    // With room again, nothing more is evicted: the server's own count is final.
    scene.run("CONFIG SET maxmemory 100mb");
    let info: String = redis::cmd("INFO")
        .arg("stats")
        .query(&mut scene.redis)
        .expect("INFO");
    let evicted = info
        .lines()
        .find_map(|line| line.strip_prefix("evicted_keys:"));
    let evicted: u64 = evicted
        .and_then(|n| n.trim().parse().ok())
        .expect("a number");
    assert!(evicted > 500, "the server evicted {evicted}");
    scene
        .names(Cause::Eviction, Level::Confirmed, Some(evicted))
        .await;
}

#[rstest]
#[case::del("DEL", &[])]
#[case::unlink("UNLINK", &[])]
#[case::getdel("GETDEL", &[])]
#[case::past_ttl("EXPIRE", &["-1"])]
#[tokio::test(flavor = "multi_thread")]
async fn deletes_are_counted_in_keys(#[case] command: &str, #[case] extra: &[&str]) {
    let mut scene = Scene::begin(&[], |redis| fill(redis, "k", 1_000, "")).await;
    each(&mut scene.redis, command, "k", 300, extra);
    let level = if command == "EXPIRE" {
        Level::Suspected
    } else {
        Level::Confirmed
    };
    scene.names(Cause::Deletion, level, Some(300)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_call_may_delete_many_keys() {
    let mut scene = Scene::begin(&[], |redis| fill(redis, "k", 1_000, "")).await;
    let keys: Vec<String> = (0..400).map(|n| format!("k:{n}")).collect();
    redis::cmd("DEL")
        .arg(keys)
        .exec(&mut scene.redis)
        .expect("DEL runs");
    let verdict = scene
        .names(Cause::Deletion, Level::Confirmed, Some(400))
        .await;
    assert!(verdict.summary.contains("DEL ×1"), "{}", verdict.summary);
}

#[tokio::test(flavor = "multi_thread")]
async fn hashes_emptied_by_hdel_are_a_deletion() {
    let mut scene = Scene::begin(&[], |redis| {
        fill(redis, "stays", 100, "");
        each(redis, "HSET", "cart", 200, &["item", "1"]);
    })
    .await;
    each(&mut scene.redis, "HDEL", "cart", 200, &["item"]);
    scene
        .names(Cause::Deletion, Level::Suspected, Some(200))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deletes_of_missing_keys_are_healthy() {
    let mut scene = Scene::begin(&[], |redis| fill(redis, "k", 100, "")).await;
    each(&mut scene.redis, "DEL", "absent", 500, &[]);
    scene
        .stays_healthy("500 calls of DEL", |sample| calls(sample, "del") == 500)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_flush_is_told_and_is_no_loss() {
    let mut scene = Scene::begin(&[], |redis| {
        fill(redis, "k", 100, "");
        run(redis, "ACL SETUSER app on >secret ~* +@all -flushall");
    })
    .await;
    let url = format!("redis://app:secret@{}/", scene.server.address());
    let mut app = redis::Client::open(url)
        .and_then(|c| c.get_connection())
        .expect("a client");
    redis::cmd("FLUSHALL")
        .exec(&mut app)
        .expect_err("it is denied");
    let denied = |sample: &Sample| {
        let commands = sample.commands.as_ref();
        commands
            .and_then(|c| c.get("flushall"))
            .is_some_and(|stat| stat.rejected == 1)
    };
    let diagnosis = scene.stays_healthy("a rejected call", denied).await;
    assert!(
        diagnosis
            .notices
            .iter()
            .any(|n| n.contains("FLUSHALL refused")),
        "{diagnosis:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn resetstat_is_told_and_is_no_loss() {
    let mut scene = Scene::begin(&[], |redis| {
        fill(redis, "k", 1_000, "");
        each(redis, "DEL", "k", 20, &[]);
    })
    .await;
    scene.run("CONFIG RESETSTAT");
    let diagnosis = scene
        .stays_healthy("a reset", |sample| calls(sample, "config|resetstat") == 1)
        .await;
    assert!(
        diagnosis.notices.iter().any(|n| n.contains("reset")),
        "{:?}",
        diagnosis.notices
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_without_persistence_is_an_instance_failure() {
    let mut scene = Scene::begin(&[], |redis| fill(redis, "k", 1_000, "")).await;
    scene.server.signal(Signal::Kill).expect("a signal");
    scene
        .names(Cause::InstanceFailure, Level::Confirmed, None)
        .await;
    scene.server.restart().expect("it starts again");
    scene
        .names(Cause::InstanceFailure, Level::Confirmed, Some(1_000))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_with_an_append_only_file_loses_nothing() {
    let args = ["--appendonly", "yes", "--appendfsync", "always"];
    let mut scene = Scene::begin(&args, |redis| fill(redis, "k", 1_000, "")).await;
    let before = scene
        .history
        .last_sample()
        .and_then(|s| s.server.run_id.clone());
    scene.server.signal(Signal::Kill).expect("a signal");
    scene.server.wait_exit(DEADLINE).expect("it ends");
    scene.server.restart().expect("it starts again");
    let back = |sample: &Sample| sample.server.run_id != before && !sample.is_loading();
    let diagnosis = scene.stays_healthy("the new process", back).await;
    assert!(
        diagnosis.notices.iter().any(|n| n.contains("restarted")),
        "{:?}",
        diagnosis.notices
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_is_an_instance_failure_until_it_answers_again() {
    let mut scene = Scene::begin(&[], |redis| fill(redis, "k", 10, "")).await;
    scene.server.signal(Signal::Stop).expect("a signal");
    let verdict = scene
        .names(Cause::InstanceFailure, Level::Confirmed, None)
        .await;
    assert!(
        verdict.summary.contains("does not answer"),
        "{}",
        verdict.summary
    );
    scene.server.signal(Signal::Cont).expect("a signal");
    let over = |history: &History, _: &Diagnosis| history.window().open_gap().is_none();
    let diagnosis = scene.until("an answer", over).await;
    assert_eq!(diagnosis.top_cause, None, "{:#?}", diagnosis.verdicts);
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_refused_for_memory_are_named() {
    let args = ["--maxmemory", "3mb", "--maxmemory-policy", "noeviction"];
    let mut scene = Scene::begin(&args, |redis| fill(redis, "k", 10, "")).await;
    let mut refused = 0;
    while refused < 20 {
        let reply = redis::cmd("SET")
            .arg(refused)
            .arg("x".repeat(200_000))
            .exec(&mut scene.redis);
        let full = redis::cmd("SETNX")
            .arg("y")
            .arg("z".repeat(900_000))
            .exec(&mut scene.redis);
        refused += u32::from(reply.is_err()) + u32::from(full.is_err());
    }
    scene
        .names(Cause::RejectedWrites, Level::Confirmed, None)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn swapped_databases_are_moved_not_lost() {
    let mut scene = Scene::begin(&[], |redis| fill(redis, "k", 1_000, "")).await;
    scene.run("SWAPDB 0 1");
    scene
        .names(Cause::Relocation, Level::Confirmed, Some(1_000))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn renames_onto_keys_replace_them() {
    let mut scene = Scene::begin(&[], |redis| {
        fill(redis, "k", 100, "");
        fill(redis, "target", 20, "");
    })
    .await;
    let mut pipeline = redis::pipe();
    for n in 0..20 {
        pipeline
            .cmd("RENAME")
            .arg(format!("k:{n}"))
            .arg(format!("target:{n}"));
    }
    pipeline.exec(&mut scene.redis).expect("the renames run");
    scene
        .names(Cause::Overwrite, Level::Suspected, Some(20))
        .await;
}

/// A primary and a replica that has caught up.
fn pair(keys: u32) -> (Server, redis::Connection, Server) {
    let primary = Server::start(&["--repl-diskless-sync-delay", "0"]).expect("a primary");
    let mut redis = client(&primary);
    let port = primary.port().to_string();
    let replica = Server::start(&["--replicaof", "127.0.0.1", &port]).expect("a replica");
    fill(&mut redis, "k", keys, "");
    let acknowledged: u32 = redis::cmd("WAIT")
        .arg(1)
        .arg(15_000)
        .query(&mut redis)
        .expect("WAIT runs");
    assert_eq!(acknowledged, 1, "the replica's log:\n{}", replica.log());
    (primary, redis, replica)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_does_not_call_expirations_deletions() {
    let (_primary, mut primary, replica) = pair(300);
    let redis = client(&replica);
    let mut scene = Scene::watch(replica, redis).await;
    each(&mut primary, "PEXPIRE", "k", 300, &["1"]);
    let verdict = scene
        .names(Cause::Unexplained, Level::Suspected, Some(300))
        .await;
    assert!(
        verdict.summary.contains("replication"),
        "{}",
        verdict.summary
    );
    let diagnosis = diagnose(&scene.history.window());
    assert_eq!(
        diagnosis.of(Cause::Deletion).map(|v| v.level),
        Some(Level::Unknown)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flush_of_the_primary_is_seen_on_the_replica() {
    let (_primary, mut primary, replica) = pair(800);
    let redis = client(&replica);
    let mut scene = Scene::watch(replica, redis).await;
    run(&mut primary, "FLUSHALL");
    scene.names(Cause::Flush, Level::Confirmed, Some(800)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_primary_wipes_its_replica_by_replication() {
    let (primary, _redis, replica) = pair(800);
    let redis = client(&replica);
    let mut scene = Scene::watch(replica, redis).await;
    primary.signal(Signal::Kill).expect("a signal");
    primary.wait_exit(DEADLINE).expect("it ends");
    primary.restart().expect("it starts again, empty");
    scene
        .names(Cause::Replication, Level::Confirmed, Some(800))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_falls_behind_is_a_risk() {
    let (primary, redis, replica) = pair(10);
    let mut scene = Scene::watch(primary, redis).await;
    replica.signal(Signal::Stop).expect("a signal");
    // More than the kernel's buffers hide.
    let value = "x".repeat(1 << 20);
    for n in 0..24 {
        redis::cmd("SET")
            .arg(n)
            .arg(&value)
            .exec(&mut scene.redis)
            .expect("SET runs");
    }
    let behind = |history: &History| {
        let replication = &history.last_sample()?.replication;
        replication
            .replicas
            .first()?
            .behind_bytes(replication.offset)
    };
    let far = |history: &History, _: &Diagnosis| behind(history) >= Some(20 << 20);
    let diagnosis = scene.until("20 MB behind", far).await;
    assert_eq!(
        diagnosis.of(Cause::Replication).map(|v| v.level),
        Some(Level::AtRisk)
    );
    assert_eq!(diagnosis.top_cause, None, "{:#?}", diagnosis.verdicts);
}
