//! How many bytes of the replication stream a write takes, and a new key, by what was seen lately.

use super::catalogue::{Class, Creates};
use super::continuity::Continuity;
use super::observation::Moment;
use super::step::Step;
use super::window::Window;
use crate::format;

/// So much of the past counts as lately.
const LATELY_S: f64 = 60.0;

/// Growth of a primary's stream, and the writes that made it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct WritePace {
    bytes: u64,
    writes: u64,
    /// Keys that were created, at least; `None` where the keyspace is not exposed.
    created: Option<u64>,
    seconds: f64,
}

impl WritePace {
    /// What a primary wrote in the minute before a moment.
    pub fn until(window: &Window<'_>, end: Moment) -> Self {
        let mut pace = Self {
            created: Some(0),
            ..Self::default()
        };
        let before = |moment: Moment| end.seconds_since(moment);
        // From the newest on: no more than a minute of a long window is looked at.
        let entries = window.entries().rev();
        let young = entries.take_while(|entry| before(entry.end()) <= LATELY_S);
        let samples = young.filter_map(|entry| Some((entry.sample()?, entry.step()?)));
        for (after, step) in samples.filter(|(after, _)| after.moment <= end) {
            let before = window.sample_at(step.from);
            let before = before.and_then(|sample| sample.replication.offset);
            let offsets = after.replication().offset.zip(before);
            let grown = offsets.and_then(|(is, was)| is.checked_sub(was));
            if let Some(grown) = grown.filter(|_| step.continuity == Continuity::Same) {
                pace.bytes = pace.bytes.saturating_add(grown);
                pace.writes = pace.writes.saturating_add(Self::writes(step));
                let created = pace.created.zip(created(step));
                pace.created = created.map(|(all, n)| all.saturating_add(n));
                pace.seconds += step.seconds();
            }
        }
        pace
    }

    /// Whether anything was written lately, as far as that is known still.
    pub fn may_have_written(&self) -> bool {
        self.writes > 0 || self.seconds <= 0.0
    }

    /// Seconds in which so many bytes were written lately; `None` where none were.
    pub fn seconds_of(&self, bytes: u64) -> Option<f64> {
        let is_known = self.bytes > 0 && self.seconds > 0.0;
        is_known.then(|| bytes as f64 * self.seconds / self.bytes as f64)
    }

    /// Bytes that are written in so much time.
    pub fn bytes_in(&self, seconds: f64) -> u64 {
        if self.seconds > 0.0 {
            format::whole(self.bytes as f64 / self.seconds * seconds)
        } else {
            0
        }
    }

    /// About how many writes so many bytes are; `None` where none was seen.
    pub fn writes_of(&self, bytes: u64) -> Option<u64> {
        let each = self.bytes as f64 / self.writes as f64;
        (self.writes > 0 && each > 0.0).then(|| format::whole(bytes as f64 / each))
    }

    /// About how many new keys so many bytes are, at least: removals hide some. `None` where that is
    /// not known.
    pub fn keys_of(&self, bytes: u64) -> Option<u64> {
        let created = self.created.filter(|_| self.bytes > 0)?;
        Some(format::whole(
            created as f64 / self.bytes as f64 * bytes as f64,
        ))
    }

    /// Calls that can have written. Scripts and transactions count by what runs in them.
    pub fn writes(step: &Step) -> u64 {
        let can_write = |class: Option<Class>, creates: Creates| {
            creates != Creates::Nothing
                || class.is_some_and(|class| !matches!(class, Class::Script | Class::Admin))
        };
        let commands = step.commands.iter();
        let writes = commands.filter(|command| can_write(command.class, command.creates));
        writes
            .map(|command| command.effective)
            .fold(0, u64::saturating_add)
    }
}

/// Keys that were created in a step, at least: those that it has more, and those that went by what
/// is counted.
fn created(step: &Step) -> Option<u64> {
    let (was, is) = step.keys_before.zip(step.keys_after)?;
    let all = is.saturating_add(step.counted_removals());
    Some(all.saturating_sub(was))
}
