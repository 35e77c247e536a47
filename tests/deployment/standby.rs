//! Replicas that stand in for a primary, on real servers: for one that cannot be asked any more, with
//! keys that it lacks, and with what it remembers of a primary that came back empty.

use amr_top::demo::server::Signal;
use amr_top::diagnosis::{Cause, Level, Mechanism, Scope};
use rstest::rstest;

use crate::scene::{
    DEADLINE, Scene, client, confirmed, field, fill, follows, id, keys, replica, run, server, wait,
};

const KEYS: u32 = 3_000;

#[rstest]
#[tokio::test]
async fn what_befalls_a_primary_that_refuses_to_be_asked_is_told_by_its_replicas(
    #[values("redis-server", "valkey-server")] kind: &str,
) {
    let primary = server(kind, &[]);
    let mut redis = client(&primary);
    fill(&mut redis, "k", KEYS, 10);
    let one = replica(kind, &primary, &[]).await;
    let _two = replica(kind, &primary, &[]).await;
    let mut scene = Scene::found(&one, 3).await;
    scene.polls(3).await;
    // Those who are logged in stay so, and ours are hung up on.
    let mut admin = client(&primary);
    run(&mut admin, "CONFIG SET requirepass other");
    run(&mut admin, "CLIENT KILL TYPE normal SKIPME yes");
    let node = id(&primary);
    scene
        .until("the primary cannot be asked", |deployment| {
            let place = deployment.place(&node).expect("was found");
            let window = deployment.members()[place].history().window();
            window.open_gap().is_some()
        })
        .await;
    run(&mut admin, "FLUSHALL");
    let diagnosis = scene
        .judged("the flush is told", |diagnosis| {
            diagnosis.top_cause == Some(Cause::Flush)
        })
        .await;
    let flush = confirmed(&diagnosis, Cause::Flush);
    assert_eq!(flush.keys_lost, Some(KEYS.into()), "{flush:#?}");
    assert_eq!(diagnosis.ledger.keys_after, Some(0));
    run(&mut admin, "CONFIG SET requirepass \"\"");
    scene.hears_of(&node).await;
    scene.polls(2).await;
    let diagnosis = scene.diagnosis();
    let flush = confirmed(&diagnosis, Cause::Flush);
    assert_eq!(flush.keys_lost, Some(KEYS.into()), "once: {flush:#?}");
}

#[rstest]
#[tokio::test]
async fn a_replica_that_was_flushed_on_its_own_lacks_keys(
    #[values("redis-server", "valkey-server")] kind: &str,
) {
    let primary = server(kind, &[]);
    fill(&mut client(&primary), "k", KEYS, 10);
    let one = replica(kind, &primary, &[]).await;
    let mut scene = Scene::found(&primary, 2).await;
    scene.polls(3).await;
    let mut its = client(&one);
    run(&mut its, "CONFIG SET replica-read-only no");
    run(&mut its, "FLUSHALL");
    run(&mut its, "CONFIG SET replica-read-only yes");
    let diagnosis = scene
        .judged("the replica is told to lack keys", |diagnosis| {
            let verdict = diagnosis.of(Cause::Replication);
            verdict.is_some_and(|v| v.mechanism == Some(Mechanism::ReplicaDiverged))
        })
        .await;
    let verdict = diagnosis.of(Cause::Replication).expect("a verdict");
    assert_eq!(verdict.level, Level::AtRisk);
    let words = format!(
        "replica {} is not behind and holds 3,000 keys fewer",
        one.address()
    );
    assert!(verdict.summary.contains(&words), "{}", verdict.summary);
    assert_eq!(diagnosis.top_cause, None, "nothing is lost");
    let flush = diagnosis.of(Cause::Flush).expect("a verdict");
    assert!(flush.summary.contains(&*one.address()), "{}", flush.summary);
}

#[rstest]
#[tokio::test]
async fn a_replica_betrays_a_primary_that_came_back_empty_before_we_came(
    #[values("redis-server", "valkey-server")] kind: &str,
) {
    let primary = server(kind, &[]);
    let one = replica(kind, &primary, &[]).await;
    fill(&mut client(&primary), "k", KEYS, 10);
    let mut its = client(&one);
    wait("it has been up for a while", || {
        let up: u64 = field(&mut its, "uptime_in_seconds")
            .parse()
            .expect("seconds");
        up >= 7
    })
    .await;
    primary.signal(Signal::Kill).expect("it is killed");
    primary.wait_exit(DEADLINE).expect("it ends");
    primary.restart().expect("it is started again");
    wait("it has wiped its replica", || keys(&mut client(&one)) == 0).await;
    follows(&one, &primary).await;
    let mut scene = Scene::found(&primary, 2).await;
    scene.polls(3).await;
    let diagnosis = scene.diagnosis();
    let failure = diagnosis.of(Cause::InstanceFailure).expect("a verdict");
    let told = (failure.level, failure.scope, failure.mechanism);
    let suspected = (
        Level::Suspected,
        Scope::SinceStart,
        Some(Mechanism::RestartEmpty),
    );
    assert_eq!(told, suspected, "{failure:#?}");
    let words = format!("its replica {} held keys", one.address());
    assert!(failure.summary.contains(&words), "{}", failure.summary);
}
