//! The screen of several nodes: one, six, a hundred, at three sizes. Pretended servers, fixed moments.

mod support {
    pub mod stage;
    pub mod story;
}

use std::path::Path;
use std::time::Duration;

use amr_top::app::{Action, App, Panel, ThemeName};
use amr_top::diagnosis::Cause;
use amr_top::model::{Assumptions, Deployment, Extent, Moment};
use amr_top::ui::picture::svg;
use support::stage::{screen, text};
use support::story::{Group, Node};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

fn app(group: &Group) -> App {
    let keep = Duration::from_secs(3_600);
    let node = group.nodes[0].id.clone();
    let deployment = Deployment::new(node, Assumptions::default(), keep);
    let last = group.told.last().expect("something was said").moment();
    let start = Moment {
        elapsed: Duration::ZERO,
        ..last
    };
    let mut app = App::new(deployment, Duration::from_secs(1), start);
    app.observe_all(group.told.iter().cloned());
    app.tick(Moment {
        elapsed: last.elapsed + Duration::from_millis(300),
        at: last.at + Duration::from_millis(300),
    });
    app
}

fn shot(name: &str, app: &App) {
    for (columns, rows) in SIZES {
        let name = format!("{name}-{columns}x{rows}");
        insta::assert_snapshot!(name, text(&screen(app, columns, rows)));
    }
}

fn evicts(node: &mut Node) {
    node.facts
        .memory
        .insert("maxmemory_policy", "allkeys-lru".into());
    node.facts.memory.insert("used_memory", "9998000".into());
}

fn evict(node: &mut Node, keys: u64) {
    node.facts.add("evicted_keys", keys);
    let (has, _) = node.facts.dbs[&0];
    node.facts.keys(has - keys);
}

/// Three primaries with a replica each; one evicts, a replica falls silent.
fn six() -> Group {
    let hosts = [
        "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.1.1", "10.0.1.2", "10.0.1.3",
    ];
    let mut group = Group::of(&hosts);
    let (primaries, replicas) = group.nodes.split_at_mut(3);
    for ((replica, primary), host) in replicas.iter_mut().zip(&*primaries).zip(hosts) {
        replica.follow(host, &primary.facts);
        replica
            .facts
            .replication
            .insert("slave_repl_offset", "4900".into());
    }
    evicts(&mut group.nodes[1]);
    let group = group.repeat(6, |nodes| nodes.iter_mut().for_each(|node| node.write(9)));
    let group = group.repeat(3, |nodes| evict(&mut nodes[1], 140));
    group.repeat(2, |nodes| {
        evict(&mut nodes[1], 20);
        nodes[5].up = false;
    })
}

#[test]
fn one_node_has_no_list() {
    let group = Group::of(&["10.0.0.1"]).repeat(4, |_| {});
    let mut app = app(&group);
    app.act(Action::Focus(Panel::Nodes));
    assert_ne!(app.screen().focus, Panel::Nodes);
    assert!(!text(&screen(&app, 120, 40)).contains("Nodes"));
}

/// Six nodes in the README. `UPDATE_PICTURES=1 cargo test --test nodes` writes it anew.
#[test]
fn the_picture_is_the_real_screen() {
    let picture = svg(&screen(&app(&six()), 120, 40), ThemeName::Dark);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/nodes.svg");
    if std::env::var_os("UPDATE_PICTURES").is_some() {
        std::fs::write(&path, &picture).expect("the picture is writable");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == picture,
        "assets/nodes.svg is not the screen of today"
    );
}

#[test]
fn six_nodes_are_listed_by_shard() {
    let mut app = app(&six());
    shot("six", &app);
    app.act(Action::Focus(Panel::Nodes));
    app.act(Action::Down);
    app.act(Action::Down);
    app.act(Action::Open);
    assert_eq!(app.extent(), Extent::Node(1));
    assert_eq!(app.history().node().as_str(), "10.0.0.2:6379");
    shot("six-narrowed", &app);
    app.act(Action::Back);
    assert_eq!(app.extent(), Extent::Whole);
    app.act(Action::Privacy);
    let hidden = text(&screen(&app, 200, 60));
    assert!(!hidden.contains("10.0."), "{hidden}");
}

/// One shard evicts; what the others say of their keys is not its loss, nor the reverse.
#[test]
fn enter_goes_from_a_node_to_its_shard_and_to_all() {
    let mut app = app(&six());
    let evicted = |app: &App| {
        let verdict = app.diagnosis().of(Cause::Eviction).expect("a verdict");
        verdict.keys_lost
    };
    let whole = evicted(&app);
    assert!(whole.is_some_and(|keys| keys > 0), "{whole:?}");
    app.act(Action::Focus(Panel::Nodes));
    app.act(Action::Down);
    app.act(Action::Down);
    app.act(Action::Open);
    app.act(Action::Open);
    assert_eq!(app.extent(), Extent::Shard(vec![1, 4]));
    assert_eq!(evicted(&app), whole, "all of it went from this shard");
    assert_eq!(app.history().node().as_str(), "10.0.0.2:6379");
    let others = app.changes();
    let others = others.iter().filter_map(|(node, _)| *node);
    assert!(others.clone().count() > 0);
    for node in others {
        assert!(
            ["10.0.0.2:6379", "10.0.1.2:6379"].contains(&node.as_str()),
            "{node} is of another shard"
        );
    }
    let seen = text(&screen(&app, 120, 40));
    assert!(seen.contains("10.0.0.2:6379 with its shard"), "{seen}");
    app.act(Action::Up);
    app.act(Action::Up);
    assert_eq!(app.extent(), Extent::Shard(vec![0, 3]));
    assert_eq!(evicted(&app), None, "this shard evicts nothing");
    assert_eq!(
        app.diagnosis().ledger.keys_before,
        app.diagnosis_of(0).ledger.keys_before
    );
    app.act(Action::Down);
    app.act(Action::Down);
    app.act(Action::Open);
    assert_eq!(app.extent(), Extent::Whole);
    assert_eq!(evicted(&app), whole);
}

#[test]
fn nodes_are_filtered_by_address_and_role() {
    let mut app = app(&six());
    app.act(Action::Focus(Panel::Nodes));
    app.act(Action::Filter);
    "repl".chars().for_each(|c| {
        app.act(Action::Type(c));
    });
    assert_eq!(app.node_rows(), [3, 4, 5]);
    assert!(text(&screen(&app, 120, 40)).contains("/ repl▏  3 match"));
    app.act(Action::Back);
    assert_eq!(app.node_rows().len(), 6);
    app.act(Action::Filter);
    "10.0.1.2".chars().for_each(|c| {
        app.act(Action::Type(c));
    });
    app.act(Action::Accept);
    assert_eq!(app.node_rows(), [4]);
    assert_eq!(
        app.screen().filter.value(),
        "",
        "the commands have their own"
    );
}

#[test]
fn the_one_of_a_hundred_that_evicts_stands_out() {
    let hosts: Vec<String> = (0..100)
        .map(|n| format!("10.0.{}.{}", n / 10, n % 10))
        .collect();
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let mut group = Group::of(&hosts);
    evicts(&mut group.nodes[63]);
    let group = group
        .repeat(5, |_| {})
        .then(|nodes| evict(&mut nodes[63], 400));
    let mut app = app(&group);
    let leads = app.diagnosis().of(Cause::Eviction);
    assert!(leads.is_some_and(|verdict| verdict.summary.starts_with("10.0.6.3:6379: ")));
    assert_eq!(app.shown(), 63, "its readings are in the panels");
    assert_eq!(app.node_rows()[0], 63, "it is the first of the list");
    app.act(Action::Focus(Panel::Nodes));
    shot("hundred", &app);
    // Evictions, memory, keys.
    (0..3).for_each(|_| {
        app.act(Action::Sort);
    });
    assert_eq!(app.node_rows()[99], 63, "the fewest keys");
}
