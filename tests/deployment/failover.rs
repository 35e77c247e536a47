//! A replica takes over: what it lacks is measured.

use amr_top::demo::server::Signal;
use amr_top::diagnosis::{Cause, Diagnosis, Level, Mechanism};
use rstest::rstest;

use crate::scene::{
    Scene, client, confirmed, field, fill, id, is_about, keys, replica, run, server, wait,
};

/// Keys that the replica never hears of, and their size: more than the sockets on the way hold.
const LATE: u32 = 3_000;
const SIZE: usize = 10_000;

#[rstest]
#[tokio::test]
async fn a_primary_is_killed_while_its_replica_is_behind(
    #[values("redis-server", "valkey-server")] kind: &str,
) {
    let primary = server(kind, &[]);
    let mut redis = client(&primary);
    fill(&mut redis, "early", 1_000, 100);
    let standby = replica(kind, &primary, &[]).await;
    let mut scene = Scene::found(&standby, 2).await;
    standby.signal(Signal::Stop).expect("it is stopped");
    fill(&mut redis, "late", LATE, SIZE);
    let (had, written) = (keys(&mut redis), field(&mut redis, "master_repl_offset"));
    scene.sees_all_of(&primary).await;
    let exposed = |diagnosis: &Diagnosis| {
        let verdict = diagnosis.of(Cause::Replication)?;
        let (_, words) = verdict.summary.split_once(" writes and ")?;
        let (number, _) = words.split_once(" new keys")?;
        number.replace(',', "").parse::<u64>().ok()
    };
    let diagnosis = scene
        .judged("what a failure would lose is told", |diagnosis| {
            exposed(diagnosis).is_some()
        })
        .await;
    let told = exposed(&diagnosis).expect("is told");
    assert!(is_about(told, LATE.into()), "{told} told, {LATE} written");
    primary.signal(Signal::Kill).expect("it is killed");
    standby.signal(Signal::Cont).expect("it goes on");
    let mut its = client(&standby);
    wait("the replica has seen the end of the link", || {
        field(&mut its, "master_link_status") == "down"
    })
    .await;
    run(&mut its, "REPLICAOF NO ONE");
    let kept = keys(&mut its);
    let lost = had - kept;
    assert!(
        lost > u64::from(LATE) / 2,
        "nothing to measure: {lost} lost"
    );
    let diagnosis = scene
        .judged("the failover is measured", |diagnosis| {
            diagnosis.top_cause == Some(Cause::Replication)
        })
        .await;
    let verdict = confirmed(&diagnosis, Cause::Replication);
    assert_eq!(verdict.mechanism, Some(Mechanism::Failover));
    assert!(verdict.at_least);
    let told = verdict.keys_lost.expect("is counted");
    assert!(is_about(told, lost), "{told} told, {lost} lost");
    // Offsets as the servers tell them, and the size of what was written.
    let offset = |text: &str| text.parse::<u64>().expect("a number");
    let second = offset(&field(&mut its, "second_repl_offset"));
    let bytes = offset(&written) - (second - 1);
    let by_size = lost * (SIZE as u64 + 50);
    assert!(
        is_about(bytes, by_size),
        "{bytes} by offsets, {by_size} by size"
    );
    let proof = verdict.evidence.iter();
    let mut proof = proof.filter(|proof| proof.field == "master_repl_offset");
    let proof = proof.next().expect("the offsets are evidence");
    assert_eq!(proof.node, id(&primary));
    assert_eq!(proof.before, (second - 1).into());
    assert_eq!(proof.after, offset(&written).into());
    assert!(
        verdict.summary.contains("writes)") && verdict.summary.contains(&*primary.address()),
        "{}",
        verdict.summary
    );
    let incident = diagnosis.incidents.last().expect("an incident");
    assert_eq!(
        incident.main().map(|share| share.cause),
        Some(Cause::Replication)
    );
    assert_eq!(diagnosis.ledger.keys(amr_top::diagnosis::Way::Lost), told);
    // The old primary is missed by nobody any more.
    let failure = diagnosis.of(Cause::InstanceFailure).expect("a verdict");
    assert_eq!(failure.level, Level::AtRisk, "{failure:#?}");
}

#[rstest]
#[tokio::test]
async fn a_planned_failover_loses_nothing(#[values("redis-server", "valkey-server")] kind: &str) {
    let primary = server(kind, &[]);
    let mut redis = client(&primary);
    fill(&mut redis, "k", 2_000, 100);
    let standby = replica(kind, &primary, &[]).await;
    let mut scene = Scene::found(&primary, 2).await;
    scene.must_stay_healthy();
    run(&mut redis, "FAILOVER");
    scene
        .until("both have changed their role", |deployment| {
            let role = |server| {
                let place = deployment.place(&id(server)).expect("is known");
                let sample = deployment.members()[place].history().last_sample();
                sample.map(|sample| sample.replication.role.id())
            };
            role(&primary) == Some("replica") && role(&standby) == Some("primary")
        })
        .await;
    scene.polls(5).await;
    let diagnosis = scene.diagnosis();
    let verdict = diagnosis.of(Cause::Replication).expect("a verdict");
    assert_eq!(verdict.level, Level::Clear, "{verdict:#?}");
    assert!(verdict.summary.contains("took over"), "{}", verdict.summary);
    assert_eq!(diagnosis.ledger.keys_after, Some(2_000));
}

#[rstest]
#[tokio::test]
async fn two_primaries_are_a_split_brain_until_one_follows(
    #[values("redis-server", "valkey-server")] kind: &str,
) {
    let primary = server(kind, &[]);
    let mut redis = client(&primary);
    fill(&mut redis, "early", 1_000, 100);
    let standby = replica(kind, &primary, &[]).await;
    let mut scene = Scene::found(&primary, 2).await;
    let mut its = client(&standby);
    run(&mut its, "REPLICAOF NO ONE");
    fill(&mut redis, "old", 400, 100);
    fill(&mut its, "new", 50, 100);
    scene.sees_all_of(&primary).await;
    scene.splits().await;
    // Both are seen as primaries side by side, whichever was asked first.
    scene.polls(1).await;
    run(
        &mut redis,
        &format!("REPLICAOF 127.0.0.1 {}", standby.port()),
    );
    let healed = scene
        .judged("one follows", |diagnosis| {
            diagnosis.top_cause == Some(Cause::Replication)
        })
        .await;
    let verdict = confirmed(&healed, Cause::Replication);
    assert_eq!(verdict.mechanism, Some(Mechanism::SplitBrain));
    // Fifty are on the new primary that the old one never had; they hide none of those.
    assert_eq!(verdict.keys_lost, Some(400), "{verdict:#?}");
    wait("the data is that of the new primary", || {
        keys(&mut redis) == 1_050
    })
    .await;
}
