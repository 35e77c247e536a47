//! How nodes are found and asked: over TLS, beside one that hangs, by `check` from each of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use amr_top::config::{Endpoint, Plan, Tls};
use amr_top::demo::server::{Server, Signal};
use amr_top::model::{ChangeKind, NodeId};
use assert_cmd::Command;
use assert_cmd::cargo::cargo_bin;
use rstest::rstest;
use serde_json::Value;

use crate::scene::{Scene, client, fill, id, keys, plan, plan_from, replica, run, server, wait};
use crate::support::certs::Certs;
use crate::support::fake::{Fake, bulk, error};
use crate::support::fixture;

/// A TLS-only server with a certificate, alone or as a replica.
fn secure(kind: &str, certs: &Certs, of: Option<&Server>) -> Server {
    let mut args = certs.server_args("no");
    args.extend(["--tls-replication", "yes"].map(str::to_owned));
    if let Some(of) = of {
        let port = of.port().to_string();
        args.extend(["--replicaof", "localhost", &port].map(str::to_owned));
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    server(kind, &args)
}

/// Where a server is, under the name `localhost`, over TLS.
fn over_tls(server: &Server, certs: &Certs) -> Plan {
    let mut plan = plan(server);
    plan.targets[0].endpoint = Endpoint::Tcp {
        host: "localhost".to_owned(),
        port: server.port(),
    };
    plan.targets[0].tls = Some(Tls {
        ca: Some(certs.file("ca.pem")),
        ..Tls::default()
    });
    plan
}

/// The replica is announced by its address; its certificate carries the name of the endpoint, as
/// those of managed servers do.
#[rstest]
#[tokio::test]
async fn a_found_node_is_held_against_the_name_of_the_endpoint(
    #[values("redis-server", "valkey-server")] kind: &str,
) {
    let certs = Certs::new(&["localhost"]);
    let primary = secure(kind, &certs, None);
    let standby = secure(kind, &certs, Some(&primary));
    answers(over_tls(&primary, &certs), &standby).await;
}

/// Each node has a certificate of its own.
#[rstest]
#[tokio::test]
async fn or_against_its_own_address(#[values("redis-server", "valkey-server")] kind: &str) {
    let certs = Certs::new(&["localhost"]);
    let own = certs.beside(&["127.0.0.1"]);
    let primary = secure(kind, &certs, None);
    let standby = secure(kind, &own, Some(&primary));
    answers(over_tls(&primary, &certs), &standby).await;
}

async fn answers(plan: Plan, standby: &Server) {
    let mut scene = Scene::open(plan);
    scene.hears_of(&id(standby)).await;
}

#[rstest]
#[tokio::test]
async fn a_node_that_hangs_does_not_slow_the_others(
    #[values("redis-server", "valkey-server")] kind: &str,
) {
    let primary = server(kind, &[]);
    fill(&mut client(&primary), "k", 100, 10);
    let standby = replica(kind, &primary, &[]).await;
    let mut scene = Scene::found(&primary, 2).await;
    standby.signal(Signal::Stop).expect("it is stopped");
    // Its reply is waited for during five seconds; the primary is polled ten times a second.
    let polls = |scene: &Scene, node: &NodeId| {
        let place = scene.deployment.place(node).expect("is known");
        scene.deployment.members()[place].history().window().polls()
    };
    let (own, its) = (id(&primary), id(&standby));
    let before = (polls(&scene, &own), polls(&scene, &its));
    while polls(&scene, &own) < before.0 + 20 {
        scene.hear().await;
    }
    assert!(polls(&scene, &its) <= before.1 + 1, "it hangs");
    standby.signal(Signal::Cont).expect("it goes on");
}

#[rstest]
#[tokio::test]
async fn check_tells_the_same_story_from_any_node(
    #[values("redis-server", "valkey-server")] kind: &str,
) {
    let primary = server(kind, &["--slowlog-log-slower-than", "0"]);
    let mut redis = client(&primary);
    fill(&mut redis, "k", 400, 10);
    let one = replica(kind, &primary, &[]).await;
    let two = replica(kind, &primary, &[]).await;
    run(&mut redis, "FLUSHALL");
    let mut its = client(&one);
    wait("the replicas are empty too", || keys(&mut its) == 0).await;
    let told: Vec<Value> = [&primary, &one, &two]
        .into_iter()
        .map(|server| {
            let mut check = Command::new(cargo_bin("amr-top"));
            let address = server.address();
            check.args(["check", "--once", "--format", "json", &address]);
            let output = check.output().expect("it runs");
            serde_json::from_slice(&output.stdout).expect("is JSON")
        })
        .collect();
    for report in &told {
        assert_eq!(report["top_cause"], "flush", "{report:#}");
        let nodes = report["nodes"].as_array().expect("is a list");
        assert_eq!(nodes.len(), 3, "{report:#}");
        let flush = &report["verdicts"][0];
        // The seconds since the start go on from one check to the next.
        let summary = flush["summary"].as_str().expect("is a sentence");
        let rest = summary.strip_prefix("FLUSHALL ×1 since the start ");
        let rest = rest.unwrap_or_else(|| panic!("{summary}"));
        assert!(rest.ends_with(" s ago or the last reset"), "{summary}");
        assert_eq!(flush["suspects"][0]["command"], "FLUSHALL", "{flush:#}");
    }
}

/// Servers before Redis 7 answer `INFO` while they load, and nothing about their cluster.
#[tokio::test]
async fn a_node_that_loads_is_asked_for_its_cluster_later() {
    let info =
        fixture("redis-6.2.16-primary.txt").replace("cluster_enabled:0", "cluster_enabled:1");
    let other = Fake::answering(|_, _| error("ERR unknown command"));
    let found = NodeId::of("127.0.0.1", other.port);
    let nodes = format!(
        "a :0@0 myself,master - 0 0 1 connected 0-9999\n\
         b {found}@1 master - 0 1 2 connected 10000-16383\n"
    );
    let views = AtomicUsize::new(0);
    let loading = Fake::answering(move |_, words| match words {
        ["INFO", "all"] => bulk(&info),
        ["CLUSTER", "NODES"] if views.fetch_add(1, Ordering::Relaxed) > 0 => bulk(&nodes),
        ["CLUSTER", ..] => error("LOADING Redis is loading the dataset in memory"),
        _ => error("ERR unknown command"),
    });
    let mut scene = Scene::open(plan_from(loading.port));
    scene
        .until("the other node is found", |deployment| {
            deployment.place(&found).is_some()
        })
        .await;
}

/// Two proxies of Redis Enterprise with one `run_id`. `keys` are those of each; `commands` counts what
/// both were asked, where they tell of one database.
fn proxies(keys: [u64; 2], commands: Option<AtomicU64>) -> [Fake; 2] {
    let info = fixture("synthetic-redis-enterprise-default.txt");
    let commands = commands.map(Arc::new);
    keys.map(|keys| {
        let (info, commands) = (info.clone(), commands.clone());
        Fake::answering(move |_, words| match words {
            ["INFO", ..] => {
                let count = commands
                    .as_ref()
                    .map(|all| all.fetch_add(1, Ordering::Relaxed));
                let count = count.unwrap_or(keys);
                let info = info.replace("keys=3450", &format!("keys={keys}"));
                let own = format!("total_commands_processed:{count}");
                bulk(&info.replace("total_commands_processed:987654", &own))
            }
            _ => error("ERR unknown command"),
        })
    })
}

/// A plan that names two ports.
fn both(ports: [u16; 2]) -> Plan {
    let mut plan = plan_from(ports[0]);
    plan.targets.extend(plan_from(ports[1]).targets);
    plan
}

#[tokio::test]
async fn proxies_with_one_run_id_are_one_only_where_they_tell_the_same() {
    let parts = proxies([3_450, 2_210], None);
    let mut scene = Scene::open(both([parts[0].port, parts[1].port]));
    for part in &parts {
        scene.hears_of(&NodeId::of("127.0.0.1", part.port)).await;
    }
    let same = proxies([3_450, 3_450], Some(AtomicU64::new(9)));
    let mut scene = Scene::open(both([same[0].port, same[1].port]));
    scene
        .until("they are one", |deployment| {
            let mut changes = deployment.changes();
            changes.any(|change| matches!(change.kind, ChangeKind::SameNode { .. }))
        })
        .await;
}

#[tokio::test]
async fn nodes_without_a_run_id_are_not_one() {
    let info = fixture("redis-6.2.16-primary.txt");
    let line = "run_id:b4a6f1cfbdf07f17177b6820490c4e3b18495e21";
    assert!(info.contains(line));
    let info = info.replace(line, "run_id:");
    let nodes = [(); 2].map(|()| {
        let info = info.clone();
        Fake::answering(move |_, words| match words {
            ["INFO", ..] => bulk(&info),
            _ => error("ERR unknown command"),
        })
    });
    let mut scene = Scene::open(both([nodes[0].port, nodes[1].port]));
    for node in &nodes {
        scene.hears_of(&NodeId::of("127.0.0.1", node.port)).await;
    }
}
