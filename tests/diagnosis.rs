//! Every rule on pretended servers: the cause that is named, the keys that are counted, and the
//! traps that must not be stepped into.

mod support {
    pub mod story;
}

use amr_top::diagnosis::{Cause, Diagnosis, Level, Mechanism, Scope, Way};
use amr_top::model::{Assumptions, FailureKind, WritePace};
use rstest::rstest;
use support::story::{Facts, Story};

fn assert_top(diagnosis: &Diagnosis, cause: Cause, level: Level, keys: Option<u64>) {
    let verdict = diagnosis.of(cause).expect("every cause has a verdict");
    assert_eq!(
        diagnosis.top_cause,
        Some(cause),
        "{:#?}",
        diagnosis.verdicts
    );
    assert_eq!(
        (verdict.level, verdict.keys_lost),
        (level, keys),
        "{verdict:#?}"
    );
    assert_eq!(verdict.scope, Scope::Window);
    assert!(
        !verdict.evidence.is_empty(),
        "a claim needs evidence: {verdict:#?}"
    );
    assert!(!verdict.next_steps.is_empty());
    assert_balance(diagnosis);
}

fn assert_nothing_lost(diagnosis: &Diagnosis) {
    assert_eq!(diagnosis.top_cause, None, "{:#?}", diagnosis.verdicts);
    let losses: Vec<_> = diagnosis
        .verdicts
        .iter()
        .filter(|v| v.is_loss_in_window())
        .collect();
    assert!(losses.is_empty(), "{losses:#?}");
    assert_balance(diagnosis);
}

fn assert_balance(diagnosis: &Diagnosis) {
    let l = &diagnosis.ledger;
    if let (Some(before), Some(after)) = (l.keys_before, l.keys_after) {
        let removed: u64 = Way::ALL[1..].iter().map(|way| l.keys(*way)).sum();
        assert_eq!(before + l.keys(Way::Created), after + removed, "{l:#?}");
    }
    for verdict in &diagnosis.verdicts {
        assert!(
            !verdict.is_loss() || !verdict.evidence.is_empty(),
            "{verdict:#?}"
        );
        assert!(
            verdict.level != Level::Unknown
                || !verdict.missing.is_empty()
                || verdict.cause == Cause::Unexplained
        );
    }
}

#[test]
fn flushall_is_named_with_all_keys() {
    let story = Story::with_keys(50_213).then(|f| {
        f.keys(0);
        f.ran("flushall", 1);
    });
    assert_top(
        &story.diagnosis(),
        Cause::Flush,
        Level::Confirmed,
        Some(50_213),
    );
}

#[test]
fn flushall_is_named_even_when_the_keys_are_written_again_at_once() {
    let story = Story::with_keys(1_000).then(|f| {
        f.keys(900);
        f.ran("flushall", 1);
        f.ran("set", 900);
    });
    assert_top(
        &story.diagnosis(),
        Cause::Flush,
        Level::Confirmed,
        Some(1_000),
    );
}

#[test]
fn flushdb_takes_the_database_that_collapsed_only() {
    let mut facts = Facts::default();
    facts.dbs.insert(0, (1_000, 0));
    facts.dbs.insert(3, (700, 0));
    let story = Story::with(facts).then(|f| {
        f.dbs.remove(&3);
        f.ran("flushdb", 1);
    });
    assert_top(
        &story.diagnosis(),
        Cause::Flush,
        Level::Confirmed,
        Some(700),
    );
}

#[test]
fn flushdb_of_an_empty_database_is_not_charged_with_what_expired() {
    let story = Story::with_keys(1_000).then(|f| {
        f.keys(997);
        f.add("expired_keys", 3);
        f.ran("flushdb", 1);
    });
    assert_eq!(story.diagnosis().ledger.keys(Way::Flushed), 0);
    assert_nothing_lost(&story.diagnosis());
}

#[test]
fn a_refused_flush_is_told_and_is_no_loss() {
    let story = Story::with_keys(1_000).then(|f| {
        f.commands.insert("flushall", (0, 1, 0));
        f.errors.insert("NOPERM", 1);
    });
    let diagnosis = story.diagnosis();
    assert_nothing_lost(&diagnosis);
    assert!(
        diagnosis
            .notices
            .iter()
            .any(|n| n.contains("FLUSHALL refused")),
        "{:?}",
        diagnosis.notices
    );
}

#[test]
fn a_wave_of_expirations_is_named() {
    let story = Story::with_keys(1_500).then(|f| {
        f.keys(500);
        f.add("expired_keys", 1_000);
    });
    assert_top(
        &story.diagnosis(),
        Cause::Expiration,
        Level::Confirmed,
        Some(1_000),
    );
}

#[test]
fn a_cache_that_turns_over_steadily_is_healthy() {
    let story = Story::with_keys(1_000).repeat(60, |n, f| {
        f.keys(1_000 + [3, 0, 5, 1][n % 4]);
        f.add("expired_keys", 12);
        f.ran("set", 12);
    });
    assert_nothing_lost(&story.diagnosis());
}

#[test]
fn eviction_is_named_although_the_key_count_stands_still() {
    let story = Story::with_keys(1_000).repeat(3, |_, f| {
        f.add("evicted_keys", 50);
        f.ran("set", 50);
    });
    assert_top(
        &story.diagnosis(),
        Cause::Eviction,
        Level::Confirmed,
        Some(150),
    );
}

#[test]
fn deletes_that_hit_are_counted_in_keys_not_calls() {
    let story = Story::with_keys(1_000).then(|f| {
        f.keys(700);
        f.ran("del", 1);
    });
    assert_top(
        &story.diagnosis(),
        Cause::Deletion,
        Level::Confirmed,
        Some(300),
    );
}

#[test]
fn deletes_of_missing_keys_are_healthy() {
    let story = Story::with_keys(1_000).repeat(10, |_, f| f.ran("del", 400));
    assert_nothing_lost(&story.diagnosis());
}

#[test]
fn hdel_that_empties_hashes_is_a_deletion() {
    let story = Story::with_keys(1_000).then(|f| {
        f.keys(800);
        f.ran("hdel", 200);
    });
    assert_top(
        &story.diagnosis(),
        Cause::Deletion,
        Level::Suspected,
        Some(200),
    );
}

#[test]
fn queues_that_drain_and_refill_are_healthy() {
    let story = Story::with_keys(1_000).repeat(30, |n, f| {
        f.keys(if n % 2 == 0 { 996 } else { 1_000 });
        f.ran("lpop", 50);
        f.ran("lpush", 50);
    });
    assert_nothing_lost(&story.diagnosis());
}

#[test]
fn two_causes_have_two_shares_and_the_larger_leads() {
    let story = Story::with_keys(1_000)
        .then(|f| {
            f.keys(900);
            f.add("expired_keys", 100);
        })
        .then(|f| {
            f.keys(500);
            f.ran("unlink", 4);
        });
    let diagnosis = story.diagnosis();
    assert_top(&diagnosis, Cause::Deletion, Level::Confirmed, Some(400));
    assert_eq!(
        diagnosis.of(Cause::Expiration).and_then(|v| v.keys_lost),
        Some(100)
    );
}

#[test]
fn a_restart_without_data_is_an_instance_failure() {
    let story = Story::with_keys(1_000)
        .fails(FailureKind::Refused)
        .then(|f| {
            f.restart();
            f.keys(0);
        });
    assert_top(
        &story.diagnosis(),
        Cause::InstanceFailure,
        Level::Confirmed,
        Some(1_000),
    );
}

#[test]
fn a_restart_from_an_old_save_loses_the_difference() {
    let story = Story::with_keys(1_000).then(|f| {
        f.restart();
        f.keys(950);
        f.persistence
            .insert("rdb_last_load_keys_loaded", "950".into());
        f.persistence
            .insert("rdb_last_load_keys_expired", "20".into());
    });
    assert_top(
        &story.diagnosis(),
        Cause::InstanceFailure,
        Level::Confirmed,
        Some(30),
    );
}

#[test]
fn while_it_loads_the_counts_are_not_believed() {
    let loading = Story::with_keys(1_000).then(|f| {
        f.restart();
        f.keys(10);
        f.persistence.insert("loading", "1".into());
    });
    let during = loading.diagnosis();
    assert_eq!(
        during
            .of(Cause::InstanceFailure)
            .map(|v| (v.level, v.keys_lost)),
        Some((Level::Suspected, None))
    );
    let after = loading.then(|f| {
        f.keys(1_000);
        f.persistence.insert("loading", "0".into());
        f.persistence
            .insert("rdb_last_load_keys_loaded", "1000".into());
    });
    assert_nothing_lost(&after.diagnosis());
}

#[test]
fn a_restart_that_brings_everything_back_is_no_loss() {
    let story = Story::with_keys(1_000).then(|f| {
        f.restart();
        f.persistence
            .insert("rdb_last_load_keys_loaded", "1000".into());
    });
    let diagnosis = story.diagnosis();
    assert_nothing_lost(&diagnosis);
    assert!(
        diagnosis.notices.iter().any(|n| n.contains("restarted")),
        "{:?}",
        diagnosis.notices
    );
}

#[rstest]
#[case(FailureKind::Refused)]
#[case(FailureKind::Hanging)]
#[case(FailureKind::UnknownHost)]
fn a_server_that_never_answers_is_an_instance_failure(#[case] kind: FailureKind) {
    let story = Story::unpolled(Facts::default()).fails(kind).fails(kind);
    assert_top(
        &story.diagnosis(),
        Cause::InstanceFailure,
        Level::Suspected,
        None,
    );
}

#[test]
fn a_server_that_stops_answering_is_an_instance_failure() {
    let story = Story::with_keys(10)
        .fails(FailureKind::Hanging)
        .fails(FailureKind::Hanging);
    assert_top(
        &story.diagnosis(),
        Cause::InstanceFailure,
        Level::Confirmed,
        None,
    );
}

#[test]
fn a_wrong_password_says_nothing_about_the_data() {
    let story = Story::unpolled(Facts::default()).fails(FailureKind::PasswordWrong);
    let diagnosis = story.diagnosis();
    assert_nothing_lost(&diagnosis);
    assert_eq!(
        diagnosis.of(Cause::InstanceFailure).map(|v| v.level),
        Some(Level::Unknown)
    );
}

#[test]
fn resetstat_gives_no_negative_number_and_no_loss() {
    let story = Story::with(Facts {
        stats: [
            ("expired_keys", 900),
            ("evicted_keys", 50),
            ("total_commands_processed", 1 << 20),
        ]
        .into(),
        commands: [("del", (500, 0, 0)), ("flushall", (3, 0, 0))].into(),
        dbs: [(0, (1_000, 0))].into(),
        ..Facts::default()
    })
    .then(Facts::reset_stats);
    let diagnosis = story.diagnosis();
    assert_nothing_lost(&diagnosis);
    assert!(
        diagnosis.notices.iter().any(|n| n.contains("reset")),
        "{:?}",
        diagnosis.notices
    );
}

#[test]
fn a_replica_does_not_call_its_primary_s_expirations_deletions() {
    let mut facts = Facts {
        replica_of: Some("10.0.0.9"),
        ..Facts::default()
    };
    facts.keys(1_000);
    let story = Story::with(facts).then(|f| {
        f.keys(900);
        f.ran("del", 100);
    });
    let diagnosis = story.diagnosis();
    assert_eq!(
        diagnosis.of(Cause::Deletion).map(|v| v.level),
        Some(Level::Unknown)
    );
    assert_top(&diagnosis, Cause::Unexplained, Level::Suspected, Some(100));
    assert!(diagnosis.verdicts[0].summary.contains("10.0.0.9:6379"));
}

#[test]
fn a_replica_that_is_wiped_by_an_empty_primary_lost_by_replication() {
    let mut facts = Facts {
        replica_of: Some("10.0.0.9"),
        ..Facts::default()
    };
    facts.keys(1_000);
    let story = Story::with(facts).then(|f| {
        f.keys(0);
        f.replication.insert("master_replid", "2".repeat(40));
        f.replication.insert("master_repl_offset", "14".into());
    });
    assert_top(
        &story.diagnosis(),
        Cause::Replication,
        Level::Confirmed,
        Some(1_000),
    );
}

#[test]
fn a_failover_behind_one_address_is_sized_in_bytes_and_keys() {
    let story = Story::with_keys(1_000).then(|f| {
        f.run_id = "b".repeat(40);
        f.keys(770);
        let old = f
            .replication
            .insert("master_replid", "2".repeat(40))
            .expect("was there");
        f.replication.insert("master_replid2", old);
        f.replication.insert("second_repl_offset", "3001".into());
    });
    let diagnosis = story.diagnosis();
    assert_top(&diagnosis, Cause::Replication, Level::Confirmed, Some(230));
    // 5,000 bytes were written when last seen, 3,000 had arrived.
    assert!(
        diagnosis.verdicts[0].summary.contains("1.95 KB"),
        "{}",
        diagnosis.verdicts[0].summary
    );
}

#[test]
fn what_another_process_counted_before_is_not_ours() {
    let story = Story::with_keys(1_000).then(|f| {
        f.run_id = "b".repeat(40);
        f.add("expired_keys", 70_000);
        f.ran("flushall", 3);
        f.errors.insert("OOM", 9);
    });
    let diagnosis = story.diagnosis();
    assert_eq!(
        (
            diagnosis.ledger.keys(Way::Expired),
            diagnosis.ledger.keys(Way::Flushed)
        ),
        (0, 0)
    );
    assert_nothing_lost(&diagnosis);
}

#[test]
fn a_replica_far_behind_is_a_risk_not_a_loss() {
    let mut facts = Facts::default();
    facts.keys(10);
    facts.replication.insert("connected_slaves", "1".into());
    facts
        .replication
        .insert("master_repl_offset", "20000000".into());
    facts.replication.insert(
        "slave0",
        "ip=10.0.0.9,port=6379,state=online,offset=5000000,lag=14".into(),
    );
    let story = Story::with(facts).then(|_| {});
    let diagnosis = story.diagnosis();
    assert_nothing_lost(&diagnosis);
    let verdict = diagnosis.of(Cause::Replication).expect("a verdict");
    assert_eq!(verdict.level, Level::AtRisk);
    assert!(
        verdict.summary.contains("14.3 MB behind"),
        "{}",
        verdict.summary
    );
}

#[test]
fn writes_refused_for_memory_are_named() {
    let story = Story::with_keys(10).then(|f| {
        f.errors.insert("OOM", 40);
        f.commands.insert("set", (0, 40, 0));
    });
    assert_top(
        &story.diagnosis(),
        Cause::RejectedWrites,
        Level::Confirmed,
        None,
    );
}

#[test]
fn a_read_that_is_refused_is_no_rejected_write() {
    let story = Story::with_keys(10).then(|f| {
        f.cluster = true;
        f.errors.insert("CLUSTERDOWN", 1);
        f.commands.insert("get", (0, 1, 0));
    });
    assert_nothing_lost(&story.diagnosis());
    let verdicts = Story::with(story.facts).diagnosis().verdicts;
    assert!(
        !verdicts
            .iter()
            .any(|v| v.cause == Cause::RejectedWrites && v.is_loss()),
        "nor is one before the watch"
    );
}

#[test]
fn a_refusal_of_an_unknown_command_is_suspected() {
    let story = Story::with_keys(10).then(|f| {
        f.errors.insert("CLUSTERDOWN", 3);
    });
    assert_top(
        &story.diagnosis(),
        Cause::RejectedWrites,
        Level::Suspected,
        None,
    );
}

#[test]
fn readings_of_one_of_several_intervals_are_told_as_that() {
    let delete = |calls, keys| {
        move |f: &mut Facts| {
            f.ran("del", calls);
            f.keys(keys);
        }
    };
    let story = Story::with_keys(5_000).then(delete(200, 3_000));
    let note = |story: &Story| {
        let diagnosis = story.diagnosis();
        let verdict = diagnosis.of(Cause::Deletion).expect("a verdict");
        verdict.evidence[0].note.clone()
    };
    assert_eq!(note(&story), "calls, not keys");
    let story = story.then(delete(300, 0));
    assert_eq!(
        note(&story),
        "calls, not keys; in the largest of 2 intervals"
    );
}

#[test]
fn swapdb_moves_and_does_not_lose() {
    let story = Story::with_keys(1_000).then(|f| {
        f.dbs = [(1, (1_000, 0))].into();
        f.ran("swapdb", 1);
    });
    assert_top(
        &story.diagnosis(),
        Cause::Relocation,
        Level::Confirmed,
        Some(1_000),
    );
}

#[test]
fn rename_onto_a_key_replaces_it() {
    let story = Story::with_keys(1_000).then(|f| {
        f.keys(940);
        f.ran("rename", 60);
    });
    assert_top(
        &story.diagnosis(),
        Cause::Overwrite,
        Level::Suspected,
        Some(60),
    );
}

#[test]
fn what_no_counter_explains_is_unexplained() {
    let story = Story::with_keys(1_000).then(|f| f.keys(600));
    assert_top(
        &story.diagnosis(),
        Cause::Unexplained,
        Level::Suspected,
        Some(400),
    );
}

#[test]
fn on_enterprise_a_collapse_without_a_command_points_at_the_control_plane() {
    let mut facts = Facts {
        enterprise: true,
        ..Facts::default()
    };
    facts.keys(1_000);
    for (host, wanted) in [
        ("cache.westeurope.redis.azure.net", "Activity log"),
        ("redis.example", "Cluster Manager"),
    ] {
        let assumptions = Assumptions {
            host: host.into(),
            ..Assumptions::default()
        };
        let story = Story::knowing(facts.clone(), assumptions)
            .then(|_| {})
            .then(|f| f.keys(0));
        let diagnosis = story.diagnosis();
        assert_top(&diagnosis, Cause::Flush, Level::Suspected, Some(1_000));
        let steps = &diagnosis.verdicts[0].next_steps;
        assert!(steps.iter().any(|s| s.contains(wanted)), "{steps:#?}");
    }
}

#[test]
fn what_enterprise_hides_is_unknown_and_named() {
    let mut facts = Facts {
        enterprise: true,
        ..Facts::default()
    };
    facts.keys(1_000);
    let diagnosis = Story::with(facts).then(|_| {}).diagnosis();
    for (cause, missing) in [
        (Cause::Eviction, "maxmemory"),
        (Cause::Replication, "master_replid"),
        (Cause::InstanceFailure, "uptime_in_seconds"),
        (Cause::RejectedWrites, "errorstats"),
    ] {
        let verdict = diagnosis.of(cause).expect("a verdict");
        assert_eq!(verdict.level, Level::Unknown, "{verdict:#?}");
        assert!(verdict.missing.contains(&missing), "{verdict:#?}");
    }
}

#[test]
fn one_reading_gives_totals_and_at_most_a_suspicion() {
    let mut facts = Facts::default();
    facts.keys(0);
    facts.add("expired_keys", 46_583);
    facts.add("evicted_keys", 13_224);
    facts.ran("flushall", 2);
    facts.ran("del", 2);
    let diagnosis = Story::with(facts).diagnosis();
    assert_eq!(diagnosis.top_cause, Some(Cause::Flush));
    for cause in [
        Cause::Flush,
        Cause::Expiration,
        Cause::Eviction,
        Cause::Deletion,
    ] {
        let verdict = diagnosis.of(cause).expect("a verdict");
        assert_eq!(
            (verdict.level, verdict.scope),
            (Level::Suspected, Scope::SinceStart),
            "{verdict:#?}"
        );
    }
    assert!(
        diagnosis
            .verdicts
            .iter()
            .all(|v| v.level != Level::Confirmed)
    );
}

/// Whoever comes with a ticket looks for the flush; the daily deletes of a cache hide no risk of today.
#[test]
fn a_flush_before_the_watch_stands_above_risks_and_daily_deletes_below() {
    let mut facts = Facts::default();
    facts.keys(5);
    facts.ran("flushall", 1);
    facts.ran("del", 900);
    facts.memory.insert("used_memory", "9900000".into());
    let diagnosis = Story::with(facts).then(|_| {}).diagnosis();
    let told = diagnosis.verdicts.iter();
    let told: Vec<_> = told.map(|v| (v.cause, v.level, v.scope)).collect();
    assert_eq!(
        told[..3],
        [
            (Cause::Flush, Level::Suspected, Scope::SinceStart),
            (Cause::RejectedWrites, Level::AtRisk, Scope::Window),
            (Cause::Deletion, Level::Suspected, Scope::SinceStart),
        ]
    );
}

#[test]
fn a_wave_stays_a_loss_when_keys_come_back_and_more_waves_follow() {
    let wave = |story: Story| {
        story
            .then(|f| {
                f.keys(5_000);
                f.add("expired_keys", 15_000);
            })
            .repeat(30, |n, f| {
                f.keys(5_000 + (n as u64 + 1) * 500);
                f.add("expired_keys", 40);
            })
    };
    let mut story = Story::with_keys(20_000);
    for waves in 1..=3 {
        story = wave(story);
        let diagnosis = story.diagnosis();
        let verdict = diagnosis.of(Cause::Expiration).expect("a verdict");
        assert_eq!(
            verdict.level,
            Level::Confirmed,
            "after wave {waves}: {verdict:#?}"
        );
        assert!(verdict.keys_lost >= Some(15_000 * waves), "{verdict:#?}");
    }
}

#[test]
fn expirations_of_a_busy_cache_are_no_wave_at_the_first_polls() {
    let busy = |f: &mut Facts| {
        f.add("expired_keys", 500);
        f.ran("set", 500);
    };
    assert_nothing_lost(&Story::with_keys(1_000).then(busy).diagnosis());
    assert_nothing_lost(&Story::with_keys(1_000).then(busy).then(busy).diagnosis());
}

#[test]
fn invalidation_that_is_refilled_as_fast_is_healthy() {
    let story = Story::with_keys(1_533).repeat(60, |n, f| {
        f.keys(1_533 - [0, 7, 2, 9, 4][n % 5]);
        f.ran("del", 300);
        f.ran("set", 300);
    });
    assert_nothing_lost(&story.diagnosis());
}

#[test]
fn locks_of_a_small_queue_are_healthy() {
    let story = Story::with_keys(20).repeat(120, |n, f| {
        f.keys([24, 20, 17, 22, 19, 25][n % 6]);
        f.ran("del", 30);
        f.ran("lpop", 30);
        f.ran("set", 30);
    });
    assert_nothing_lost(&story.diagnosis());
}

#[test]
fn a_deletion_among_steady_expirations_is_still_named() {
    let steady = |n: usize, f: &mut Facts| {
        f.keys(10_000 + [3, 0, 5, 1][n % 4]);
        f.add("expired_keys", 100);
    };
    let story = Story::with_keys(10_000).repeat(30, steady).then(|f| {
        f.keys(7_000);
        f.add("expired_keys", 100);
        f.ran("unlink", 40);
    });
    assert_top(
        &story.diagnosis(),
        Cause::Deletion,
        Level::Confirmed,
        Some(2_900),
    );
}

#[test]
fn the_turnover_of_a_healthy_replica_is_healthy() {
    let mut facts = Facts {
        replica_of: Some("10.0.0.9"),
        ..Facts::default()
    };
    facts.keys(12_500);
    let story = Story::with(facts).repeat(180, |n, f| {
        f.keys(12_500 - [0, 40, 12, 55, 20][n % 5]);
        f.ran("del", 1_000);
    });
    let diagnosis = story.diagnosis();
    assert_nothing_lost(&diagnosis);
    assert!(
        diagnosis.ledger.keys(Way::Unexplained) <= 55,
        "{:#?}",
        diagnosis.ledger
    );
}

#[test]
fn one_dip_of_a_growing_replica_is_healthy() {
    let mut facts = Facts {
        replica_of: Some("10.0.0.9"),
        ..Facts::default()
    };
    facts.keys(12_000);
    let story = Story::with(facts).repeat(10, |n, f| {
        f.keys(if n == 5 { 12_000 } else { 12_400 });
        f.ran("del", 1_000);
    });
    assert_nothing_lost(&story.diagnosis());
}

#[test]
fn a_proxy_with_another_run_id_is_not_a_restart() {
    let mut facts = Facts {
        enterprise: true,
        ..Facts::default()
    };
    facts.keys(1_000);
    facts.add("evicted_keys", 13_224);
    let story = Story::with(facts).then(|f| f.run_id = "b".repeat(40));
    assert_nothing_lost(&story.diagnosis());
}

#[test]
fn a_long_outage_does_not_hide_what_it_cost() {
    let mut story = Story::with_keys(1_000);
    for _ in 0..5_400 {
        story = story.fails(FailureKind::Refused);
    }
    let story = story.then(|f| {
        f.restart();
        f.keys(0);
    });
    assert_top(
        &story.diagnosis(),
        Cause::InstanceFailure,
        Level::Confirmed,
        Some(1_000),
    );
}

#[test]
fn a_server_that_fails_again_has_still_lost_what_it_lost() {
    let story = Story::with_keys(1_000)
        .then(|f| {
            f.restart();
            f.keys(0);
        })
        .fails(FailureKind::Refused);
    assert_top(
        &story.diagnosis(),
        Cause::InstanceFailure,
        Level::Confirmed,
        Some(1_000),
    );
}

#[test]
fn a_replica_behind_is_a_risk_on_a_primary_that_was_promoted_once() {
    let mut facts = Facts::default();
    facts.keys(10);
    facts.replication.insert("master_replid2", "3".repeat(40));
    facts.replication.insert("second_repl_offset", "900".into());
    let calm = Story::with(facts.clone()).then(|_| {}).diagnosis();
    let verdict = calm.of(Cause::Replication).expect("a verdict");
    assert_eq!(
        (verdict.level, verdict.scope),
        (Level::Suspected, Scope::SinceStart)
    );
    facts.replication.insert("connected_slaves", "1".into());
    facts
        .replication
        .insert("master_repl_offset", "20000000".into());
    facts.replication.insert(
        "slave0",
        "ip=10.0.0.9,port=6379,state=online,offset=50,lag=1".into(),
    );
    let first = Story::with(facts.clone()).diagnosis();
    let verdict = first.of(Cause::Replication).expect("a verdict");
    assert_eq!(
        (verdict.level, verdict.scope),
        (Level::Suspected, Scope::SinceStart),
        "what is behind now does not hide what was lost before"
    );
    for words in [
        "took over from another primary at offset 900",
        "; now replica 10.0.0.9:6379 is 19.1 MB behind",
    ] {
        assert!(verdict.summary.contains(words), "{}", verdict.summary);
    }
    let behind = Story::with(facts).then(|_| {}).diagnosis();
    assert_eq!(
        behind.of(Cause::Replication).map(|v| v.level),
        Some(Level::AtRisk)
    );
}

#[test]
fn deletes_that_a_promoted_server_was_sent_as_a_replica_are_told_as_such() {
    let mut facts = Facts::default();
    facts.keys(1_000);
    facts.ran("del", 2_838);
    let summary = |facts: &Facts| {
        let diagnosis = Story::with(facts.clone()).diagnosis();
        let verdict = diagnosis.of(Cause::Deletion).expect("a verdict");
        assert_eq!(verdict.level, Level::Suspected, "{verdict:#?}");
        verdict.summary.clone()
    };
    let words = "its primary's expirations and evictions too";
    assert!(!summary(&facts).contains(words), "{}", summary(&facts));
    facts.replication.insert("master_replid2", "3".repeat(40));
    facts.replication.insert("second_repl_offset", "900".into());
    assert!(summary(&facts).contains(words), "{}", summary(&facts));
}

#[test]
fn a_replica_that_goes_away_is_said_to_be_gone_and_not_to_lag() {
    let mut facts = Facts::default();
    facts.keys(10);
    facts.replication.insert("connected_slaves", "2".into());
    let line = |port: u16| format!("ip=10.0.0.2,port={port},state=online,offset=5000,lag=0");
    facts.replication.insert("slave0", line(7_001));
    facts.replication.insert("slave1", line(7_002));
    let story = Story::with(facts).then(|f| {
        f.replication.insert("connected_slaves", "1".into());
        f.replication.remove("slave1");
    });
    let diagnosis = story.diagnosis();
    let verdict = diagnosis.of(Cause::Replication).expect("a verdict");
    assert_eq!((verdict.level, verdict.mechanism), (Level::AtRisk, None));
    assert_eq!(verdict.summary, "1 of 2 replicas went away while watching");
}

#[test]
fn channels_of_a_slot_migration_are_no_replicas() {
    // What Redis 8.6 shows while it gives slots away.
    let mut facts = Facts::default();
    facts.keys(10);
    let line = "ip=10.0.0.2,port=7001,state=online,offset=5000,lag=0";
    facts.replication.insert("slave0", line.into());
    facts.replication.insert("connected_slaves", "1".into());
    let connected = |n: &'static str| {
        move |f: &mut Facts| _ = f.replication.insert("connected_slaves", n.into())
    };
    let story = Story::with(facts).then(connected("3")).then(connected("1"));
    let window = story.history.window();
    let last = window.last_sample().expect("a sample");
    assert_eq!(last.replication.connected_replicas, Some(1));
    let changes: Vec<String> = window.changes().map(|c| c.kind.sentence()).collect();
    assert_eq!(changes, ["watching began"]);
}

#[test]
fn a_database_line_that_cannot_be_read_is_no_loss() {
    let story = Story::with_keys(1_000).then(|f| {
        f.dbs.clear();
        f.dbs.insert(0, (u64::MAX, 0));
    });
    let diagnosis = story.diagnosis();
    assert_eq!(diagnosis.top_cause, None, "{:#?}", diagnosis.verdicts);
}

#[test]
fn an_empty_server_has_nothing_at_risk() {
    let mut facts = Facts::default();
    facts
        .persistence
        .insert("rdb_changes_since_last_save", "106000".into());
    let diagnosis = Story::with(facts).then(|_| {}).diagnosis();
    assert_eq!(
        diagnosis.of(Cause::InstanceFailure).map(|v| v.level),
        Some(Level::Clear)
    );
}

#[test]
fn a_fresh_server_has_lost_nothing() {
    assert_nothing_lost(&Story::with_keys(3).diagnosis());
    assert_nothing_lost(&Story::with_keys(3).repeat(5, |_, _| {}).diagnosis());
}

#[test]
fn a_loss_before_the_kept_history_does_not_come_back() {
    // One hour is kept; the flush lies further back.
    let story = Story::with_keys(1_000)
        .then(|f| {
            f.keys(0);
            f.ran("flushall", 1);
        })
        .repeat(3_700, |_, f| f.keys(5));
    let diagnosis = story.diagnosis();
    assert_nothing_lost(&diagnosis);
    assert_eq!(
        diagnosis.of(Cause::Flush).map(|v| v.scope),
        Some(Scope::SinceStart)
    );
}

/// Redis 8 counts a FLUSHALL when its memory is freed, a poll after the keys went; meanwhile
/// deletes of missing keys go on.
#[test]
fn a_flush_that_is_counted_late_is_a_flush() {
    let mut facts = Facts::default();
    facts.keys(300_000);
    facts.ran("del", 1_000_000);
    let busy = |f: &mut Facts| f.ran("del", 10);
    let story = Story::with(facts).repeat(3, |_, f| busy(f)).then(|f| {
        busy(f);
        f.keys(0);
    });
    let story = story.then(busy).then(|f| {
        busy(f);
        f.ran("flushall", 1);
    });
    let diagnosis = story.diagnosis();
    assert_top(&diagnosis, Cause::Flush, Level::Confirmed, Some(300_000));
    assert_eq!(diagnosis.ledger.keys(Way::Flushed), 300_000);
    assert_eq!(diagnosis.ledger.keys(Way::Deleted), 0);
}

#[test]
fn deletes_beside_a_flush_are_not_the_flushs() {
    let story = Story::with_keys(12_000).repeat(3, |_, _| {}).then(|f| {
        f.ran("del", 3_000);
        f.ran("flushdb", 1);
        f.keys(0);
    });
    let diagnosis = story.diagnosis();
    assert_top(&diagnosis, Cause::Flush, Level::Confirmed, Some(9_000));
    let deleted = diagnosis.of(Cause::Deletion).expect("a verdict");
    assert!(deleted.is_loss_in_window(), "{deleted:#?}");
    assert_eq!(deleted.keys_lost, Some(3_000));
}

#[test]
fn a_database_that_is_swapped_in_and_whose_old_self_is_flushed_is_a_flush_alone() {
    let mut facts = Facts::default();
    facts.dbs.insert(0, (1_700, 0));
    facts.dbs.insert(3, (1_800, 0));
    let story = Story::with(facts).then(|_| {}).then(|f| {
        f.ran("swapdb", 1);
        f.ran("flushdb", 1);
        f.dbs.insert(0, (1_800, 0));
        f.dbs.remove(&3);
    });
    let diagnosis = story.diagnosis();
    assert_top(&diagnosis, Cause::Flush, Level::Confirmed, Some(1_700));
    assert_eq!(diagnosis.ledger.keys(Way::Moved), 0);
}

#[test]
fn two_swaps_bring_everything_back() {
    let swap = |db: u32| {
        move |f: &mut Facts| {
            f.ran("swapdb", 1);
            f.dbs.clear();
            f.dbs.insert(db, (3_000, 0));
        }
    };
    let once = Story::with_keys(3_000).then(swap(1));
    assert_top(
        &once.diagnosis(),
        Cause::Relocation,
        Level::Confirmed,
        Some(3_000),
    );
    let diagnosis = once.then(|_| {}).then(swap(0)).diagnosis();
    assert_eq!(diagnosis.top_cause, None, "{:#?}", diagnosis.verdicts);
}

#[test]
fn what_is_deleted_and_made_good_again_and_again_is_routine() {
    let tags = |story: Story, keys: u64| {
        story
            .then(|f| {
                f.ran("del", 1);
                f.keys(1_000 - keys);
            })
            .then(|f| {
                f.ran("set", keys);
                f.keys(1_000);
            })
    };
    let mut story = Story::with_keys(1_000);
    for _ in 0..5 {
        story = tags(story, 60);
    }
    assert_nothing_lost(&story.diagnosis());
    let diagnosis = tags(story, 400).diagnosis();
    assert_top(&diagnosis, Cause::Deletion, Level::Confirmed, Some(400));
}

#[rstest]
#[case::of_a_tiny_database(5, 2)]
#[case::of_a_large_idle_one(200_000, 1_500)]
fn deletes_out_of_pace_are_told_where_nothing_else_moves(#[case] keys: u64, #[case] gone: u64) {
    let story = Story::with_keys(keys).repeat(3, |_, _| {}).then(|f| {
        f.ran("eval", 1);
        f.ran("del", gone);
        f.keys(keys - gone);
    });
    assert_top(
        &story.diagnosis(),
        Cause::Deletion,
        Level::Confirmed,
        Some(gone),
    );
}

#[test]
fn a_limit_that_was_taken_away_again_did_not_evict() {
    let limit = |f: &mut Facts, bytes: &str| {
        f.memory.insert("maxmemory", bytes.into());
        f.memory.insert("maxmemory_policy", "allkeys-lru".into());
    };
    let story = Story::with_keys(5_000)
        .then(|f| limit(f, "0"))
        .then(|f| {
            limit(f, "900000");
            f.add("evicted_keys", 3_000);
            f.keys(2_000);
        })
        .then(|f| limit(f, "0"));
    let diagnosis = story.diagnosis();
    assert_top(&diagnosis, Cause::Eviction, Level::Confirmed, Some(3_000));
    let summary = &diagnosis.verdicts[0].summary;
    assert!(summary.contains("0 (no limit) → 879 KB"), "{summary}");
}

#[test]
fn what_a_replica_is_behind_is_seconds_of_the_last_minute_not_of_a_quiet_second() {
    let mut offset = 5_000u64;
    let mut wrote = |bytes: u64| {
        offset += bytes;
        offset.to_string()
    };
    let mut story = Story::with_keys(10);
    for bytes in [100_000; 8].into_iter().chain([14]) {
        let offset = wrote(bytes);
        story = story.then(|f| {
            f.ran("set", bytes / 100);
            f.replication.insert("master_repl_offset", offset);
        });
    }
    let window = story.history.window();
    let pace = WritePace::until(&window, window.end().expect("an end"));
    let seconds = pace.seconds_of(800_014).expect("is known");
    assert!((seconds - 9.0).abs() < 0.01, "{seconds}");
}

#[test]
fn an_idle_primary_is_heard_every_ten_seconds() {
    // `repl-ping-replica-period` is ten seconds: without writes, nothing else comes.
    for (heard, level) in [
        ("10", Level::Clear),
        ("20", Level::Clear),
        ("21", Level::AtRisk),
    ] {
        let mut facts = Facts {
            replica_of: Some("10.0.0.9"),
            ..Facts::default()
        };
        facts.replication.insert("master_link_status", "up".into());
        let last_io = "master_last_io_seconds_ago";
        facts.replication.insert(last_io, heard.into());
        let diagnosis = Story::with(facts).repeat(3, |_, _| {}).diagnosis();
        let replication = diagnosis.of(Cause::Replication).expect("a verdict");
        assert_eq!(replication.level, level, "{heard} s: {replication:#?}");
    }
}

#[test]
fn one_synchronisation_of_each_replica_is_a_restart_and_three_are_a_loop() {
    let mut facts = Facts::default();
    facts.replication.insert("connected_slaves", "2".into());
    for (line, port) in [("slave0", 7001), ("slave1", 7002)] {
        let is = format!("ip=10.0.0.2,port={port},state=online,offset=5000,lag=0");
        facts.replication.insert(line, is);
    }
    for (syncs, is_loop) in [(4, false), (6, true)] {
        let story = Story::with(facts.clone()).repeat(3, |_, _| {});
        let story = story.repeat(syncs, |_, f| f.add("sync_full", 1));
        let diagnosis = story.diagnosis();
        let replication = diagnosis.of(Cause::Replication).expect("a verdict");
        let told = replication.mechanism == Some(Mechanism::ResyncLoop);
        assert_eq!(told, is_loop, "{syncs}: {replication:#?}");
    }
}

#[test]
fn a_replica_that_synchronised_and_took_over_before_we_came_is_no_restart() {
    let late = |told: bool| {
        let mut facts = Facts::default();
        facts.keys(1_000);
        let replication = [
            ("master_replid2", "9".repeat(40)),
            ("second_repl_offset", "4116279".into()),
        ];
        facts.replication.extend(replication);
        let loaded = "rdb_last_load_keys_loaded";
        facts.persistence.insert(loaded, "1000".into());
        if told {
            facts.ran("replicaof", 2);
        }
        Story::with(facts).repeat(2, |_, _| {}).diagnosis()
    };
    let level = |diagnosis: &Diagnosis| diagnosis.of(Cause::Replication).map(|v| v.level);
    assert_eq!(level(&late(true)), Some(Level::Suspected));
    assert_eq!(level(&late(false)), Some(Level::Clear), "read from an RDB");
}
