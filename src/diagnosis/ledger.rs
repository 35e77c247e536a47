//! Where the keys went: the balance of every interval, added up.
//!
//! For one primary and one interval the key count obeys
//! `after = before + created − expired − evicted − flushed − deleted − moved − replaced − lost`.
//! INFO counts `expired` and `evicted` exactly, tells that a flush, a delete or a restart
//! happened, and never counts creations. So what fell and is not counted is a *residual*: it is
//! given to the commands that ran in the same interval and can have caused it (`suspects`); what
//! none of them can have taken is unexplained. Creations hide removals, therefore everything but
//! `expired` and `evicted` is a lower bound. The calls of commands that create keys bound how
//! much can be hidden: where none ran, the number is exact.
//!
//! ```text
//!  Window ─► Interval (what one reading to the next showed) ─► Booking ─► Loss, Part
//!              ▲ expiry: how TTLs came about      ▲ suspects: which commands, at which pace
//!              ▲ pressure: what filled the memory
//!              ▲ slots: what went to another node with them
//! ```

mod booking;
mod expiry;
mod interval;
mod page;
mod pressure;
mod slots;
mod sum;
mod suspects;
mod wrap;

use serde::Serialize;

use super::cause::Cause;
use super::mechanism::Mechanism;
use crate::model::{Counter, Delta, Moment, Role, Window};
use booking::Bookkeeper;
pub(super) use interval::is_failover;
pub(super) use slots::{Given, Handed, TRIM};
pub(super) use sum::Sum;
pub(super) use suspects::mechanism_of;

/// The balance of a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// Keys at the first sample.
    pub keys_before: Option<u64>,
    /// Keys at the last sample.
    pub keys_after: Option<u64>,
    /// One part a way, in the order of [`Way::ALL`].
    pub parts: [Part; Way::ALL.len()],
    /// Every part of every interval in which keys went, oldest first.
    pub losses: Vec<Loss>,
}

/// A way in which keys come or go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// Written anew, or arrived from another database.
    Created,
    /// Taken by FLUSHALL or FLUSHDB.
    Flushed,
    /// Removed for memory.
    Evicted,
    /// Removed because their TTL ran out.
    Expired,
    /// Removed by commands.
    Deleted,
    /// Gone to another database or node.
    Moved,
    /// Names taken over by another key.
    Replaced,
    /// Gone with a process, a failover or a resynchronisation.
    Lost,
    /// Gone without a sign.
    Unexplained,
}

impl Way {
    /// All ways; the only one in comes first.
    pub const ALL: [Self; 9] = [
        Self::Created,
        Self::Flushed,
        Self::Evicted,
        Self::Expired,
        Self::Deleted,
        Self::Moved,
        Self::Replaced,
        Self::Lost,
        Self::Unexplained,
    ];

    /// The stable id, which is also the word for people.
    pub fn id(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Flushed => "flushed",
            Self::Evicted => "evicted",
            Self::Expired => "expired",
            Self::Deleted => "deleted",
            Self::Moved => "moved",
            Self::Replaced => "replaced",
            Self::Lost => "lost",
            Self::Unexplained => "unexplained",
        }
    }

    /// The way that a mechanism takes keys.
    pub fn of(mechanism: Mechanism) -> Self {
        match mechanism.cause() {
            // Commands of the stream, whatever they stand for on the primary.
            _ if mechanism == Mechanism::ReplicationStream => Self::Deleted,
            Cause::Expiration => Self::Expired,
            Cause::Eviction => Self::Evicted,
            Cause::Deletion => Self::Deleted,
            Cause::Flush => Self::Flushed,
            Cause::Replication | Cause::InstanceFailure => Self::Lost,
            Cause::Relocation => Self::Moved,
            Cause::Overwrite => Self::Replaced,
            // Keys that were never written were never in the balance.
            Cause::RejectedWrites | Cause::Unexplained => Self::Unexplained,
        }
    }

    /// Where the number comes from, for people.
    fn source(self) -> &'static str {
        match self {
            Self::Created => "what the balance needs; calls of commands that create keys bound it",
            Self::Flushed => "keys before the flush; lazyfreed_objects where it counts them",
            Self::Evicted => "evicted_keys",
            Self::Expired => "expired_keys; rdb_last_load_keys_expired after a restart",
            Self::Deleted => "uncounted fall; on a replica, DEL and UNLINK",
            Self::Moved => "databases that shrank and grew; fall beside migrations",
            Self::Replaced => "fall beside RENAME and *STORE; RESTORE and COPY without a rise",
            Self::Lost => "keys before less keys loaded, or less keys after",
            Self::Unexplained => "fall of the key count beside which nothing ran",
        }
    }
}

/// What went (or came) one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Which way.
    pub way: Way,
    /// How many keys: exactly, or at least; 0 where unknown.
    pub keys: u64,
    /// An upper bound where there is one.
    pub most: Option<u64>,
    /// What `keys` is.
    pub known: Known,
    /// Where the number comes from.
    pub source: &'static str,
}

/// What a number of the ledger is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Known {
    /// So many.
    Exact,
    /// So many or more.
    AtLeast,
    /// Nothing tells.
    Unknown,
}

impl Part {
    fn new(way: Way) -> Self {
        Self {
            way,
            keys: 0,
            most: Some(0),
            known: Known::Exact,
            source: way.source(),
        }
    }

    fn add(&mut self, keys: u64, most: Option<u64>) {
        self.keys = self.keys.saturating_add(keys);
        self.most = self.most.zip(most).map(|(a, b)| a.saturating_add(b));
    }

    fn settle(&mut self) {
        self.known = if self.most == Some(self.keys) {
            Known::Exact
        } else {
            Known::AtLeast
        };
    }

    /// Nothing tells, unless something was booked all the same.
    fn unknown(&mut self) {
        if self.keys == 0 {
            (self.most, self.known) = (None, Known::Unknown);
        }
    }
}

/// Keys that went one way in one interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The earlier sample.
    pub from: Moment,
    /// The later sample, when it was seen.
    pub to: Moment,
    /// How.
    pub mechanism: Mechanism,
    /// How many, at least.
    pub keys: u64,
    /// An upper bound, where there is one.
    pub most: Option<u64>,
    /// The commands ran at their usual pace and took no more than one key a call: they did what
    /// they always do.
    pub usual: bool,
}

impl Loss {
    /// The cause.
    pub fn cause(&self) -> Cause {
        self.mechanism.cause()
    }

    /// Whether `keys` is a lower bound.
    pub fn at_least(&self) -> bool {
        self.most != Some(self.keys)
    }
}

impl Default for Ledger {
    fn default() -> Self {
        Self::with(None, None, &[])
    }
}

impl Ledger {
    /// A balance of exact numbers, without the losses behind them.
    pub fn with(before: Option<u64>, after: Option<u64>, ways: &[(Way, u64)]) -> Self {
        let mut ledger = Self {
            keys_before: before,
            keys_after: after,
            parts: Way::ALL.map(Part::new),
            losses: Vec::new(),
        };
        for (way, keys) in ways {
            ledger.part_mut(*way).add(*keys, Some(*keys));
        }
        ledger
    }

    /// Adds up a window of a node that is looked at alone.
    pub fn of(window: &Window<'_>) -> Self {
        Self::among(window, &Given::Untold)
    }

    /// Adds up a window of a node of which others know what slots it gave away.
    pub(super) fn among(window: &Window<'_>, given: &Given) -> Self {
        let mut keeper = Bookkeeper::new(window, given);
        for (before, step, after) in window.intervals() {
            keeper.take(before, step, after);
        }
        let mut ledger = keeper.close();
        ledger.settle(window);
        ledger
    }

    /// What went one way.
    pub fn part(&self, way: Way) -> &Part {
        &self.parts[way as usize]
    }

    /// Keys that went one way: exactly or at least; 0 where unknown.
    pub fn keys(&self, way: Way) -> u64 {
        self.part(way).keys
    }

    fn part_mut(&mut self, way: Way) -> &mut Part {
        &mut self.parts[way as usize]
    }

    /// Moves a loss from one way to another.
    fn rebook(&mut self, from: Way, to: Way, loss: &Loss) {
        let part = self.part_mut(from);
        part.keys = part.keys.saturating_sub(loss.keys);
        part.most = part.most.zip(loss.most).map(|(a, b)| a.saturating_sub(b));
        self.part_mut(to).add(loss.keys, loss.most);
    }

    /// Losses of one cause.
    pub fn losses_by(&self, cause: Cause) -> impl DoubleEndedIterator<Item = &Loss> {
        self.losses.iter().filter(move |loss| loss.cause() == cause)
    }

    /// Says of every part what its number is.
    fn settle(&mut self, window: &Window<'_>) {
        self.parts.iter_mut().for_each(Part::settle);
        let hidden = |counter| {
            window.steps().next().is_some()
                && window
                    .steps()
                    .all(|step| step.counter(counter) == Delta::Unknown)
        };
        let last = window.last();
        let replica = last.is_some_and(|sample| sample.role() == Role::Replica);
        for (way, counter) in [
            (Way::Expired, Counter::ExpiredKeys),
            (Way::Evicted, Counter::EvictedKeys),
        ] {
            if replica || hidden(counter) {
                self.part_mut(way).unknown();
            }
        }
        let no_keys = last.is_some_and(|sample| sample.keys().is_none());
        if no_keys || !window.has_interval() {
            self.parts.iter_mut().for_each(Part::unknown);
        } else if last.is_some_and(|sample| !sample.has_commands()) {
            for way in [
                Way::Created,
                Way::Flushed,
                Way::Deleted,
                Way::Moved,
                Way::Replaced,
            ] {
                self.part_mut(way).unknown();
            }
        }
    }
}
