//! Replies of a cluster, sound and unsound.

use proptest::prelude::*;

use super::*;

fn bulk(text: &str) -> Value {
    Value::BulkString(text.as_bytes().to_vec())
}

fn node(id: &str, ip: &str, port: i64, role: &str) -> Value {
    node_of_health(id, ip, port, role, "online")
}

fn node_of_health(id: &str, ip: &str, port: i64, role: &str, health: &str) -> Value {
    let cells = [
        ("id", bulk(id)),
        ("port", Value::Int(port)),
        ("ip", bulk(ip)),
        ("endpoint", bulk("?")),
        ("role", bulk(role)),
        ("health", bulk(health)),
    ];
    Value::Array(cells.into_iter().flat_map(|(k, v)| [bulk(k), v]).collect())
}

#[test]
fn shards_and_slots_tell_the_same() {
    let range = [
        Value::Int(0),
        Value::Int(99),
        Value::Int(200),
        Value::Int(200),
    ];
    let nodes = vec![
        node("a", "10.0.0.1", 7_001, "master"),
        node("b", "", 7_002, "slave"),
    ];
    let shard = [
        bulk("slots"),
        Value::Array(range.into()),
        bulk("nodes"),
        Value::Array(nodes),
    ];
    let shards = Value::Array(vec![Value::Array(shard.into())]);
    let by_shards = of_shards(&shards, "seed", false).expect("parses");

    let holder =
        |ip: &str, port, id: &str| Value::Array(vec![bulk(ip), Value::Int(port), bulk(id)]);
    let row = |first, last| {
        let holders = [holder("10.0.0.1", 7_001, "a"), holder("", 7_002, "b")];
        let ends = [Value::Int(first), Value::Int(last)];
        Value::Array(ends.into_iter().chain(holders).collect())
    };
    let slots = Value::Array(vec![row(0, 99), row(200, 200)]);
    assert_eq!(of_slots(&slots, "seed"), Some(by_shards.clone()));
    assert_eq!(by_shards.nodes()[1].address, Some(NodeId::new("seed:7002")));
    assert_eq!(by_shards.nodes()[0].slot_count(), 101);
    assert_eq!(by_shards.nodes()[1].primary.as_deref(), Some("a"));
}

#[test]
fn slots_are_those_of_the_primary_that_has_not_failed() {
    let shard = |first, last, nodes: Vec<Value>| {
        let range = Value::Array(vec![Value::Int(first), Value::Int(last)]);
        Value::Array(vec![
            bulk("slots"),
            range,
            bulk("nodes"),
            Value::Array(nodes),
        ])
    };
    let primary = |id, health| node_of_health(id, "10.0.0.1", 7_001, "master", health);
    let reply = Value::Array(vec![
        shard(
            0,
            9_999,
            vec![
                primary("old", "fail"),
                primary("new", "online"),
                node("replica", "10.0.0.1", 7_002, "replica"),
            ],
        ),
        shard(
            10_000,
            16_383,
            vec![primary("one", "fail"), primary("two", "fail")],
        ),
    ]);
    let view = of_shards(&reply, "seed", false).expect("parses");
    let held: Vec<u32> = view.nodes().iter().map(ClusterNode::slot_count).collect();
    assert_eq!(held, [0, 10_000, 0, 6_384, 0]);
    assert_eq!(view.nodes()[2].primary.as_deref(), Some("new"));
}

#[test]
fn only_some_refusals_last() {
    for lasting in [
        "NOPERM User ann has no permissions to run the 'cluster|slots' command",
        "ERR unknown command `CLUSTER`, with args beginning with: `SLOTS`",
        "ERR Unknown subcommand or wrong number of arguments for 'slots'",
        "ERR This instance has cluster support disabled",
    ] {
        assert!(is_lasting(lasting), "{lasting}");
    }
    for passing in [
        "LOADING Redis is loading the dataset in memory",
        "BUSY Redis is busy running a script",
        "NOAUTH Authentication required.",
        "no reply to CLUSTER SLOTS",
        "CLUSTER NODES makes no sense",
    ] {
        assert!(!is_lasting(passing), "{passing}");
    }
}

/// Something that is never where it should be.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(Value::Int),
        any::<String>().prop_map(|text| bulk(&text)),
        Just(bulk("nodes")),
        Just(Value::Nil),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let pairs = prop::collection::vec((inner.clone(), inner.clone()), 0..3);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::Array),
            pairs.prop_map(Value::Map),
        ]
    })
}

/// What is expected, and now and then something else.
fn mostly(expected: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    prop_oneof![20 => expected, 1 => anything()]
}

fn some(of: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    mostly(prop::collection::vec(of, 0..6).prop_map(Value::Array))
}

fn number() -> impl Strategy<Value = Value> {
    mostly((0..16_500i64).prop_map(Value::Int))
}

fn word() -> impl Strategy<Value = Value> {
    mostly(prop::sample::select(vec!["a", "b", "", "?", "master", "\u{1b}[2J"]).prop_map(bulk))
}

fn shards() -> impl Strategy<Value = Value> {
    let node = (word(), word(), number(), word());
    let node = node.prop_map(|(id, ip, port, role)| {
        let cells = [("id", id), ("ip", ip), ("port", port), ("role", role)];
        Value::Array(cells.into_iter().flat_map(|(k, v)| [bulk(k), v]).collect())
    });
    let shard = (some(number()), some(mostly(node)));
    some(
        shard.prop_map(|(slots, nodes)| {
            Value::Array(vec![bulk("slots"), slots, bulk("nodes"), nodes])
        }),
    )
}

fn slots() -> impl Strategy<Value = Value> {
    let holder =
        (word(), number(), word()).prop_map(|(ip, port, id)| Value::Array(vec![ip, port, id]));
    let holder = mostly(holder);
    let row = (number(), number(), prop::collection::vec(holder, 0..4));
    some(row.prop_map(|(first, last, holders)| {
        Value::Array([first, last].into_iter().chain(holders).collect())
    }))
}

proptest! {
    #[test]
    fn whatever_is_replied_has_so_many_slots_and_no_more(shards in shards(), slots in slots()) {
        let views = [of_shards(&shards, "h", false), of_slots(&slots, "h")];
        for node in views.iter().flatten().flat_map(Topology::nodes) {
            prop_assert!(!node.id.chars().any(char::is_control), "{:?}", node);
        }
        for view in views.iter().flatten() {
            let held: u32 = view.nodes().iter().map(ClusterNode::slot_count).sum();
            prop_assert!(held <= SLOTS, "{:?}", view);
        }
    }
}

/// Four megabytes of nodes and slots.
#[test]
fn replies_of_any_size_are_read() {
    let numbers = |n: i64| (0..n).flat_map(|n| [Value::Int(n % 16_384), Value::Int(n % 16_384)]);
    let names: Vec<String> = (0..40_000).map(|n| format!("n{n}")).collect();
    let nodes = names.iter().map(|name| node(name, "h", 1, "master"));
    let shard = [
        bulk("slots"),
        Value::Array(numbers(200_000).collect()),
        bulk("nodes"),
        Value::Array(nodes.collect()),
    ];
    let shards = Value::Array(vec![Value::Array(shard.into())]);
    let by_shards = of_shards(&shards, "h", false).expect("parses");
    assert_eq!(by_shards.nodes().len(), MOST_NODES);
    let holder = |name: &String| Value::Array(vec![bulk("h"), Value::Int(1), bulk(name)]);
    let row = [Value::Int(0), Value::Int(1)].into_iter();
    let row = Value::Array(row.chain(names.iter().map(holder)).collect());
    let by_slots = of_slots(&Value::Array(vec![row]), "h").expect("parses");
    assert_eq!(by_slots.nodes().len(), MOST_NODES);
}

#[test]
fn nonsense_is_no_view() {
    for odd in [
        Value::Nil,
        Value::Int(1),
        Value::Array(vec![Value::Int(1)]),
        bulk("x"),
    ] {
        assert_eq!(of_shards(&odd, "h", false), None);
        assert_eq!(of_slots(&odd, "h"), None);
    }
    assert_eq!(of_slots(&Value::Array(vec![]), "h"), None);
}
