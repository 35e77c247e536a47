//! A recorded incident, for machines without a `redis-server`: the real replies of a demo.
//!
//! The file is text. A line `@ ELAPSED_MS UNIX_MS ROUND_TRIP_US` begins a reply, and everything up
//! to the next such line is the reply. Only the path of the executable and the
//! kernel's version were made neutral.
//! `tests/demo.rs` tells how it was captured.

use std::time::Duration;

use jiff::Timestamp;

use crate::model::{Moment, Observation};

const FLUSH: &str = include_str!("../../assets/incident-flush.txt");

/// The bundled incident: half a minute at 1 s, with a FLUSHALL in it, as it was observed.
pub fn bundled() -> Vec<Observation> {
    parse(FLUSH)
}

fn parse(text: &str) -> Vec<Observation> {
    let mut answers = Vec::new();
    for block in text.split("\n@ ") {
        let block = block.strip_prefix("@ ").unwrap_or(block);
        if let Some((head, info)) = block.split_once('\n')
            && let Some((moment, round_trip)) = parse_head(head)
        {
            answers.push(Observation::Answer {
                moment,
                round_trip,
                info: info.into(),
            });
        }
    }
    answers
}

fn parse_head(head: &str) -> Option<(Moment, Duration)> {
    let mut words = head.split_whitespace();
    let elapsed = Duration::from_millis(words.next()?.parse().ok()?);
    let at = Timestamp::from_millisecond(words.next()?.parse().ok()?).ok()?;
    let round_trip = Duration::from_micros(words.next()?.parse().ok()?);
    Some((Moment { elapsed, at }, round_trip))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Assumptions, Counter, History, NodeId};

    #[test]
    fn it_holds_half_a_minute_in_order() {
        let observations = bundled();
        assert!(observations.len() >= 25, "{}", observations.len());
        let moments: Vec<Moment> = observations.iter().map(Observation::moment).collect();
        assert!(moments.is_sorted_by(|a, b| a.elapsed < b.elapsed && a.at < b.at));
        let heads = FLUSH.lines().filter(|line| line.starts_with("@ ")).count();
        assert_eq!(observations.len(), heads, "no reply was left out");
    }

    #[test]
    fn it_has_a_flush_in_it_and_a_replica() {
        let mut history = History::new(
            NodeId::new("demo"),
            Assumptions::default(),
            Duration::from_secs(3_600),
        );
        for observation in bundled() {
            history.observe(observation);
        }
        let window = history.window();
        let flush = window
            .steps()
            .find(|step| step.effective("flushall") > 0)
            .unwrap();
        assert!(flush.fall() > 1_000, "{flush:?}");
        assert_eq!(flush.keys_before.map(|keys| keys > 1_000), Some(true));
        assert!(window.total(Counter::ExpiredKeys).is_some());
        let first = window.first_sample().unwrap();
        assert_eq!(first.replication.connected_replicas, Some(1));
    }

    #[test]
    fn a_broken_head_is_left_out() {
        assert_eq!(parse("@ x 1 1\na:1\n@ 1 1 1\na:1\n").len(), 1);
        assert!(parse("").is_empty());
    }

    #[test]
    fn its_verdict_is_a_flush() {
        let keep = Duration::from_secs(3_600);
        let mut history = History::new(NodeId::new("x"), Assumptions::default(), keep);
        for observation in bundled() {
            history.observe(observation);
        }
        let diagnosis = crate::diagnosis::diagnose(&history.window());
        let top = &diagnosis.verdicts[0];
        assert_eq!(
            diagnosis.top_cause,
            Some(crate::diagnosis::Cause::Flush),
            "{top:#?}"
        );
        assert_eq!(top.level, crate::diagnosis::Level::Confirmed);
    }
}
