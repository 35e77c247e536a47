//! Replies for benchmarks: one real reply whose counters and gauges move on second by second.

use std::fmt::Write;
use std::time::Duration;

use amr_top::model::{Assumptions, History, Moment, NodeId, Observation};
use jiff::Timestamp;

/// A primary of Redis 7.0.15 with `INFO everything`, 7,400 bytes.
pub(crate) const REPLY: &str = include_str!("../../tests/fixtures/info/redis-7.0.15-primary.txt");

/// What moves in a second: fields that grow by so much.
const GROWING: [(&str, u64); 10] = [
    ("uptime_in_seconds", 1),
    ("server_time_usec", 1_000_000),
    ("total_commands_processed", 820),
    ("total_connections_received", 2),
    ("expired_keys", 12),
    ("keyspace_hits", 610),
    ("keyspace_misses", 37),
    ("master_repl_offset", 61_000),
    ("rdb_changes_since_last_save", 210),
    ("total_net_input_bytes", 88_000),
];

/// The reply `second` seconds later.
pub(crate) fn reply(second: u64) -> String {
    let mut text = String::with_capacity(REPLY.len() + 64);
    for line in REPLY.split_inclusive('\n') {
        later(&mut text, line, second);
    }
    text
}

fn later(text: &mut String, line: &str, second: u64) {
    let (name, value) = line.trim_end().split_once(':').unwrap_or((line, ""));
    let written = if let Some((_, pace)) = GROWING.iter().find(|(field, _)| *field == name) {
        let value = value.parse::<u64>().unwrap_or(0) + pace * second;
        write!(text, "{name}:{value}\r\n")
    } else if name == "used_memory" {
        let value = value.parse::<u64>().unwrap_or(0) + second % 97 * 4_096;
        write!(text, "{name}:{value}\r\n")
    } else if name.starts_with("db") && value.starts_with("keys=") {
        let keys = 50_000 + second * 7 % 5_000;
        write!(
            text,
            "{name}:keys={keys},expires={},avg_ttl=81234\r\n",
            keys / 2
        )
    } else if let (true, Some(rest)) = (name.starts_with("cmdstat_"), value.strip_prefix("calls="))
    {
        let (calls, rest) = rest.split_once(',').unwrap_or((rest, ""));
        let calls = calls.parse::<u64>().unwrap_or(0) + second * (name.len() as u64 % 5);
        write!(text, "{name}:calls={calls},{rest}\r\n")
    } else {
        text.push_str(line);
        Ok(())
    };
    // Writing to a string does not fail.
    let _ = written;
}

/// The poll of a second.
pub(crate) fn moment(second: u64) -> Moment {
    let at = Timestamp::UNIX_EPOCH + Duration::from_secs(1_795_400_000 + second);
    Moment {
        elapsed: Duration::from_secs(second),
        at,
    }
}

/// What a source tells of that poll.
pub(crate) fn observation(second: u64) -> Observation {
    Observation::Answer {
        moment: moment(second),
        round_trip: Duration::from_micros(300),
        info: reply(second).into(),
    }
}

/// An empty history that keeps two hours.
pub(crate) fn history() -> History {
    let keep = Duration::from_secs(7_200);
    History::new(NodeId::new("bench:6379"), Assumptions::default(), keep)
}
