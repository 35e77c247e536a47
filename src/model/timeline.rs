//! The history of one node.

mod told;

use std::collections::VecDeque;
use std::time::Duration;

use super::change::{Change, ChangeKind, changes};
use super::counter::Counter;
use super::entry::{Entry, Gap};
use super::node::NodeId;
use super::observation::{Connection, Failure, Moment, Observation};
use super::packed::Packer;
use super::sample::{Assumptions, Sample};
use super::step::Step;
use super::ttl_sample::TtlSample;
use super::watched::WatchedKeys;
use super::window::Window;
use super::witnesses::Witnesses;
use crate::info::Info;

/// Everything observed of one node, oldest first, bounded in time.
#[derive(Clone, Debug)]
pub struct History {
    pub(super) node: NodeId,
    assumptions: Assumptions,
    keep: Duration,
    /// What is kept at most, however young.
    most: Most,
    pub(super) entries: VecDeque<Entry>,
    /// What the entries take of the memory, about.
    bytes: usize,
    packer: Packer,
    /// The latest sample, as it was before it was packed.
    last: Option<Box<Sample>>,
    pub(super) changes: VecDeque<Change>,
    pub(super) witnesses: Witnesses,
    /// A push that a database was emptied, since the last answer.
    emptied: Option<Moment>,
    tripwire: Option<Result<(), String>>,
    pub(super) watched: WatchedKeys,
    pub(super) sampled: Option<(Moment, Result<TtlSample, String>)>,
    first_info: Option<Box<str>>,
    last_info: Option<Box<str>>,
    connection: Connection,
    polls: u64,
}

/// What one or several histories keep at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Most {
    pub(super) entries: usize,
    /// A server can make entries large: other names in every reply, thousands of databases that all
    /// move. Plain ones take half a kilobyte to one and a half each.
    pub(super) bytes: usize,
}

impl Most {
    /// Of one history, whoever else has one.
    const ALONE: Self = Self {
        entries: usize::MAX,
        bytes: 200 << 20,
    };
}

/// Changes that a history keeps at most.
const MAX_CHANGES: usize = 2_000;

impl History {
    /// An empty history that keeps what is younger than `keep`.
    pub fn new(node: NodeId, assumptions: Assumptions, keep: Duration) -> Self {
        Self {
            node,
            assumptions,
            keep,
            most: Most::ALONE,
            entries: VecDeque::new(),
            bytes: 0,
            packer: Packer::default(),
            last: None,
            changes: VecDeque::new(),
            witnesses: Witnesses::default(),
            emptied: None,
            tripwire: None,
            watched: WatchedKeys::default(),
            sampled: None,
            first_info: None,
            last_info: None,
            connection: Connection::default(),
            polls: 0,
        }
    }

    /// Keeps no more than so much from now on.
    pub(super) fn keep_at_most(&mut self, most: Most) {
        self.most = most;
    }

    /// Takes one observation in. Within a history time only moves forward: one that claims to be
    /// older than the last is taken to come right after it.
    pub fn observe(&mut self, observation: Observation) {
        match observation {
            Observation::Answer {
                moment,
                round_trip,
                info,
            } => self.answer(self.after_the_last(moment), round_trip, info),
            Observation::Failed {
                moment,
                failure,
                retry_in,
            } => self.fail(self.after_the_last(moment), failure, retry_in),
            Observation::Emptied { moment } => self.emptied(moment),
            Observation::Tripwire { moment, stands } => self.tripwire(moment, stands),
            Observation::SlowLog { moment, log } => {
                let since = self.known_since(moment);
                self.witnesses.slow_log(since, log);
            }
            Observation::Clients { moment, clients } => {
                let since = self.known_since(moment);
                self.witnesses.clients(since, moment, clients);
            }
            Observation::Denied { moment, denied } => {
                let since = self.known_since(moment);
                self.witnesses.denied(since, denied);
            }
            Observation::Monitored { moment, monitored } => {
                let since = self.known_since(moment);
                self.witnesses.monitored(since, monitored);
            }
            Observation::Keys { moment, read } => self.watched.take(moment, read),
            Observation::Sampled { moment, sampled } => self.sampled = Some((moment, sampled)),
            Observation::Watching { moment, told } => self.watching(moment, told),
            // Of the deployment, not of this node.
            Observation::Topology { .. } => {}
            Observation::Heard { moment, heard } => {
                let since = self.known_since(moment);
                self.witnesses.heard(since, heard);
            }
            Observation::Listening { moment, told } => self.listening(moment, told),
        }
    }

    /// The end of the entry after which something came: windows up to there know it.
    fn known_since(&self, moment: Moment) -> Duration {
        self.window().end().unwrap_or(moment).elapsed
    }

    /// The same without what the witnesses said of people, keys and places, for an export.
    #[must_use]
    pub fn without_names(&self) -> Self {
        let mut history = self.clone();
        history.witnesses.leave_out_names();
        for change in &mut history.changes {
            if let ChangeKind::Watching(told) = &mut change.kind {
                told.leave_out_names();
            }
        }
        history
    }

    /// A push that a database was emptied; the next answer tells what went.
    fn emptied(&mut self, moment: Moment) {
        let moment = self.after_the_last(moment);
        if self.emptied.is_none() {
            self.emptied = Some(moment);
            self.note(Change {
                moment,
                kind: ChangeKind::Emptied,
            });
        }
    }

    /// Whether flushes are told at once; `None` until that is known.
    pub fn has_tripwire(&self) -> Option<bool> {
        self.tripwire.as_ref().map(Result::is_ok)
    }

    fn after_the_last(&self, mut moment: Moment) -> Moment {
        if let Some(last) = self.entries.back() {
            let least = last.end().elapsed.saturating_add(Duration::from_nanos(1));
            moment.elapsed = moment.elapsed.max(least);
        }
        moment
    }

    fn answer(&mut self, moment: Moment, round_trip: Duration, text: Box<str>) {
        let info = Info::parse(text);
        let mut sample = Sample::new(moment, round_trip, &info, &self.assumptions);
        let emptied = self.emptied.take();
        self.packer.share(&mut sample);
        let step = self.last_sample().map(|last| {
            let over_gap = matches!(self.entries.back(), Some(Entry::Gap(_)));
            let mut step = Step::between(last, &sample, over_gap);
            if let Some(emptied) = emptied {
                step.push(emptied);
            }
            let was_evicting = self
                .last_step()
                .is_some_and(|s| s.counter(Counter::EvictedKeys).at_least() > 0);
            let found = changes(last, &sample, &step, was_evicting);
            (step, found)
        });
        if let Some(Entry::Gap(gap)) = self.entries.back() {
            // The last answer is the last sign of life.
            let since = self.last_sample().map_or(gap.from, |last| last.moment);
            let after_s = moment.since(since).as_secs();
            self.note(Change {
                moment,
                kind: ChangeKind::Reconnected { after_s },
            });
        }
        let step = match step {
            None => {
                self.note(Change {
                    moment,
                    kind: ChangeKind::Attached,
                });
                None
            }
            Some((step, found)) => {
                for change in found {
                    self.note(change);
                }
                Some(step)
            }
        };
        self.first_info.get_or_insert_with(|| info.text().into());
        self.last_info = Some(info.text().into());
        self.connection = Connection::Live {
            since: moment,
            round_trip,
        };
        self.polls += 1;
        let packed = self.packer.pack(&mut sample);
        self.last = Some(Box::new(sample));
        self.keep(Entry::Sample(packed, step));
        self.forget(moment);
    }

    fn fail(&mut self, moment: Moment, failure: Failure, retry_in: Duration) {
        let (since, attempts) = match &self.connection {
            Connection::Lost {
                since, attempts, ..
            } => (*since, attempts + 1),
            _ => (moment, 1),
        };
        let next_try = moment.elapsed + retry_in;
        self.connection = Connection::Lost {
            failure: failure.clone(),
            since,
            next_try,
            attempts,
        };
        self.polls += 1;
        let kind = failure.kind;
        let mut is_news = true;
        if let Some(Entry::Gap(gap)) = self.entries.back_mut() {
            is_news = gap.failure.kind != kind;
            gap.to = moment;
            gap.attempts += 1;
            gap.failure = failure;
        } else {
            let gap = Gap {
                from: moment,
                to: moment,
                attempts: 1,
                failure,
            };
            self.keep(Entry::Gap(gap));
        }
        if is_news {
            self.note(Change {
                moment,
                kind: ChangeKind::Gap(kind),
            });
        }
        self.forget(moment);
    }

    fn note(&mut self, change: Change) {
        if self.changes.len() == MAX_CHANGES {
            self.changes.pop_front();
        }
        self.changes.push_back(change);
    }

    fn keep(&mut self, entry: Entry) {
        self.bytes += entry.bytes();
        self.entries.push_back(entry);
    }

    /// Drops what is older than the history keeps, or too much; a later sample's step stays, so totals over
    /// the kept window stay right.
    fn forget(&mut self, now: Moment) {
        // An entry goes when the one after it covers all that is kept: the last sample before a
        // long gap stays as long as the gap reaches into it.
        let keep = self.keep;
        let is_old = |entry: &Entry| now.since(entry.end()) > keep;
        while self.entries.len() > 2
            && (self.entries.len() > self.most.entries
                || self.bytes > self.most.bytes
                || self.entries.get(1).is_some_and(is_old))
        {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        let gone = self.entries.pop_front();
        let bytes = gone.as_ref().map_or(0, Entry::bytes);
        self.bytes -= bytes;
    }

    /// Of a node that is not asked any more: drops what is older than the history keeps, in the end
    /// everything.
    pub(super) fn fade(&mut self, now: Moment) {
        let keep = self.keep;
        let is_old = |entry: &Entry| now.since(entry.end()) > keep;
        while self.entries.front().is_some_and(is_old) {
            self.drop_oldest();
        }
        if self.entries.is_empty() {
            let (node, assumptions) = (self.node.clone(), self.assumptions.clone());
            *self = Self {
                most: self.most,
                ..Self::new(node, assumptions, keep)
            };
        }
    }

    /// The node that was observed.
    pub fn node(&self) -> &NodeId {
        &self.node
    }

    /// The state of the connection.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Number of entries kept.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing was observed yet.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Entry by position, oldest first.
    pub fn entry(&self, index: usize) -> Option<&Entry> {
        self.entries.get(index)
    }

    /// Changes, oldest first.
    pub fn changes(&self) -> impl DoubleEndedIterator<Item = &Change> {
        self.changes.iter()
    }

    /// The very first reply, as the server sent it.
    pub fn first_info(&self) -> Option<&str> {
        self.first_info.as_deref()
    }

    /// The latest reply, as the server sent it.
    pub fn last_info(&self) -> Option<&str> {
        self.last_info.as_deref()
    }

    /// The latest sample.
    pub fn last_sample(&self) -> Option<&Sample> {
        self.last.as_deref()
    }

    fn last_step(&self) -> Option<&Step> {
        self.entries.back().and_then(Entry::step)
    }

    /// Everything up to and including the entry at `last`.
    pub fn window_to(&self, last: usize) -> Window<'_> {
        Window::new(self, last.saturating_add(1))
    }

    /// What was made by `end`; everything where none is given. Empty where nothing was.
    pub fn window_until(&self, end: Option<Duration>) -> Window<'_> {
        let by = |entry: &Entry| end.is_none_or(|end| entry.moment().elapsed <= end);
        Window::new(self, self.entries.partition_point(by))
    }

    /// Everything.
    pub fn window(&self) -> Window<'_> {
        Window::new(self, self.entries.len())
    }
}

#[cfg(test)]
mod tests;
