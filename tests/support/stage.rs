//! Fixed stories for the screens: real INFO replies, edited poll by poll, at fixed moments.

#![allow(
    unreachable_pub,
    dead_code,
    reason = "a support module is used by several test crates"
)]

use std::time::Duration;

use amr_top::app::App;
use amr_top::model::{
    Assumptions, Deployment, Failure, FailureKind, Moment, NodeId, Observation, Told,
};
use amr_top::ui;
use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub const PRIMARY: &str = include_str!("../fixtures/info/redis-7.0.15-primary.txt");
pub const REPLICA: &str = include_str!("../fixtures/info/redis-7.0.15-replica.txt");
pub const LINK_DOWN: &str = include_str!("../fixtures/info/redis-7.0.15-replica-link-down.txt");
pub const EMPTY: &str = include_str!("../fixtures/info/redis-7.0.15-fresh-empty.txt");
pub const OLD: &str = include_str!("../fixtures/info/redis-6.2.16-primary-default.txt");
pub const ENTERPRISE: &str = concat!(
    include_str!("../fixtures/info/synthetic-redis-enterprise-default.txt"),
    "\n",
    include_str!("../fixtures/info/synthetic-redis-enterprise-commandstats.txt")
);

/// The node of every story.
pub const NODE: &str = "prod-cache.example.com:6379";

/// An INFO reply that can be edited by field name.
#[derive(Clone)]
pub struct Reply(String);

impl Reply {
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Gives a field another value; a field that is not there goes under its section.
    pub fn set(&mut self, section: &str, name: &str, value: impl std::fmt::Display) -> &mut Self {
        let value = value.to_string();
        let start = format!("{name}:");
        let heading = format!("# {section}");
        let mut found = false;
        let mut lines: Vec<String> = self
            .0
            .lines()
            .map(|line| {
                if line.starts_with(&start) {
                    found = true;
                    format!("{start}{value}")
                } else {
                    line.to_owned()
                }
            })
            .collect();
        if !found {
            let at = lines.iter().position(|line| *line == heading);
            let at = at.unwrap_or_else(|| panic!("no section {section}"));
            lines.insert(at + 1, format!("{start}{value}"));
        }
        self.0 = lines.join("\r\n");
        self
    }

    /// Takes a line out.
    pub fn drop(&mut self, name: &str) -> &mut Self {
        let start = format!("{name}:");
        let kept: Vec<&str> = self.0.lines().filter(|l| !l.starts_with(&start)).collect();
        self.0 = kept.join("\r\n");
        self
    }

    pub fn command(&mut self, name: &str, calls: u64) -> &mut Self {
        let value = format!(
            "calls={calls},usec={},usec_per_call=2.00,rejected_calls=0,failed_calls=0",
            calls * 2
        );
        self.set("Commandstats", &format!("cmdstat_{name}"), value)
    }
}

/// When every story begins.
fn begin() -> Timestamp {
    "2026-11-23T13:58:12Z".parse().expect("a time")
}

/// A moment so many seconds after the beginning.
pub fn moment(s: f64) -> Moment {
    let elapsed = Duration::from_secs_f64(s);
    Moment {
        elapsed,
        at: begin() + elapsed,
    }
}

/// A dashboard that has not heard anything.
pub fn empty() -> App {
    let assumptions = Assumptions::default();
    let keep = Duration::from_secs(3_600);
    let deployment = Deployment::new(NodeId::new(NODE), assumptions, keep);
    App::new(deployment, Duration::from_secs(1), moment(0.0))
}

pub fn answer(s: f64, reply: &Reply) -> Observation {
    Observation::Answer {
        moment: moment(s),
        round_trip: Duration::from_micros(640),
        info: reply.0.clone().into_boxed_str(),
    }
}

pub fn failed(s: f64, kind: FailureKind, detail: &str) -> Observation {
    Observation::Failed {
        moment: moment(s),
        failure: Failure {
            kind,
            detail: detail.to_owned(),
        },
        retry_in: Duration::from_secs(4),
    }
}

/// Said by the node of every story.
pub fn told(said: Observation) -> Told {
    Told::Node(NodeId::new(NODE), said)
}

/// A dashboard that has heard these, up to now.
fn after(observations: Vec<Observation>, now_s: f64) -> App {
    let mut app = empty();
    app.observe_all(observations.into_iter().map(told));
    app.tick(moment(now_s));
    app
}

/// Traffic of a quiet primary, second by second.
fn traffic(reply: &mut Reply, s: u32) {
    let t = u64::from(s);
    let wave = (f64::from(s) / 40.0).sin() * 900.0;
    let keys = (50_600.0 + wave + f64::from(s)).trunc();
    let us = 1_795_442_292_000_000_u64 + t * 1_000_000;
    let behind = 84 + (t * 37 % 190);
    let offset = 918_273_645 + t * 96_400;
    reply
        .set("Server", "server_time_usec", us)
        .set("Server", "uptime_in_seconds", 3_549_600 + t)
        .set("Memory", "maxmemory", 4_u64 << 30)
        .set("Memory", "used_memory", 2_617_245_696 + t * 11_000)
        .set("Memory", "used_memory_rss", 3_006_477_107_u64)
        .set("Memory", "used_memory_peak", 2_791_728_742_u64)
        .set("Memory", "used_memory_dataset", 2_254_857_830 + t * 11_000)
        .set("Memory", "mem_clients_normal", 12_897_484)
        .set("Memory", "mem_clients_slaves", 41_968)
        .set("Memory", "mem_replication_backlog", 67_108_864)
        .set("Memory", "mem_not_counted_for_evict", 41_968)
        .set("Persistence", "aof_enabled", 0)
        .set("Persistence", "rdb_last_save_time", 1_795_442_292 - 1_260)
        .set("Persistence", "rdb_saves", 118)
        .set("Persistence", "rdb_changes_since_last_save", 6_754 + t * 96)
        .set("Stats", "total_commands_processed", 91_000_000 + t * 3_900)
        .set("Stats", "expired_keys", 46_583 + t * 12)
        .set("Stats", "keyspace_misses", 1_204_311 + t * 3)
        .set("Replication", "connected_slaves", 2)
        .set("Replication", "master_repl_offset", offset)
        .set("Replication", "repl_backlog_size", 67_108_864)
        .set("Replication", "repl_backlog_histlen", 67_108_864)
        .set(
            "Replication",
            "slave0",
            format!(
                "ip=10.0.0.9,port=6379,state=online,offset={},lag=0",
                offset - behind
            ),
        )
        .set(
            "Replication",
            "slave1",
            format!(
                "ip=10.0.0.10,port=6379,state=online,offset={},lag=1",
                offset - 18_432
            ),
        )
        .command("set", 61_000_000 + t * 96)
        .command("get", 27_400_000 + t * 3_700)
        .command("unlink", 88_120 + t * 3)
        .command("hdel", 2_204)
        .command("expire", 1_022_411 + t * 41)
        .set(
            "Keyspace",
            "db0",
            format!("keys={keys},expires=12406,avg_ttl=5502318"),
        )
        .set("Keyspace", "db1", "keys=817,expires=0,avg_ttl=0");
}

/// Five minutes of traffic with four unanswered polls, then FLUSHALL, then a few seconds more.
pub fn flushed() -> App {
    let mut said = Vec::new();
    let mut reply = Reply::new(PRIMARY);
    for s in 0..=296 {
        if !(171..=178).contains(&s) {
            traffic(&mut reply, s);
            said.push(answer(f64::from(s), &reply));
        } else if s % 2 == 1 {
            said.push(failed(
                f64::from(s),
                FailureKind::Hanging,
                "no reply within 2 s",
            ));
        }
    }
    for s in 297..=301 {
        traffic(&mut reply, s);
        let keys = (s - 296) * 9;
        reply
            .command("flushall", 1)
            .set(
                "Keyspace",
                "db0",
                format!("keys={keys},expires=2,avg_ttl=86000"),
            )
            .drop("db1");
        reply
            .set("Memory", "used_memory", 81_788_928)
            .set("Memory", "used_memory_dataset", 1_204_880)
            .set("Memory", "used_memory_rss", 402_653_184);
        said.push(answer(f64::from(s), &reply));
    }
    after(said, 301.4)
}

/// A minute and a half of traffic on a server that hides its evictions; then, for four seconds,
/// UNLINK in bulk while TTLs run out in bulk, and so many seconds after.
pub fn mixed(after_s: u32) -> App {
    let mut reply = Reply::new(PRIMARY);
    let polls = (0..=94 + after_s).map(|s| {
        traffic(&mut reply, s);
        let t = u64::from(s.saturating_sub(90).min(4));
        let (unlinked, expired) = (t * 6_134, t * 3_021);
        let kept = 51_400 + u64::from(s) * 9 - unlinked - expired;
        reply
            .command("unlink", 88_120 + unlinked)
            .set(
                "Stats",
                "expired_keys",
                46_583 + u64::from(s) * 12 + expired,
            )
            .drop("evicted_keys")
            .set(
                "Keyspace",
                "db0",
                format!("keys={kept},expires=12406,avg_ttl=5502318"),
            );
        answer(f64::from(s), &reply)
    });
    after(polls.collect(), f64::from(94 + after_s) + 0.4)
}

fn quiet_minute() -> Vec<Observation> {
    let mut reply = Reply::new(PRIMARY);
    let polls = (0..=60).map(|s| {
        traffic(&mut reply, s);
        answer(f64::from(s), &reply)
    });
    polls.collect()
}

/// A minute of quiet traffic.
pub fn calm() -> App {
    after(quiet_minute(), 60.3)
}

/// A few polls of one reply, a second apart.
pub fn still(text: &str) -> App {
    let polls = (0..=3).map(|s| answer(f64::from(s), &Reply::new(text)));
    after(polls.collect(), 3.2)
}

/// Quiet traffic, then nobody answers.
pub fn lost() -> App {
    let mut said = quiet_minute();
    for (s, detail) in [(61.0, ""), (62.0, ""), (64.0, "os error 111")] {
        said.push(failed(s, FailureKind::Refused, detail));
    }
    after(said, 65.2)
}

/// The screen at a size.
pub fn screen(app: &App, columns: u16, rows: u16) -> Buffer {
    let area = Rect::new(0, 0, columns, rows);
    let mut buf = Buffer::empty(area);
    ui::render(app, app.diagnosis(), area, &mut buf);
    buf
}

/// A screen as text, line by line, without the blanks at the ends.
pub fn text(buf: &Buffer) -> String {
    let columns = usize::from(buf.area.width).max(1);
    let rows = buf.content.chunks(columns).map(|row| {
        let mut line = String::new();
        let mut skip = 0;
        for cell in row {
            if skip == 0 {
                line.push_str(cell.symbol());
                skip = unicode_width::UnicodeWidthStr::width(cell.symbol()).max(1);
            }
            skip -= 1;
        }
        line.trim_end().to_owned()
    });
    rows.collect::<Vec<_>>().join("\n")
}
