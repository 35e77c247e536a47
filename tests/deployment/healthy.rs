//! What happens every day and loses nothing.

use amr_top::demo::server::Signal;
use amr_top::diagnosis::Cause;
use rstest::rstest;

use crate::scene::{DEADLINE, Scene, client, field, fill, follows, id, replica, run, server, wait};

#[rstest]
#[tokio::test]
async fn replicas_come_and_go(#[values("redis-server", "valkey-server")] kind: &str) {
    let primary = server(kind, &[]);
    fill(&mut client(&primary), "k", 600, 10);
    let mut scene = Scene::from(&primary);
    scene.polls(3).await;
    scene.must_stay_healthy();
    let one = replica(kind, &primary, &[]).await;
    scene
        .until("the first is found", |d| d.place(&id(&one)).is_some())
        .await;
    let two = replica(kind, &primary, &[]).await;
    scene
        .until("the second is found", |d| d.place(&id(&two)).is_some())
        .await;
    scene.polls(3).await;
    let gone = id(&one);
    drop(one);
    scene
        .until("the first is silent", |deployment| {
            let place = deployment.place(&gone).expect("is known");
            let window = deployment.members()[place].history().window();
            window.open_gap().is_some_and(|gap| gap.attempts > 3)
        })
        .await;
    let diagnosis = scene.diagnosis();
    let failure = diagnosis.of(Cause::InstanceFailure).expect("a verdict");
    assert!(
        failure.summary.contains("one copy less"),
        "{}",
        failure.summary
    );
    let changes = scene.changes();
    let found = changes
        .iter()
        .filter(|change| change.ends_with("found, a replica"));
    assert_eq!(found.count(), 2, "{changes:#?}");
}

#[rstest]
#[tokio::test]
async fn a_rolling_restart_with_persistence_loses_nothing(
    #[values("redis-server", "valkey-server")] kind: &str,
) {
    let aof = &["--appendonly", "yes", "--appendfsync", "always"];
    let primary = server(kind, aof);
    let mut redis = client(&primary);
    fill(&mut redis, "k", 600, 10);
    let standby = replica(kind, &primary, aof).await;
    let mut scene = Scene::found(&primary, 2).await;
    // A server that is down is told to be; that it lost something is not.
    scene.may_only_be(&[Cause::InstanceFailure]);
    standby.signal(Signal::Term).expect("it is told to end");
    standby.wait_exit(DEADLINE).expect("it ends");
    standby.restart().expect("it starts again");
    follows(&standby, &primary).await;
    scene.polls(3).await;
    run(&mut redis, "FAILOVER");
    let (own, its) = (id(&primary), id(&standby));
    scene
        .until("the roles have changed", |deployment| {
            let is = |node, role| {
                let place = deployment.place(node).expect("is known");
                let sample = deployment.members()[place].history().last_sample();
                sample.is_some_and(|sample| sample.replication.role.id() == role)
            };
            is(&own, "replica") && is(&its, "primary")
        })
        .await;
    primary.signal(Signal::Term).expect("it is told to end");
    primary.wait_exit(DEADLINE).expect("it ends");
    primary.restart().expect("it starts again");
    let mut redis = client(&primary);
    wait("it has read its file", || {
        field(&mut redis, "loading") == "0"
    })
    .await;
    // As a configuration that is kept would say.
    let follow = format!("REPLICAOF 127.0.0.1 {}", standby.port());
    run(&mut redis, &follow);
    follows(&primary, &standby).await;
    scene.polls(6).await;
    let diagnosis = scene.diagnosis();
    assert_eq!(diagnosis.ledger.keys_after, Some(600));
    assert_eq!(diagnosis.ledger.keys(amr_top::diagnosis::Way::Lost), 0);
    for verdict in &diagnosis.verdicts {
        assert_eq!(verdict.keys_lost.unwrap_or(0), 0, "{verdict:#?}");
    }
}
