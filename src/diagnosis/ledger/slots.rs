//! Keys that leave a node together with slots.
//!
//! A cluster's own migration (Redis 8.4 `CLUSTER MIGRATION`, Valkey 9 `CLUSTER MIGRATESLOTS`) counts
//! no command for the keys that it takes away: they are trimmed at once or, on Redis, seconds to a
//! minute after the slots have gone. So what went with slots is known from outside, by what their new
//! holder took in; a node that is looked at alone has hints only, the calls of `CLUSTER SYNCSLOTS`
//! among them, which both sides of a migration count.

use std::time::Duration;

use super::Loss;
use super::interval::Interval;
use crate::model::Moment;

/// Keys of slots that were given away are trimmed within so long.
const TRIM: Duration = Duration::from_secs(60);
/// A view of the cluster comes within so long.
const HEARSAY: Duration = Duration::from_secs(10);

/// What is known of slots that a node gave to others.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::diagnosis) enum Given {
    /// Nobody asked the cluster.
    #[default]
    Untold,
    /// It was asked, and these are all.
    Told(Vec<Handed>),
}

/// Slots that a node gave to another.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::diagnosis) struct Handed {
    /// The first view that shows some of it.
    pub(in crate::diagnosis) first: Moment,
    /// The last view that shows more of it.
    pub(in crate::diagnosis) last: Moment,
    /// Keys that the new holder took in; `None` where nobody saw it.
    pub(in crate::diagnosis) keys: Option<u64>,
}

impl Handed {
    /// Whether what fell in a time may have gone with these slots.
    pub(in crate::diagnosis) fn is_about(&self, from: Moment, to: Moment) -> bool {
        self.last.elapsed + TRIM >= from.elapsed && self.first.elapsed <= to.elapsed + HEARSAY
    }
}

/// Who is asked before slots are, for what fell and nobody saw arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Slots are not asked.
    Never,
    /// Whatever ran.
    Last,
    /// Commands out of their usual pace, and the others for one key a call.
    BeforeUsual,
    /// Commands for one key a call.
    BeforeBulk,
}

/// What is still to be booked of what a node gave away.
#[derive(Default)]
pub(super) struct Slots {
    given: Given,
    /// The last interval in which a migration was at work.
    hinted: Option<Moment>,
}

impl Slots {
    pub(super) fn new(given: &Given) -> Self {
        Self {
            given: given.clone(),
            hinted: None,
        }
    }

    pub(super) fn observe(&mut self, interval: &Interval, to: Moment) {
        if interval.migrates {
            self.hinted = Some(to);
        }
    }

    /// Of `left` keys that fell, those that others were seen to take in.
    pub(super) fn take(&mut self, from: Moment, to: Moment, left: u64) -> u64 {
        let Given::Told(given) = &mut self.given else {
            return 0;
        };
        let mut taken = 0;
        for handed in given.iter_mut().filter(|handed| handed.is_about(from, to)) {
            if let Some(keys) = &mut handed.keys {
                let now = (*keys).min(left - taken);
                *keys -= now;
                taken += now;
            }
        }
        taken
    }

    /// When slots are asked for the rest.
    pub(super) fn turn(&self, from: Moment, to: Moment) -> Turn {
        let about = |given: &[Handed]| {
            let mut about = given.iter().filter(|handed| handed.is_about(from, to));
            about.next().map(|first| {
                let is_unseen = first.keys.is_none() || about.any(|handed| handed.keys.is_none());
                if is_unseen {
                    Turn::BeforeBulk
                } else {
                    Turn::BeforeUsual
                }
            })
        };
        let told = match &self.given {
            Given::Told(given) => about(given),
            Given::Untold => None,
        };
        let is_alone = self.given == Given::Untold;
        told.unwrap_or(match self.hinted {
            Some(at) if at == to && is_alone => Turn::BeforeBulk,
            Some(at) if at == to => Turn::BeforeUsual,
            Some(at) if to.since(at) <= TRIM => Turn::Last,
            _ => Turn::Never,
        })
    }
}

/// Whether a loss may have gone with some of the slots that a node gave away.
pub(in crate::diagnosis) fn went_with(given: &Given, loss: &Loss) -> bool {
    match given {
        Given::Untold => false,
        Given::Told(given) => given.iter().any(|g| g.is_about(loss.from, loss.to)),
    }
}
