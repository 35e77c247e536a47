//! Who may have done it: commands in the server's slow log that can take keys in the way in which
//! they went.
//!
//! The slow log holds what was slow, not what was run: nobody in it is no proof of innocence, and
//! a command in it ran, but not necessarily on the keys that are missed. So nobody is ever more
//! than likely.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::case::Case;
use super::{Cause, Certainty, Reading, Scope, Suspect, Verdict};
use crate::model::{Class, SlowEntry, class_of};

/// The log knows whole seconds, and clocks are compared to a round trip.
const SLACK: SignedDuration = SignedDuration::from_secs(1);
/// Suspects at most.
const MOST: usize = 5;
/// Entries that become evidence at most.
const MOST_EVIDENCE: usize = 3;
/// A `DEL` of fewer keys is everyday.
const MANY: usize = 10;

/// Those whose commands can have taken keys by `of` between two moments of our clock, the newest
/// first. Without moments, all that the log remembers, and none of them likely.
pub(super) fn suspects(
    case: &Case<'_>,
    of: Cause,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> Vec<Suspect> {
    let watched = from.zip(to);
    let spans: Vec<_> = watched.into_iter().collect();
    let found = found(case, of, watched.is_some().then_some(&*spans));
    name_them(found, watched.is_some())
}

/// Names the suspects of a loss, and dates a flush that nobody watched.
pub(super) fn name(case: &Case<'_>, verdict: &mut Verdict) {
    let of = verdict.cause;
    if verdict.scope == Scope::SinceStart {
        verdict.suspects = suspects(case, of, None, None);
        if of == Cause::Flush {
            date(case, verdict);
        }
        return;
    }
    let spans: Vec<(Timestamp, Timestamp)> = match case.account(of) {
        Some(account) => {
            let losses = account.losses.iter();
            losses.map(|loss| (loss.from.at, loss.to.at)).collect()
        }
        None => verdict
            .first_seen
            .zip(verdict.last_seen)
            .into_iter()
            .collect(),
    };
    verdict.suspects = name_them(found(case, of, Some(&spans)), true);
}

/// Commands of a cause, the newest first; those that ran within `spans` of our clock where these
/// are given.
fn found<'a>(
    case: &Case<'a>,
    of: Cause,
    spans: Option<&[(Timestamp, Timestamp)]>,
) -> Vec<&'a SlowEntry> {
    let Some(Ok(log)) = case.window.slow_log() else {
        return Vec::new();
    };
    let ahead = ahead(case);
    let is_within = |entry: &SlowEntry| {
        let at = entry.at.saturating_sub(ahead).unwrap_or(entry.at);
        let around = |(from, to): &(Timestamp, Timestamp)| {
            at.duration_since(*from) >= -SLACK && at.duration_since(*to) <= SLACK
        };
        spans.is_none_or(|spans| spans.iter().any(around))
    };
    let log = log.iter().filter(|entry| can_be(of, entry));
    let mut found: Vec<&SlowEntry> = log.filter(|entry| is_within(entry)).collect();
    found.sort_by_key(|entry| std::cmp::Reverse((entry.at, entry.id)));
    without_inner(&found)
}

/// How far the server's clock is ahead of ours; nothing where it does not tell.
fn ahead(case: &Case<'_>) -> SignedDuration {
    let apart = case.last.and_then(|sample| {
        let server = i64::try_from(sample.server.time_us?).ok()?;
        let server = Timestamp::from_microsecond(server).ok()?;
        Some(server.duration_since(sample.moment.at))
    });
    apart.unwrap_or_default()
}

/// Whether a command can take keys in this way.
fn can_be(cause: Cause, entry: &SlowEntry) -> bool {
    let name = entry.command_name();
    let does = |class| entry.classes.contains(&class);
    match cause {
        Cause::Flush => does(Class::Flush),
        Cause::Deletion => {
            let many = entry.arguments >= MANY || name.starts_with("ft.") || is_script(entry);
            does(Class::Delete) && many
        }
        Cause::Overwrite => {
            let reads = ["sort", "georadius", "georadiusbymember", "renamenx"];
            does(Class::Overwrite) && !reads.contains(&&*name)
        }
        Cause::Relocation => does(Class::Move),
        Cause::Expiration => does(Class::Expire) && name.contains("expire"),
        Cause::Replication => matches!(&*name, "replicaof" | "slaveof"),
        Cause::Eviction | Cause::InstanceFailure | Cause::RejectedWrites | Cause::Unexplained => {
            false
        }
    }
}

fn is_script(entry: &SlowEntry) -> bool {
    class_of(&entry.command_name()) == Some(Class::Script)
}

/// Redis logs a command inside a script without a client, beside the script: that is the one.
fn without_inner<'a>(found: &[&'a SlowEntry]) -> Vec<&'a SlowEntry> {
    let is_inner = |inner: &SlowEntry| {
        inner.address.is_none()
            && found.iter().any(|outer| {
                outer.address.is_some()
                    && is_script(outer)
                    && outer.at.duration_since(inner.at).abs() <= SLACK
            })
    };
    let kept = found.iter().filter(|entry| !is_inner(entry));
    kept.copied().collect()
}

fn name_them(found: Vec<&SlowEntry>, watched: bool) -> Vec<Suspect> {
    let clients: BTreeSet<_> = found
        .iter()
        .map(|entry| (&entry.address, &entry.name))
        .collect();
    let is_known = found.len() == 1 || found.iter().all(|entry| entry.address.is_some());
    let certainty = if watched && clients.len() == 1 && is_known {
        Certainty::Likely
    } else {
        Certainty::Possible
    };
    let mut seen = BTreeSet::new();
    let mut suspects = Vec::new();
    for entry in found {
        if suspects.len() < MOST && seen.insert((&entry.command, &entry.address, &entry.name)) {
            suspects.push(Suspect {
                command: entry.command.clone(),
                address: entry.address.clone(),
                name: entry.name.clone(),
                user: None,
                library: None,
                at: Some(entry.at),
                source: "slow log",
                certainty,
            });
        }
    }
    suspects
}

/// The slow log tells when.
fn date(case: &Case<'_>, verdict: &mut Verdict) {
    let found = found(case, Cause::Flush, None);
    for entry in found.iter().take(MOST_EVIDENCE) {
        let by = entry
            .address
            .iter()
            .map(|address| format!(", by {address}"));
        let name = entry.name.iter().map(|name| format!(" ({name})"));
        let by: String = by.chain(name).collect();
        let note = format!(
            "at {} UTC, {:.1} ms{by}",
            entry.at.strftime("%F %H:%M:%S"),
            entry.took.as_secs_f64() * 1_000.0
        );
        let field = format!("slowlog {}", entry.id);
        let command = entry.command.as_str();
        verdict
            .evidence
            .push(case.evidence(field, Reading::None, command, note, Some(entry.at)));
    }
    // A script may only have mentioned it.
    let flush = found.iter().find(|entry| !is_script(entry));
    if let Some(flush) = flush {
        verdict.first_seen = verdict.first_seen.or(Some(flush.at));
        verdict.last_seen = verdict.last_seen.or(Some(flush.at));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Diagnosis, diagnose};
    use super::*;
    use crate::model::{Assumptions, History, Moment, NodeId, Observation};

    /// The server's clock is a minute ahead of ours.
    const AHEAD_S: i64 = 60;

    fn moment(s: u64) -> Moment {
        let elapsed = Duration::from_secs(s);
        let at = Timestamp::constant(1_700_000_000, 0) + elapsed;
        Moment { elapsed, at }
    }

    /// Keys of the only database, calls of FLUSHALL and of DEL.
    fn answer(s: u64, keys: u64, flushes: u64, deletes: u64) -> Observation {
        let us = (moment(s).at.as_second() + AHEAD_S) * 1_000_000;
        let info = format!(
            "# Server\nredis_version:7.0.15\nrun_id:a\nserver_time_usec:{us}\n# Memory\n\
             used_memory:1\nmaxmemory:0\n# Stats\nexpired_keys:0\nevicted_keys:0\n\
             # Replication\nrole:master\n# Commandstats\ncmdstat_flushall:calls={flushes}\n\
             cmdstat_del:calls={deletes}\n# Keyspace\ndb0:keys={keys},expires=0\n"
        );
        Observation::Answer {
            moment: moment(s),
            round_trip: Duration::ZERO,
            info: info.into(),
        }
    }

    /// An entry, `s` of our clock.
    fn entry(id: u64, s: i64, line: &str, who: &str) -> SlowEntry {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let at = Timestamp::constant(1_700_000_000 + AHEAD_S, 0) + SignedDuration::from_secs(s);
        SlowEntry::new(id, at, Duration::from_micros(48_900), &words).by(who, "job")
    }

    fn diagnosed(answers: Vec<Observation>, log: Vec<SlowEntry>) -> Diagnosis {
        let keep = Duration::from_secs(3_600);
        let mut history = History::new(NodeId::new("h:1"), Assumptions::default(), keep);
        for answer in answers {
            history.observe(answer);
        }
        let end = history.window().end().expect("something was observed");
        history.observe(Observation::SlowLog {
            moment: end,
            log: Ok(log),
        });
        diagnose(&history.window())
    }

    fn suspects_of(diagnosis: &Diagnosis, cause: Cause) -> &[Suspect] {
        &diagnosis.of(cause).expect("has a verdict").suspects
    }

    /// FLUSHALL between 10 and 12 s.
    fn flushed(log: Vec<SlowEntry>) -> Diagnosis {
        diagnosed(vec![answer(10, 500, 0, 0), answer(12, 0, 1, 0)], log)
    }

    #[test]
    fn the_only_one_in_that_time_is_likely() {
        let diagnosis = flushed(vec![
            entry(3, 40, "FLUSHALL", "10.0.0.9:1"),
            entry(2, 11, "FLUSHALL", "10.0.0.7:1"),
            entry(1, 11, "KEYS *", "10.0.0.8:1"),
            entry(0, -90, "FLUSHDB", "10.0.0.9:1"),
        ]);
        let [suspect] = suspects_of(&diagnosis, Cause::Flush) else {
            panic!("{diagnosis:#?}");
        };
        assert_eq!(suspect.address.as_deref(), Some("10.0.0.7:1"));
        assert_eq!(suspect.certainty, Certainty::Likely);
        assert_eq!(
            &diagnosis.incidents[0].suspects,
            std::slice::from_ref(suspect)
        );
        assert!(suspects_of(&diagnosis, Cause::Deletion).is_empty());
    }

    #[test]
    fn of_several_none_is_likely() {
        let log = (0..9).map(|n| entry(n, 11, "FLUSHALL", &format!("10.0.0.{n}:1")));
        let diagnosis = flushed(log.rev().collect());
        let suspects = suspects_of(&diagnosis, Cause::Flush);
        assert_eq!(suspects.len(), MOST);
        assert_eq!(suspects[0].address.as_deref(), Some("10.0.0.8:1"));
        assert!(suspects.iter().all(|s| s.certainty == Certainty::Possible));
    }

    #[test]
    fn a_script_stands_for_what_it_ran() {
        let diagnosis = flushed(vec![
            entry(2, 11, "EVAL redis.call('flushall') 0", "10.0.0.7:1"),
            SlowEntry {
                address: None,
                name: None,
                ..entry(1, 11, "FLUSHALL", "")
            },
        ]);
        let [suspect] = suspects_of(&diagnosis, Cause::Flush) else {
            panic!("{diagnosis:#?}");
        };
        assert!(suspect.command.starts_with("EVAL"));
        assert_eq!(suspect.certainty, Certainty::Likely);
    }

    #[test]
    fn deletes_of_many_keys_are_suspect_and_others_are_not() {
        let many = format!("DEL {}", ["k"; 20].join(" "));
        let log = vec![
            entry(2, 11, &many, "10.0.0.7:1"),
            entry(1, 11, "DEL k", "10.0.0.8:1"),
        ];
        let answers = vec![answer(10, 500, 0, 0), answer(12, 0, 0, 25)];
        let diagnosis = diagnosed(answers, log);
        let suspects = suspects_of(&diagnosis, Cause::Deletion);
        assert_eq!(suspects.len(), 1, "{diagnosis:#?}");
        assert!(suspects[0].command.chars().count() <= 64);
    }

    #[test]
    fn at_first_contact_the_log_tells_when_and_nobody_is_likely() {
        let log = vec![entry(17, -3_600, "FLUSHALL", "10.0.0.7:1")];
        let diagnosis = diagnosed(vec![answer(10, 0, 1, 0)], log);
        let flush = diagnosis.of(Cause::Flush).expect("has a verdict");
        assert_eq!(flush.scope, Scope::SinceStart);
        assert_eq!(flush.suspects[0].certainty, Certainty::Possible);
        let proof = flush
            .evidence
            .iter()
            .find(|proof| proof.field == "slowlog 17");
        let proof = proof.expect("is evidence");
        assert_eq!(proof.after, Reading::from("FLUSHALL"));
        assert_eq!(
            proof.note,
            "at 2023-11-14 21:14:20 UTC, 48.9 ms, by 10.0.0.7:1 (job)"
        );
        assert_eq!(flush.first_seen, proof.at);
    }
}
