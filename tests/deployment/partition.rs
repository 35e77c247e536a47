//! A primary is cut off from its replica and its Sentinels, and its clients are not.

use amr_top::diagnosis::{Cause, Mechanism};
use rstest::rstest;

use crate::relay::Relay;
use crate::scene::{Scene, client, confirmed, fill, id, keys, replication, run, server, wait};
use crate::sentinel::Sentinels;

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_is_cut_off_loses_what_it_took_alone(
    #[values("redis-server", "valkey-server")] kind: &str,
) {
    let way = Relay::bind().await;
    let announced = way.1.to_string();
    // Everybody but its clients knows it under the address that will be cut off.
    let primary = server(kind, &["--replica-announce-port", &announced]);
    let way = Relay::to(way, primary.port());
    let mut redis = client(&primary);
    fill(&mut redis, "early", 1_000, 100);
    let standby = server(kind, &[]);
    let mut its = client(&standby);
    run(&mut its, &format!("REPLICAOF 127.0.0.1 {}", way.port()));
    wait("the replica has everything", || keys(&mut its) == 1_000).await;
    let sentinels = Sentinels::of(kind, way.port());
    sentinels.agree(1).await;
    let mut scene = Scene::from(&primary);
    scene.hears_of(&id(&standby)).await;
    scene.polls(2).await;

    way.cut();
    fill(&mut redis, "alone", 700, 100);
    wait("the Sentinels promote the replica", || {
        replication(&standby, "role").as_deref() == Some("master")
    })
    .await;
    let mut its = client(&standby);
    fill(&mut its, "elected", 200, 100);
    scene.splits().await;
    scene.sees_all_of(&primary).await;
    scene.sees_all_of(&standby).await;
    let (old, new) = (keys(&mut redis), keys(&mut its));
    assert_eq!((old, new), (1_700, 1_200));

    way.mend();
    wait("the data is that of the new primary", || {
        replication(&primary, "master_link_status").as_deref() == Some("up")
    })
    .await;
    assert_eq!(keys(&mut client(&primary)), 1_200);
    scene.polls(2).await;
    let healed = scene.diagnosis();
    let verdict = confirmed(&healed, Cause::Replication);
    assert_eq!(verdict.mechanism, Some(Mechanism::SplitBrain));
    assert!(verdict.at_least);
    // Seven hundred are gone; two hundred that the new one took alone hide none of them.
    assert_eq!(verdict.keys_lost, Some(700), "{verdict:#?}");
    let changes = scene.changes();
    let place = |words: &str| {
        let place = changes.iter().position(|change| change.contains(words));
        place.unwrap_or_else(|| panic!("{words}: {changes:#?}"))
    };
    let (promoted, demoted) = (
        "role changed: replica → primary",
        "role changed: primary → replica",
    );
    assert!(place(promoted) < place(demoted), "{changes:#?}");
}
