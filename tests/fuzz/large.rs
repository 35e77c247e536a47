//! Replies as large as they may be: a poll a second must not take longer than a second for long.

use std::fmt::Write as _;
use std::time::Duration;

use amr_top::model::{Assumptions, History, NodeId, Observation};
use amr_top::source::Clock;

use crate::check::check;
use crate::stage::{self, moment};

/// Generous: without optimisation and beside other tests. What is quadratic takes minutes.
const DEADLINE: Duration = Duration::from_secs(30);

/// A reply of so many databases, kinds of errors and commands, all of which move with every second;
/// with other names in every one where `renames`.
fn reply(second: u64, [dbs, errors, commands]: [u64; 3], renames: bool) -> String {
    let mut text = format!(
        "# Server\r\nredis_version:7.0.15\r\nrun_id:a\r\nuptime_in_seconds:{second}\r\n# Stats\r\n\
         expired_keys:0\r\nevicted_keys:0\r\n# Replication\r\nrole:master\r\n"
    );
    let part = if renames { second } else { 0 };
    let mut section = |name: &str, lines: u64, line: &dyn Fn(u64) -> String| {
        let _ = write!(text, "# {name}\r\n");
        for n in 0..lines {
            let _ = write!(text, "{}\r\n", line(n));
        }
    };
    section("Commandstats", commands, &|n| {
        format!("cmdstat_c{part}x{n}:calls={second},usec={second}")
    });
    section("Errorstats", errors, &|n| {
        format!("errorstat_E{part}x{n}:count={second}")
    });
    section("Keyspace", dbs, &|n| {
        format!("db{n}:keys={},expires=0", 1_000 + n - second)
    });
    text
}

fn is_taken_in(size: [u64; 3], renames: bool, polls: u64) {
    let clock = Clock::start();
    let keep = Duration::from_secs(3_600);
    let mut history = History::new(NodeId::new("x"), Assumptions::default(), keep);
    let mut app = stage::empty();
    for second in 1..=polls {
        let said = Observation::Answer {
            moment: moment(second as f64),
            round_trip: Duration::ZERO,
            info: reply(second, size, renames).into(),
        };
        history.observe(said.clone());
        check(&history);
        app.observe(stage::told(said));
        app.tick(moment(second as f64));
        stage::screen(&app, 120, 40);
        assert!(
            clock.elapsed() < DEADLINE,
            "{size:?}: {:?}",
            clock.elapsed()
        );
    }
}

#[test]
fn replies_of_any_size_are_taken_in_and_judged() {
    is_taken_in([100_000, 100_000, 10_000], false, 3);
}

#[test]
fn names_that_are_others_in_every_reply_are_taken_in_and_judged() {
    is_taken_in([1_000, 100_000, 4_000], true, 3);
}

#[test]
fn as_much_as_is_believed_is_taken_in_and_judged() {
    is_taken_in([16_384, 1_024, 4_096], false, 3);
}
