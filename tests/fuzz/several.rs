//! Several nodes that say anything, of themselves and of each other.

use std::time::Duration;

use amr_top::diagnosis::{Diagnosis, Level, diagnose_deployment, diagnose_member};
use amr_top::model::{
    Assumptions, ChangeKind, ClusterNode, Commands, Counter, Deployment, Failure, FailureKind,
    Moment, NodeId, Observation, Packed, Told, Topology,
};
use amr_top::report::{Report, Scene};
use jiff::Timestamp;
use proptest::prelude::*;

use crate::check::{check_balance, check_diagnosis, check_report};
use crate::harm::{Harm, REPLIES, harm, harmed};
use crate::{chance, print};

/// Slots of a cluster.
const SLOTS: u32 = 16_384;

/// Views to start from: three primaries, slots that moved, a failover, one node that answers for the
/// others.
const VIEWS: [&str; 4] = [
    "e1 127.0.0.1:7001@17001 myself,master - 0 0 1 connected 0-5460\n\
     e2 127.0.0.1:7002@17002 master - 0 1 2 connected 5461-10922\n\
     e3 127.0.0.1:7003@17003 master - 0 1 3 connected 10923-16383\n",
    "e1 127.0.0.1:7001@17001 myself,master - 0 0 1 connected 1000-5460 [93->-e2]\n\
     e2 127.0.0.1:7002@17002 master - 0 1 2 connected 0-999 5461-10922\n\
     e3 127.0.0.1:7003@17003 master - 0 1 3 connected 10923-16383\n",
    "e1 127.0.0.1:7001@17001 master,fail - 0 0 1 disconnected\n\
     e2 127.0.0.1:7002@17002 myself,master - 0 1 4 connected 0-10922\n\
     e3 127.0.0.1:7003@17003 slave e2 0 1 3 connected\n",
    "e1 127.0.0.1:7001@17001 myself,master - 0 0 1 connected 0-16383\n\
     e2 127.0.0.1:7002@17002 slave e1 0 1 1 connected\n\
     e3 127.0.0.1:7003@17003 slave e1 0 1 1 connected\n",
];

fn address(node: usize) -> NodeId {
    NodeId::new(&format!("127.0.0.1:{}", 7_001 + node))
}

/// A word of a view becomes another one.
fn word() -> impl Strategy<Value = String> {
    let range = (any::<u16>(), any::<u16>()).prop_map(|(a, b)| format!("{a}-{b}"));
    let slots = (0u16..16_384).prop_map(|slot| slot.to_string());
    let known = prop::sample::select(vec![
        "e1",
        "e2",
        "e3",
        "e4",
        "-",
        "master",
        "slave",
        "myself,slave",
        "master,fail",
        "slave,fail?",
        "handshake",
        "noaddr",
        "0-16383",
        "[5->-e2]",
        ":0@0",
        "127.0.0.1:7001@17001",
        "127.0.0.1:7004@17004",
        "[::1]:7001@1",
    ]);
    prop_oneof![
        2 => known.prop_map(str::to_owned),
        1 => range,
        1 => slots,
        1 => any::<String>(),
    ]
}

/// A view with some words changed, then harmed like a reply.
fn view() -> impl Strategy<Value = String> {
    let words = prop::collection::vec((any::<prop::sample::Index>(), word()), 0..4);
    let harms = prop::collection::vec(harm(), 0..2);
    (0..VIEWS.len(), words, harms).prop_map(|(which, words, harms)| {
        let mut lines: Vec<Vec<String>> = VIEWS[which]
            .lines()
            .map(|line| line.split(' ').map(str::to_owned).collect())
            .collect();
        for (at, word) in words {
            let count = lines.iter().map(Vec::len).sum();
            let known = lines.iter_mut().flatten().nth(at.index(count));
            *known.expect("it is counted") = word;
        }
        let lines: Vec<String> = lines.iter().map(|words| words.join(" ")).collect();
        harmed(&lines.join("\n"), &harms)
    })
}

/// What a node says, before it is known which node and when.
#[derive(Clone, Debug)]
enum Says {
    Answer(String),
    View(Option<Topology>),
    Emptied,
    Nothing,
    Alias(usize),
    Left,
}

/// Replies of nodes that know each other: one history, offsets that differ, often a run id of its own.
fn reply() -> impl Strategy<Value = String> {
    let ids = prop::sample::select(vec!["a", "b", "c"]);
    let kin = prop::option::weighted(
        0.8,
        (ids.clone(), ids, any::<bool>(), 0usize..3, 0u64..5_000),
    );
    let harms = prop::collection::vec(harm(), 0..4);
    (0..REPLIES.len(), kin, harms).prop_map(|(which, kin, mut harms)| {
        if let Some((run, history, follows, primary, offset)) = kin {
            let role = if follows { "slave" } else { "master" };
            let told = [
                ("run_id", run.repeat(40)),
                ("master_replid", history.repeat(40)),
                ("role", role.to_owned()),
                ("master_host", "127.0.0.1".to_owned()),
                ("master_port", (7_001 + primary).to_string()),
                ("master_repl_offset", offset.to_string()),
                ("slave_repl_offset", offset.to_string()),
                ("second_repl_offset", (offset / 2).to_string()),
                ("cluster_enabled", "1".to_owned()),
            ];
            let told = told.map(|(field, value)| Harm::Set(field, value));
            harms.splice(0..0, told);
        }
        harmed(REPLIES[which], &harms)
    })
}

fn says() -> impl Strategy<Value = Says> {
    prop_oneof![
        8 => reply().prop_map(Says::Answer),
        3 => view().prop_map(|text| Says::View(Topology::parse(&text, "127.0.0.1"))),
        1 => Just(Says::Emptied),
        1 => Just(Says::Nothing),
        1 => (0usize..4).prop_map(Says::Alias),
        1 => Just(Says::Left),
    ]
}

/// What was told, printed as far as it decides.
#[derive(Clone)]
struct Story(Vec<Told>);

impl std::fmt::Debug for Story {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for told in &self.0 {
            match told {
                Told::Node(node, said) => {
                    write!(f, "{node} ")?;
                    print(f, said)?;
                }
                other => writeln!(f, "{other:?}")?,
            }
        }
        Ok(())
    }
}

fn story() -> impl Strategy<Value = Story> {
    let said = (0usize..3, says(), 0u64..20_000, -2_000i64..2_000);
    prop::collection::vec(said, 2..12).prop_map(|said| {
        let told = said.into_iter().map(|(node, says, elapsed_ms, skew_ms)| {
            let moment = Moment {
                elapsed: Duration::from_millis(elapsed_ms),
                at: Timestamp::UNIX_EPOCH
                    + Duration::from_millis(1_000_000_000_000 + elapsed_ms)
                    + jiff::SignedDuration::from_millis(skew_ms),
            };
            let node = address(node);
            let observation = match says {
                Says::Alias(alias) => {
                    let alias = address(alias);
                    return Told::Same {
                        moment,
                        alias,
                        node,
                    };
                }
                Says::Left => return Told::Left { moment, node },
                Says::Answer(info) => Observation::Answer {
                    moment,
                    round_trip: Duration::from_millis(1),
                    info: info.into(),
                },
                Says::View(topology) => Observation::Topology {
                    moment,
                    topology: topology.ok_or_else(|| "no".to_owned()),
                },
                Says::Emptied => Observation::Emptied { moment },
                Says::Nothing => Observation::Failed {
                    moment,
                    failure: Failure {
                        kind: FailureKind::Refused,
                        detail: "no".into(),
                    },
                    retry_in: Duration::ZERO,
                },
            };
            Told::Node(node, observation)
        });
        Story(told.collect())
    })
}

/// All keys that were ever told of, each as often as it was, and all that is said to have gone: more
/// than that nobody can have lost.
fn most_keys(deployment: &Deployment) -> u128 {
    let windows = deployment.windows(None);
    let told = windows.flat_map(|window| window.samples().map(Packed::sample).collect::<Vec<_>>());
    told.map(|sample| {
        let counted = [Counter::ExpiredKeys, Counter::EvictedKeys];
        let counted = counted.map(|counter| sample.counter(counter).unwrap_or(0));
        let loaded = sample.persistence.loaded_keys.unwrap_or(0);
        let calls = sample.commands.iter().flat_map(Commands::iter);
        let calls: u128 = calls.map(|stat| u128::from(stat.calls)).sum();
        let keys = sample.keys().into_iter().chain(counted).chain([loaded]);
        calls + keys.map(u128::from).sum::<u128>()
    })
    .sum()
}

fn check_whole(deployment: &Deployment) {
    let whole = diagnose_deployment(deployment, None);
    let most = most_keys(deployment);
    let parts = 0..deployment.members().len();
    let parts = parts.map(|place| diagnose_member(deployment, place, None));
    let parts: Vec<Diagnosis> = parts.collect();
    parts.iter().for_each(check_balance);
    for diagnosis in parts.iter().chain([&whole]) {
        check_diagnosis(diagnosis);
        for verdict in &diagnosis.verdicts {
            let lost = u128::from(verdict.keys_lost.unwrap_or(0));
            let is_claim = verdict.level == Level::Confirmed;
            assert!(!is_claim || lost <= most, "of {most}: {verdict:#?}");
        }
    }
    check_slots(deployment);
    check_report(&Report::new(&Scene::whole(deployment), &whole, &[]));
}

/// A cluster has so many slots and no more.
fn check_slots(deployment: &Deployment) {
    for (_, view) in deployment.views() {
        let held: u32 = view.nodes().iter().map(ClusterNode::slot_count).sum();
        assert!(held <= SLOTS, "{view:#?}");
    }
    for change in deployment.changes() {
        let sentence = change.kind.sentence();
        assert!(!sentence.chars().any(char::is_control), "{sentence:?}");
        match &change.kind {
            ChangeKind::SlotsMoved { slots, .. } => assert!(slots.count() <= SLOTS),
            ChangeKind::SlotsUncovered(slots) => assert!(*slots <= SLOTS),
            _ => {}
        }
    }
    for slot_move in deployment.slot_moves(None) {
        assert!(slot_move.slots.count() <= SLOTS, "{slot_move:#?}");
    }
}

proptest! {
    #![proptest_config(chance(128))]

    #[test]
    fn no_nodes_bring_the_diagnosis_of_all_down(story in story()) {
        let keep = Duration::from_secs(3_600);
        let mut deployment = Deployment::new(address(0), Assumptions::default(), keep);
        for told in story.0 {
            deployment.observe(told);
            check_whole(&deployment);
        }
    }

    #[test]
    fn any_text_is_read_as_a_view(text in any::<String>(), view in view()) {
        for text in [text.as_str(), view.as_str()] {
            let Some(topology) = Topology::parse(text, "h") else {
                continue;
            };
            let nodes = topology.nodes();
            prop_assert!(nodes.iter().map(ClusterNode::slot_count).sum::<u32>() <= SLOTS);
            prop_assert!(topology.uncovered() <= SLOTS);
            for node in nodes {
                let address = node.address.iter().map(NodeId::as_str);
                let texts = [&*node.id].into_iter().chain(node.primary.as_deref()).chain(address);
                for text in texts {
                    prop_assert!(!text.chars().any(char::is_control), "{:?}", text);
                }
            }
        }
    }
}
