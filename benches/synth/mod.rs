//! Replies for benchmarks: one real reply whose counters and gauges move on second by second.

use std::fmt::Write;
use std::time::Duration;

use amr_top::model::{Assumptions, History, Moment, NodeId, Observation};
use jiff::Timestamp;

/// A primary of Redis 7.0.15 with `INFO everything`, 7,400 bytes.
pub(crate) const REPLY: &str = include_str!("../../tests/fixtures/info/redis-7.0.15-primary.txt");

/// What a node does all day.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Node {
    /// It is polled, and its replica acknowledges.
    Quiet,
    /// Clients run 37 more commands, all of them every second; keys come, expire and are deleted.
    Busy,
}

/// What moves in a second on any node: fields that grow by so much.
const ALIVE: &[(&str, u64)] = &[
    ("uptime_in_seconds", 1),
    ("server_time_usec", 1_000_013),
    ("total_commands_processed", 2),
    ("cmdstat_info", 1),
    ("cmdstat_replconf", 1),
];

/// What moves on a busy node besides.
const GROWING: &[(&str, u64)] = &[
    ("uptime_in_seconds", 1),
    ("server_time_usec", 1_000_013),
    ("total_commands_processed", 820),
    ("total_connections_received", 2),
    ("expired_keys", 12),
    ("keyspace_hits", 610),
    ("keyspace_misses", 37),
    ("master_repl_offset", 61_000),
    ("rdb_changes_since_last_save", 210),
    ("aof_current_size", 52_000),
    ("total_net_input_bytes", 88_000),
];

/// Gauges that rise and fall on a busy node.
const GAUGES: &[&str] = &[
    "used_memory",
    "used_memory_rss",
    "used_memory_dataset",
    "mem_clients_normal",
    "connected_clients",
    "instantaneous_ops_per_sec",
];

/// Commands that run on a busy node besides those of the reply.
const COMMANDS: &str = "append bitcount client config decr evalsha exec exists expire getdel hget \
hgetall hincrby hmget incr keys llen lpop lrange mget multi mset pexpire publish rename sadd scan setex \
smembers spop srem strlen subscribe ttl type zrange zrem";

/// The reply `second` seconds later.
pub(crate) fn reply(node: Node, second: u64) -> String {
    let mut text = String::with_capacity(REPLY.len() * 2);
    for line in REPLY.split_inclusive('\n') {
        match node {
            Node::Quiet => grow(&mut text, line, second, ALIVE),
            Node::Busy => busy(&mut text, line, second),
        }
        if matches!(node, Node::Busy) && line.trim_end() == "# Commandstats" {
            for name in COMMANDS.split_whitespace() {
                command(
                    &mut text,
                    &format!("cmdstat_{name}"),
                    (4_000, 9_000),
                    second,
                );
            }
        }
    }
    text
}

/// A line whose number grows; others are repeated.
fn grow(text: &mut String, line: &str, second: u64, growing: &[(&str, u64)]) {
    let (name, value) = line.trim_end().split_once(':').unwrap_or((line, ""));
    let pace = growing.iter().find(|(field, _)| *field == name);
    let number = |value: &str| value.parse::<u64>().unwrap_or(0);
    match pace {
        Some(_) if name.starts_with("cmdstat_") => {
            let mut fields = value.split(['=', ',']).skip(1).step_by(2).map(number);
            let from = (fields.next().unwrap_or(0), fields.next().unwrap_or(0));
            command(text, name, from, second);
        }
        Some((_, pace)) => say(
            text,
            format_args!("{name}:{}", number(value) + pace * second),
        ),
        None => text.push_str(line),
    }
}

fn busy(text: &mut String, line: &str, second: u64) {
    let (name, value) = line.trim_end().split_once(':').unwrap_or((line, ""));
    if GAUGES.contains(&name) {
        let value = value.parse::<u64>().unwrap_or(0);
        let rises = value / 500 * (second * 7_919 % 97);
        say(text, format_args!("{name}:{}", value + rises));
    } else if name == "slave0" {
        let offset = 268_788 + 61_000 * second - second % 7 * 90;
        let line = format_args!(
            "{name}:ip=127.0.0.1,port=17523,state=online,offset={offset},lag={}",
            second % 2
        );
        say(text, line);
    } else if name.starts_with("db") && value.starts_with("keys=") {
        let keys = 50_000 + second * 7 % 5_000;
        let ttl = 81_234 + second % 89;
        say(
            text,
            format_args!("{name}:keys={keys},expires={},avg_ttl={ttl}", keys / 2),
        );
    } else if name.starts_with("cmdstat_") {
        grow(text, line, second, &[(name, 1)]);
    } else {
        grow(text, line, second, GROWING);
    }
}

/// Command statistics that move at a pace of their own; some do not run.
fn command(text: &mut String, name: &str, (calls, usec): (u64, u64), second: u64) {
    let pace = name.len() as u64 * 31 % 23;
    let (calls, usec) = (calls + pace * second, usec + pace * second * 11 / 7);
    let line = format_args!(
        "{name}:calls={calls},usec={usec},usec_per_call=1.57,rejected_calls=0,failed_calls=0"
    );
    say(text, line);
}

fn say(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = write!(text, "{line}\r\n");
}

/// The poll of a second; no two are exactly as far apart.
pub(crate) fn moment(second: u64) -> Moment {
    let late = Duration::from_nanos(second * 7_919 % 1_009 * 1_000);
    let at = Timestamp::UNIX_EPOCH + Duration::from_secs(1_795_400_000 + second) + late;
    Moment {
        elapsed: Duration::from_secs(second) + late,
        at,
    }
}

/// What a source tells of that poll.
pub(crate) fn observation(node: Node, second: u64) -> Observation {
    Observation::Answer {
        moment: moment(second),
        round_trip: Duration::from_micros(300 + second * 7_919 % 211),
        info: reply(node, second).into(),
    }
}

/// An empty history that keeps two hours.
pub(crate) fn history() -> History {
    let keep = Duration::from_secs(7_200);
    History::new(NodeId::new("bench:6379"), Assumptions::default(), keep)
}
