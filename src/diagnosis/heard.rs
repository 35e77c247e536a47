//! Which keys went, where the server publishes each removal: what no count tells.
//!
//! Events support a verdict and never make one. They are heard on a connection of their own, so one
//! may be told a moment before or after the reading that counts it; and a `del` of a key that was
//! written again is an event, but no fall. So the ledger does not book by them.

use jiff::Timestamp;
use serde::Serialize;

use super::case::Case;
use super::ledger::Loss;
use super::verdict::Evidence;
use super::{Cause, Reading, Verdict, words};
use crate::model::{
    ChangeKind, EventKind, Group, HEARD_DATABASES, Heard, Listening, Moment, Packed, Removed,
};

/// The field of the evidence, before the server's word for the event.
const FIELD: &str = "keyspace event";
/// Groups of names in one line.
const NAMED: usize = 4;
/// Groups of names that are kept of several nodes.
const MOST_JOINED: usize = 16;
/// Two connections are not heard in order: what one tells may come this much after the other.
const SLACK: std::time::Duration = std::time::Duration::from_millis(100);

/// Removals of one kind, with the names of the keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Removals {
    /// The server's word: `del`, `expired`, `evicted`, `rename_from`, `move_from`.
    pub event: &'static str,
    /// Events that were heard; there may have been more while nobody listened.
    pub count: u64,
    /// The first that was heard.
    pub from: Timestamp,
    /// The last that was heard.
    pub to: Timestamp,
    /// How the names begin, the most first; empty where names are left out.
    pub keys: Vec<Name>,
    /// Events of keys that are not named.
    pub others: u64,
}

/// Keys whose names begin alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Name {
    /// `session:*`, or the whole name where it was one event; inert.
    pub name: String,
    /// Events.
    pub count: u64,
}

impl Removals {
    /// Takes in what was heard of the same kind on another node.
    pub(super) fn join(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        (self.from, self.to) = (self.from.min(other.from), self.to.max(other.to));
        self.others = self.others.saturating_add(other.others);
        for key in &other.keys {
            match self.keys.iter_mut().find(|known| known.name == key.name) {
                Some(known) => known.count = known.count.saturating_add(key.count),
                None => self.keys.push(key.clone()),
            }
        }
        self.keys.sort_by_key(|key| std::cmp::Reverse(key.count));
        for key in self.keys.drain(MOST_JOINED.min(self.keys.len())..) {
            self.others = self.others.saturating_add(key.count);
        }
    }

    pub(super) fn leave_out_names(&mut self) {
        self.keys.clear();
        self.others = self.count;
    }
}

/// Everything that was heard in the window, summed up.
pub(super) fn all(case: &Case<'_>) -> Vec<Removals> {
    let kinds = EventKind::ALL.into_iter();
    let sums = kinds.filter_map(|kind| Sum::of(case, kind, |_| true));
    sums.map(|sum| Removals {
        event: sum.removed.kind.id(),
        count: sum.removed.count,
        from: sum.from.at,
        to: sum.to.at,
        keys: sum.removed.groups.iter().map(Name::of).collect(),
        others: sum.removed.others(),
    })
    .collect()
}

impl Name {
    fn of(group: &Group) -> Self {
        Self {
            name: group.name().to_owned(),
            count: group.count,
        }
    }
}

/// Adds what was heard at the time of a loss to the verdict on it.
pub(super) fn support(case: &Case<'_>, verdict: &mut Verdict) {
    let kind = match verdict.cause {
        Cause::Deletion => EventKind::Deleted,
        Cause::Expiration => EventKind::Expired,
        Cause::Eviction => EventKind::Evicted,
        Cause::Overwrite => EventKind::Renamed,
        Cause::Relocation => EventKind::Moved,
        Cause::Flush => return flushed(case, verdict),
        _ => return,
    };
    let Some(account) = case.account(verdict.cause) else {
        return;
    };
    let losses = &account.losses;
    let is_then = |heard: &Heard| {
        // Losses are booked in the order of time.
        let before = |loss: &&Loss| loss.to.elapsed + SLACK < heard.from.elapsed;
        let first = losses.get(losses.partition_point(before));
        first.is_some_and(|loss| loss.from.elapsed <= heard.to.elapsed)
    };
    let Some(sum) = Sum::of(case, kind, is_then) else {
        return;
    };
    let ear = Ear::of(case);
    let is_whole = !sum.is_cut && hears_all(case) && losses.iter().all(|loss| ear.is_open(loss));
    let part = if is_whole { "" } else { "heard in part, " };
    let (from, to) = (sum.from.at, sum.to.at);
    let note = format!("{part}{}: {}", span(from, to), named(&sum.removed));
    let field = format!("{FIELD} {}", kind.id());
    let proof = case.evidence(field, Reading::None, sum.removed.count, note, Some(to));
    verdict.evidence.push(proof);
}

/// That nothing was heard of a flush is no contradiction.
fn flushed(case: &Case<'_>, verdict: &mut Verdict) {
    let Some(account) = case.account(Cause::Flush) else {
        return;
    };
    let loss = account.biggest;
    if Ear::of(case).is_open(loss) {
        let note = "a flush is never published as an event: none could show it";
        let at = Some(loss.to.at);
        let proof = case.evidence(FIELD, Reading::None, "none", note, at);
        verdict.evidence.push(proof);
    }
}

/// `session:* 400, user:* 12, 3 of other keys`.
fn named(removed: &Removed) -> String {
    if removed.groups.is_empty() {
        return "names left out".to_owned();
    }
    let groups = removed.groups.iter().take(NAMED);
    let mut named: Vec<String> = groups
        .clone()
        .map(|group| format!("{} {}", group.name(), words::count(group.count)))
        .collect();
    let told = groups.fold(0u64, |sum, group| sum.saturating_add(group.count));
    let others = removed.count.saturating_sub(told);
    if others > 0 {
        named.push(format!("others {}", words::count(others)));
    }
    named.join(", ")
}

/// Takes the names out of a line of evidence.
pub(super) fn leave_out_names(proof: &mut Evidence) {
    if proof.field.starts_with(FIELD)
        && let Some(end) = proof.note.find(": ")
    {
        proof.note.truncate(end);
    }
}

/// What was heard of one kind.
struct Sum {
    removed: Removed,
    /// The first and the last moment of what was told together with it.
    from: Moment,
    to: Moment,
    /// There was more than may be heard.
    is_cut: bool,
}

impl Sum {
    fn of(case: &Case<'_>, kind: EventKind, is_meant: impl Fn(&Heard) -> bool) -> Option<Self> {
        let testimony = case.window.witnesses();
        let mut found: Option<Self> = None;
        for heard in testimony.heard().filter(|heard| is_meant(heard)) {
            let Some(removed) = heard.of(kind) else {
                continue;
            };
            let sum = found.get_or_insert_with(|| Self {
                removed: Removed::new(kind),
                from: heard.from,
                to: heard.to,
                is_cut: false,
            });
            sum.removed.add(removed);
            sum.to = heard.to;
            sum.is_cut |= heard.is_cut;
        }
        found
    }
}

/// Whether no database lies beyond those whose events are heard.
fn hears_all(case: &Case<'_>) -> bool {
    let mut samples = case.window.samples().map(Packed::keyspace);
    samples.all(|keyspace| keyspace.dbs.iter().all(|db| db.index < HEARD_DATABASES))
}

/// `14:03:07.412–14:03:07.430`.
fn span(from: Timestamp, to: Timestamp) -> String {
    let clock = |at: Timestamp| at.strftime("%H:%M:%S.%3f").to_string();
    let (from, to) = (clock(from), clock(to));
    if from == to {
        from
    } else {
        format!("{from}–{to}")
    }
}

/// When somebody listened, and when not: each change with its moment, oldest first.
struct Ear(Vec<(Moment, bool)>);

impl Ear {
    fn of(case: &Case<'_>) -> Self {
        let changes = case.window.changes();
        let told = changes.filter_map(|change| match &change.kind {
            ChangeKind::Listening(told) => Some((change.moment, matches!(told, Listening::On(_)))),
            _ => None,
        });
        Self(told.collect())
    }

    /// Whether it was open all the time in which a loss may have happened.
    fn is_open(&self, loss: &Loss) -> bool {
        let was = self.0.iter().rev();
        let mut was = was.skip_while(|(moment, _)| moment.elapsed > loss.from.elapsed);
        let meanwhile = |(moment, _): &&(Moment, bool)| {
            moment.elapsed > loss.from.elapsed && moment.elapsed <= loss.to.elapsed
        };
        was.next().is_some_and(|(_, is_on)| *is_on)
            && self.0.iter().filter(meanwhile).all(|(_, is_on)| *is_on)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rstest::rstest;

    use super::*;
    use crate::diagnosis::{Diagnosis, Level, diagnose};
    use crate::model::{
        Assumptions, EventKind, Gathering, History, NodeId, Observation, Published,
    };

    fn moment(ms: u64) -> Moment {
        let elapsed = Duration::from_millis(ms);
        let at = Timestamp::constant(1_700_000_000, 0) + elapsed;
        Moment { elapsed, at }
    }

    fn answer(ms: u64, keys: u64, deletes: u64) -> Observation {
        let info = format!(
            "# Server\nredis_version:7.0.15\nrun_id:a\n# Stats\nexpired_keys:0\nevicted_keys:0\n\
             # Replication\nrole:master\n# Commandstats\ncmdstat_del:calls={deletes}\n\
             # Keyspace\ndb0:keys={keys},expires=0\n"
        );
        Observation::Answer {
            moment: moment(ms),
            round_trip: Duration::ZERO,
            info: info.into(),
        }
    }

    fn listening(ms: u64, told: Listening) -> Observation {
        let moment = moment(ms);
        Observation::Listening { moment, told }
    }

    fn on(ms: u64) -> Observation {
        listening(ms, Listening::On(Published::new("AKE")))
    }

    /// So many deletes at a millisecond.
    fn heard(ms: u64, count: u64) -> Observation {
        let mut gathering = Gathering::default();
        for n in 0..count {
            let name = format!("a: b:{n}");
            gathering.add(EventKind::Deleted, name.as_bytes(), moment(ms));
        }
        Observation::Heard {
            moment: moment(ms),
            heard: gathering.take().expect("was heard"),
        }
    }

    /// Two quiet polls, then 400 of 500 keys deleted between 3 and 4 s.
    fn diagnosed(told: Vec<Observation>) -> Diagnosis {
        let keep = Duration::from_secs(3_600);
        let mut history = History::new(NodeId::new("h:1"), Assumptions::default(), keep);
        let polls = [(1, 500, 0), (2, 500, 0), (3, 500, 0), (4, 100, 400)];
        let polls = polls.map(|(s, keys, deletes)| answer(s * 1_000, keys, deletes));
        let mut all: Vec<Observation> = polls.into_iter().chain(told).collect();
        all.sort_by_key(Observation::moment);
        for observation in all {
            history.observe(observation);
        }
        diagnose(&history.window())
    }

    fn note(diagnosis: &Diagnosis) -> Option<&str> {
        let verdict = diagnosis.of(Cause::Deletion).expect("a verdict");
        assert_eq!(verdict.level, Level::Confirmed);
        let mut proofs = verdict.evidence.iter();
        let proof = proofs.find(|proof| proof.field == "keyspace event del")?;
        Some(&proof.note)
    }

    #[rstest]
    #[case::all_the_time(vec![on(1_500)], "22:13:23.500: a:* 400")]
    #[case::from_the_middle_on(vec![on(3_400)], "heard in part, 22:13:23.500: a:* 400")]
    #[case::with_a_hole(
        vec![on(1_500), listening(3_600, Listening::Lost), on(3_700)],
        "heard in part, 22:13:23.500: a:* 400"
    )]
    #[case::with_a_hole_before(
        vec![on(1_500), listening(1_600, Listening::Lost), on(1_700)],
        "22:13:23.500: a:* 400"
    )]
    fn what_was_heard_says_whether_it_is_all(
        #[case] mut told: Vec<Observation>,
        #[case] expected: &str,
    ) {
        told.push(heard(3_500, 400));
        let diagnosis = diagnosed(told);
        assert_eq!(note(&diagnosis), Some(expected));
    }

    #[test]
    fn events_of_another_time_prove_nothing() {
        let diagnosis = diagnosed(vec![on(1_100), heard(1_500, 3), heard(2_500, 2)]);
        assert_eq!(note(&diagnosis), None);
        assert_eq!(diagnosis.events[0].count, 5);
    }

    #[test]
    fn without_names_the_numbers_stay() {
        let diagnosis = diagnosed(vec![on(1_500), heard(3_500, 400)]);
        let diagnosis = diagnosis.without_names();
        assert_eq!(note(&diagnosis), Some("22:13:23.500"));
        assert_eq!(diagnosis.events[0].others, 400);
        assert!(!format!("{diagnosis:?}").contains("a:*"));
    }
}
