//! Several nodes judged together, on pretended servers: whose word counts, who took over, what is
//! counted once.

mod support {
    pub mod story;
}

use std::time::Duration;

use amr_top::diagnosis::{
    Cause, Level, Mechanism, State, Way, diagnose_deployment, diagnose_member,
};
use amr_top::model::{ChangeKind, ClusterNode, Moment, Observation, SlowEntry, Told};
use support::story::{Group, Node};

/// A primary and its replica, which has what it has, after some polls under writes.
fn pair() -> Group {
    let mut group = Group::of(&["10.0.0.1", "10.0.0.2"]);
    let (of, replica) = group.nodes.split_at_mut(1);
    replica[0].follow("10.0.0.1", &of[0].facts);
    group.repeat(5, |nodes| nodes.iter_mut().for_each(|node| node.write(20)))
}

fn evict(node: &mut Node, keys: u64) {
    node.facts.add("evicted_keys", keys);
    let (has, _) = node.facts.dbs[&0];
    node.facts.keys(has - keys);
}

#[test]
fn what_a_failover_lost_is_the_offset_that_the_new_primary_lacks() {
    let behind = pair().repeat(4, |nodes| nodes[0].write(300));
    let dead = behind.repeat(3, |nodes| nodes[0].up = false);
    let group = dead.then(|nodes| {
        let offset = nodes[1].offset();
        nodes[1].promote(offset);
    });
    let diagnosis = group.diagnosis();
    let verdict = diagnosis.of(Cause::Replication).expect("a verdict");
    assert_eq!(diagnosis.top_cause, Some(Cause::Replication));
    assert_eq!(verdict.level, Level::Confirmed);
    assert_eq!(verdict.mechanism, Some(Mechanism::Failover));
    assert_eq!((verdict.keys_lost, verdict.at_least), (Some(1_200), true));
    // 1,200 writes of a hundred bytes; thirty thousand more a second for the second without a word.
    for words in [
        "10.0.0.2:6379 took over from 10.0.0.1:6379 without its last 117 KB of writes",
        "(about 1,200 writes)",
        "1,200 keys fewer",
    ] {
        assert!(verdict.summary.contains(words), "{}", verdict.summary);
    }
    assert!(
        verdict
            .summary
            .contains("more were written after the last poll")
    );
    assert_eq!(diagnosis.ledger.keys(Way::Lost), 1_200);
    assert_eq!(diagnosis.incidents.len(), 1, "{:#?}", diagnosis.incidents);
    let failure = diagnosis.of(Cause::InstanceFailure).expect("a verdict");
    assert_eq!(failure.level, Level::AtRisk);
    assert_eq!(
        failure.summary,
        "10.0.0.1:6379, which 10.0.0.2:6379 took over from"
    );
}

#[test]
fn what_was_known_before_is_still_told_of_then() {
    let group = pair().repeat(3, |nodes| nodes[0].up = false);
    let group = group.then(|nodes| {
        let offset = nodes[1].offset();
        nodes[1].promote(offset);
    });
    let then = diagnose_deployment(&group.deployment, Some(Duration::from_millis(5_500)));
    assert_eq!(then.top_cause, None);
    let verdict = then.of(Cause::Replication).expect("a verdict");
    assert!(
        !verdict.summary.contains("took over"),
        "{}",
        verdict.summary
    );
    let now = group.diagnosis();
    let verdict = now.of(Cause::Replication).expect("a verdict");
    assert!(verdict.summary.contains("took over"), "{}", verdict.summary);
    assert_eq!(verdict.level, Level::Clear, "nothing was missing");
}

#[test]
fn a_replica_that_is_promoted_without_the_data_is_no_copy() {
    let mut group = Group::of(&["10.0.0.1", "10.0.0.2"]);
    // It follows and has a history of its own: it was still loading.
    group.nodes[1].facts.replica_of = Some("10.0.0.1");
    group.nodes[1].facts.keys(30);
    let group = group.repeat(4, |_| {});
    let group = group.repeat(2, |nodes| nodes[0].up = false);
    let group = group.then(|nodes| nodes[1].facts.replica_of = None);
    let diagnosis = group.diagnosis();
    assert_eq!(diagnosis.top_cause, Some(Cause::Replication));
    let verdict = diagnosis.of(Cause::Replication).expect("a verdict");
    assert_eq!(verdict.mechanism, Some(Mechanism::Promotion));
    assert_eq!(verdict.keys_lost, Some(970), "{verdict:#?}");
}

#[test]
fn a_history_that_changes_for_want_of_replicas_is_no_failover() {
    let group = pair().then(|nodes| {
        let old = "000000000000000000000000000000000000beef".to_owned();
        nodes[0].facts.replication.insert("master_replid", old);
    });
    let group = group.repeat(3, |_| {});
    let diagnosis = group.diagnosis();
    assert_eq!(diagnosis.top_cause, None);
    let verdict = diagnosis.of(Cause::Replication).expect("a verdict");
    assert!(
        !verdict.summary.contains("took over"),
        "{}",
        verdict.summary
    );
}

#[test]
fn losses_of_several_shards_add_up_to_one() {
    let mut group = Group::of(&["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    for node in &mut group.nodes {
        node.facts
            .memory
            .insert("maxmemory_policy", "allkeys-lru".into());
        node.facts.memory.insert("used_memory", "9990000".into());
    }
    let group = group.repeat(4, |_| {});
    let group = group.then(|nodes| {
        evict(&mut nodes[1], 300);
        evict(&mut nodes[2], 50);
    });
    let diagnosis = group.diagnosis();
    assert_eq!(diagnosis.top_cause, Some(Cause::Eviction));
    let verdict = diagnosis.of(Cause::Eviction).expect("a verdict");
    assert_eq!(verdict.keys_lost, Some(350));
    assert!(
        verdict.summary.starts_with("10.0.0.2:6379: "),
        "{}",
        verdict.summary
    );
    assert!(
        verdict.summary.ends_with("350 keys on 2 nodes in all"),
        "{}",
        verdict.summary
    );
    assert_eq!(diagnosis.incidents.len(), 1, "{:#?}", diagnosis.incidents);
    assert_eq!(diagnosis.incidents[0].keys, 350);
    assert_eq!(diagnosis.ledger.keys_before, Some(3_000));
    assert_eq!(diagnosis.ledger.keys_after, Some(2_650));
    assert_eq!(diagnosis.ledger.keys(Way::Evicted), 350);
}

#[test]
fn a_replica_repeats_its_primary_and_adds_nothing() {
    let group = pair().then(|nodes| {
        nodes[0].facts.ran("flushall", 1);
        nodes[1].facts.ran("flushall", 1);
        for node in nodes.iter_mut() {
            node.facts.keys(0);
        }
    });
    let diagnosis = group.diagnosis();
    let verdict = diagnosis.of(Cause::Flush).expect("a verdict");
    assert_eq!(verdict.keys_lost, Some(1_100));
    assert_eq!(diagnosis.ledger.keys_before, Some(1_020));
    assert_eq!(diagnosis.ledger.keys(Way::Flushed), 1_100);
}

#[test]
fn a_node_that_was_never_reached_is_a_notice_and_no_outage() {
    let mut group = Group::of(&["10.0.0.1", "10.0.0.2"]);
    group.nodes[1].up = false;
    let group = group.repeat(5, |_| {});
    let diagnosis = group.diagnosis();
    assert_eq!(diagnosis.top_cause, None);
    let notice = diagnosis
        .notices
        .iter()
        .find(|notice| notice.contains("never reached"));
    let notice = notice.expect("is told");
    assert!(
        notice.contains("--node-map 10.0.0.2:6379=HOST:PORT"),
        "{notice}"
    );
}

#[test]
fn an_alias_is_no_node_and_its_replicas_are_kin() {
    let mut group = pair();
    let moment = Moment {
        elapsed: Duration::from_secs(6),
        at: jiff::Timestamp::UNIX_EPOCH,
    };
    let alias = amr_top::model::NodeId::new("172.17.0.2:6379");
    let node = group.nodes[0].id.clone();
    group.deployment.observe(Told::Same {
        moment,
        alias,
        node,
    });
    // From now on the replica names its primary by the alias, and shares no history with it.
    let group = group.then(|nodes| {
        nodes[1].facts.replica_of = Some("172.17.0.2");
        let other = "00000000000000000000000000000000000cafe0".to_owned();
        nodes[1].facts.replication.insert("master_replid", other);
    });
    assert_eq!(group.deployment.members().len(), 2);
    assert_eq!(group.deployment.shards(), [vec![0, 1]]);
    let told = group.deployment.changes().any(|change| {
        matches!(&change.kind, ChangeKind::SameNode { alias, .. } if alias.as_str() == "172.17.0.2:6379")
    });
    assert!(told);
}

#[test]
fn an_address_that_led_to_another_node_may_be_one_of_its_own_later() {
    let group = Group::of(&["10.0.0.1", "10.0.0.2"]);
    let node = group.nodes[0].id.clone();
    let alias = group.nodes[1].id.clone();
    let mut group = group.then(|_| {});
    let moment = group.told.last().expect("something was said").moment();
    group.deployment.observe(Told::Same {
        moment,
        alias: alias.clone(),
        node: node.clone(),
    });
    let mut group = group.then(|_| {});
    group.view(&[(0, FIRST_HALF), (1, SECOND_HALF)]);
    let view = group.deployment.topology(None).expect("was told");
    let slots = |node| view.at(node).map(ClusterNode::slot_count);
    assert_eq!((slots(&node), slots(&alias)), (Some(8_192), Some(8_192)));
    assert_eq!(group.deployment.shards(), [[0], [1]]);
    assert_eq!(group.deployment.members()[1].left(), None);
}

const FIRST_HALF: &str = "master - 0 0 1 connected 0-8191";
const SECOND_HALF: &str = "master - 0 0 1 connected 8192-16383";

#[test]
fn a_cluster_that_does_not_tell_who_belongs_to_it_is_told_once() {
    let mut group = pair();
    let moment = group.told.last().expect("something was said").moment();
    let lines = |group: &Group| -> Vec<String> {
        let changes = group.deployment.changes();
        let lines = changes.map(|change| change.kind.sentence());
        lines.filter(|line| line.contains("NOPERM")).collect()
    };
    for node in [0, 1] {
        let said = Observation::Topology {
            moment,
            topology: Err("NOPERM".to_owned()),
        };
        let id = group.nodes[node].id.clone();
        group.deployment.observe(Told::Node(id, said));
    }
    let told = lines(&group);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("who belongs to the cluster is not told"),
        "{told:?}"
    );
}

#[test]
fn shards_stand_in_the_order_of_their_slots() {
    let nodes = Group::of(&["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    let mut group = nodes.then(|_| {});
    group.view(&[
        (0, SECOND_HALF),
        (1, "master - 0 0 1 connected"),
        (2, FIRST_HALF),
    ]);
    assert_eq!(group.deployment.shards(), [vec![2], vec![0], vec![1]]);
}

/// `new` takes over, and `old` follows it.
fn hand_over(nodes: &mut [Node], old: usize, new: usize, host: &'static str) {
    let offset = nodes[new].offset();
    nodes[new].promote(offset);
    let of = nodes[new].facts.clone();
    nodes[old].follow(host, &of);
}

#[test]
fn a_primary_that_came_back_is_heard_again() {
    let there = pair().then(|nodes| hand_over(nodes, 0, 1, "10.0.0.2"));
    let there = there.repeat(3, |nodes| nodes.iter_mut().for_each(|node| node.write(5)));
    let back = there.then(|nodes| hand_over(nodes, 1, 0, "10.0.0.1"));
    let back = back.repeat(3, |nodes| nodes.iter_mut().for_each(|node| node.write(5)));
    assert_eq!(back.diagnosis().top_cause, None);
    let group = back.then(|nodes| {
        for node in nodes.iter_mut() {
            node.facts.ran("flushall", 1);
            node.facts.keys(0);
        }
    });
    let diagnosis = group.diagnosis();
    assert_eq!(diagnosis.top_cause, Some(Cause::Flush));
    let verdict = diagnosis.of(Cause::Flush).expect("a verdict");
    assert_eq!(verdict.keys_lost, Some(1_130));
    assert_eq!(diagnosis.incidents.len(), 1, "{:#?}", diagnosis.incidents);
}

#[test]
fn what_befalls_a_new_primary_later_is_not_hidden_by_its_election() {
    let group = pair().then(|nodes| hand_over(nodes, 0, 1, "10.0.0.2"));
    let group = group.repeat(5, |_| {});
    let group = group.then(|nodes| nodes[1].facts.replica_of = Some("10.0.9.9"));
    // The other's data and history come a poll later.
    let group = group.then(|nodes| {
        let replid = "00000000000000000000000000000000000000ab".to_owned();
        nodes[1].facts.replication.insert("master_replid", replid);
        nodes[1].facts.keys(3);
    });
    let diagnosis = group.diagnosis();
    assert_eq!(diagnosis.top_cause, Some(Cause::Replication));
    let verdict = diagnosis.of(Cause::Replication).expect("a verdict");
    assert_eq!(verdict.mechanism, Some(Mechanism::Replicaof));
    assert_eq!(verdict.keys_lost, Some(1_097));
}

#[test]
fn a_node_that_has_left_is_missed_by_nobody() {
    let group = Group::of(&["10.0.0.1", "10.0.0.2"]).repeat(4, |_| {});
    let mut group = group.repeat(4, |nodes| nodes[1].up = false);
    assert_eq!(group.diagnosis().top_cause, Some(Cause::InstanceFailure));
    let moment = group.told.last().expect("something was said").moment();
    let node = group.nodes[1].id.clone();
    group.deployment.observe(Told::Left { moment, node });
    let diagnosis = group.diagnosis();
    assert_eq!(diagnosis.top_cause, None, "{:#?}", diagnosis.verdicts);
    let mut incidents = diagnosis.incidents.iter();
    assert!(incidents.all(|incident| incident.state == State::Over));
}

#[test]
fn a_failover_is_remembered_longer_than_the_samples_around_it() {
    let mut group = Group::of(&["10.0.0.1", "10.0.0.2"]).forgetting(Duration::from_secs(6));
    let (of, replica) = group.nodes.split_at_mut(1);
    replica[0].follow("10.0.0.1", &of[0].facts);
    let group = group.repeat(5, |nodes| nodes.iter_mut().for_each(|node| node.write(20)));
    let group = group.repeat(2, |nodes| nodes[0].write(300));
    let group = group.then(|nodes| {
        nodes[0].up = false;
        let offset = nodes[1].offset();
        nodes[1].promote(offset);
    });
    let group = group.repeat(20, |_| {});
    let diagnosis = group.diagnosis();
    let verdict = diagnosis.of(Cause::Replication).expect("a verdict");
    assert_eq!(verdict.keys_lost, Some(600), "{verdict:#?}");
    let failure = diagnosis.of(Cause::InstanceFailure).expect("a verdict");
    assert_eq!(failure.level, Level::AtRisk, "{failure:#?}");
}

#[test]
fn keys_that_expired_meanwhile_are_not_lost_with_a_few_bytes() {
    let group = pair().then(|nodes| nodes[0].write(3));
    let group = group.repeat(20, |nodes| nodes[0].up = false);
    let group = group.then(|nodes| {
        let offset = nodes[1].offset();
        nodes[1].promote(offset);
        nodes[1].facts.keys(100);
    });
    let diagnosis = group.diagnosis();
    let verdict = diagnosis.of(Cause::Replication).expect("a verdict");
    // What it had when the link ended counts, not what expired since.
    assert_eq!(verdict.keys_lost, Some(3), "{verdict:#?}");
}

#[test]
fn pings_of_a_primary_that_went_on_are_no_writes() {
    let group = pair().then(|nodes| {
        let offset = nodes[1].offset();
        nodes[1].promote(offset);
    });
    // A PING of fourteen bytes every ten seconds, for two minutes.
    let mut seconds = 0;
    let apart = group.repeat(120, |nodes| {
        seconds += 1;
        if seconds % 10 == 0 {
            let offset = (nodes[0].offset() + 14).to_string();
            nodes[0]
                .facts
                .replication
                .insert("master_repl_offset", offset);
        }
    });
    let group = apart.then(|nodes| {
        let of = nodes[1].facts.clone();
        nodes[0].follow("10.0.0.2", &of);
    });
    let diagnosis = group.diagnosis();
    assert_eq!(diagnosis.top_cause, None, "{:#?}", diagnosis.verdicts);
}

#[test]
fn keys_that_were_migrated_to_a_stranger_are_not_those_that_others_created() {
    let group = Group::of(&["10.0.0.1", "10.0.0.2"]).repeat(4, |nodes| nodes[1].write(200));
    let group = group.then(|nodes| {
        nodes[0].facts.ran("migrate", 600);
        nodes[0].facts.keys(400);
        nodes[1].write(200);
    });
    let group = group.then(|nodes| nodes[1].write(200));
    let diagnosis = group.diagnosis();
    assert_eq!(diagnosis.top_cause, Some(Cause::Relocation));
    let verdict = diagnosis.of(Cause::Relocation).expect("a verdict");
    assert_eq!(verdict.keys_lost, Some(600), "{verdict:#?}");
    assert_eq!(diagnosis.ledger.keys(Way::Moved), 600);
    assert_eq!(diagnosis.incidents.len(), 1);
}

/// The stream grows without a write: PINGs, and what Sentinels publish.
fn heartbeats(node: &mut Node, bytes: u64) {
    let offset = (node.offset() + bytes).to_string();
    node.facts.replication.insert("master_repl_offset", offset);
    node.facts.ran("publish", 3);
}

#[test]
fn what_sentinels_publish_while_they_switch_is_no_write() {
    let group = pair().repeat(5, |_| {});
    let group = group.then(|nodes| {
        let offset = nodes[1].offset();
        nodes[1].promote(offset);
    });
    let apart = group.repeat(8, |nodes| heartbeats(&mut nodes[0], 250));
    assert_eq!(apart.diagnosis().top_cause, None);
    let group = apart.then(|nodes| {
        let of = nodes[1].facts.clone();
        nodes[0].follow("10.0.0.2", &of);
    });
    let diagnosis = group.diagnosis();
    assert_eq!(diagnosis.top_cause, None, "{:#?}", diagnosis.verdicts);
    let verdict = diagnosis.of(Cause::Replication).expect("a verdict");
    assert_eq!(verdict.level, Level::Clear, "{verdict:#?}");
}

#[test]
fn writes_before_the_first_answer_of_a_second_primary_are_writes_to_it() {
    let apart = pair().then(|nodes| {
        let offset = nodes[1].offset();
        nodes[1].promote(offset);
        nodes[0].write(400);
        nodes[1].write(50);
    });
    let split = apart.repeat(3, |_| {}).diagnosis();
    let verdict = split.of(Cause::Replication).expect("a verdict");
    assert_eq!(verdict.level, Level::AtRisk, "{verdict:#?}");
    assert_eq!(verdict.mechanism, Some(Mechanism::SplitBrain));
    for words in ["both take writes", "39.1 KB on 10.0.0.1:6379"] {
        assert!(verdict.summary.contains(words), "{}", verdict.summary);
    }
}

#[test]
fn what_was_replicated_before_a_promotion_was_not_written_to_the_copy() {
    let apart = pair().then(|nodes| {
        nodes[0].write(400);
        nodes[1].write(400);
        let offset = nodes[1].offset();
        nodes[1].promote(offset);
    });
    let idle = apart.repeat(3, |_| {}).diagnosis();
    let verdict = idle.of(Cause::Replication).expect("a verdict");
    assert_eq!(verdict.mechanism, Some(Mechanism::Promotion));
    let words = "neither is written to";
    assert!(verdict.summary.contains(words), "{}", verdict.summary);
}

#[test]
fn a_copy_that_was_promoted_for_a_while_loses_what_was_written_to_it() {
    let group = pair().then(|nodes| {
        let offset = nodes[1].offset();
        nodes[1].promote(offset);
    });
    let apart = group.repeat(7, |nodes| nodes[1].write(100));
    let written_to = apart.diagnosis().ledger.keys_after;
    assert_eq!(
        written_to,
        Some(1_800),
        "of two primaries, the one that is written to"
    );
    let back = apart.then(|nodes| nodes[1].facts.replica_of = Some("10.0.0.1"));
    let group = back.then(|nodes| {
        let of = nodes[0].facts.clone();
        nodes[1].follow("10.0.0.1", &of);
        nodes[1].facts.keys(1_100);
    });
    let diagnosis = group.diagnosis();
    assert_eq!(
        diagnosis.top_cause,
        Some(Cause::Replication),
        "{:#?}",
        diagnosis.verdicts
    );
    let verdict = diagnosis.of(Cause::Replication).expect("a verdict");
    assert_eq!(verdict.keys_lost, Some(700), "{verdict:#?}");
    assert_eq!(diagnosis.ledger.keys_after, Some(1_100));
}

#[test]
fn what_replicas_lose_while_their_primary_is_silent_is_lost() {
    let mut group = Group::of(&["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    let (of, replicas) = group.nodes.split_at_mut(1);
    for replica in replicas {
        replica.follow("10.0.0.1", &of[0].facts);
    }
    let group = group.repeat(5, |nodes| nodes.iter_mut().for_each(|node| node.write(20)));
    let group = group.then(|nodes| nodes[0].up = false);
    assert_eq!(
        group.diagnosis().of(Cause::Flush).map(|v| v.level),
        Some(Level::Clear)
    );
    let group = group.then(|nodes| {
        for node in &mut nodes[1..] {
            node.facts.ran("flushall", 1);
            node.facts.keys(0);
        }
    });
    let group = group.repeat(2, |_| {});
    let diagnosis = group.diagnosis();
    let flush = diagnosis.of(Cause::Flush).expect("a verdict");
    assert_eq!(flush.level, Level::Confirmed, "{flush:#?}");
    assert_eq!(flush.keys_lost, Some(1_100));
    assert_eq!(diagnosis.top_cause, Some(Cause::Flush));
    let ledger = &diagnosis.ledger;
    let told = (
        ledger.keys_before,
        ledger.keys_after,
        ledger.keys(Way::Flushed),
    );
    assert_eq!(told, (Some(1_020), Some(0), 1_100), "{ledger:#?}");
    assert_eq!(diagnosis.incidents.len(), 1, "{:#?}", diagnosis.incidents);
    assert_eq!(diagnosis.incidents[0].keys, 1_100);
    // It answers again, and tells of it itself.
    let group = group.then(|nodes| {
        nodes[0].up = true;
        nodes[0].facts.ran("flushall", 1);
        nodes[0].facts.keys(0);
    });
    let diagnosis = group.repeat(2, |_| {}).diagnosis();
    let flush = diagnosis.of(Cause::Flush).expect("a verdict");
    assert_eq!(flush.keys_lost, Some(1_100), "{flush:#?}");
    assert_eq!(diagnosis.ledger.keys(Way::Flushed), 1_100);
}

#[test]
fn a_primary_that_misses_a_poll_has_lost_nothing_to_its_detached_copy() {
    let group = pair().then(|nodes| {
        let offset = nodes[1].offset();
        nodes[1].promote(offset);
    });
    let mut group = group.repeat(3, |nodes| nodes[0].write(2_000));
    // One poll, then twenty: a long outage loses nothing that the copy would have had either.
    for missed in [1, 20] {
        group = group.repeat(missed, |nodes| nodes[0].up = false);
        let diagnosis = group.diagnosis();
        let verdict = diagnosis.of(Cause::Replication).expect("a verdict");
        assert_eq!(
            verdict.level,
            Level::AtRisk,
            "{missed} missed: {verdict:#?}"
        );
        assert_eq!(
            diagnosis.of(Cause::Replication).and_then(|v| v.keys_lost),
            None
        );
        group = group.repeat(2, |nodes| {
            nodes[0].up = true;
            nodes[0].write(10);
        });
    }
}

#[test]
fn a_primary_that_went_on_beside_the_new_one_and_fell_silent_has_lost_its_writes() {
    let group = pair().then(|nodes| {
        let offset = nodes[1].offset();
        nodes[1].promote(offset);
    });
    let apart = group.repeat(3, |nodes| {
        nodes[0].write(400);
        nodes[1].write(50);
    });
    let down = |nodes: &mut [Node]| {
        nodes[0].up = false;
        nodes[1].write(50);
    };
    let one = apart.then(down);
    let level = |group: &Group| {
        let diagnosis = group.diagnosis();
        let verdict = diagnosis.of(Cause::Replication).expect("a verdict");
        (verdict.level, verdict.summary.clone())
    };
    assert_eq!(level(&one).0, Level::AtRisk, "{}", level(&one).1);
    let (confirmed, words) = level(&one.repeat(12, down));
    assert_eq!(confirmed, Level::Confirmed, "{words}");
    assert!(words.contains("does not answer any more"), "{words}");
}

#[test]
fn what_befalls_a_detached_copy_is_none_of_the_primarys_losses() {
    let group = pair().then(|nodes| {
        let offset = nodes[1].offset();
        nodes[1].promote(offset);
    });
    let group = group.repeat(3, |nodes| nodes[0].write(10));
    let group = group.then(|nodes| {
        nodes[1].facts.ran("flushall", 1);
        nodes[1].facts.keys(0);
        nodes[0].write(10);
    });
    let diagnosis = group.diagnosis();
    assert_eq!(diagnosis.of(Cause::Flush).and_then(|v| v.keys_lost), None);
    assert_eq!(diagnosis.ledger.keys_after, Some(1_140));
    let verdict = diagnosis.of(Cause::Replication).expect("a verdict");
    assert_eq!(verdict.level, Level::AtRisk);
    assert!(
        verdict.summary.contains("both take writes"),
        "a flush is one"
    );
}

const HOLDS_ALL: &str = "master - 0 0 1 connected 0-16383";
const HOLDS_NONE: &str = "master - 0 0 1 connected";
const FOLLOWS: &str = "slave n0 0 0 1 connected";

#[test]
fn a_primary_that_gave_its_slots_to_its_replica_is_still_of_its_shard() {
    let mut group = pair();
    group.view(&[(0, HOLDS_ALL), (1, FOLLOWS)]);
    let mut group = group.then(|nodes| {
        let offset = nodes[1].offset();
        nodes[1].promote(offset);
        let of = nodes[1].facts.clone();
        nodes[0].follow("10.0.0.2", &of);
    });
    // It has told nobody yet whom it follows.
    group.view(&[(0, HOLDS_NONE), (1, HOLDS_ALL)]);
    let diagnosis = group.repeat(2, |_| {}).diagnosis();
    let verdict = diagnosis.of(Cause::Replication).expect("a verdict");
    assert_eq!(verdict.level, Level::Clear, "{verdict:#?}");
    let words = "10.0.0.2:6379 took over from 10.0.0.1:6379";
    assert!(verdict.summary.contains(words), "{}", verdict.summary);
}

#[test]
fn a_replica_that_is_taken_out_of_its_cluster_takes_over_nothing() {
    let mut group = pair();
    group.view(&[(0, HOLDS_ALL), (1, FOLLOWS)]);
    // CLUSTER RESET makes it an empty primary of a history that goes on from its own.
    let mut group = group.then(|nodes| {
        let offset = nodes[1].offset();
        nodes[1].promote(offset);
        nodes[1].facts.keys(0);
    });
    group.view(&[(0, HOLDS_ALL)]);
    let group = group.repeat(3, |nodes| nodes[0].write(5));
    let diagnosis = group.diagnosis();
    assert_eq!(diagnosis.top_cause, None, "{:#?}", diagnosis.verdicts);
    assert_eq!(diagnosis.ledger.keys_after, Some(1_115));
    let verdict = diagnosis.of(Cause::Replication).expect("a verdict");
    assert_eq!(verdict.level, Level::Clear, "{verdict:#?}");
}

#[test]
fn two_that_are_taken_out_of_their_cluster_together_are_no_danger() {
    let mut group = Group::of(&["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    for node in &mut group.nodes {
        node.facts.cluster = true;
    }
    let (of, replica) = group.nodes.split_at_mut(2);
    of[1].facts.keys(0);
    replica[0].follow("10.0.0.2", &of[1].facts);
    replica[0].facts.keys(0);
    let mut group = group.repeat(3, |_| {});
    let none = (1, "master - 0 0 1 connected");
    group.view(&[(0, HOLDS_ALL), none, (2, "slave n1 0 0 1 connected")]);
    let mut group = group.then(|nodes| {
        let offset = nodes[2].offset();
        nodes[2].promote(offset);
    });
    group.view(&[(0, HOLDS_ALL)]);
    let diagnosis = group.repeat(3, |_| {}).diagnosis();
    let verdict = diagnosis.of(Cause::Replication).expect("a verdict");
    assert_eq!(verdict.level, Level::Clear, "{verdict:#?}");
}

#[test]
fn what_is_told_of_two_nodes_in_one_sentence_names_both() {
    let mut group = pair();
    let persistence = &mut group.nodes[0].facts.persistence;
    persistence.insert("rdb_changes_since_last_save", "76000".into());
    persistence.insert("rdb_last_bgsave_status", "err".into());
    let healthy = group.repeat(2, |_| {});
    let summary = |group: &Group| {
        let diagnosis = group.diagnosis();
        let verdict = diagnosis.of(Cause::InstanceFailure).expect("a verdict");
        assert_eq!(verdict.level, Level::AtRisk, "{verdict:#?}");
        verdict.summary.clone()
    };
    let alone = summary(&healthy);
    let group = healthy.repeat(3, |nodes| nodes[1].up = false);
    let replica = "10.0.0.2:6379, a replica: one copy less to take over";
    let both = format!("{replica}; 10.0.0.1:6379: up ");
    assert!(alone.starts_with("up "), "one node, no name: {alone}");
    assert!(summary(&group).starts_with(&both), "{}", summary(&group));
}

#[test]
fn what_befalls_the_elected_primary_of_a_partition_counts() {
    let cut_off = pair().repeat(4, |nodes| nodes[0].write(100));
    let elected = cut_off.then(|nodes| {
        let offset = nodes[1].offset();
        nodes[1].promote(offset);
    });
    // All clients go to the elected one; the old one stays up.
    let elected = elected.repeat(3, |nodes| nodes[1].write(50));
    let diagnosis = elected.diagnosis();
    let verdict = diagnosis.of(Cause::Replication).expect("a verdict");
    let told = (verdict.level, verdict.mechanism);
    assert_eq!(told, (Level::AtRisk, Some(Mechanism::SplitBrain)));
    let words = "39.1 KB on 10.0.0.1:6379 (about 400 writes) are not on 10.0.0.2:6379";
    assert!(verdict.summary.contains(words), "{}", verdict.summary);
    let flushed = elected.then(|nodes| {
        nodes[1].facts.ran("flushall", 1);
        nodes[1].facts.keys(0);
    });
    let diagnosis = flushed.repeat(2, |_| {}).diagnosis();
    assert_eq!(diagnosis.top_cause, Some(Cause::Flush));
    assert_eq!(diagnosis.ledger.keys_after, Some(0));
}

/// Three primaries of a cluster of which the last has fallen silent.
fn without_a_shard() -> Group {
    let mut group = Group::of(&["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    for node in &mut group.nodes {
        node.facts.cluster = true;
    }
    let mut group = group.repeat(3, |_| {});
    group.view(&[
        (0, "master - 0 1 1 connected 0-5460"),
        (1, "master - 0 1 2 connected 5461-10922"),
        (2, "master - 0 1 3 connected 10923-16383"),
    ]);
    group.repeat(3, |nodes| nodes[2].up = false)
}

#[test]
fn slots_that_cannot_be_reached_are_told_before_the_tries() {
    let mut group = without_a_shard();
    group.view(&[
        (0, "master - 0 1 1 connected 0-5460"),
        (1, "master - 0 1 2 connected 5461-10922"),
        (2, "master,fail - 0 1 3 disconnected 10923-16383"),
    ]);
    let diagnosis = group.diagnosis();
    let verdict = diagnosis.of(Cause::InstanceFailure).expect("a verdict");
    assert_eq!(verdict.level, Level::Confirmed);
    let words = "5,461 of 16,384 slots cannot be reached, with 1,000 keys whose fate is not known: \
                 10.0.0.3:6379 holds them, which the cluster takes for failed; \
                 10.0.0.3:6379: no answer, 3 tries in 2 s";
    assert!(verdict.summary.starts_with(words), "{}", verdict.summary);
    assert!(verdict.next_steps[0].starts_with("bring the node or a replica of it back"));
}

#[test]
fn slots_without_an_owner_are_not_told_as_a_node_that_does_not_answer() {
    let mut group = Group::of(&["10.0.0.1", "10.0.0.2"]);
    for node in &mut group.nodes {
        node.facts.cluster = true;
    }
    let mut group = group.repeat(3, |_| {});
    group.view(&[
        (0, "master - 0 1 1 connected 401-8191"),
        (1, "master - 0 1 2 connected 8192-16383"),
    ]);
    let group = group.repeat(2, |_| {});
    let diagnosis = group.diagnosis();
    let verdict = diagnosis.of(Cause::InstanceFailure).expect("a verdict");
    assert_eq!(verdict.mechanism, Some(Mechanism::SlotsUnreached));
    assert_eq!(
        verdict.summary,
        "401 of 16,384 slots cannot be reached: they are assigned to no node; \
         their keys need not be lost"
    );
    let told = format!("{verdict:?}");
    assert!(
        !told.contains("answer") && !told.contains("bring the node back"),
        "{told}"
    );
    assert!(told.contains("CLUSTER ADDSLOTS"), "{told}");
}

/// A replica that was promoted before we came remembers what its primary sent; whoever did that was
/// connected there.
#[test]
fn the_link_to_an_old_primary_is_nobody() {
    let group = pair().then(|nodes| {
        let offset = nodes[1].offset();
        nodes[1].promote(offset);
        nodes[1].facts.ran("flushall", 1);
    });
    let mut late = Group::of(&["10.0.0.1", "10.0.0.2"]);
    late.nodes = group.nodes;
    let mut late = late.then(|_| {});
    let moment = late.told.last().expect("something was said").moment();
    let entry = |id, who| {
        let words = ["flushall".to_owned()];
        SlowEntry::new(id, moment.at, Duration::from_millis(20), &words).by(who, "")
    };
    let log = Ok(vec![entry(2, "10.0.0.1:6379"), entry(1, "10.0.0.9:41234")]);
    let said = Observation::SlowLog { moment, log };
    late.deployment
        .observe(Told::Node(late.nodes[1].id.clone(), said));
    let diagnosis = diagnose_member(&late.deployment, 1, None);
    let verdict = diagnosis.of(Cause::Flush).expect("a verdict");
    let who: Vec<_> = verdict.suspects.iter().map(|who| &who.address).collect();
    assert_eq!(who, [&Some("10.0.0.9:41234".to_owned())]);
}
