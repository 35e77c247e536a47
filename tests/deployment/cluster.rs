//! Clusters: found from any node, shard by shard, through failovers and moving slots.

use amr_top::demo::server::{Server, Signal};
use amr_top::diagnosis::{Cause, Diagnosis, Ending, Level, Mechanism, Way};
use amr_top::model::Watch;
use rstest::rstest;

use crate::scene::{
    Scene, ask, client, confirmed, field, follows, id, is_about, keys, plan, run, server, wait,
};

const SLOTS: u32 = 16_384;

/// Primaries, each with as many replicas.
struct Cluster {
    primaries: Vec<Server>,
    replicas: Vec<Server>,
}

impl Cluster {
    /// Three primaries, with a replica each where that is wanted.
    async fn start(kind: &str, with_replicas: bool, args: &[&str]) -> Self {
        let mut all = vec![
            "--cluster-enabled",
            "yes",
            "--cluster-node-timeout",
            "1500",
            "--cluster-replica-validity-factor",
            "0",
        ];
        all.extend(args);
        let primaries: Vec<Server> = (0..3).map(|_| server(kind, &all)).collect();
        let count = if with_replicas { 3 } else { 0 };
        let replicas: Vec<Server> = (0..count).map(|_| server(kind, &all)).collect();
        for (n, primary) in (0..3).zip(&primaries) {
            let (first, next) = (SLOTS * n / 3, SLOTS * (n + 1) / 3);
            let mut redis = client(primary);
            run(
                &mut redis,
                &format!("CLUSTER ADDSLOTSRANGE {first} {}", next - 1),
            );
        }
        let mut first = client(&primaries[0]);
        for other in primaries.iter().skip(1).chain(&replicas) {
            run(
                &mut first,
                &format!("CLUSTER MEET 127.0.0.1 {}", other.port()),
            );
        }
        let cluster = Self {
            primaries,
            replicas,
        };
        cluster.agree().await;
        for (replica, primary) in cluster.replicas.iter().zip(&cluster.primaries) {
            let whom = node_id(primary);
            let mut redis = client(replica);
            wait("the replica knows its primary", || {
                let reply = redis::cmd("CLUSTER")
                    .arg("REPLICATE")
                    .arg(&whom)
                    .exec(&mut redis);
                reply.is_ok()
            })
            .await;
            follows(replica, primary).await;
        }
        cluster.agree().await;
        cluster
    }

    fn all(&self) -> impl Iterator<Item = &Server> {
        self.primaries.iter().chain(&self.replicas)
    }

    /// Waits until all nodes know all others and hold all slots to be covered.
    async fn agree(&self) {
        let count = self.all().count();
        for server in self.all() {
            let mut redis = client(server);
            wait("the nodes agree", || {
                let info: String = ask(&mut redis, "CLUSTER INFO");
                info.contains("cluster_state:ok")
                    && info.contains(&format!("cluster_known_nodes:{count}"))
            })
            .await;
        }
    }

    /// Writes so many keys, each to the primary that holds its slot; how many each got.
    fn fill(&self, prefix: &str, count: u32, bytes: usize) -> Vec<u64> {
        let value = "v".repeat(bytes);
        let mut pipes = vec![redis::pipe(); self.primaries.len()];
        let mut counts = vec![0_u64; self.primaries.len()];
        let mut clients: Vec<_> = self.primaries.iter().map(client).collect();
        for n in 0..count {
            let key = format!("{prefix}:{n}");
            let at = shard(slot(&key));
            pipes[at].cmd("SET").arg(&key).arg(&value);
            counts[at] += 1;
            if counts[at].is_multiple_of(200) {
                let pipe = std::mem::take(&mut pipes[at]);
                pipe.exec(&mut clients[at]).expect("keys are written");
            }
        }
        for (pipe, redis) in pipes.iter().zip(&mut clients) {
            if pipe.cmd_iter().next().is_some() {
                pipe.exec(redis).expect("keys are written");
            }
        }
        counts
    }
}

/// The primary that holds a slot, as it was dealt out at first.
fn shard(slot: u32) -> usize {
    let mut shards = 0..3;
    shards
        .find(|n| slot < SLOTS * (n + 1) / 3)
        .map_or(0, |n| n as usize)
}

/// The slot of a key without a hash tag: CRC16 (XMODEM) of it.
fn slot(key: &str) -> u32 {
    let mut crc: u16 = 0;
    for byte in key.bytes() {
        crc ^= u16::from(byte) << 8;
        for _ in 0..8 {
            crc = if crc & 0x8000 == 0 {
                crc << 1
            } else {
                (crc << 1) ^ 0x1021
            };
        }
    }
    u32::from(crc) % SLOTS
}

fn node_id(server: &Server) -> String {
    ask(&mut client(server), "CLUSTER MYID")
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_node_leads_to_the_whole_cluster(
    #[values("redis-server", "valkey-server")] kind: &str,
) {
    let cluster = Cluster::start(kind, true, &[]).await;
    assert_eq!(slot("foo"), 12_182, "as CLUSTER KEYSLOT has it");
    let counts = cluster.fill("k", 3_000, 10);
    for from in [&cluster.primaries[1], &cluster.replicas[2]] {
        let mut scene = Scene::found(from, 6).await;
        scene.must_stay_healthy();
        scene.polls(3).await;
        let mut shards: Vec<Vec<u16>> = scene
            .deployment
            .shards()
            .iter()
            .map(|places| {
                let members = scene.deployment.members();
                let ports = places.iter().filter_map(|place| {
                    members[*place].node().host_and_port().map(|(_, port)| port)
                });
                let mut ports: Vec<u16> = ports.collect();
                ports.sort_unstable();
                ports
            })
            .collect();
        shards.sort();
        let mut expected: Vec<Vec<u16>> = cluster
            .primaries
            .iter()
            .zip(&cluster.replicas)
            .map(|(primary, replica)| {
                let mut ports = vec![primary.port(), replica.port()];
                ports.sort_unstable();
                ports
            })
            .collect();
        expected.sort();
        assert_eq!(shards, expected);
        let diagnosis = scene.diagnosis();
        assert_eq!(diagnosis.ledger.keys_after, Some(counts.iter().sum()));
        let view = scene.deployment.topology(None).expect("was asked");
        let first = view.at(&id(&cluster.primaries[0])).expect("is told");
        assert_eq!(first.slots, [(0, 5_460)]);
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flush_of_one_shard_is_counted_by_that_shard(
    #[values("redis-server", "valkey-server")] kind: &str,
) {
    let cluster = Cluster::start(kind, true, &[]).await;
    let counts = cluster.fill("k", 3_000, 10);
    let mut scene = Scene::found(&cluster.primaries[0], 6).await;
    scene.may_only_be(&[Cause::Flush]);
    run(&mut client(&cluster.primaries[1]), "FLUSHALL");
    let diagnosis = scene
        .judged("the flush is told", |d| d.top_cause == Some(Cause::Flush))
        .await;
    let verdict = confirmed(&diagnosis, Cause::Flush);
    assert_eq!(verdict.keys_lost, Some(counts[1]));
    let by = cluster.primaries[1].address();
    assert!(verdict.summary.starts_with(&*by), "{}", verdict.summary);
    assert_eq!(verdict.evidence[0].node, id(&cluster.primaries[1]));
    assert_eq!(diagnosis.ledger.keys(Way::Flushed), counts[1]);
    let all: u64 = counts.iter().sum();
    assert_eq!(diagnosis.ledger.keys_after, Some(all - counts[1]));
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_one_shard_that_evicts_is_named(#[values("redis-server", "valkey-server")] kind: &str) {
    let cluster = Cluster::start(kind, false, &[]).await;
    cluster.fill("k", 6_000, 200);
    let mut scene = Scene::found(&cluster.primaries[0], 3).await;
    scene.may_only_be(&[Cause::Eviction]);
    let mut redis = client(&cluster.primaries[2]);
    let before = keys(&mut redis);
    run(&mut redis, "CONFIG SET maxmemory-policy allkeys-random");
    let used: u64 = field(&mut redis, "used_memory").parse().expect("a number");
    run(
        &mut redis,
        &format!("CONFIG SET maxmemory {}", used - 200_000),
    );
    let diagnosis = scene
        .judged("the evictions are told", |d| {
            d.top_cause == Some(Cause::Eviction)
        })
        .await;
    let verdict = confirmed(&diagnosis, Cause::Eviction);
    let by = cluster.primaries[2].address();
    assert!(verdict.summary.starts_with(&*by), "{}", verdict.summary);
    scene.polls(3).await;
    let gone = before - keys(&mut redis);
    assert!(gone > 0);
    let diagnosis = scene.diagnosis();
    let verdict = confirmed(&diagnosis, Cause::Eviction);
    assert_eq!(verdict.keys_lost, Some(gone), "{verdict:#?}");
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_is_killed_while_its_replica_is_behind(
    #[values("redis-server", "valkey-server")] kind: &str,
) {
    let cluster = Cluster::start(kind, true, &[]).await;
    cluster.fill("early", 1_500, 10);
    let (primary, standby) = (&cluster.primaries[0], &cluster.replicas[0]);
    let mut scene = Scene::found(&cluster.primaries[2], 6).await;
    standby.signal(Signal::Stop).expect("it is stopped");
    cluster.fill("late", 9_000, 10_000);
    let had = keys(&mut client(primary));
    scene.sees_all_of(primary).await;
    primary.signal(Signal::Kill).expect("it is killed");
    standby.signal(Signal::Cont).expect("it goes on");
    let mut its = client(standby);
    wait("the replica takes over", || {
        field(&mut its, "role") == "master"
    })
    .await;
    let lost = had - keys(&mut its);
    assert!(lost > 500, "nothing to measure: {lost} lost");
    let diagnosis = scene
        .judged("the failover is measured", |d| {
            d.top_cause == Some(Cause::Replication)
        })
        .await;
    let verdict = confirmed(&diagnosis, Cause::Replication);
    assert_eq!(verdict.mechanism, Some(Mechanism::Failover));
    let told = verdict.keys_lost.expect("is counted");
    assert!(is_about(told, lost), "{told} told, {lost} lost");
    for server in [primary, standby] {
        assert!(
            verdict.summary.contains(&*server.address()),
            "{}",
            verdict.summary
        );
    }
    // The cluster says so too, with the slots.
    let line = format!("{} took over 5,461 slots from {}", id(standby), id(primary));
    scene
        .until("the view tells who holds the slots", |deployment| {
            deployment
                .changes()
                .any(|change| change.kind.sentence() == line)
        })
        .await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planned_failover_loses_nothing(#[values("redis-server", "valkey-server")] kind: &str) {
    let cluster = Cluster::start(kind, true, &[]).await;
    let counts = cluster.fill("k", 3_000, 10);
    let mut scene = Scene::found(&cluster.primaries[1], 6).await;
    scene.must_stay_healthy();
    let mut its = client(&cluster.replicas[0]);
    run(&mut its, "CLUSTER FAILOVER");
    wait("the replica takes over", || {
        field(&mut its, "role") == "master"
    })
    .await;
    follows(&cluster.primaries[0], &cluster.replicas[0]).await;
    scene.polls(5).await;
    let diagnosis = scene.diagnosis();
    let verdict = diagnosis.of(Cause::Replication).expect("a verdict");
    assert_eq!(verdict.level, Level::Clear, "{verdict:#?}");
    assert!(verdict.summary.contains("took over"), "{}", verdict.summary);
    assert_eq!(diagnosis.ledger.keys_after, Some(counts.iter().sum()));
}

/// Moves slots with their keys, as `redis-cli --cluster reshard` does.
fn reshard(from: &Server, to: &Server, slots: std::ops::Range<u32>) -> u64 {
    let (source, target) = (node_id(from), node_id(to));
    let (mut left, mut right) = (client(from), client(to));
    let mut moved = 0;
    for slot in slots {
        run(
            &mut right,
            &format!("CLUSTER SETSLOT {slot} IMPORTING {source}"),
        );
        run(
            &mut left,
            &format!("CLUSTER SETSLOT {slot} MIGRATING {target}"),
        );
        loop {
            let mut command = redis::cmd("CLUSTER");
            command.arg("GETKEYSINSLOT").arg(slot).arg(100);
            let names: Vec<String> = command.query(&mut left).expect("keys of a slot");
            if names.is_empty() {
                break;
            }
            let mut command = redis::cmd("MIGRATE");
            command
                .arg("127.0.0.1")
                .arg(to.port())
                .arg("")
                .arg(0)
                .arg(5_000);
            command.arg("KEYS").arg(&names);
            command.exec(&mut left).expect("keys are moved");
            moved += names.len() as u64;
        }
        run(&mut right, &format!("CLUSTER SETSLOT {slot} NODE {target}"));
        run(&mut left, &format!("CLUSTER SETSLOT {slot} NODE {target}"));
    }
    moved
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_that_move_take_their_keys_along_and_nothing_is_lost(
    #[values("redis-server", "valkey-server")] kind: &str,
) {
    let cluster = Cluster::start(kind, false, &[]).await;
    let counts = cluster.fill("k", 12_000, 10);
    let mut scene = Scene::found(&cluster.primaries[2], 3).await;
    scene.must_stay_healthy();
    let moving = async {
        let ports = [
            cluster.primaries[0].address(),
            cluster.primaries[1].address(),
        ];
        let (from, to) = (&cluster.primaries[0], &cluster.primaries[1]);
        let moved = tokio::task::block_in_place(|| reshard(from, to, 0..1_000));
        (ports, moved)
    };
    let (_, moved) = moving.await;
    assert!(moved > 500, "{moved} keys moved");
    scene
        .until("the view tells that they moved", |deployment| {
            let moved = deployment.changes().filter(|change| {
                let said = change.kind.sentence();
                said.contains("moved:") && said.contains("slot")
            });
            moved.count() > 0
                && deployment.topology(None).is_some_and(|view| {
                    let to = view.at(&id(&cluster.primaries[1]));
                    to.is_some_and(|to| to.slot_count() == 5_461 + 1_000)
                })
        })
        .await;
    scene.polls(3).await;
    let diagnosis = scene.diagnosis();
    assert_eq!(diagnosis.top_cause, None);
    let verdict = diagnosis.of(Cause::Relocation).expect("a verdict");
    assert_eq!(verdict.level, Level::Clear);
    let words = format!(
        "{} → {}",
        id(&cluster.primaries[0]),
        id(&cluster.primaries[1])
    );
    assert!(
        verdict.summary.contains(&words) && verdict.summary.contains("1,000 slots"),
        "{}",
        verdict.summary
    );
    assert_eq!(diagnosis.ledger.keys_after, Some(counts.iter().sum()));
    assert_eq!(diagnosis.ledger.keys(Way::Moved), 0);
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_without_a_node_cannot_be_reached_and_are_not_called_lost(
    #[values("redis-server", "valkey-server")] kind: &str,
) {
    let cluster = Cluster::start(kind, false, &["--cluster-require-full-coverage", "no"]).await;
    cluster.fill("k", 3_000, 10);
    let mut scene = Scene::found(&cluster.primaries[0], 3).await;
    cluster.primaries[1]
        .signal(Signal::Kill)
        .expect("it is killed");
    let diagnosis = scene
        .judged("the slots are missed", |diagnosis| {
            let verdict = diagnosis.of(Cause::InstanceFailure);
            verdict.is_some_and(|v| {
                v.summary.contains("5,461 of 16,384 slots")
                    || v.summary.contains("5,462 of 16,384 slots")
            })
        })
        .await;
    let verdict = diagnosis.of(Cause::InstanceFailure).expect("a verdict");
    assert!(verdict.is_loss(), "{verdict:#?}");
    assert_eq!(verdict.keys_lost, None, "nobody knows that: {verdict:#?}");
    assert!(
        verdict.summary.contains("cannot be reached"),
        "{}",
        verdict.summary
    );
    assert_eq!(diagnosis.top_cause, Some(Cause::InstanceFailure));
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_joins_and_one_that_is_taken_out(
    #[values("redis-server", "valkey-server")] kind: &str,
) {
    let cluster = Cluster::start(kind, false, &[]).await;
    cluster.fill("k", 900, 10);
    let mut scene = Scene::found(&cluster.primaries[0], 3).await;
    scene.must_stay_healthy();
    let newcomer = server(
        kind,
        &["--cluster-enabled", "yes", "--cluster-node-timeout", "1500"],
    );
    let mut redis = client(&cluster.primaries[0]);
    run(
        &mut redis,
        &format!("CLUSTER MEET 127.0.0.1 {}", newcomer.port()),
    );
    scene.hears_of(&id(&newcomer)).await;
    let whom = node_id(&newcomer);
    // All know it before the first forgets it: none learns of it from another after that.
    for primary in &cluster.primaries {
        let mut redis = client(primary);
        wait("it is known everywhere", || {
            let nodes: String = ask(&mut redis, "CLUSTER NODES");
            nodes.contains(&whom)
        })
        .await;
    }
    for primary in &cluster.primaries {
        run(&mut client(primary), &format!("CLUSTER FORGET {whom}"));
    }
    scene
        .until("the view has it no more", |deployment| {
            let view = deployment.topology(None);
            view.is_some_and(|view| view.at(&id(&newcomer)).is_none())
        })
        .await;
    scene.polls(2).await;
    // A moment's worth of silence is no reason to forget who was there.
    assert!(scene.deployment.place(&id(&newcomer)).is_some());
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watched_key_is_found_on_the_node_that_holds_it(
    #[values("redis-server", "valkey-server")] kind: &str,
) {
    let cluster = Cluster::start(kind, false, &[]).await;
    cluster.fill("k", 300, 10);
    let mut names = (0..300).map(|n| format!("k:{n}"));
    let name = names
        .find(|name| shard(slot(name)) == 2)
        .expect("one of them is there");
    let mut plan = plan(&cluster.primaries[0]);
    plan.targets[0].watch = vec![Watch::Key(name.clone())];
    let mut scene = Scene::open(plan);
    let of = |diagnosis: &Diagnosis| {
        let mut fates = diagnosis.fates.iter().filter(|fate| *fate.name == *name);
        let fate = fates.next().map(|fate| fate.ending);
        assert_eq!(fates.next(), None, "it is told once");
        fate
    };
    scene
        .judged("it is there", |diagnosis| {
            of(diagnosis) == Some(Ending::Present)
        })
        .await;
    run(&mut client(&cluster.primaries[2]), &format!("DEL {name}"));
    scene
        .judged("it was deleted", |diagnosis| {
            of(diagnosis) == Some(Ending::Deleted)
        })
        .await;
}
