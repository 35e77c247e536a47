//! Primaries and replicas: what befalls the copies is told of the whole once.

use amr_top::config::{NodeMap, Plan};
use amr_top::demo::server::Server;
use amr_top::demo::server::Signal;
use amr_top::diagnosis::{Cause, Level, Mechanism};
use amr_top::model::{NodeId, Role};
use rstest::rstest;

use crate::scene::{
    Scene, ask, client, confirmed, field, fill, follows, id, keys, plan, replica, run, server, wait,
};

#[rstest]
#[tokio::test]
async fn any_node_leads_to_all_others(#[values("redis-server", "valkey-server")] kind: &str) {
    let primary = server(kind, &[]);
    fill(&mut client(&primary), "k", 500, 10);
    let one = replica(kind, &primary, &[]).await;
    let two = replica(kind, &primary, &[]).await;
    for from in [&primary, &one, &two] {
        let mut scene = Scene::found(from, 3).await;
        scene.must_stay_healthy();
        scene.polls(3).await;
        assert_eq!(scene.deployment.first().node(), &id(from));
        assert_eq!(scene.deployment.shards().len(), 1, "one shard");
        let diagnosis = scene.diagnosis();
        assert_eq!(
            diagnosis.ledger.keys_after,
            Some(500),
            "copies are not counted"
        );
        for server in [&primary, &one, &two] {
            let place = scene.deployment.place(&id(server)).expect("was found");
            let sample = scene.deployment.members()[place].history().last_sample();
            let role = sample.expect("answers").replication.role;
            let is_primary = server.port() == primary.port();
            assert_eq!(role == Role::Primary, is_primary);
        }
    }
}

#[rstest]
#[tokio::test]
async fn the_same_process_under_two_names_is_one_node(
    #[values("redis-server", "valkey-server")] kind: &str,
) {
    let primary = server(kind, &[]);
    fill(&mut client(&primary), "k", 100, 10);
    let standby = replica(kind, &primary, &[]).await;
    let mut plan = plan(&primary);
    if let amr_top::config::Endpoint::Tcp { host, .. } = &mut plan.targets[0].endpoint {
        *host = "localhost".to_owned();
    }
    let mut scene = Scene::open(plan);
    let alias = id(&primary);
    scene
        .until("the other name is known to be the same", |deployment| {
            let mut changes = deployment.changes();
            changes.any(|change| change.kind.sentence().starts_with(alias.as_str()))
        })
        .await;
    scene.polls(2).await;
    let nodes: Vec<&str> = scene
        .deployment
        .members()
        .iter()
        .map(|m| m.node().as_str())
        .collect();
    let named = format!("localhost:{}", primary.port());
    assert_eq!(nodes, [&*named, &*standby.address()]);
    assert_eq!(scene.deployment.shards().len(), 1);
}

#[rstest]
#[tokio::test]
async fn a_flush_is_one_loss_however_many_copies_there_are(
    #[values("redis-server", "valkey-server")] kind: &str,
) {
    let primary = server(kind, &[]);
    let mut redis = client(&primary);
    fill(&mut redis, "k", 800, 10);
    let one = replica(kind, &primary, &[]).await;
    let _two = replica(kind, &primary, &[]).await;
    let mut scene = Scene::found(&one, 3).await;
    scene.may_only_be(&[Cause::Flush]);
    run(&mut redis, "FLUSHALL");
    let diagnosis = scene
        .judged("the flush is told", |d| d.top_cause == Some(Cause::Flush))
        .await;
    assert_eq!(confirmed(&diagnosis, Cause::Flush).keys_lost, Some(800));
    scene.polls(5).await;
    let diagnosis = scene.diagnosis();
    assert_eq!(confirmed(&diagnosis, Cause::Flush).keys_lost, Some(800));
    assert_eq!(diagnosis.incidents.len(), 1, "{:#?}", diagnosis.incidents);
    assert_eq!(diagnosis.incidents[0].keys, 800);
}

#[rstest]
#[tokio::test]
async fn an_empty_primary_wipes_its_replicas(
    #[values("redis-server", "valkey-server")] kind: &str,
) {
    let primary = server(kind, &[]);
    fill(&mut client(&primary), "k", 900, 10);
    let standby = replica(kind, &primary, &[]).await;
    let mut scene = Scene::found(&standby, 2).await;
    primary.signal(Signal::Kill).expect("it is killed");
    primary.wait_exit(crate::scene::DEADLINE).expect("it ends");
    primary.restart().expect("it starts again");
    let mut its = client(&standby);
    wait("the replica is empty too", || keys(&mut its) == 0).await;
    let diagnosis = scene
        .judged("the restart is told", |diagnosis| {
            diagnosis.top_cause == Some(Cause::InstanceFailure)
                && diagnosis
                    .of(Cause::InstanceFailure)
                    .is_some_and(|v| v.keys_lost.is_some())
        })
        .await;
    let verdict = confirmed(&diagnosis, Cause::InstanceFailure);
    assert_eq!(verdict.mechanism, Some(Mechanism::RestartEmpty));
    assert_eq!(verdict.keys_lost, Some(900));
    let wiped = scene
        .judged("the replica's part is told", |diagnosis| {
            let verdict = diagnosis.of(Cause::Replication);
            verdict.is_some_and(|v| v.mechanism == Some(Mechanism::FullResync))
        })
        .await;
    let verdict = wiped.of(Cause::Replication).expect("a verdict");
    assert!(
        verdict.summary.contains(&*standby.address()),
        "{verdict:#?}"
    );
    assert_eq!(
        verdict.level,
        Level::AtRisk,
        "the keys are counted once: {verdict:#?}"
    );
    assert_eq!(wiped.ledger.keys(amr_top::diagnosis::Way::Lost), 900);
}

#[rstest]
#[tokio::test]
async fn a_primary_that_follows_the_wrong_host_loses_its_own_data(
    #[values("redis-server", "valkey-server")] kind: &str,
) {
    let primary = server(kind, &[]);
    let mut redis = client(&primary);
    fill(&mut redis, "k", 700, 10);
    let _standby = replica(kind, &primary, &[]).await;
    let other = server(kind, &[]);
    fill(&mut client(&other), "other", 30, 10);
    let mut scene = Scene::found(&primary, 2).await;
    run(&mut redis, &format!("REPLICAOF 127.0.0.1 {}", other.port()));
    let diagnosis = scene
        .judged("the loss is told", |diagnosis| {
            diagnosis.top_cause == Some(Cause::Replication)
        })
        .await;
    let verdict = confirmed(&diagnosis, Cause::Replication);
    assert_eq!(verdict.mechanism, Some(Mechanism::Replicaof));
    assert_eq!(
        verdict.keys_lost,
        Some(670),
        "700 went, 30 came: {verdict:#?}"
    );
    scene
        .until("the other server is found", |deployment| {
            deployment.place(&id(&other)).is_some()
        })
        .await;
}

/// A replica that announces an address which leads nowhere.
async fn announced_nowhere(kind: &str, of: &Server) -> Server {
    replica(kind, of, &["--replica-announce-ip", "192.0.2.1"]).await
}

#[rstest]
#[tokio::test]
async fn an_address_that_leads_nowhere_is_told_and_is_no_outage(
    #[values("redis-server", "valkey-server")] kind: &str,
) {
    let primary = server(kind, &[]);
    fill(&mut client(&primary), "k", 100, 10);
    let standby = announced_nowhere(kind, &primary).await;
    let mut plan = plan(&primary);
    plan.targets[0].connect_timeout = std::time::Duration::from_millis(300);
    let mut scene = Scene::open(plan);
    scene.must_stay_healthy();
    let announced = format!("192.0.2.1:{}", standby.port());
    let diagnosis = scene
        .judged("it is said that it was not reached", |diagnosis| {
            let mut notices = diagnosis.notices.iter();
            notices.any(|notice| notice.starts_with(&announced))
        })
        .await;
    assert_eq!(diagnosis.top_cause, None);
    let notice = diagnosis.notices.iter().find(|n| n.starts_with(&announced));
    let hint = format!("--node-map {announced}=HOST:PORT");
    assert!(
        notice.is_some_and(|notice| notice.contains(&hint)),
        "{notice:?}"
    );
}

#[rstest]
#[tokio::test]
async fn a_map_tells_where_an_announced_node_is_reached(
    #[values("redis-server", "valkey-server")] kind: &str,
) {
    let primary = server(kind, &[]);
    fill(&mut client(&primary), "k", 100, 10);
    let standby = announced_nowhere(kind, &primary).await;
    let mut plan = plan(&primary);
    plan.node_map = NodeMap::parse(&["192.0.2.1=127.0.0.1".to_owned()]).expect("parses");
    let mut scene = Scene::open(plan);
    let announced = NodeId::new(&format!("192.0.2.1:{}", standby.port()));
    scene.hears_of(&announced).await;
    assert_eq!(scene.deployment.shards().len(), 1);
}

#[rstest]
#[tokio::test]
async fn who_is_not_to_be_looked_for_is_not_found(
    #[values("redis-server", "valkey-server")] kind: &str,
) {
    let primary = server(kind, &[]);
    let _standby = replica(kind, &primary, &[]).await;
    let mut scene = Scene::open(Plan {
        discover: false,
        ..plan(&primary)
    });
    scene.polls(5).await;
    assert_eq!(scene.deployment.members().len(), 1);
    let stats: String = ask(&mut client(&primary), "INFO commandstats");
    assert!(stats.contains("cmdstat_info"), "{stats}");
    assert!(!stats.contains("cluster|"), "nobody asked for a cluster");
}

#[rstest]
#[tokio::test]
async fn a_replica_that_starts_over_again_and_again_is_a_danger_and_no_loss(
    #[values("redis-server", "valkey-server")] kind: &str,
) {
    let small = [
        "--client-output-buffer-limit",
        "replica 1mb 0 0",
        "--repl-backlog-size",
        "16kb",
    ];
    let primary = server(
        kind,
        &[&small[..], &["--repl-diskless-sync-delay", "0"]].concat(),
    );
    let mut redis = client(&primary);
    fill(&mut redis, "k", 1_000, 10);
    let standby = replica(kind, &primary, &[]).await;
    let mut scene = Scene::found(&primary, 2).await;
    scene.must_stay_healthy();
    for round in 0..3 {
        standby.signal(Signal::Stop).expect("it is stopped");
        fill(&mut redis, &format!("burst{round}"), 1_500, 10_000);
        // The primary gives the replica up.
        wait("the replica is cut off", || {
            field(&mut redis, "connected_slaves") == "0"
        })
        .await;
        standby.signal(Signal::Cont).expect("it goes on");
        follows(&standby, &primary).await;
        scene.polls(2).await;
    }
    let diagnosis = scene
        .judged("the loop is told", |diagnosis| {
            let verdict = diagnosis.of(Cause::Replication);
            verdict.is_some_and(|v| v.mechanism == Some(Mechanism::ResyncLoop))
        })
        .await;
    let verdict = diagnosis.of(Cause::Replication).expect("a verdict");
    assert_eq!(verdict.level, Level::AtRisk, "{verdict:#?}");
    let kept = keys(&mut redis);
    scene.sees_all_of(&primary).await;
    assert_eq!(scene.diagnosis().ledger.keys_after, Some(kept));
}

#[rstest]
#[tokio::test]
async fn a_link_that_breaks_again_and_again_is_a_danger_and_no_loss(
    #[values("redis-server", "valkey-server")] kind: &str,
) {
    let primary = server(kind, &[]);
    let mut redis = client(&primary);
    fill(&mut redis, "k", 1_000, 10);
    let standby = replica(kind, &primary, &[]).await;
    let mut scene = Scene::found(&primary, 2).await;
    scene.must_stay_healthy();
    for round in 0..4 {
        let killed: u64 = ask(&mut redis, "CLIENT KILL TYPE replica");
        assert_eq!(killed, 1);
        fill(&mut redis, &format!("round{round}"), 50, 10);
        follows(&standby, &primary).await;
        scene.polls(1).await;
    }
    let caught_up: u64 = field(&mut redis, "sync_partial_ok")
        .parse()
        .expect("a number");
    assert_eq!(caught_up, 4);
    let diagnosis = scene
        .judged("the link is told", |diagnosis| {
            let verdict = diagnosis.of(Cause::Replication);
            verdict.is_some_and(|v| v.mechanism == Some(Mechanism::LinkFlapping))
        })
        .await;
    let verdict = diagnosis.of(Cause::Replication).expect("a verdict");
    assert_eq!(verdict.level, Level::AtRisk, "{verdict:#?}");
    assert!(
        verdict.summary.contains("broke 4 times"),
        "{}",
        verdict.summary
    );
    assert_eq!(diagnosis.ledger.keys_after, Some(keys(&mut redis)));
}

#[rstest]
#[tokio::test]
async fn a_restart_from_a_stale_rdb_is_measured_in_bytes(
    #[values("redis-server", "valkey-server")] kind: &str,
) {
    let primary = server(kind, &[]);
    let mut redis = client(&primary);
    fill(&mut redis, "early", 800, 100);
    let standby = replica(kind, &primary, &[]).await;
    // Not while the child that wrote the standby's copy is still there.
    wait("it is saved", || {
        redis::cmd("SAVE").exec(&mut redis).is_ok()
    })
    .await;
    let saved: u64 = field(&mut redis, "master_repl_offset")
        .parse()
        .expect("a number");
    fill(&mut redis, "late", 2_000, 1_000);
    let written: u64 = field(&mut redis, "master_repl_offset")
        .parse()
        .expect("a number");
    let mut scene = Scene::found(&primary, 2).await;
    scene.sees_all_of(&primary).await;
    // Held still, so that it cannot bring its own history into this.
    standby.signal(Signal::Stop).expect("it is stopped");
    primary.signal(Signal::Kill).expect("it is killed");
    primary.wait_exit(crate::scene::DEADLINE).expect("it ends");
    primary.restart().expect("it starts again");
    let diagnosis = scene
        .judged("the restart is told", |diagnosis| {
            let verdict = diagnosis.of(Cause::InstanceFailure);
            verdict.is_some_and(|v| v.mechanism == Some(Mechanism::RestartStaleRdb))
        })
        .await;
    let verdict = confirmed(&diagnosis, Cause::InstanceFailure);
    assert_eq!(verdict.keys_lost, Some(2_000));
    let bytes = amr_top::format::bytes(written - saved);
    assert!(
        verdict.summary.contains(&format!("{bytes} of writes")),
        "{bytes}: {}",
        verdict.summary
    );
    standby.signal(Signal::Cont).expect("it goes on");
}
