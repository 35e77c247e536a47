//! Slots that move between pretended nodes of a cluster, by its own migration: no command is counted
//! for the keys that go (Redis 8.4 `CLUSTER MIGRATION`, Valkey 9 `CLUSTER MIGRATESLOTS`).

mod support {
    pub mod story;
}

use std::time::Duration;

use amr_top::diagnosis::{
    Cause, Diagnosis, Level, Mechanism, Verdict, Way, diagnose_deployment, diagnose_extent,
};
use amr_top::model::{Extent, Told};
use support::story::{Facts, Group, Node, Story};

const FIRST: &str = "master - 0 0 1 connected 0-8191";
const SECOND: &str = "master - 0 0 1 connected 8192-16383";
const FIRST_LATER: &str = "master - 0 0 1 connected 1000-8191";
const SECOND_LATER: &str = "master - 0 0 1 connected 0-999 8192-16383";

/// Two primaries with ten thousand keys each, each with half of the slots.
fn cluster() -> Group {
    let mut group = Group::of(&["10.0.0.1", "10.0.0.2"]);
    for node in &mut group.nodes {
        node.facts.cluster = true;
        node.facts.keys(10_000);
    }
    let mut group = group.repeat(4, |_| {});
    group.view(&[(0, FIRST), (1, SECOND)]);
    group
}

fn grow(node: &mut Node, by: i64) {
    let (keys, _) = node.facts.dbs[&0];
    let keys = keys.checked_add_signed(by).expect("so many are there");
    node.facts.keys(keys);
}

/// The second node takes the slots 0 to 999 in, with so many keys, in one interval.
fn import(nodes: &mut [Node], keys: i64) {
    nodes[0].facts.ran("cluster|syncslots", 4);
    nodes[1].facts.ran("cluster|syncslots", 900);
    nodes[1].facts.ran("cluster|migration", 1);
    grow(&mut nodes[1], keys);
}

fn agreed(group: &mut Group) {
    group.view(&[(0, FIRST_LATER), (1, SECOND_LATER)]);
}

fn of(diagnosis: &Diagnosis, cause: Cause) -> &Verdict {
    diagnosis.of(cause).expect("a verdict")
}

#[track_caller]
fn assert_moved(diagnosis: &Diagnosis, words: &str) {
    let verdict = of(diagnosis, Cause::Relocation);
    assert_eq!(verdict.level, Level::Clear, "{verdict:#?}");
    assert!(verdict.summary.contains(words), "{}", verdict.summary);
    let unexplained = of(diagnosis, Cause::Unexplained);
    assert_eq!(unexplained.level, Level::Clear, "{unexplained:#?}");
    assert_eq!(
        diagnosis.ledger.keys(Way::Moved),
        0,
        "{:#?}",
        diagnosis.ledger
    );
}

const ALL_ARRIVED: &str =
    "1,200 keys moved with 1,000 slots, 10.0.0.1:6379 → 10.0.0.2:6379, and all arrived";

#[test]
fn deletes_beside_a_slot_move_took_what_did_not_arrive() {
    // Few of many: what is created meanwhile does not blur them.
    let mut group = cluster().then(|nodes| {
        import(nodes, 1_200);
        nodes[0].facts.ran("set", 40);
        nodes[0].facts.ran("del", 200);
        grow(&mut nodes[0], -1_400);
    });
    agreed(&mut group);
    let diagnosis = group.repeat(3, |_| {}).diagnosis();
    assert_eq!(diagnosis.top_cause, Some(Cause::Deletion));
    let deletion = of(&diagnosis, Cause::Deletion);
    let told = (deletion.keys_lost, deletion.at_most);
    assert_eq!(told, (Some(200), Some(240)), "{deletion:#?}");
    assert_eq!(diagnosis.ledger.keys(Way::Deleted), 200);
    assert_moved(&diagnosis, ALL_ARRIVED);
    let [incident] = &diagnosis.incidents[..] else {
        panic!("one incident: {:#?}", diagnosis.incidents);
    };
    assert_eq!((incident.keys, incident.shares.len()), (200, 1));
    let [moved] = &diagnosis.migrations[..] else {
        panic!("one migration: {:#?}", diagnosis.migrations);
    };
    let nodes = (moved.from.as_str(), moved.to.as_str());
    assert_eq!(nodes, ("10.0.0.1:6379", "10.0.0.2:6379"));
    assert_eq!((moved.slots, &moved.ranges[..]), (1_000, &[(0, 999)][..]));
    assert_eq!(moved.keys, Some(1_200));
}

#[test]
fn one_delete_of_many_keys_beside_a_slot_move_took_what_did_not_arrive() {
    let mut group = cluster().then(|nodes| {
        import(nodes, 1_200);
        nodes[0].facts.ran("del", 1);
        grow(&mut nodes[0], -1_700);
    });
    agreed(&mut group);
    let diagnosis = group.repeat(3, |_| {}).diagnosis();
    assert_eq!(of(&diagnosis, Cause::Deletion).keys_lost, Some(500));
    assert_moved(&diagnosis, ALL_ARRIVED);
}

#[test]
fn deletes_at_their_usual_pace_are_not_blamed_for_a_slot_move() {
    // The imports' counts are a little short: keys expired on the way.
    let busy = |nodes: &mut [Node]| nodes.iter_mut().for_each(|node| node.facts.ran("del", 20));
    let mut group = cluster().repeat(20, busy).then(|nodes| {
        busy(nodes);
        import(nodes, 1_170);
        grow(&mut nodes[0], -1_200);
    });
    agreed(&mut group);
    let diagnosis = group.repeat(3, busy).diagnosis();
    assert!(
        diagnosis.ledger.keys(Way::Deleted) <= 20,
        "{:#?}",
        diagnosis.ledger
    );
    assert_eq!(diagnosis.top_cause, None, "{:#?}", diagnosis.verdicts);
    assert_moved(&diagnosis, "keys moved with 1,000 slots");
}

#[test]
fn keys_that_are_trimmed_long_after_their_slots_went_have_moved() {
    let mut group = cluster().then(|nodes| import(nodes, 1_200));
    agreed(&mut group);
    let group = group.repeat(18, |_| {});
    let waiting = group.diagnosis();
    assert_moved(&waiting, "1,200 keys moved with 1,000 slots");
    let group = group.then(|nodes| grow(&mut nodes[0], -1_200));
    let diagnosis = group.repeat(2, |_| {}).diagnosis();
    assert_eq!(diagnosis.top_cause, None, "{:#?}", diagnosis.verdicts);
    assert_eq!(diagnosis.incidents, []);
    assert_moved(&diagnosis, ALL_ARRIVED);
}

#[test]
fn deletes_before_and_after_a_slot_move_are_told_apart_from_it() {
    let delete = |node: &mut Node, calls, keys: i64| {
        node.facts.ran("del", calls);
        grow(node, -keys);
    };
    let mut group = cluster()
        .then(|nodes| delete(&mut nodes[0], 300, 300))
        .repeat(2, |_| {});
    group.view(&[(0, FIRST), (1, SECOND)]);
    let mut group = group.then(|nodes| import(nodes, 1_200));
    agreed(&mut group);
    let group = group
        .then(|nodes| delete(&mut nodes[0], 1, 1_500))
        .repeat(4, |_| {})
        .then(|nodes| grow(&mut nodes[0], -1_200))
        .then(|nodes| delete(&mut nodes[0], 2_000, 2_000));
    let diagnosis = group.repeat(3, |_| {}).diagnosis();
    let deletion = of(&diagnosis, Cause::Deletion);
    assert_eq!(deletion.keys_lost, Some(3_800), "{deletion:#?}");
    assert_moved(&diagnosis, ALL_ARRIVED);
}

#[test]
fn what_vanishes_after_a_slot_move_did_not_move() {
    let write = |nodes: &mut [Node]| nodes[1].write(20);
    let mut group = cluster().repeat(10, write).then(|nodes| {
        import(nodes, 1_200);
        grow(&mut nodes[0], -1_200);
    });
    agreed(&mut group);
    let group = group
        .repeat(3, write)
        .then(|nodes| grow(&mut nodes[0], -3_000));
    let diagnosis = group.repeat(12, write).diagnosis();
    assert_eq!(diagnosis.top_cause, Some(Cause::Unexplained));
    let told = of(&diagnosis, Cause::Unexplained).keys_lost;
    // Within five in a hundred: what the new holder wrote beside and took in cannot be told apart.
    assert!((2_850..=3_000).contains(&told.unwrap_or(0)), "{told:?}");
}

#[test]
fn what_vanishes_from_a_new_holder_was_not_given_up() {
    let mut group = cluster().then(|nodes| import(nodes, 600));
    group.view(&[(0, FIRST), (1, SECOND)]);
    let mut group = group.then(|nodes| {
        nodes[1].facts.ran("cluster|syncslots", 30);
        grow(&mut nodes[1], -500);
    });
    group.view(&[(0, FIRST), (1, SECOND)]);
    let mut group = group.then(|nodes| import(nodes, 600));
    agreed(&mut group);
    let group = group.then(|nodes| grow(&mut nodes[0], -1_200));
    let diagnosis = group.repeat(12, |_| {}).diagnosis();
    assert_eq!(diagnosis.top_cause, Some(Cause::Unexplained));
    let told = of(&diagnosis, Cause::Unexplained).keys_lost;
    assert_eq!(told, Some(500), "{:#?}", diagnosis.ledger);
}

/// Slots 0 to 999 go to the second node with 1,200 keys, at once.
fn moved(group: Group) -> Group {
    let mut group = group.then(|nodes| {
        import(nodes, 1_200);
        grow(&mut nodes[0], -1_200);
    });
    agreed(&mut group);
    group
}

#[test]
fn what_vanishes_from_the_new_holder_after_the_move_is_told() {
    let group = moved(cluster().repeat(10, |nodes| nodes[1].write(300)));
    let group = group.repeat(20, |_| {});
    let group = group.then(|nodes| grow(&mut nodes[1], -3_000));
    let diagnosis = group.repeat(12, |_| {}).diagnosis();
    let lost = diagnosis.verdicts.iter().filter(|v| v.is_loss_in_window());
    let lost: Vec<_> = lost.map(|v| v.keys_lost).collect();
    assert_eq!(lost, [Some(3_000)], "{:#?}", diagnosis.verdicts);
}

#[test]
fn one_import_after_the_other_is_all_there() {
    let mut group = moved(cluster()).repeat(9, |_| {});
    group = group.then(|nodes| {
        import(nodes, 300);
        grow(&mut nodes[0], -300);
    });
    let first = "master - 0 0 1 connected 1300-8191";
    let second = "master - 0 0 1 connected 0-1299 8192-16383";
    group.view(&[(0, first), (1, second)]);
    let diagnosis = group.repeat(70, |_| {}).diagnosis();
    assert_eq!(diagnosis.top_cause, None, "{:#?}", diagnosis.verdicts);
    assert_moved(&diagnosis, "1,500 keys moved with 1,300 slots");
}

#[test]
fn slots_that_come_back_are_all_there() {
    let mut group = moved(cluster()).repeat(100, |_| {});
    group = group.then(|nodes| {
        nodes[0].facts.ran("cluster|syncslots", 900);
        nodes[1].facts.ran("cluster|syncslots", 4);
        grow(&mut nodes[0], 1_200);
        grow(&mut nodes[1], -1_200);
    });
    group.view(&[(0, FIRST), (1, SECOND)]);
    let diagnosis = group.repeat(20, |_| {}).diagnosis();
    assert_eq!(diagnosis.top_cause, None, "{:#?}", diagnosis.verdicts);
    assert_moved(&diagnosis, "2,400 keys moved with 2,000 slots");
}

#[test]
fn keys_that_come_and_expire_at_the_new_holder_did_not_arrive() {
    let turn = |nodes: &mut [Node]| {
        nodes[1].facts.ran("set", 400);
        nodes[1].facts.add("expired_keys", 400);
    };
    let group = cluster().repeat(35, turn).then(|nodes| {
        turn(nodes);
        import(nodes, 1_200);
        grow(&mut nodes[0], -1_200);
    });
    let mut group = group;
    agreed(&mut group);
    let group = group.repeat(10, turn).then(|nodes| {
        turn(nodes);
        nodes[0].facts.ran("del", 1);
        grow(&mut nodes[0], -1_500);
    });
    let diagnosis = group.repeat(12, turn).diagnosis();
    let deletion = of(&diagnosis, Cause::Deletion);
    let told = deletion.keys_lost.unwrap_or(0);
    assert!((1_425..=1_500).contains(&told), "{deletion:#?}");
    assert_moved(&diagnosis, "keys moved with 1,000 slots");
}

#[test]
fn an_import_that_is_given_up_loses_nothing() {
    let mut group = cluster().then(|nodes| import(nodes, 700));
    group.view(&[(0, FIRST), (1, SECOND)]);
    let mut group = group.then(|nodes| {
        nodes[1].facts.ran("cluster|migration", 1);
        nodes[1].facts.ran("cluster|syncslots", 1);
        grow(&mut nodes[1], -700);
    });
    group.view(&[(0, FIRST), (1, SECOND)]);
    let diagnosis = group.repeat(3, |_| {}).diagnosis();
    assert_eq!(diagnosis.top_cause, None, "{:#?}", diagnosis.verdicts);
    assert_eq!(diagnosis.incidents, []);
    assert_eq!(
        diagnosis.ledger.keys(Way::Created),
        0,
        "{:#?}",
        diagnosis.ledger
    );
    assert_moved(
        &diagnosis,
        "10.0.0.2:6379 gave up an import of slots and dropped 700 keys that had come with it",
    );
}

#[test]
fn deletes_while_slots_are_imported_are_no_import_that_was_given_up() {
    let mut group = cluster().then(|nodes| import(nodes, 700));
    group.view(&[(0, FIRST), (1, SECOND)]);
    let mut group = group.then(|nodes| {
        nodes[1].facts.ran("cluster|syncslots", 30);
        nodes[1].facts.ran("del", 1);
        grow(&mut nodes[1], -600);
    });
    group.view(&[(0, FIRST), (1, SECOND)]);
    let diagnosis = group.repeat(3, |_| {}).diagnosis();
    assert_eq!(diagnosis.top_cause, Some(Cause::Deletion));
    assert_eq!(of(&diagnosis, Cause::Deletion).keys_lost, Some(600));
}

#[test]
fn a_node_that_gave_its_last_slots_away_and_follows_now_has_lost_nothing() {
    let mut group = cluster().then(|nodes| {
        import(nodes, 10_000);
        let (old, new) = nodes.split_at_mut(1);
        old[0].follow("10.0.0.2", &new[0].facts);
        old[0].facts.keys(20_000);
    });
    group.view(&[
        (0, "slave n1 0 0 1 connected"),
        (1, "master - 0 0 1 connected 0-16383"),
    ]);
    let diagnosis = group.repeat(3, |_| {}).diagnosis();
    assert_eq!(diagnosis.top_cause, None, "{:#?}", diagnosis.verdicts);
    assert_moved(
        &diagnosis,
        "10,000 keys moved with 8,192 slots, 10.0.0.1:6379 → 10.0.0.2:6379",
    );
}

#[test]
fn slots_of_one_node_that_go_to_two_are_told_together() {
    let mut group = Group::of(&["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    for node in &mut group.nodes {
        node.facts.cluster = true;
        node.facts.keys(8_000);
    }
    let mut group = group.repeat(4, |_| {});
    let second = (1, "master - 0 0 1 connected 8192-12287");
    let third = (2, "master - 0 0 1 connected 12288-16383");
    group.view(&[(0, FIRST), second, third]);
    let mut group = group.then(|nodes| {
        nodes[0].facts.ran("unlink", 100);
        grow(&mut nodes[0], -2_100);
        grow(&mut nodes[1], 1_000);
        grow(&mut nodes[2], 1_000);
    });
    let second = (1, "master - 0 0 1 connected 0-999 8192-12287");
    let third = (2, "master - 0 0 1 connected 1000-1999 12288-16383");
    group.view(&[(0, "master - 0 0 1 connected 2000-8191"), second, third]);
    let diagnosis = group.repeat(3, |_| {}).diagnosis();
    assert_eq!(of(&diagnosis, Cause::Deletion).keys_lost, Some(100));
    let told = "2,000 keys moved with 2,000 slots, 10.0.0.1:6379 → 10.0.0.";
    assert_moved(&diagnosis, told);
    let summary = &of(&diagnosis, Cause::Relocation).summary;
    assert!(
        summary.contains(" and one other node, and all arrived"),
        "{summary}"
    );
}

#[test]
fn a_node_that_gave_all_away_and_left_is_forgotten_with_the_others() {
    let keep = Duration::from_secs(20);
    let mut group = Group::of(&["10.0.0.1", "10.0.0.2"]).forgetting(keep);
    for node in &mut group.nodes {
        node.facts.cluster = true;
        node.facts.keys(10_000);
    }
    let mut group = group.repeat(4, |_| {});
    group.view(&[(0, FIRST), (1, SECOND)]);
    let mut group = group.then(|nodes| {
        grow(&mut nodes[0], 10_000);
        grow(&mut nodes[1], -10_000);
    });
    group.view(&[
        (0, "master - 0 0 1 connected 0-16383"),
        (1, "master - 0 0 1 connected"),
    ]);
    let mut group = group.repeat(3, |_| {});
    let gone = group.nodes.remove(1);
    let moment = group.told.last().expect("something was said").moment();
    group.view(&[(0, "master - 0 0 1 connected 0-16383")]);
    let node = gone.id;
    group.deployment.observe(Told::Left { moment, node });
    for _ in 0..40 {
        group = group.then(|_| {});
        let diagnosis = group.diagnosis();
        assert_eq!(diagnosis.top_cause, None, "{:#?}", diagnosis.verdicts);
    }
    assert!(group.deployment.members()[1].history().is_empty());
    assert_eq!(group.diagnosis().ledger.keys_before, Some(20_000));
}

#[test]
fn a_moment_of_long_ago_is_judged_by_what_was_known_then() {
    let mut group = cluster().then(|nodes| {
        import(nodes, 1_200);
        grow(&mut nodes[0], -1_200);
    });
    agreed(&mut group);
    let mut group = group.repeat(2, |_| {});
    let then = group.told.last().expect("something was said").moment();
    let as_of = |group: &Group| diagnose_deployment(&group.deployment, Some(then.elapsed));
    let live = as_of(&group);
    assert_moved(&live, ALL_ARRIVED);
    // Slot by slot, a hundred views that differ.
    for slot in 1_000..1_100 {
        group = group.then(|_| {});
        let first = format!("master - 0 0 1 connected {}-8191", slot + 1);
        let second = format!("master - 0 0 1 connected 0-{slot} 8192-16383");
        group.view(&[(0, &first), (1, &second)]);
    }
    assert!(group.deployment.topology(Some(then.elapsed)).is_some());
    let later = as_of(&group);
    assert_eq!(later.verdicts, live.verdicts);
    assert_eq!(later.migrations, live.migrations);
}

#[test]
fn what_a_shard_lost_on_the_way_is_no_more_than_it_can_be() {
    let mut group = Group::of(&["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    for node in &mut group.nodes {
        node.facts.cluster = true;
        node.facts.keys(10_000);
    }
    let group = group.repeat(4, |_| {});
    // Few of the keys that two nodes sent away arrive at the third.
    let group = group.then(|nodes| {
        for (node, keys) in [(0, 1_000u32), (1, 50)] {
            nodes[node].facts.ran("migrate", keys.into());
            grow(&mut nodes[node], -i64::from(keys));
        }
        nodes[2].facts.ran("restore-asking", 100);
        grow(&mut nodes[2], 100);
    });
    let group = group.repeat(3, |_| {});
    let extent = Extent::Shard(group.deployment.shard_of(0).to_vec());
    let diagnosis = diagnose_extent(&group.deployment, &extent, None);
    let moved = of(&diagnosis, Cause::Relocation);
    let told = (moved.keys_lost, moved.at_most);
    assert_eq!(told, (Some(950), Some(950)), "{moved:#?}");
}

#[test]
fn two_nodes_that_give_to_a_third_at_once_gave_what_fell_on_each() {
    let mut group = Group::of(&["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    for node in &mut group.nodes {
        node.facts.cluster = true;
        node.facts.keys(10_000);
    }
    let mut group = group.repeat(4, |_| {});
    group.view(&[
        (0, "master - 0 0 1 connected 0-5460"),
        (1, "master - 0 0 1 connected 5461-10922"),
        (2, "master - 0 0 1 connected 10923-16383"),
    ]);
    // Hash tags: as many slots, forty times the keys.
    let mut group = group.then(|nodes| {
        nodes[2].facts.ran("cluster|syncslots", 900);
        grow(&mut nodes[2], 4_100);
        nodes[0].facts.ran("del", 500);
        grow(&mut nodes[0], -4_500);
        grow(&mut nodes[1], -100);
    });
    group.view(&[
        (0, "master - 0 0 1 connected 500-5460"),
        (1, "master - 0 0 1 connected 5961-10922"),
        (2, "master - 0 0 1 connected 0-499 5461-5960 10923-16383"),
    ]);
    let diagnosis = group.repeat(3, |_| {}).diagnosis();
    assert_eq!(of(&diagnosis, Cause::Deletion).keys_lost, Some(500));
    assert_moved(&diagnosis, "4,100 keys moved with 1,000 slots");
    let mut gave = diagnosis.migrations.iter();
    let gave = |from: &str| {
        let moved = gave.find(|moved| moved.from.as_str() == from);
        moved.expect("is told").keys
    };
    let gave = ["10.0.0.1:6379", "10.0.0.2:6379"].map(gave);
    assert_eq!(gave, [Some(4_000), Some(100)]);
}

fn of_cluster() -> Facts {
    Facts {
        cluster: true,
        ..Facts::default()
    }
}

/// A node of a cluster that is looked at alone.
fn alone() -> Story {
    let mut facts = of_cluster();
    facts.keys(10_000);
    Story::with(facts).repeat(3, |_, _| {})
}

#[test]
fn asking_for_the_status_of_migrations_raises_no_suspicion() {
    let mut facts = of_cluster();
    facts.keys(1_000);
    facts.ran("cluster|migration", 3);
    facts.ran("cluster|setslot", 2);
    let first = Story::with(facts);
    let verdict = of(&first.diagnosis(), Cause::Relocation).clone();
    assert_eq!(verdict.level, Level::Clear, "{verdict:#?}");
    let later = first.then(|f| f.ran("cluster|migration", 1)).diagnosis();
    let verdict = of(&later, Cause::Relocation);
    assert_eq!(verdict.level, Level::Clear, "{verdict:#?}");
}

#[test]
fn a_source_that_is_looked_at_alone_suspects_a_move() {
    for delay in [0, 20] {
        let begun = alone().then(|f| f.ran("cluster|syncslots", 3));
        let story = begun.repeat(delay, |_, _| {}).then(|f| f.keys(8_800));
        let diagnosis = story.diagnosis();
        let verdict = of(&diagnosis, Cause::Relocation);
        let told = (verdict.level, verdict.mechanism, verdict.keys_lost);
        let expected = (
            Level::Suspected,
            Some(Mechanism::SlotMigration),
            Some(1_200),
        );
        assert_eq!(told, expected, "{verdict:#?}");
        let mut evidence = verdict.evidence.iter();
        let is_named = evidence.any(|e| e.field == "cmdstat_cluster|syncslots.calls");
        assert!(is_named, "{verdict:#?}");
    }
    // A minute later nothing hints at it any more.
    let begun = alone().then(|f| f.ran("cluster|syncslots", 3));
    let story = begun.repeat(70, |_, _| {}).then(|f| f.keys(8_800));
    assert_eq!(story.diagnosis().top_cause, Some(Cause::Unexplained));
}

#[test]
fn a_source_that_is_looked_at_alone_blames_deletes_for_one_key_a_call() {
    let story = alone().then(|f| {
        f.ran("cluster|syncslots", 3);
        f.ran("del", 500);
        f.keys(8_300);
    });
    let diagnosis = story.diagnosis();
    assert_eq!(of(&diagnosis, Cause::Deletion).keys_lost, Some(500));
    assert_eq!(of(&diagnosis, Cause::Relocation).keys_lost, Some(1_200));
}

#[test]
fn a_replica_that_was_told_to_trim_suspects_a_move() {
    let mut facts = of_cluster();
    facts.keys(10_000);
    facts.replica_of = Some("10.0.0.1");
    let story = Story::with(facts).repeat(3, |_, _| {}).then(|f| {
        f.ran("trimslots", 1);
        f.ran("del", 40);
        f.keys(8_760);
    });
    let diagnosis = story.diagnosis();
    assert_eq!(diagnosis.ledger.keys(Way::Moved), 1_200);
    assert_eq!(diagnosis.ledger.keys(Way::Deleted), 40);
    assert_eq!(diagnosis.top_cause, Some(Cause::Relocation));
}
