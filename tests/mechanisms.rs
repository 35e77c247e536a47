//! Every mechanism, brought about on a pretended server: its cause leads, its id is named, the
//! keys are counted, and the next steps fit. The last test proves that none is left out.

mod support {
    pub mod story;
}

use std::collections::BTreeSet;

use amr_top::diagnosis::{Diagnosis, Level, Mechanism as M};
use amr_top::model::{Assumptions, FailureKind};
use support::story::{Facts, Group, Story};

/// One way to lose keys, or to be about to.
struct Case {
    mechanism: M,
    level: Level,
    keys: Option<u64>,
    story: Played,
}

/// On one server, or on several.
enum Played {
    One(fn() -> Story),
    Several(fn() -> Group),
}

impl Played {
    fn diagnosis(&self) -> Diagnosis {
        match self {
            Self::One(story) => story().diagnosis(),
            Self::Several(group) => group().diagnosis(),
        }
    }
}

/// Slots of a cluster that no node has.
fn unassigned() -> Case {
    let group = || {
        let mut group = Group::of(&["10.0.0.1", "10.0.0.2"]).then(|_| {});
        group.view(&[
            (0, "master - 0 1 1 connected 401-8191"),
            (1, "master - 0 1 2 connected 8192-16383"),
        ]);
        group.then(|_| {})
    };
    Case {
        mechanism: M::SlotsUnreached,
        level: Level::Suspected,
        keys: None,
        story: Played::Several(group),
    }
}

fn case(mechanism: M, level: Level, keys: impl Into<Option<u64>>, story: fn() -> Story) -> Case {
    let keys = keys.into();
    Case {
        mechanism,
        level,
        keys,
        story: Played::One(story),
    }
}

/// Two primaries take writes; then the old one follows the new and loses what it took.
fn split_brain() -> Case {
    let group = || {
        let mut group = Group::of(&["10.0.0.1", "10.0.0.2"]);
        let (of, replica) = group.nodes.split_at_mut(1);
        replica[0].follow("10.0.0.1", &of[0].facts);
        let quiet = group.repeat(3, |nodes| {
            nodes[0].write(10);
            nodes[1].write(10);
        });
        let promoted = quiet.then(|nodes| {
            let offset = nodes[1].offset();
            nodes[1].promote(offset);
        });
        let apart = promoted.repeat(3, |nodes| nodes[0].write(50));
        apart.then(|nodes| {
            let (old, new) = nodes.split_at_mut(1);
            old[0].follow("10.0.0.2", &new[0].facts);
            old[0].facts.dbs.clone_from(&new[0].facts.dbs);
        })
    };
    Case {
        mechanism: M::SplitBrain,
        level: Level::Confirmed,
        keys: Some(150),
        story: Played::Several(group),
    }
}

/// A replica loses keys that its primary keeps.
fn diverged() -> Case {
    let group = || {
        let mut group = Group::of(&["10.0.0.1", "10.0.0.2"]);
        let (of, replica) = group.nodes.split_at_mut(1);
        replica[0].follow("10.0.0.1", &of[0].facts);
        let group = group.repeat(3, |_| {});
        group.repeat(4, |nodes| nodes[1].facts.keys(400))
    };
    Case {
        mechanism: M::ReplicaDiverged,
        level: Level::AtRisk,
        keys: None,
        story: Played::Several(group),
    }
}

/// A thousand keys, and a few quiet polls.
fn quiet() -> Story {
    Story::with_keys(1_000).repeat(3, |_, f| f.ran("get", 10))
}

fn with(change: impl FnOnce(&mut Facts)) -> Story {
    let mut facts = Facts::default();
    facts.keys(1_000);
    change(&mut facts);
    Story::with(facts).then(|_| {})
}

/// So many keys fewer, by calls of a command.
fn taken(command: &'static str, calls: u64, keys: u64) -> Story {
    quiet().then(move |f| {
        f.ran(command, calls);
        f.keys(1_000 - keys);
    })
}

/// Deletes beside a script or transaction.
fn wrapped(command: &'static str, wrapper: &'static str) -> Story {
    quiet().then(move |f| {
        f.ran(command, 200);
        f.ran(wrapper, 1);
        f.keys(if command == "flushall" { 0 } else { 800 });
    })
}

fn limit(f: &mut Facts, bytes: u64, policy: &str) {
    f.memory.insert("maxmemory", bytes.to_string());
    f.memory.insert("maxmemory_policy", policy.into());
}

fn evict(f: &mut Facts) {
    f.add("evicted_keys", 300);
    f.keys(700);
}

fn refuse(prefix: &'static str, policy: &'static str) -> Story {
    let start = with(move |f| limit(f, 2_000_000, policy));
    start.then(move |f| {
        f.errors.insert(prefix, 40);
        f.commands.insert("set", (0, 40, 0));
    })
}

fn restarted(loaded: u64, aof: bool) -> Story {
    let aof = if aof { "1" } else { "0" };
    let start = with(move |f| {
        f.persistence.insert("aof_enabled", aof.into());
    });
    start.fails(FailureKind::Refused).then(move |f| {
        f.restart();
        f.keys(loaded);
        let read = if aof == "1" { 0 } else { loaded };
        f.persistence
            .insert("rdb_last_load_keys_loaded", read.to_string());
    })
}

fn replica(change: impl FnOnce(&mut Facts)) -> Story {
    with(|f| {
        f.replica_of = Some("10.0.0.1");
        f.replication.insert("master_link_status", "up".into());
        f.replication.insert("slave_repl_offset", "5000".into());
    })
    .then(change)
}

fn expirations() -> Vec<Case> {
    use Level::Confirmed;
    vec![
        case(M::TtlRanOut, Confirmed, 400, || {
            quiet().then(|f| {
                f.add("expired_keys", 400);
                f.keys(600);
            })
        }),
        case(M::TtlAdded, Confirmed, 400, || {
            quiet()
                .then(|f| {
                    f.ran("expire", 400);
                    f.dbs.insert(0, (1_000, 400));
                })
                .then(|f| {
                    f.add("expired_keys", 400);
                    f.keys(600);
                })
        }),
        case(M::ClockJump, Confirmed, 400, || {
            let time = |f: &mut Facts, s: u64| {
                let us = (1_800_000_000 + s) * 1_000_000;
                f.server.insert("server_time_usec", us.to_string());
            };
            with(|f| time(f, 0)).then(|f| time(f, 2)).then(|f| {
                time(f, 7_200);
                f.add("expired_keys", 400);
                f.keys(600);
            })
        }),
        case(M::HashFieldTtl, Confirmed, 400, || {
            with(|f| f.add("expired_subkeys", 7)).then(|f| {
                f.add("expired_subkeys", 400);
                f.keys(600);
            })
        }),
        case(M::ExpiredAtLoad, Confirmed, 400, || {
            with(|_| {}).then(|f| {
                f.restart();
                f.keys(600);
                f.persistence
                    .insert("rdb_last_load_keys_loaded", "600".into());
                f.persistence
                    .insert("rdb_last_load_keys_expired", "400".into());
            })
        }),
    ]
}

fn evictions() -> Vec<Case> {
    use Level::Confirmed;
    vec![
        case(M::MemoryFull, Confirmed, 300, || {
            with(|f| limit(f, 1_000_000, "allkeys-lru")).then(evict)
        }),
        case(M::ClientBuffers, Confirmed, 300, || {
            let start = with(|f| {
                limit(f, 1_000_000, "allkeys-lru");
                f.memory.insert("mem_clients_normal", "1000".into());
                f.memory.insert("used_memory_dataset", "800000".into());
            });
            start.then(|f| {
                f.memory.insert("mem_clients_normal", "400000".into());
                f.memory.insert("used_memory_dataset", "500000".into());
                evict(f);
            })
        }),
        case(M::ReplicaBuffers, Confirmed, 300, || {
            let start = with(|f| {
                limit(f, 1_000_000, "allkeys-lru");
                f.memory.insert("mem_replication_backlog", "1000".into());
            });
            start.then(|f| {
                f.memory.insert("mem_replication_backlog", "400000".into());
                evict(f);
            })
        }),
        case(M::MaxmemoryLowered, Confirmed, 300, || {
            with(|f| limit(f, 2_000_000, "allkeys-lru")).then(|f| {
                limit(f, 900_000, "allkeys-lru");
                evict(f);
            })
        }),
        case(M::PolicyChanged, Confirmed, 300, || {
            with(|f| limit(f, 900_000, "noeviction")).then(|f| {
                limit(f, 900_000, "allkeys-lru");
                evict(f);
            })
        }),
        case(M::ShardFull, Confirmed, 300, || {
            let facts = Facts {
                enterprise: true,
                ..Facts::default()
            };
            let known = Assumptions {
                maxmemory_bytes: Some(4_000_000),
                ..Assumptions::default()
            };
            let start = Story::knowing(facts, known).then(|f| f.keys(1_000));
            start.then(evict)
        }),
    ]
}

fn deletions() -> Vec<Case> {
    use Level::{Confirmed, Suspected};
    vec![
        case(M::Del, Confirmed, 300, || taken("del", 1, 300)),
        case(M::Unlink, Confirmed, 300, || taken("unlink", 300, 300)),
        case(M::Getdel, Confirmed, 300, || taken("getdel", 300, 300)),
        case(M::ConditionalDelete, Confirmed, 300, || {
            taken("delex", 300, 300)
        }),
        case(M::ModuleDelete, Confirmed, 300, || {
            taken("json.del", 300, 300)
        }),
        case(M::DroppedIndex, Confirmed, 300, || {
            taken("FT.DROPINDEX", 1, 300)
        }),
        case(M::ScriptedDelete, Confirmed, 200, || wrapped("del", "eval")),
        case(M::TransactionDelete, Confirmed, 200, || {
            wrapped("unlink", "exec")
        }),
        case(M::EmptiedContainer, Suspected, 300, || {
            taken("spop", 300, 300)
        }),
        case(M::PastTtlExpire, Suspected, 300, || {
            taken("pexpireat", 300, 300)
        }),
    ]
}

fn replications() -> Vec<Case> {
    use Level::{Confirmed, Suspected};
    vec![
        case(M::Failover, Confirmed, 230, || {
            quiet().then(|f| {
                f.run_id = "b".repeat(40);
                f.keys(770);
                let old = f
                    .replication
                    .insert("master_replid", "2".repeat(40))
                    .expect("was there");
                f.replication.insert("master_replid2", old);
                f.replication.insert("second_repl_offset", "3001".into());
            })
        }),
        case(M::Promotion, Suspected, None, || {
            replica(|f| {
                f.replication.insert("master_link_status", "down".into());
            })
            .then(|f| {
                f.replica_of = None;
                f.replication.remove("master_link_status");
            })
        }),
        case(M::FullResync, Confirmed, 1_000, || {
            replica(|f| {
                f.replication.insert("master_replid", "9".repeat(40));
                f.replication.insert("slave_repl_offset", "14".into());
                f.keys(0);
            })
        }),
        case(M::Replicaof, Confirmed, 1_000, || {
            quiet().then(|f| {
                f.ran("replicaof", 1);
                f.replica_of = Some("10.0.0.9");
                f.keys(0);
            })
        }),
    ]
}

fn replicas_at_risk() -> Vec<Case> {
    use Level::AtRisk;
    vec![
        case(M::StaleReads, AtRisk, None, || {
            replica(|f| {
                f.replication.insert("master_link_status", "down".into());
                f.replication
                    .insert("master_link_down_since_seconds", "40".into());
            })
        }),
        case(M::ReplicaBehind, AtRisk, None, || {
            with(|f| {
                f.replication.insert("connected_slaves", "1".into());
                f.replication
                    .insert("master_repl_offset", "90000000".into());
                f.replication.insert(
                    "slave0",
                    "ip=10.0.0.2,port=6379,state=online,offset=5,lag=0".into(),
                );
            })
        }),
        case(M::ResyncLoop, AtRisk, None, || {
            with(|f| {
                f.replication.insert("connected_slaves", "1".into());
            })
            .repeat(4, |_, f| f.add("sync_full", 1))
        }),
        case(M::LinkFlapping, AtRisk, None, || {
            with(|f| {
                f.replication.insert("connected_slaves", "1".into());
                f.add("sync_partial_ok", 1);
            })
            .repeat(4, |_, f| f.add("sync_partial_ok", 1))
        }),
        case(M::WritableReplica, AtRisk, None, || {
            replica(|f| {
                f.replication.insert("slave_read_only", "0".into());
            })
        }),
    ]
}

fn flushes() -> Vec<Case> {
    use Level::{Confirmed, Suspected};
    vec![
        case(M::Flushall, Confirmed, 1_000, || {
            taken("flushall", 1, 1_000)
        }),
        case(M::Flushdb, Confirmed, 1_000, || taken("flushdb", 1, 1_000)),
        case(M::ScriptedFlush, Confirmed, 1_000, || {
            wrapped("flushall", "evalsha")
        }),
        case(M::TransactionFlush, Confirmed, 1_000, || {
            wrapped("flushall", "exec")
        }),
        case(M::SlotFlush, Confirmed, 300, || taken("sflush", 1, 300)),
        case(M::ControlPlaneFlush, Suspected, 1_000, || {
            let facts = Facts {
                enterprise: true,
                ..Facts::default()
            };
            let start = Story::unpolled(facts).then(|f| f.keys(1_000));
            start.then(|f| f.keys(0))
        }),
    ]
}

fn failures() -> Vec<Case> {
    use Level::{AtRisk, Confirmed, Suspected};
    vec![
        case(M::RestartEmpty, Confirmed, 1_000, || restarted(0, false)),
        case(M::RestartStaleRdb, Confirmed, 300, || restarted(700, false)),
        case(M::RestartTruncatedAof, Confirmed, 100, || {
            restarted(900, true)
        }),
        case(M::OutOfMemoryKill, Confirmed, 1_000, || {
            let start = with(|f| {
                f.memory.insert("used_memory_rss", "950".into());
                f.memory.insert("total_system_memory", "1000".into());
            });
            start.then(|f| {
                f.restart();
                f.keys(0);
            })
        }),
        case(M::ServerReplaced, Confirmed, 900, || {
            quiet().then(|f| {
                f.run_id = "c".repeat(40);
                f.keys(100);
            })
        }),
        case(M::DebugReload, Confirmed, 300, || taken("debug", 1, 300)),
        case(M::Unreachable, Confirmed, None, || {
            quiet()
                .fails(FailureKind::Refused)
                .fails(FailureKind::Refused)
        }),
        case(M::Loading, Suspected, None, || {
            quiet().then(|f| {
                f.restart();
                f.keys(10);
                f.persistence.insert("loading", "1".into());
            })
        }),
        case(M::SaveFailing, AtRisk, None, || {
            with(|f| {
                f.persistence.insert("rdb_last_bgsave_status", "err".into());
            })
        }),
        case(M::Unsaved, AtRisk, None, || {
            with(|f| {
                f.persistence
                    .insert("rdb_changes_since_last_save", "500".into());
            })
        }),
    ]
}

fn refusals() -> Vec<Case> {
    use Level::Confirmed;
    let refused = |mechanism, story| case(mechanism, Confirmed, None, story);
    vec![
        refused(M::NoEviction, || refuse("OOM", "noeviction")),
        refused(M::NothingEvictable, || refuse("OOM", "volatile-lru")),
        refused(M::SaveErrorRefusal, || refuse("MISCONF", "noeviction")),
        refused(M::ReadOnlyReplica, || refuse("READONLY", "noeviction")),
        refused(M::TooFewReplicas, || refuse("NOREPLICAS", "noeviction")),
        refused(M::PermissionDenied, || refuse("NOPERM", "noeviction")),
        refused(M::ClusterDown, || refuse("CLUSTERDOWN", "noeviction")),
    ]
}

fn moves() -> Vec<Case> {
    use Level::{Confirmed, Suspected};
    vec![
        case(M::Swapdb, Confirmed, 1_000, || {
            quiet().then(|f| {
                f.ran("swapdb", 1);
                f.dbs.clear();
                f.dbs.insert(1, (1_000, 0));
            })
        }),
        case(M::Move, Confirmed, 400, || {
            quiet().then(|f| {
                f.ran("move", 400);
                f.keys(600);
                f.dbs.insert(1, (400, 0));
            })
        }),
        case(M::Migrate, Confirmed, 300, || taken("migrate", 3, 300)),
        case(M::SlotMigration, Suspected, 300, || {
            quiet().then(|f| {
                f.cluster = true;
                f.ran("cluster|migrateslots", 1);
                f.ran("cluster|syncslots", 2);
                f.keys(700);
            })
        }),
        case(M::Rename, Suspected, 300, || taken("rename", 300, 300)),
        case(M::Restore, Suspected, 300, || taken("restore", 300, 0)),
        case(M::Copy, Suspected, 300, || taken("copy", 300, 0)),
        case(M::EmptyStore, Suspected, 300, || {
            taken("sinterstore", 300, 300)
        }),
        case(M::EvidenceReset, Suspected, 300, || {
            let busy = |f: &mut Facts| f.add("total_commands_processed", 50);
            quiet().then(busy).then(|f| {
                f.reset_stats();
                f.keys(700);
            })
        }),
        case(M::ReplicationStream, Suspected, 300, || {
            replica(|f| {
                f.ran("del", 300);
                f.keys(700);
            })
        }),
        case(M::NoTrace, Suspected, 300, || quiet().then(|f| f.keys(700))),
    ]
}

fn all() -> Vec<Case> {
    [
        expirations(),
        evictions(),
        deletions(),
        replications(),
        replicas_at_risk(),
        flushes(),
        failures(),
        refusals(),
        moves(),
        vec![split_brain(), diverged(), unassigned()],
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn check(wanted: &Case, diagnosis: &Diagnosis) -> Result<(), String> {
    let cause = wanted.mechanism.cause();
    let verdict = diagnosis.of(cause).expect("every cause has a verdict");
    let got = (verdict.mechanism, verdict.level, verdict.keys_lost);
    let hoped = (Some(wanted.mechanism), wanted.level, wanted.keys);
    if got != hoped {
        return Err(format!(
            "wanted {hoped:?}, got {got:?}: {}",
            verdict.summary
        ));
    }
    let is_loss = matches!(wanted.level, Level::Confirmed | Level::Suspected);
    if is_loss && diagnosis.top_cause != Some(cause) {
        return Err(format!("{:?} leads", diagnosis.top_cause));
    }
    if verdict.evidence.is_empty() || verdict.next_steps.is_empty() || verdict.docs.is_empty() {
        return Err(format!("nothing backs it: {verdict:#?}"));
    }
    let told = diagnosis
        .incidents
        .iter()
        .flat_map(|incident| &incident.shares)
        .any(|share| share.mechanism == wanted.mechanism);
    // They take no key: they only hide them.
    let hides = [M::Loading, M::SlotsUnreached].contains(&wanted.mechanism);
    if is_loss && !told && !hides {
        return Err(format!("no incident tells it: {:#?}", diagnosis.incidents));
    }
    Ok(())
}

#[test]
fn every_mechanism_is_named() {
    let wrong: Vec<String> = all()
        .iter()
        .filter_map(|case| {
            let told = check(case, &case.story.diagnosis());
            told.err()
                .map(|error| format!("{}: {error}", case.mechanism.id()))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_mechanism_is_left_out() {
    let proven: BTreeSet<&str> = all().iter().map(|case| case.mechanism.id()).collect();
    let known: BTreeSet<&str> = M::all().map(M::id).collect();
    assert_eq!(proven, known);
}
