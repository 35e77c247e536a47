//! Real replies, and what is done to them.

use proptest::prelude::*;

/// Real replies to start from: what is cut up and put together anew.
pub(crate) const REPLIES: [&str; 8] = [
    include_str!("../fixtures/info/redis-7.0.15-primary.txt"),
    include_str!("../fixtures/info/redis-7.0.15-primary-after-flushall.txt"),
    include_str!("../fixtures/info/redis-7.0.15-primary-evicting.txt"),
    include_str!("../fixtures/info/redis-7.0.15-replica.txt"),
    include_str!("../fixtures/info/redis-8.6.3-primary.txt"),
    include_str!("../fixtures/info/valkey-9.1.2-primary.txt"),
    include_str!("../fixtures/info/redis-7.0.15-primary-after-resetstat.txt"),
    include_str!("../fixtures/info/synthetic-redis-enterprise-default.txt"),
];

/// Fields that decide something; a change of one of these is worth more than of others.
pub(crate) const DECIDING: &[&str] = &[
    "run_id",
    "uptime_in_seconds",
    "server_time_usec",
    "used_memory",
    "maxmemory",
    "maxmemory_policy",
    "mem_clients_normal",
    "loading",
    "rdb_last_load_keys_loaded",
    "rdb_last_load_keys_expired",
    "aof_enabled",
    "expired_keys",
    "evicted_keys",
    "lazyfreed_objects",
    "total_commands_processed",
    "role",
    "master_replid",
    "master_replid2",
    "second_repl_offset",
    "master_link_status",
    "db0",
    "db1",
    "cmdstat_del",
    "cmdstat_flushall",
    "cmdstat_restore",
    "cmdstat_set",
    "errorstat_OOM",
];

/// What is done to a reply.
#[derive(Clone, Debug)]
pub(crate) enum Harm {
    /// A deciding field gets another value.
    Set(&'static str, String),
    /// A number somewhere becomes another one.
    Number(prop::sample::Index, u64),
    /// A line goes, or comes twice, or changes places with another one.
    Drop(prop::sample::Index),
    Double(prop::sample::Index),
    Swap(prop::sample::Index, prop::sample::Index),
    /// The reply ends early.
    Cut(prop::sample::Index),
    /// Bytes from anywhere.
    Insert(prop::sample::Index, String),
}

pub(crate) fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        Just(1),
        Just(u64::MAX),
        Just(1 << 53),
        0u64..2_000,
        any::<u64>()
    ]
}

fn value() -> impl Strategy<Value = String> {
    let calls = (number(), number(), number())
        .prop_map(|(c, r, f)| format!("calls={c},usec=1,rejected_calls={r},failed_calls={f}"));
    let keys = (number(), number()).prop_map(|(k, e)| format!("keys={k},expires={e},avg_ttl=1"));
    prop_oneof![
        number().prop_map(|n| n.to_string()),
        calls,
        keys,
        Just("-1".to_owned()),
        Just("master".to_owned()),
        Just("slave".to_owned()),
        Just("noeviction".to_owned()),
        Just("allkeys-lru".to_owned()),
        Just("\u{1b}[2J\u{202e}".to_owned()),
        any::<String>(),
    ]
}

pub(crate) fn harm() -> impl Strategy<Value = Harm> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        4 => (prop::sample::select(DECIDING), value()).prop_map(|(f, v)| Harm::Set(f, v)),
        2 => (index(), number()).prop_map(|(at, n)| Harm::Number(at, n)),
        1 => index().prop_map(Harm::Drop),
        1 => index().prop_map(Harm::Double),
        1 => (index(), index()).prop_map(|(a, b)| Harm::Swap(a, b)),
        1 => index().prop_map(Harm::Cut),
        1 => (index(), any::<String>()).prop_map(|(at, text)| Harm::Insert(at, text)),
    ]
}

pub(crate) fn harmed(text: &str, harms: &[Harm]) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut cut = None;
    for harm in harms {
        if lines.is_empty() {
            break;
        }
        let len = lines.len();
        match harm {
            Harm::Set(field, value) => {
                let prefix = format!("{field}:");
                let line = format!("{field}:{value}");
                match lines.iter_mut().find(|line| line.starts_with(&prefix)) {
                    Some(known) => *known = line,
                    None => lines.push(line),
                }
            }
            Harm::Number(at, n) => {
                let line = &mut lines[at.index(len)];
                if let Some((name, _)) = line.clone().split_once(':') {
                    *line = format!("{name}:{n}");
                }
            }
            Harm::Drop(at) => drop(lines.remove(at.index(len))),
            Harm::Double(at) => lines.push(lines[at.index(len)].clone()),
            Harm::Swap(a, b) => lines.swap(a.index(len), b.index(len)),
            Harm::Cut(at) => cut = Some(*at),
            Harm::Insert(at, text) => lines[at.index(len)].push_str(text),
        }
    }
    let mut text = lines.join("\r\n");
    if let Some(at) = cut.filter(|_| !text.is_empty()) {
        let mut end = at.index(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
    text
}
