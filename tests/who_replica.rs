//! What is seen from a replica: the tripwire, the cause and who did it when its primary loses keys,
//! and a watched key that a failover left behind.

#[path = "support/eye.rs"]
mod eye;
#[path = "gauntlet/proxy.rs"]
mod proxy;
mod support;

use std::time::Duration;

use amr_top::config::{Endpoint, Settings};
use amr_top::demo::server::{Server, Signal};
use amr_top::diagnosis::{Cause, Ending, Level, Mechanism, Verdict};
use amr_top::model::{Observation, Watch};
use amr_top::source::Clock;
use eye::{Eye, SERVERS, start};
use proxy::Proxy;
use rstest::rstest;
use support::{DEADLINE, client, field, run, settings};
use tokio::runtime::Runtime;

/// A primary that gives its data to replicas at once, and leaves nothing on its disk.
const PRIMARY: &[&str] = &[
    "--repl-diskless-sync",
    "yes",
    "--repl-diskless-sync-delay",
    "0",
    "--slowlog-log-slower-than",
    "0",
];

/// Waits until a field of `INFO` is what is wanted.
fn wait(redis: &mut redis::Connection, name: &str, wanted: impl Fn(&str) -> bool) {
    let clock = Clock::start();
    loop {
        let info: String = redis::cmd("INFO").query(redis).expect("INFO");
        if wanted(&field(&info, name)) {
            return;
        }
        assert!(clock.elapsed() < DEADLINE, "{name} in:\n{info}");
    }
}

fn offset(redis: &mut redis::Connection) -> u64 {
    let info: String = redis::cmd("INFO").query(redis).expect("INFO");
    field(&info, "master_repl_offset")
        .parse()
        .expect("a number")
}

/// Waits until a replica has everything that its primary was told.
fn caught_up(primary: &mut redis::Connection, replica: &mut redis::Connection) {
    let written = offset(primary);
    wait(replica, "master_link_status", |status| status == "up");
    wait(replica, "slave_repl_offset", |applied| {
        applied
            .parse::<u64>()
            .is_ok_and(|applied| applied >= written)
    });
}

fn replica_of(binary: &str, port: u16) -> Server {
    let port = port.to_string();
    let args = ["--replicaof", "127.0.0.1", &port];
    start(
        binary,
        &[&args[..], &["--slowlog-log-slower-than", "0"]].concat(),
    )
}

/// A primary with 500 keys and a replica that has them.
fn pair(binary: &str) -> (Server, Server) {
    let primary = start(binary, PRIMARY);
    let mut redis = client(&primary);
    for n in 0..500 {
        run(&mut redis, &format!("SET k:{n} v"));
    }
    let replica = replica_of(binary, primary.port());
    caught_up(&mut redis, &mut client(&replica));
    (primary, replica)
}

/// Watches a server until the tripwire stands and the first round of witnesses is over.
async fn watched(server: &Server) -> Eye {
    let mut eye = Eye::open(settings(server.port()));
    eye.until("a tripwire", |eye| {
        eye.history.has_tripwire().filter(|stands| *stands)
    })
    .await;
    let is_log = |told: &Observation| matches!(told, Observation::SlowLog { .. });
    eye.until("a slow log", |eye| {
        eye.told.iter().any(is_log).then_some(())
    })
    .await;
    eye.poll().await;
    eye
}

/// Hears the next round of witnesses and a poll after it.
async fn round(eye: &mut Eye) {
    let logs = |eye: &Eye| {
        let told = eye.told.iter();
        told.filter(|told| matches!(told, Observation::SlowLog { .. }))
            .count()
    };
    let before = logs(eye);
    eye.until("another slow log", |eye| (logs(eye) > before).then_some(()))
        .await;
    eye.poll().await;
}

/// Nobody who is connected to the replica did it.
fn nobody_is_blamed(eye: &Eye) {
    let diagnosis = eye.diagnosis();
    for verdict in &diagnosis.verdicts {
        assert!(verdict.suspects.is_empty(), "{verdict:#?}");
    }
    for incident in &diagnosis.incidents {
        assert!(incident.suspects.is_empty(), "{incident:#?}");
    }
}

#[rstest]
#[tokio::test]
async fn a_flush_of_the_primary_trips_the_replica(#[values(SERVERS[0], SERVERS[1])] binary: &str) {
    let (primary, replica) = pair(binary);
    let mut redis = client(&primary);
    let mut eye = watched(&replica).await;
    let before = eye.watch.clock.now();
    run(&mut redis, "FLUSHALL");
    let emptied = eye
        .until("a push", |eye| {
            eye.told.iter().find_map(|told| match told {
                Observation::Emptied { moment } => Some(*moment),
                _ => None,
            })
        })
        .await;
    assert!(emptied.elapsed >= before.elapsed, "{emptied:?} {before:?}");
    let flush = eye.verdict(Cause::Flush, Verdict::is_loss_in_window).await;
    // A poll may be answered between the flush and the arrival of the push.
    let polled = eye.told.iter().find_map(|told| match told {
        Observation::Answer { moment, info, .. } => {
            let is_empty = moment.elapsed >= before.elapsed && !info.contains("db0:");
            is_empty.then_some(*moment)
        }
        _ => None,
    });
    let seen = polled.map_or(emptied, |polled| polled.min(emptied));
    assert_eq!(
        (flush.level, flush.keys_lost, flush.first_seen),
        (Level::Confirmed, Some(500), Some(seen.at)),
        "{flush:#?}"
    );
    let from = format!("it came from the primary 127.0.0.1:{}", primary.port());
    assert!(flush.summary.contains(&from), "{flush:#?}");
    round(&mut eye).await;
    let diagnosis = eye.diagnosis();
    assert_eq!(diagnosis.top_cause, Some(Cause::Flush));
    for verdict in &diagnosis.verdicts {
        let is_flush = verdict.cause == Cause::Flush;
        assert_eq!(verdict.is_loss_in_window(), is_flush, "{verdict:#?}");
    }
    nobody_is_blamed(&eye);
}

#[rstest]
#[tokio::test]
async fn deletes_on_the_primary_are_its_own_to_explain(
    #[values(SERVERS[0], SERVERS[1])] binary: &str,
) {
    let (primary, replica) = pair(binary);
    let mut redis = client(&primary);
    let mut eye = watched(&replica).await;
    let mut command = redis::cmd("DEL");
    for n in 0..400 {
        command.arg(format!("k:{n}"));
    }
    command.exec(&mut redis).expect("it runs");
    round(&mut eye).await;
    eye.until("the fall", |eye| {
        let keys = eye.history.last_sample()?.keys()?;
        (keys == 100).then_some(())
    })
    .await;
    let diagnosis = eye.diagnosis();
    assert_eq!(diagnosis.ledger.keys_after, Some(100));
    let lost: Vec<_> = diagnosis.ledger.losses.iter().collect();
    let [loss] = &*lost else {
        panic!("{lost:#?}");
    };
    assert_eq!(
        (loss.mechanism, loss.keys),
        (Mechanism::ReplicationStream, 400)
    );
    let deletion = diagnosis.of(Cause::Deletion).expect("a verdict");
    assert_eq!(deletion.level, Level::Unknown, "{deletion:#?}");
    let asks = format!("counted by its primary, 127.0.0.1:{}", primary.port());
    assert!(deletion.summary.ends_with(&asks), "{deletion:#?}");
    assert!(
        !eye.told
            .iter()
            .any(|told| matches!(told, Observation::Emptied { .. }))
    );
    nobody_is_blamed(&eye);
}

#[rstest]
#[tokio::test]
async fn a_primary_that_came_back_empty_empties_its_replica(
    #[values(SERVERS[0], SERVERS[1])] binary: &str,
) {
    let (primary, replica) = pair(binary);
    let mut eye = watched(&replica).await;
    primary.signal(Signal::Kill).expect("a signal");
    primary.wait_exit(DEADLINE).expect("it ends");
    primary.restart().expect("it starts again, empty");
    let verdict = eye
        .verdict(Cause::Replication, Verdict::is_loss_in_window)
        .await;
    assert_eq!(
        (verdict.level, verdict.mechanism, verdict.keys_lost),
        (Level::Confirmed, Some(Mechanism::FullResync), Some(500)),
        "{verdict:#?}"
    );
    let is_push = |told: &Observation| matches!(told, Observation::Emptied { .. });
    eye.until("a push", |eye| eye.told.iter().any(is_push).then_some(()))
        .await;
    eye.poll().await;
    let diagnosis = eye.diagnosis();
    assert_eq!(
        diagnosis.top_cause,
        Some(Cause::Replication),
        "{diagnosis:#?}"
    );
    let flush = diagnosis.of(Cause::Flush).expect("a verdict");
    assert!(!flush.is_loss_in_window(), "{flush:#?}");
    nobody_is_blamed(&eye);
}

/// One address that leads to the primary, and after its death to the replica that took over and had
/// not received the key.
#[rstest]
fn a_watched_key_is_lost_at_a_failover(#[values(SERVERS[0], SERVERS[1])] binary: &str) {
    let runtime = Runtime::new().expect("a runtime");
    let primary = start(binary, PRIMARY);
    let mut redis = client(&primary);
    for n in 0..500 {
        run(&mut redis, &format!("SET k:{n} v"));
    }
    let link = Proxy::start(&runtime, primary.port(), Duration::ZERO);
    let replica = replica_of(binary, link.port());
    let mut heir = client(&replica);
    caught_up(&mut redis, &mut heir);
    // A replica that takes over has been there for a while.
    wait(&mut heir, "uptime_in_seconds", |s| {
        s.parse::<u64>().is_ok_and(|s| s >= 4)
    });
    let address = Proxy::start(&runtime, primary.port(), Duration::ZERO);
    link.lead_to(None);
    runtime.block_on(async {
        let mut eye = Eye::open(Settings {
            endpoint: Endpoint::Tcp {
                host: "127.0.0.1".to_owned(),
                port: address.port(),
            },
            watch: vec![Watch::Key("late".to_owned()), Watch::Key("k:1".to_owned())],
            ..settings(primary.port())
        });
        let ending = async |eye: &mut Eye, name: &str, wanted: Ending| {
            let is = |eye: &Eye| eye.fate(name).filter(|fate| fate.ending == wanted);
            eye.until(&format!("{name} {wanted:?}"), is).await
        };
        ending(&mut eye, "late", Ending::Missing).await;
        run(&mut redis, "SET late v");
        ending(&mut eye, "late", Ending::Present).await;
        eye.poll().await;
        primary.signal(Signal::Kill).expect("a signal");
        primary.wait_exit(DEADLINE).expect("it ends");
        run(&mut heir, "REPLICAOF NO ONE");
        address.lead_to(Some(replica.port()));
        let fate = ending(&mut eye, "late", Ending::Lost).await;
        assert!(fate.is_certain(), "{fate:#?}");
        assert!(
            fate.summary
                .contains("lost (at a failover: the replica that took over"),
            "{fate:#?}"
        );
        // Nobody took the key; who promoted the replica is named once the witnesses have spoken.
        let is_named = |eye: &Eye| {
            let fate = eye.fate("late")?;
            let did = fate.suspects.iter().map(|one| &*one.command);
            did.eq(["REPLICAOF NO ONE"]).then_some(fate)
        };
        eye.until("whoever promoted it", is_named).await;
        let kept = eye.fate("k:1").expect("is watched");
        assert_eq!(kept.ending, Ending::Present, "{kept:#?}");
        let replication = eye.diagnosis();
        let replication = replication.of(Cause::Replication).expect("a verdict");
        assert_eq!(
            (replication.level, replication.mechanism),
            (Level::Confirmed, Some(Mechanism::Failover)),
            "{replication:#?}"
        );
    });
}
