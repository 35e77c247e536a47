//! Keys that leave a node together with slots.
//!
//! A cluster's own migration (Redis 8.4 `CLUSTER MIGRATION`, Valkey 9 `CLUSTER MIGRATESLOTS`) counts
//! no command for the keys that it takes away: they are trimmed at once or, on Redis, seconds to a
//! minute after the slots have gone. So what went with slots is known from outside, by what their new
//! holder took in; a node that is looked at alone has hints only, the calls of `CLUSTER SYNCSLOTS`
//! among them, which both sides of a migration count.

use std::collections::BTreeMap;
use std::time::Duration;

use super::interval::Interval;
use crate::model::Moment;

/// Keys of slots that were given away are trimmed within so long.
pub(in crate::diagnosis) const TRIM: Duration = Duration::from_secs(60);

/// What is known of slots that a node gave to others.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::diagnosis) enum Given {
    /// Nobody asked the cluster.
    #[default]
    Untold,
    /// It was asked, and this is all.
    Told {
        /// What the node gave.
        handed: Vec<Handed>,
        /// When it took slots of others in, and what it imported was not dropped again.
        taken: Vec<(Duration, Duration)>,
    },
}

/// Slots that a node gave to another.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::diagnosis) struct Handed {
    /// Between these, the keys of the slots left.
    pub(in crate::diagnosis) span: (Duration, Duration),
    /// Keys that left, as far as the new holder took them in, by the end of the interval in which
    /// they fell; `None` where nobody saw the new holder.
    pub(in crate::diagnosis) fell: Option<BTreeMap<Moment, u64>>,
    /// Keys that may have left beside those: what was taken in and what left are counted on two nodes,
    /// at different moments.
    pub(in crate::diagnosis) spare: u64,
}

impl Handed {
    fn is_about(&self, to: Moment) -> bool {
        self.span.0 < to.elapsed && to.elapsed <= self.span.1
    }
}

impl Given {
    fn handed(&self) -> &[Handed] {
        match self {
            Self::Untold => &[],
            Self::Told { handed, .. } => handed,
        }
    }

    fn about(&self, to: Moment) -> impl Iterator<Item = &Handed> {
        self.handed()
            .iter()
            .filter(move |handed| handed.is_about(to))
    }

    /// Whether the node took slots in then, and keeps them.
    fn took_over(&self, to: Moment) -> bool {
        match self {
            Self::Untold => false,
            Self::Told { taken, .. } => {
                let mut spans = taken.iter();
                spans.any(|span| span.0 <= to.elapsed && to.elapsed <= span.1)
            }
        }
    }

    /// Whether what fell by then may have gone with some of the slots.
    pub(in crate::diagnosis) fn is_about(&self, to: Moment) -> bool {
        self.about(to).next().is_some()
    }
}

/// Who is asked before slots are, for what fell and nobody saw arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Slots are not asked.
    Never,
    /// Whatever ran.
    Last,
    /// Commands out of their usual pace, and the others for one key a call; slots took so many keys at
    /// most.
    BeforeUsual(u64),
    /// Commands for one key a call.
    BeforeBulk,
}

/// What is known of slots while a window is booked.
pub(super) struct Slots<'a> {
    given: &'a Given,
    /// What is left of [`Handed::spare`] of each.
    spare: Vec<u64>,
    /// The last interval in which a migration was at work.
    hinted: Option<Moment>,
}

impl<'a> Slots<'a> {
    pub(super) fn new(given: &'a Given) -> Self {
        Self {
            given,
            spare: given.handed().iter().map(|handed| handed.spare).collect(),
            hinted: None,
        }
    }

    /// Takes down that slots took so many keys of which nobody saw the arrival.
    pub(super) fn took(&mut self, to: Moment, mut keys: u64) {
        for (spare, handed) in self.spare.iter_mut().zip(self.given.handed()) {
            if handed.is_about(to) {
                let now = keys.min(*spare);
                *spare -= now;
                keys -= now;
            }
        }
    }

    fn spare(&self, to: Moment) -> u64 {
        let spare = self.spare.iter().zip(self.given.handed());
        let about = spare.filter(|(_, handed)| handed.is_about(to));
        about.map(|(spare, _)| *spare).fold(0, u64::saturating_add)
    }

    pub(super) fn observe(&mut self, interval: &Interval, to: Moment) {
        if interval.slots.migrates {
            self.hinted = Some(to);
        }
    }

    /// Whether the node was giving slots away then, as far as others know.
    pub(super) fn gives(&self, to: Moment) -> bool {
        self.given.is_about(to)
    }

    /// Keys that fell in the interval that ended then and were taken in by others.
    pub(super) fn arrived(&self, to: Moment) -> u64 {
        let fell = self
            .given
            .handed()
            .iter()
            .filter_map(|handed| handed.fell.as_ref());
        let then = fell.filter_map(|fell| fell.get(&to));
        then.copied().fold(0, u64::saturating_add)
    }

    /// When slots are asked for the rest.
    pub(super) fn turn(&self, to: Moment) -> Turn {
        let given = self.given;
        if given.is_about(to) {
            let is_unseen = given.about(to).any(|handed| handed.fell.is_none());
            return if is_unseen {
                Turn::BeforeBulk
            } else {
                Turn::BeforeUsual(self.spare(to))
            };
        }
        // What the hints are of is known.
        let hinted = self.hinted.filter(|_| !given.took_over(to));
        match hinted {
            Some(at) if at == to && *given == Given::Untold => Turn::BeforeBulk,
            Some(at) if at == to => Turn::BeforeUsual(u64::MAX),
            Some(at) if to.since(at) <= TRIM => Turn::Last,
            _ => Turn::Never,
        }
    }
}
