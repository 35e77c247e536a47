//! Where the keys went: the balance of every interval, added up.
//!
//! For one primary and one interval the key count obeys
//! `after = before + created − expired − evicted − flushed − deleted − moved − replaced − lost`.
//! INFO counts `expired` and `evicted` exactly, tells that a flush, a delete or a restart
//! happened, and never counts creations. So what fell and is not counted is a *residual*: it is
//! given to the commands that ran in the same interval and can have caused it, in order of how
//! many keys one call can take; what none of them can have taken is unexplained. Creations hide
//! removals, therefore everything but `expired` and `evicted` is a lower bound.

use super::cause::Cause;
use crate::model::{Class, Continuity, Counter, Moment, Product, Role, Sample, Step, Window};

/// The balance of a window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Keys at the first sample.
    pub keys_before: Option<u64>,
    /// Keys at the last sample.
    pub keys_after: Option<u64>,
    /// Keys that must have been created at least, for the balance to hold; arrivals from another
    /// database included.
    pub created: u64,
    /// Removed because their TTL ran out; exact.
    pub expired: u64,
    /// Removed for memory; exact.
    pub evicted: u64,
    /// Removed by FLUSHALL or FLUSHDB.
    pub flushed: u64,
    /// Removed by commands; at least.
    pub deleted: u64,
    /// Gone to another database or node; at least.
    pub moved: u64,
    /// Names taken over by another key; at least.
    pub replaced: u64,
    /// Gone with a process, a failover or a resynchronisation.
    pub lost: u64,
    /// Gone without a sign; at least.
    pub unexplained: u64,
    /// Every part of every interval in which keys went, oldest first.
    pub losses: Vec<Loss>,
}

/// Keys that went one way in one interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The earlier sample.
    pub from: Moment,
    /// The later sample, when it was seen.
    pub to: Moment,
    /// Which way.
    pub cause: Cause,
    /// How many.
    pub keys: u64,
    /// Whether `keys` is a lower bound.
    pub at_least: bool,
    /// The class of commands that did it, where commands did.
    pub by: Option<Class>,
}

/// What one interval removed, before it is booked.
#[derive(Default)]
struct Interval {
    from: Option<Moment>,
    expired: u64,
    evicted: u64,
    flush_calls: u64,
    flush_all: bool,
    dbs_fell: Vec<(u64, u64)>,
    calls: [u64; 4],
    hash_fields_expired: u64,
    migrated: u64,
    moved_within: u64,
    restart: Option<Cause>,
    resync: bool,
    loaded_expired: u64,
    replica: bool,
}

/// Classes that can account for a residual, in the order in which they are asked, with the most
/// keys that one call can take.
const SUSPECTS: [(Class, Option<u64>); 4] = [
    (Class::Delete, None),
    (Class::Empty, Some(1)),
    (Class::Expire, Some(1)),
    (Class::Overwrite, Some(1)),
];

impl Ledger {
    /// Adds up a window.
    pub fn of(window: &Window<'_>) -> Self {
        let mut ledger = Self {
            keys_before: window
                .samples()
                .find(|sample| !sample.is_loading())
                .and_then(Sample::keys),
            ..Self::default()
        };
        let product = window
            .last_sample()
            .map_or(Product::Unknown, Sample::product);
        let mut interval = Interval::default();
        let mut base = window
            .first_sample()
            .filter(|sample| !sample.is_loading())
            .and_then(Sample::keys);
        ledger.keys_after = base;
        for step in window.steps() {
            interval.add(step);
            // While a data set is being loaded the counts are partial: the interval goes on.
            if step.loading {
                continue;
            }
            if let (Some(before), Some(after)) = (base, step.keys_after) {
                ledger.book(&interval, before, after, step.to, product);
            }
            base = step.keys_after.or(base);
            ledger.keys_after = base;
            interval = Interval::default();
        }
        ledger
    }

    fn book(&mut self, interval: &Interval, before: u64, after: u64, to: Moment, product: Product) {
        let mut booking = Booking {
            from: interval.from.unwrap_or(to),
            to,
            left: before.saturating_sub(after),
            removed: 0,
            ledger: self,
        };
        let flushed = interval.flushed(before, product);
        booking.counted(
            Cause::Expiration,
            interval.expired.saturating_add(interval.loaded_expired),
        );
        booking.counted(Cause::Eviction, interval.evicted);
        booking.lose(
            Cause::Flush,
            flushed,
            !interval.flush_all,
            Some(Class::Flush),
        );
        booking.left = booking.left.saturating_sub(flushed);
        // Keys that changed their database are in the total still.
        booking.lose(
            Cause::Relocation,
            interval.moved_within,
            true,
            Some(Class::Move),
        );
        booking.residual(interval);
        let nearly_all = before >= 10 && after <= before / 10 && booking.left * 2 > before;
        let rest = if product.is_enterprise() && nearly_all {
            // Nearly everything went and no command was counted: only the control plane does that.
            Cause::Flush
        } else {
            Cause::Unexplained
        };
        booking.rest(rest, None);
        let removed = booking.removed;
        self.created = self
            .created
            .saturating_add(after.saturating_add(removed).saturating_sub(before));
        if interval.replica {
            self.settle_replica(after.saturating_sub(before));
        }
    }

    /// A replica sees neither creations nor removals counted, only their sum: what comes back is
    /// taken off what went, so that the turnover of a cache does not pile up.
    fn settle_replica(&mut self, rise: u64) {
        let back = rise.min(self.unexplained);
        self.unexplained -= back;
        self.created = self.created.saturating_sub(back);
    }

    fn total_of(&mut self, cause: Cause) -> &mut u64 {
        match cause {
            Cause::Expiration => &mut self.expired,
            Cause::Eviction => &mut self.evicted,
            Cause::Deletion => &mut self.deleted,
            Cause::Flush => &mut self.flushed,
            Cause::Replication | Cause::InstanceFailure => &mut self.lost,
            Cause::Relocation => &mut self.moved,
            Cause::Overwrite => &mut self.replaced,
            // Keys that were never written were never in the balance.
            Cause::RejectedWrites | Cause::Unexplained => &mut self.unexplained,
        }
    }

    /// Losses of one cause.
    pub fn losses_by(&self, cause: Cause) -> impl DoubleEndedIterator<Item = &Loss> {
        self.losses.iter().filter(move |loss| loss.cause == cause)
    }
}

/// One interval being booked: what is left of the fall, and what was removed so far.
struct Booking<'a> {
    ledger: &'a mut Ledger,
    from: Moment,
    to: Moment,
    left: u64,
    removed: u64,
}

impl Booking<'_> {
    fn lose(&mut self, cause: Cause, keys: u64, at_least: bool, by: Option<Class>) {
        if keys > 0 {
            let (from, to) = (self.from, self.to);
            self.ledger.losses.push(Loss {
                from,
                to,
                cause,
                keys,
                at_least,
                by,
            });
            more(self.ledger.total_of(cause), keys);
            more(&mut self.removed, keys);
        }
    }

    /// What the server counted itself.
    fn counted(&mut self, cause: Cause, keys: u64) {
        self.lose(cause, keys, false, None);
        self.left = self.left.saturating_sub(keys);
    }

    /// Up to `most` of what is left.
    fn up_to(&mut self, cause: Cause, most: u64, by: Class) {
        let keys = self.left.min(most);
        self.lose(cause, keys, true, Some(by));
        self.left -= keys;
    }

    /// All that is left.
    fn rest(&mut self, cause: Cause, by: Option<Class>) {
        self.lose(cause, self.left, true, by);
        self.left = 0;
    }

    /// What fell and was not counted goes to what can have caused it.
    fn residual(&mut self, interval: &Interval) {
        if let Some(cause) = interval.restart {
            self.rest(cause, None);
        } else if interval.resync {
            self.rest(Cause::Replication, None);
        } else if interval.replica {
            // A replica's counters tell of its primary's keys; only the primary can explain.
            self.rest(Cause::Unexplained, None);
        } else if interval.migrated > 0 && interval.calls[0] == 0 {
            self.rest(Cause::Relocation, Some(Class::Move));
        }
        self.up_to(
            Cause::Expiration,
            interval.hash_fields_expired,
            Class::Expire,
        );
        for ((class, keys_per_call), calls) in SUSPECTS.into_iter().zip(interval.calls) {
            let cause = if class == Class::Overwrite {
                Cause::Overwrite
            } else {
                Cause::Deletion
            };
            let most = match keys_per_call {
                Some(keys) => keys.saturating_mul(calls),
                None if calls > 0 => u64::MAX,
                None => 0,
            };
            self.up_to(cause, most, class);
        }
    }
}

impl Interval {
    fn add(&mut self, step: &Step) {
        self.from.get_or_insert(step.from);
        self.replica |= step.role_before == Role::Replica || step.role_after == Role::Replica;
        if !self.replica {
            let grew = |counter| step.counter(counter).at_least();
            more(&mut self.expired, grew(Counter::ExpiredKeys));
            more(&mut self.evicted, grew(Counter::EvictedKeys));
            more(&mut self.hash_fields_expired, grew(Counter::ExpiredSubkeys));
            more(&mut self.hash_fields_expired, grew(Counter::ExpiredFields));
        }
        self.add_commands(step);
        let fell = step.dbs.iter().filter(|db| db.fall() > 0);
        self.dbs_fell.extend(fell.map(|db| (db.before, db.after)));
        match step.continuity {
            Continuity::Same | Continuity::StatsReset => {}
            Continuity::Restart => {
                self.restart = Some(Cause::InstanceFailure);
                let loaded = step
                    .persistence
                    .as_deref()
                    .and_then(|(_, is)| is.loaded_expired_keys);
                more(&mut self.loaded_expired, loaded.unwrap_or(0));
            }
            Continuity::OtherProcess if is_failover(step) => {
                self.restart = Some(Cause::Replication);
            }
            Continuity::OtherProcess => self.restart = Some(Cause::InstanceFailure),
        }
        self.resync |= is_resync(step);
    }

    fn add_commands(&mut self, step: &Step) {
        for command in &step.commands {
            let Some(class) = command.class else { continue };
            if class == Class::Flush {
                more(&mut self.flush_calls, command.effective);
                self.flush_all |= &*command.name == "flushall" && command.effective > 0;
            }
            let suspect = SUSPECTS.iter().position(|(suspect, _)| *suspect == class);
            if let Some(suspect) = suspect.filter(|_| can_remove(&command.name)) {
                more(&mut self.calls[suspect], command.effective);
            }
        }
        let (swaps, moves) = (step.effective("swapdb"), step.effective("move"));
        if swaps > 0 || moves > 0 {
            let (mut falls, mut rises) = (0, 0);
            for db in &step.dbs {
                more(&mut falls, db.fall());
                more(&mut rises, db.rise());
            }
            // MOVE takes one key a call; what else fell and rose went its own way.
            let most = if swaps > 0 { u64::MAX } else { moves };
            more(&mut self.moved_within, falls.min(rises).min(most));
        }
        for migration in [
            "migrate",
            "cluster|migration",
            "cluster|migrateslots",
            "trimslots",
        ] {
            more(&mut self.migrated, step.effective(migration));
        }
    }

    /// Keys that the flushes of this interval took. FLUSHALL takes all that was there and was not
    /// removed otherwise. FLUSHDB does not say which database: one that collapsed is taken to be
    /// it, otherwise only what fell and is not accounted for. Behind a proxy a FLUSHALL may reach
    /// some of the shards only, so there the fall counts.
    fn flushed(&self, before: u64, product: Product) -> u64 {
        if self.flush_calls == 0 {
            return 0;
        }
        let counted = self.expired.saturating_add(self.evicted);
        if self.flush_all && !product.is_enterprise() {
            return before.saturating_sub(counted);
        }
        let collapsed: u64 = self
            .dbs_fell
            .iter()
            .filter(|(was, is)| is * 2 <= *was)
            .fold(0u64, |sum, (was, _)| sum.saturating_add(*was));
        let fell: u64 = self
            .dbs_fell
            .iter()
            .fold(0u64, |sum, (was, is)| sum.saturating_add(was - is));
        if collapsed > 0 && !product.is_enterprise() {
            collapsed
        } else {
            fell
        }
        .saturating_sub(counted)
    }
}

/// Adds without overflow: a hostile server may claim anything.
fn more(total: &mut u64, n: u64) {
    *total = total.saturating_add(n);
}

/// Commands of the catalogue's classes that can make a key vanish by themselves: SETEX and its
/// like write a key together with its TTL, HEXPIRE and HDEL-like ones empty a hash.
fn can_remove(name: &str) -> bool {
    !matches!(name, "setex" | "psetex" | "msetex" | "hsetex")
}

/// A server that continues the history of the one before it: `master_replid2` is the old id.
pub(super) fn is_failover(step: &Step) -> bool {
    step.replication.as_ref().is_some_and(|pair| {
        let (was, is) = pair.as_ref();
        was.replid.is_some() && was.replid == is.replid2
    })
}

/// A data set that was replaced by another server's: the history changed and the applied offset
/// went back, or a primary became a replica.
fn is_resync(step: &Step) -> bool {
    let Some((was, is)) = step.replication.as_deref() else {
        return false;
    };
    match (was.role, is.role) {
        (Role::Primary, Role::Replica) => true,
        (Role::Replica, Role::Replica) => was.replid != is.replid && was.replid != is.replid2,
        _ => false,
    }
}
