//! One interval after the other is booked: counted removals first, then flushes, then what is
//! left of the fall.

use std::time::Duration;

use crate::diagnosis::cause::Cause;
use crate::diagnosis::mechanism::Mechanism;
use crate::model::{Moment, Packed, Product, Step, Window};

use super::expiry::Expiry;
use super::interval::{Counts, Creations, Interval, more};
use super::pressure::Pressure;
use super::slots::{Given, Slots, Turn};
use super::suspects::Pace;
use super::{Ledger, Loss, Way};

/// Books a window, reading by reading.
pub(super) struct Bookkeeper<'a> {
    ledger: Ledger,
    product: Product,
    /// Keys at the last reading that could be counted.
    base: Option<u64>,
    interval: Interval,
    pace: Pace,
    expiry: Expiry,
    pressure: Pressure<'a>,
    slots: Slots<'a>,
    /// A primary was made a replica and its first synchronisation has not come yet.
    demoted: bool,
    /// The last reading that showed half of all keys gone, and how many there had been.
    collapsed: Option<(Moment, u64)>,
}

/// So long may it take to free the memory of a flush.
const FREEING: Duration = Duration::from_secs(30);

impl<'a> Bookkeeper<'a> {
    pub(super) fn new(window: &Window<'a>, given: &'a Given) -> Self {
        let mut ledger = Ledger::with(None, None, &[]);
        let countable = |sample: &&Packed| !sample.is_loading();
        ledger.keys_before = window.samples().find(countable).and_then(Packed::keys);
        let base = window.first().filter(countable).and_then(Packed::keys);
        ledger.keys_after = base;
        Self {
            ledger,
            product: window.last().map_or(Product::Unknown, Packed::product),
            base,
            interval: Interval::default(),
            pace: Pace::since_start(window.first_sample().as_ref()),
            expiry: Expiry::default(),
            pressure: Pressure::default(),
            slots: Slots::new(given),
            demoted: false,
            collapsed: None,
        }
    }

    pub(super) fn take(&mut self, before: &'a Packed, step: &Step, after: &Packed) {
        self.interval.add(before, step, after);
        self.expiry.observe(before, step, after);
        self.pressure.observe(before, step, after);
        self.told_late(after);
        // While a data set is being loaded the counts are partial: the interval goes on.
        if step.loading {
            return;
        }
        let mut interval = std::mem::take(&mut self.interval);
        if interval.slots.migrates && !self.slots.gives(after.moment) {
            // Any number may have come with slots.
            interval.creations = Creations(None);
        }
        if interval.resync == Some(Mechanism::FullResync) && self.demoted {
            interval.resync = Some(Mechanism::Replicaof);
            self.demoted = false;
        } else if interval.resync == Some(Mechanism::Replicaof) {
            self.demoted = step.fall() == 0;
        }
        if let (Some(was), Some(is)) = (self.base, step.keys_after) {
            self.counted_late(&interval, after.moment);
            self.book(&interval, was, is, after);
            let fell = was > 0 && is <= was / 2;
            if fell && interval.process.is_none() {
                self.collapsed = Some((after.moment, was));
            }
        }
        self.base = step.keys_after.or(self.base);
        self.ledger.keys_after = self.base;
    }

    /// A flush that is counted only when its memory has been freed: the keys went a reading or
    /// more before, beside no command or beside some that had nothing to do with it.
    fn counted_late(&mut self, interval: &Interval, now: Moment) {
        let Some((at, was)) = self.collapsed.filter(|_| interval.flush.calls > 0) else {
            return;
        };
        self.collapsed = None;
        let Some(mechanism) = interval.flushed_by(self.product, &self.pace) else {
            return;
        };
        if now.since(at) > FREEING {
            return;
        }
        let has_moved = self.slots.arrived(at) > 0;
        let guessed = |loss: &Loss| {
            let by_command = matches!(loss.cause(), Cause::Unexplained | Cause::Deletion);
            let by_slots = loss.mechanism == Mechanism::SlotMigration && !has_moved;
            (by_command || by_slots) && loss.to == at
        };
        let losses = &mut self.ledger.losses;
        let taken = losses.iter().filter(|loss| guessed(loss)).map(|l| l.keys);
        if taken.fold(0u64, u64::saturating_add) <= was / 2 {
            return;
        }
        let mut rebooked = Vec::new();
        for loss in losses.iter_mut().filter(|loss| guessed(loss)) {
            rebooked.push(*loss);
            (loss.mechanism, loss.usual) = (mechanism, false);
        }
        for loss in rebooked {
            let (from, to) = (Way::of(loss.mechanism), Way::of(mechanism));
            self.ledger.rebook(from, to, &loss);
        }
    }

    /// Servers count client buffers ten times a second, so the reading that shows evictions may not
    /// show yet what made them.
    fn told_late(&mut self, after: &Packed) {
        let Some((since, mechanism)) = self.pressure.told_late(after) else {
            return;
        };
        let losses = self.ledger.losses.iter_mut().rev();
        for loss in losses.take_while(|loss| loss.to >= since) {
            if loss.mechanism == Mechanism::MemoryFull {
                loss.mechanism = mechanism;
            }
        }
    }

    pub(super) fn close(self) -> Ledger {
        self.ledger
    }

    fn book(&mut self, interval: &Interval, was: u64, is: u64, after: &Packed) {
        let to = after.moment;
        let mut page = Page {
            from: interval.from.unwrap_or(to),
            to,
            left: was.saturating_sub(is),
            removed: 0,
            slack: None,
            ledger: &mut self.ledger,
        };
        page.counted(&self.expiry.split(interval.expired, to), interval.counts);
        if let Some(process) = &interval.process {
            page.counted(
                &[(Mechanism::ExpiredAtLoad, process.loaded_expired)],
                Counts::Whole,
            );
        }
        if interval.evicted > 0 {
            let evicted = [(self.pressure.mechanism(after), interval.evicted)];
            page.counted(&evicted, interval.counts);
        }
        page.flush(interval, was, self.product, &self.pace);
        // Removals beyond the fall are hidden by as many creations.
        let risen = is.saturating_add(page.removed).saturating_sub(was);
        page.slack = interval.creations.0.map(|most| most.saturating_sub(risen));
        page.relocate(interval);
        self.slots.observe(interval, to);
        page.hand_on(interval, self.slots.arrived(to));
        page.gone_with_the_process(interval, was);
        let made = interval.restores > 0 || interval.copies > 0;
        let usual = |usual: &Pace| !usual.removers_stand_out(&interval.calls, interval.seconds);
        let replaced = made && usual(&self.pace);
        let turn = self.slots.turn(to);
        let whose = (self.product, turn);
        let moved = page.residual(interval, &mut self.pace, whose, (was, is));
        self.slots.took(to, moved);
        if replaced {
            page.overwritten(interval, was, is);
        }
        let removed = page.removed;
        let created = is.saturating_add(removed).saturating_sub(was);
        let arrived = interval.swaps > 0 || interval.moves > 0;
        let most = interval.creations.0.filter(|_| !arrived);
        let part = self.ledger.part_mut(Way::Created);
        part.add(created, most.map(|most| most.max(created)));
    }
}

/// One interval being booked: what is left of the fall, and what was removed so far.
struct Page<'a> {
    ledger: &'a mut Ledger,
    from: Moment,
    to: Moment,
    left: u64,
    removed: u64,
    /// Removals that creations may hide; `None` for any number.
    slack: Option<u64>,
}

impl Page<'_> {
    fn lose(&mut self, mechanism: Mechanism, keys: u64, most: Option<u64>) {
        self.enter(mechanism, keys, most, false);
    }

    fn enter(&mut self, mechanism: Mechanism, keys: u64, most: Option<u64>, usual: bool) {
        if keys == 0 {
            return;
        }
        self.ledger.losses.push(Loss {
            from: self.from,
            to: self.to,
            mechanism,
            keys,
            most,
            usual,
        });
        let way = Way::of(mechanism);
        self.ledger.part_mut(way).add(keys, most);
        more(&mut self.removed, keys);
    }

    /// What the server counted itself.
    fn counted(&mut self, rows: &[(Mechanism, u64)], counts: Counts) {
        for (mechanism, keys) in rows {
            self.lose(
                *mechanism,
                *keys,
                (counts == Counts::Whole).then_some(*keys),
            );
            self.left = self.left.saturating_sub(*keys);
        }
    }

    /// Keys that the flushes of this interval took. FLUSHALL takes all that was there and was not
    /// removed otherwise, and what was written since. FLUSHDB does not say which database: one
    /// that collapsed is taken to be it, otherwise only what fell and is not accounted for. Behind
    /// a proxy a FLUSHALL may reach some of the shards only, so there the fall counts.
    ///
    /// Redis 8 counts a FLUSHALL when its memory is freed, and the server's push may come a reading
    /// earlier: what it emptied went by a flush, whichever it was.
    fn flush(&mut self, interval: &Interval, was: u64, product: Product, pace: &Pace) {
        let Some(mechanism) = interval.flushed_by(product, pace) else {
            return;
        };
        let fell = interval.falls().fold(0u64, u64::saturating_add);
        // What is gone from the databases that were emptied, their part of the fall, and by how
        // much the others fell.
        let (gone, part, others) = if product.is_enterprise() {
            let gone = fell.saturating_sub(self.removed);
            (gone, gone, 0)
        } else if interval.swaps > 0 {
            // Which database was emptied cannot be told from one that was swapped.
            (self.left, self.left, 0)
        } else if interval.flush.all {
            (was.saturating_sub(self.removed), self.left, 0)
        } else {
            let emptied = interval.emptied();
            if emptied.keys == 0 && interval.flush.calls == 0 {
                return;
            } else if emptied.keys == 0 {
                let gone = fell.saturating_sub(self.removed);
                (gone, gone, 0)
            } else {
                // What expired or was evicted fell in the other databases first.
                let counted = self.removed.saturating_sub(emptied.others);
                let gone = emptied.keys.saturating_sub(counted);
                (gone, emptied.fell, emptied.others)
            }
        };
        // Commands out of their usual pace took some of it before the flush did.
        let deletes = pace.out_of_pace(&interval.calls, interval.seconds);
        let least = gone - deletes.saturating_sub(others).min(gone);
        let created = interval.creations.0;
        let most = created.map(|created| gone.saturating_add(created));
        // Freed in the background, keys are counted one by one (Redis 7.4+, Valkey 8+).
        let freed = Some(interval.lazyfreed).filter(|freed| {
            *freed >= least && *freed > 0 && most.is_none_or(|most| *freed <= most)
        });
        let (keys, most) = match freed {
            Some(freed) => (freed, Some(freed)),
            None => (least, most),
        };
        self.lose(mechanism, keys, most);
        let before = gone.saturating_sub(keys);
        self.left = self.left.saturating_sub(part).saturating_add(before);
    }

    /// Keys that changed their database are in the total still.
    fn relocate(&mut self, interval: &Interval) {
        if interval.swaps > 0 && interval.flush.calls > 0 {
            // A database that was swapped and emptied is refreshed, not moved.
        } else if interval.swaps > 0 {
            let moved = interval.db_falls.min(interval.db_rises);
            self.lose(Mechanism::Swapdb, moved, None);
        } else if interval.moves > 0 {
            // MOVE takes one key a call; what else fell and rose went its own way.
            let arrived = interval
                .side_rises
                .max(interval.db_falls.min(interval.db_rises));
            let moved = interval.moves.min(arrived);
            self.lose(Mechanism::Move, moved, Some(interval.moves));
        }
    }

    /// Keys that went with slots and arrived at another node.
    fn hand_on(&mut self, interval: &Interval, arrived: u64) {
        let keys = arrived.min(self.left);
        let mechanism = if interval.calls.ran(Mechanism::Migrate) {
            Mechanism::Migrate
        } else {
            Mechanism::SlotMigration
        };
        let most = self.slack.map(|slack| self.left.saturating_add(slack));
        self.lose(mechanism, keys, most);
        self.left -= keys;
    }

    /// What a process took along when it ended. Where it is known how many keys the next one read
    /// from disk, what was written since hides nothing.
    fn gone_with_the_process(&mut self, interval: &Interval, was: u64) {
        let Some(process) = &interval.process else {
            if let Some(mechanism) = interval.resync {
                self.lose(mechanism, self.left, None);
                self.left = 0;
            }
            return;
        };
        let counted = process.loaded.map_or(0, |loaded| {
            was.saturating_sub(loaded)
                .saturating_sub(process.loaded_expired)
        });
        self.lose(process.mechanism, self.left.max(counted), None);
        self.left = 0;
    }

    /// What fell and was not counted goes to what can have caused it; so many keys to slots.
    fn residual(
        &mut self,
        interval: &Interval,
        pace: &mut Pace,
        (product, slots): (Product, Turn),
        (was, is): (u64, u64),
    ) -> u64 {
        if interval.replica {
            // A replica is sent the DEL and UNLINK that hit, each of one key or more, for whatever
            // removed keys on its primary; only the primary can tell what it was.
            let replicated = interval.calls.replicated();
            if interval.slots.trims {
                let trimmed = self.left.saturating_sub(replicated);
                self.lose(Mechanism::SlotMigration, trimmed, None);
                self.left -= trimmed;
            }
            let removed = self.left.max(replicated);
            let most = self.slack.map(|slack| self.left.saturating_add(slack));
            let most = most.map(|most| most.max(removed));
            self.lose(Mechanism::ReplicationStream, removed, most);
            self.left = 0;
            return 0;
        }
        let left = self.left;
        let division = pace.give_away(left, &interval.calls, interval.seconds, slots);
        let alone = division.taken.len() == 1 && division.moved == 0;
        for taken in division.taken {
            let keys = taken.keys;
            // Of a residual that several shared, each may have taken all.
            let own = if alone { keys } else { left };
            let bound = self.slack.map(|slack| own.saturating_add(slack));
            let calls = interval.calls.most(taken.mechanism);
            let most = bound.into_iter().chain(calls).min();
            let most = most.map(|most| most.max(keys));
            self.enter(taken.mechanism, keys, most, taken.usual);
        }
        let most = self.slack.map(|slack| left.saturating_add(slack));
        self.lose(Mechanism::SlotMigration, division.moved, most);
        let rest = division.left;
        let nearly_all = was >= 10 && is <= was / 10 && rest * 2 > was;
        let mechanism = if product.is_enterprise() && nearly_all {
            // Nearly everything went and no command was counted: only the control plane does that.
            Mechanism::ControlPlaneFlush
        } else if interval.counts == Counts::Wiped && interval.pushed {
            // The command's count was wiped, the server's word was not.
            if is == 0 {
                Mechanism::Flushall
            } else {
                Mechanism::Flushdb
            }
        } else if interval.counts == Counts::Wiped {
            Mechanism::EvidenceReset
        } else {
            Mechanism::NoTrace
        };
        self.lose(mechanism, rest, None);
        self.left = 0;
        if left == 0 && interval.calls.can_remove() {
            // Nothing shows, yet creations may hide what these commands removed.
            let hidden = self.slack;
            self.ledger.part_mut(Way::Deleted).add(0, hidden);
        }
        division.moved
    }

    /// RESTORE and COPY make a key or replace one: where the count did not rise by as many, they
    /// replaced. Commands that may have removed as many meanwhile are taken off.
    fn overwritten(&mut self, interval: &Interval, was: u64, is: u64) {
        let made = interval.restores.saturating_add(interval.copies);
        if made == 0 || interval.replica || interval.process.is_some() || interval.flush.calls > 0 {
            return;
        }
        let risen = is
            .saturating_add(self.removed)
            .saturating_sub(was)
            .saturating_add(interval.calls.removers());
        let replaced = made.saturating_sub(risen);
        let mechanism = if interval.restores >= interval.copies {
            Mechanism::Restore
        } else {
            Mechanism::Copy
        };
        self.lose(mechanism, replaced, Some(made));
    }
}
