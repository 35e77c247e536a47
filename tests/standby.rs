//! Replicas of pretended primaries that would have to stand in: which has the most, which lacks keys,
//! which still holds what was lost, and what they betray of a primary that came back empty.

mod support {
    pub mod story;
}

use amr_top::diagnosis::{Cause, Diagnosis, Level, Mechanism, Scope, Verdict};
use support::story::{Group, Node};

/// A primary and two replicas, which have what it has, after some polls under writes.
fn trio() -> Group {
    let mut group = Group::of(&["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    let (of, replicas) = group.nodes.split_at_mut(1);
    for replica in replicas {
        replica.follow("10.0.0.1", &of[0].facts);
    }
    group.repeat(5, all_write)
}

fn all_write(nodes: &mut [Node]) {
    for node in nodes {
        node.write(20);
    }
}

fn of(diagnosis: &Diagnosis, cause: Cause) -> &Verdict {
    diagnosis.of(cause).expect("a verdict")
}

#[track_caller]
fn assert_says(verdict: &Verdict, words: &str) {
    assert!(verdict.summary.contains(words), "{}", verdict.summary);
}

#[test]
fn of_the_replicas_of_a_dead_primary_the_one_with_most_is_named() {
    let behind = trio().repeat(3, |nodes| {
        nodes[0].write(200);
        nodes[2].write(200);
    });
    let refuses = |nodes: &mut [Node]| nodes[0].up = false;
    let behind = behind.then(refuses);
    // With its links up it serves others still: nobody is to be promoted.
    let verdict = of(&behind.diagnosis(), Cause::Replication).clone();
    assert!(
        !verdict.summary.contains("does not answer"),
        "{}",
        verdict.summary
    );
    let gone = behind.then(|nodes| {
        for replica in &mut nodes[1..] {
            let status = "master_link_status";
            replica.facts.replication.insert(status, "down".into());
        }
    });
    let gone = gone.diagnosis();
    let verdict = of(&gone, Cause::Replication);
    assert_eq!(verdict.level, Level::AtRisk, "{verdict:#?}");
    let best = "10.0.0.3:6379 has all that was seen of 10.0.0.1:6379, which does not answer";
    assert_says(verdict, best);
    assert_says(verdict, "10.0.0.2:6379 lacks 58.6 KB (about 600 writes)");
    let promote = "promote 10.0.0.3:6379, which has the most";
    assert!(
        verdict.next_steps.iter().any(|step| step.contains(promote)),
        "{verdict:#?}"
    );
}

#[test]
fn a_replica_that_is_not_behind_and_lacks_keys_is_told() {
    let emptied = trio().then(|nodes| {
        nodes[2].facts.ran("flushall", 1);
        nodes[2].facts.keys(0);
    });
    let soon = emptied.diagnosis();
    assert_ne!(
        of(&soon, Cause::Replication).mechanism,
        Some(Mechanism::ReplicaDiverged)
    );
    let diagnosis = emptied.repeat(4, |_| {}).diagnosis();
    let verdict = of(&diagnosis, Cause::Replication);
    assert_eq!(verdict.level, Level::AtRisk, "{verdict:#?}");
    let words = "replica 10.0.0.3:6379 is not behind and holds 1,100 keys fewer than 10.0.0.1:6379";
    assert_says(verdict, words);
    assert_eq!(diagnosis.top_cause, None, "{:#?}", diagnosis.verdicts);
    assert_says(of(&diagnosis, Cause::Flush), "10.0.0.3:6379");
}

#[test]
fn replicas_under_writes_and_turnover_lack_nothing() {
    let busy = trio().repeat(20, |nodes| {
        for node in nodes {
            node.write(300);
            node.facts.keys(1_000);
        }
    });
    let verdict = of(&busy.diagnosis(), Cause::Replication).clone();
    assert_eq!(verdict.level, Level::Clear, "{verdict:#?}");
}

#[test]
fn a_replica_that_has_not_followed_a_flush_still_holds_the_keys() {
    let cut = trio().repeat(2, |nodes| {
        nodes[2]
            .facts
            .replication
            .insert("master_link_status", "down".into());
    });
    let flushed = cut.then(|nodes| {
        for node in &mut nodes[..2] {
            node.facts.ran("flushall", 1);
            node.facts.keys(0);
        }
    });
    let diagnosis = flushed.diagnosis();
    let flush = of(&diagnosis, Cause::Flush);
    assert_eq!(flush.keys_lost, Some(1_100));
    assert_says(flush, "10.0.0.3:6379 still holds 1,100 keys; ");
    let first = &flush.next_steps[0];
    let words = "10.0.0.3:6379 still holds 1,100 keys, until it synchronises: REPLICAOF NO ONE";
    assert!(first.starts_with(words), "{first}");
}

#[test]
fn the_replicas_of_a_primary_that_came_back_empty_hold_the_keys_until_they_synchronise() {
    let empty = trio().then(|nodes| {
        nodes[0].facts.restart();
        nodes[0].facts.keys(0);
    });
    let diagnosis = empty.diagnosis();
    let failure = of(&diagnosis, Cause::InstanceFailure);
    assert_eq!(
        failure.mechanism,
        Some(Mechanism::RestartEmpty),
        "{failure:#?}"
    );
    assert_says(failure, "still holds 1,100 keys");
    assert!(
        failure.next_steps[0].contains("REPLICAOF NO ONE"),
        "{failure:#?}"
    );
    let wiped = empty.then(|nodes| {
        let facts = nodes[0].facts.clone();
        for node in &mut nodes[1..] {
            node.follow("10.0.0.1", &facts);
            node.facts.keys(0);
        }
    });
    let diagnosis = wiped.diagnosis();
    let failure = of(&diagnosis, Cause::InstanceFailure);
    assert!(
        !failure.summary.contains("still holds"),
        "{}",
        failure.summary
    );
}

#[test]
fn a_primary_younger_than_its_replicas_and_empty_is_suspected_afterwards() {
    let late = |keys| {
        let mut group = Group::of(&["10.0.0.1", "10.0.0.2"]);
        let (of, replica) = group.nodes.split_at_mut(1);
        of[0].facts.uptime_s = 20;
        of[0].facts.keys(keys);
        replica[0].follow("10.0.0.1", &of[0].facts);
        replica[0].facts.uptime_s = 3_600;
        replica[0].facts.ran("set", 5_000);
        group.repeat(3, |_| {}).diagnosis()
    };
    let diagnosis = late(0);
    let failure = of(&diagnosis, Cause::InstanceFailure);
    let told = (failure.level, failure.scope, failure.mechanism);
    let suspected = (
        Level::Suspected,
        Scope::SinceStart,
        Some(Mechanism::RestartEmpty),
    );
    assert_eq!(told, suspected, "{failure:#?}");
    assert_says(
        failure,
        "10.0.0.1:6379 started 23 s ago without data, and its replica 10.0.0.2:6379 held keys",
    );
    let diagnosis = late(10);
    assert_ne!(
        of(&diagnosis, Cause::InstanceFailure).level,
        Level::Suspected
    );
}

#[test]
fn a_shard_that_is_empty_and_young_among_full_ones_is_suspected_afterwards() {
    let late = |uptime| {
        let mut group = Group::of(&["10.0.0.1", "10.0.0.2"]);
        for node in &mut group.nodes {
            node.facts.cluster = true;
            node.facts.uptime_s = 5_000;
        }
        group.nodes[1].facts.keys(0);
        group.nodes[1].facts.uptime_s = uptime;
        let mut group = group.then(|_| {});
        group.view(&[
            (0, "master - 0 0 1 connected 0-8191"),
            (1, "master - 0 0 1 connected 8192-16383"),
        ]);
        group.repeat(3, |_| {}).diagnosis()
    };
    let diagnosis = late(12);
    let failure = of(&diagnosis, Cause::InstanceFailure);
    assert_eq!(failure.level, Level::Suspected, "{failure:#?}");
    let words = "10.0.0.2:6379 started 16 s ago without data, and holds 0 keys in its 8,192 slots, while older nodes hold 1,000 keys in 8,192";
    assert_says(failure, words);
    assert_ne!(
        of(&late(6_000), Cause::InstanceFailure).level,
        Level::Suspected
    );
}

#[test]
fn the_copy_of_a_primary_that_came_back_empty_is_named_afterwards_too() {
    let mut group = Group::of(&["10.0.0.1", "10.0.0.2"]);
    let (of_all, replica) = group.nodes.split_at_mut(1);
    of_all[0].facts.uptime_s = 2;
    of_all[0].facts.keys(0);
    replica[0].follow("10.0.0.1", &of_all[0].facts);
    replica[0].facts.uptime_s = 3_600;
    replica[0].facts.ran("set", 5_000);
    let link = "master_link_status";
    replica[0].facts.replication.insert(link, "down".into());
    let diagnosis = group.repeat(3, |_| {}).diagnosis();
    let failure = of(&diagnosis, Cause::InstanceFailure);
    assert_eq!(failure.scope, Scope::SinceStart, "{failure:#?}");
    assert_says(
        failure,
        "10.0.0.2:6379 still holds 1,000 keys; 10.0.0.1:6379 started 5 s ago",
    );
    assert!(
        failure.next_steps[0].contains("REPLICAOF NO ONE"),
        "{failure:#?}"
    );
}

#[test]
fn a_detached_copy_that_follows_again_lost_what_was_written_to_it_and_nothing_else() {
    let detached = trio().then(|nodes| {
        let offset = nodes[2].offset();
        nodes[2].promote(offset);
    });
    let deleted = detached.repeat(2, |nodes| {
        for node in &mut nodes[..2] {
            node.facts.ran("del", 200);
            let (keys, _) = node.facts.dbs[&0];
            node.facts.keys(keys - 200);
        }
    });
    let back = deleted.then(|nodes| {
        let facts = nodes[0].facts.clone();
        nodes[2].follow("10.0.0.1", &facts);
        nodes[2].facts.ran("replicaof", 1);
        nodes[2].facts.keys(700);
    });
    let diagnosis = back.repeat(2, |_| {}).diagnosis();
    assert_eq!(
        diagnosis.top_cause,
        Some(Cause::Deletion),
        "{:#?}",
        diagnosis.verdicts
    );
    let deletion = of(&diagnosis, Cause::Deletion);
    assert_eq!(deletion.keys_lost, Some(400));
    assert!(
        !deletion.summary.contains("still holds"),
        "{}",
        deletion.summary
    );
    let replication = of(&diagnosis, Cause::Replication);
    assert_eq!(replication.keys_lost, None, "{replication:#?}");
    let [incident] = &diagnosis.incidents[..] else {
        panic!("one incident: {:#?}", diagnosis.incidents);
    };
    assert_eq!(incident.keys, 400);
}

#[test]
fn a_primary_that_is_told_to_follow_another_is_told_before_it_drops_its_keys() {
    let mut group = Group::of(&["10.0.0.1", "10.0.0.2"]);
    group.nodes[1].facts.keys(50);
    let group = group.repeat(3, |_| {}).then(|nodes| {
        nodes[0].facts.replica_of = Some("10.0.0.2");
        nodes[0].facts.ran("replicaof", 1);
        let link = "master_link_status";
        nodes[0].facts.replication.insert(link, "down".into());
    });
    let diagnosis = group.diagnosis();
    let verdict = of(&diagnosis, Cause::Replication);
    assert_eq!(verdict.level, Level::AtRisk, "{verdict:#?}");
    let words = "10.0.0.1:6379 was told to follow 10.0.0.2:6379 and still holds 1,000 keys";
    assert_says(verdict, words);
    let first = &verdict.next_steps[0];
    assert!(
        first.contains("REPLICAOF NO ONE on 10.0.0.1:6379"),
        "{first}"
    );
}
