//! The part of a history that is diagnosed or drawn.

use std::time::Duration;

use super::catalogue::Class;
use super::change::Change;
use super::counter::{Counter, Delta};
use super::entry::{Entry, Gap};
use super::node::NodeId;
use super::observation::Moment;
use super::packed::Packed;
use super::ran::Tally;
use super::sample::Sample;
use super::step::Step;
use super::timeline::History;
use super::ttl_sample::TtlSample;
use super::watched::{Fact, WatchedKey};
use super::witnesses::Testimony;

/// The part of a history from its beginning to some entry: what is diagnosed and drawn.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    history: &'a History,
    len: usize,
}

impl<'a> Window<'a> {
    /// The first `len` entries, as far as there are so many.
    pub(super) fn new(history: &'a History, len: usize) -> Self {
        Self {
            history,
            len: len.min(history.entries.len()),
        }
    }

    /// The node that was observed.
    pub fn node(&self) -> &'a NodeId {
        &self.history.node
    }

    /// Entries, oldest first.
    pub fn entries(
        &self,
    ) -> impl DoubleEndedIterator<Item = &'a Entry> + ExactSizeIterator + use<'a> {
        self.history.entries.range(..self.len)
    }

    /// Samples, oldest first.
    pub fn samples(&self) -> impl DoubleEndedIterator<Item = &'a Packed> + use<'a> {
        self.entries().filter_map(Entry::sample)
    }

    /// Steps whose both ends lie in the window, oldest first.
    pub fn steps(&self) -> impl DoubleEndedIterator<Item = &'a Step> + use<'a> {
        // The first sample's step may lead out of the window when history was dropped.
        let first = self.first().map(|sample| sample.moment.elapsed);
        self.entries()
            .filter_map(Entry::step)
            .filter(move |step| first.is_some_and(|f| step.from.elapsed >= f))
    }

    /// Steps that ended after the first and by the second of two times since the watch began, oldest
    /// first.
    pub fn steps_within(
        &self,
        (after, until): (Duration, Duration),
    ) -> impl DoubleEndedIterator<Item = &'a Step> + use<'a> {
        let entries = &self.history.entries;
        let by = |time: Duration| {
            let place = entries.partition_point(|entry| entry.end().elapsed <= time);
            place.min(self.len)
        };
        let (start, end) = (by(after), by(until));
        let oldest = self.first().map(|sample| sample.moment.elapsed);
        let entries = entries.range(start..end.max(start));
        entries
            .filter_map(Entry::step)
            .filter(move |step| oldest.is_some_and(|oldest| step.from.elapsed >= oldest))
    }

    /// Steps with the samples around them, oldest first.
    pub fn intervals(&self) -> impl Iterator<Item = (&'a Packed, &'a Step, &'a Packed)> + use<'a> {
        let mut before: Option<&'a Packed> = None;
        self.entries().filter_map(move |entry| {
            let after = entry.sample()?;
            let was = before.replace(after);
            Some((was?, entry.step()?, after))
        })
    }

    /// The sample that was taken at a moment.
    pub fn sample_at(&self, moment: Moment) -> Option<Sample> {
        Some(self.entry_ending(moment)?.sample()?.sample())
    }

    /// The step that ended at a moment.
    pub fn step_to(&self, moment: Moment) -> Option<&'a Step> {
        self.entry_ending(moment)?.step()
    }

    /// Entries end in the order in which they were made.
    fn entry_ending(&self, moment: Moment) -> Option<&'a Entry> {
        let entries = &self.history.entries;
        let place = entries.partition_point(|entry| entry.end().elapsed < moment.elapsed);
        let entry = entries.get(place).filter(|_| place < self.len)?;
        (entry.end().elapsed == moment.elapsed).then_some(entry)
    }

    /// Gaps, oldest first.
    pub fn gaps(&self) -> impl DoubleEndedIterator<Item = &'a Gap> + use<'a> {
        self.entries().filter_map(|entry| match entry {
            Entry::Gap(gap) => Some(gap),
            Entry::Sample(..) => None,
        })
    }

    /// Changes up to the end of the window, oldest first. They outlive the samples that they lie
    /// between.
    pub fn changes(&self) -> impl DoubleEndedIterator<Item = &'a Change> + use<'a> {
        let end = self.end().map(|moment| moment.elapsed);
        self.history
            .changes
            .iter()
            .filter(move |change| end.is_some_and(|end| change.moment.elapsed <= end))
    }

    /// What the witnesses had said by the end of the window.
    pub fn witnesses(&self) -> Testimony<'a> {
        let end = self.end().map(|end| end.elapsed);
        Testimony::new(&self.history.witnesses, end)
    }

    /// Watched keys and what is known of each as of the end of the window; where that is the newest
    /// entry, also what came after it.
    pub fn watched(&self) -> impl Iterator<Item = (&'a WatchedKey, &'a Fact)> + use<'a> {
        let is_all = self.len == self.history.entries.len();
        let end = self.end().filter(|_| !is_all).map(|end| end.elapsed);
        self.history
            .watched
            .keys
            .iter()
            .filter_map(move |key| Some((key, key.fact_at(end)?)))
    }

    /// The last sample of keys, or why there is none, and when that was known; `None` where none was
    /// taken by the end of the window.
    pub fn sampled(&self) -> Option<(Moment, Result<&'a TtlSample, &'a str>)> {
        let (moment, sampled) = self.history.sampled.as_ref()?;
        let is_all = self.len == self.history.entries.len();
        let is_known = is_all || self.end().is_some_and(|end| moment.elapsed <= end.elapsed);
        is_known.then(|| (*moment, sampled.as_ref().map_err(String::as_str)))
    }

    /// The first sample, as it is kept.
    pub fn first(&self) -> Option<&'a Packed> {
        self.samples().next()
    }

    /// The last sample, as it is kept.
    pub fn last(&self) -> Option<&'a Packed> {
        self.samples().next_back()
    }

    /// The first sample.
    pub fn first_sample(&self) -> Option<Sample> {
        self.first().map(Packed::sample)
    }

    /// The last sample.
    pub fn last_sample(&self) -> Option<Sample> {
        self.last().map(Packed::sample)
    }

    /// The last step.
    pub fn last_step(&self) -> Option<&'a Step> {
        self.entries().next_back().and_then(Entry::step)
    }

    /// The gap that the window ends in: the node does not answer now.
    pub fn open_gap(&self) -> Option<&'a Gap> {
        match self.entries().next_back() {
            Some(Entry::Gap(gap)) => Some(gap),
            _ => None,
        }
    }

    /// When the window begins.
    pub fn start(&self) -> Option<Moment> {
        self.entries().next().map(Entry::moment)
    }

    /// When the window ends.
    pub fn end(&self) -> Option<Moment> {
        self.entries().next_back().map(|entry| match entry {
            Entry::Sample(sample, _) => sample.moment,
            Entry::Gap(gap) => gap.to,
        })
    }

    /// Answered and failed polls.
    pub fn polls(&self) -> u64 {
        self.entries()
            .map(|entry| match entry {
                Entry::Sample(..) => 1,
                Entry::Gap(gap) => u64::from(gap.attempts),
            })
            .sum()
    }

    /// Whether two samples can be compared; without, only totals since start are known.
    pub fn has_interval(&self) -> bool {
        self.steps().next().is_some()
    }

    /// Growth of one counter over all steps; `None` where it was never exposed.
    pub fn total(&self, counter: Counter) -> Option<u64> {
        let mut total = None;
        for step in self.steps() {
            match step.counter(counter) {
                Delta::Unknown => {}
                delta => total = Some(total.unwrap_or(0u64).saturating_add(delta.at_least())),
            }
        }
        total
    }

    /// Effective calls over all steps of every command that can make keys vanish, in the order in
    /// which they were first called.
    pub fn calls(&self) -> Vec<(Class, &'a str, u64)> {
        let mut tally = Tally::default();
        self.steps().for_each(|step| tally.add(&step.commands));
        tally.rows()
    }

    /// Growth a second of one counter over the last step.
    pub fn rate(&self, counter: Counter) -> Option<f64> {
        let step = self.last_step()?;
        match step.counter(counter) {
            Delta::Unknown => None,
            delta => (step.seconds() > 0.0).then(|| delta.at_least() as f64 / step.seconds()),
        }
    }
}
