//! One interval on the books: what is left of its fall goes to whatever took it, one after the other.

use super::interval::{Counts, Interval, more};
use super::slots::Turn;
use super::suspects::Pace;
use super::{Ledger, Loss, Way};
use crate::diagnosis::mechanism::Mechanism;
use crate::model::{Moment, Product};

/// One interval being booked: what is left of the fall, and what was removed so far.
pub(super) struct Page<'a> {
    pub(super) ledger: &'a mut Ledger,
    pub(super) from: Moment,
    pub(super) to: Moment,
    pub(super) left: u64,
    pub(super) removed: u64,
    /// Removals that creations may hide; `None` for any number.
    pub(super) slack: Option<u64>,
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
    pub(super) fn counted(&mut self, rows: &[(Mechanism, u64)], counts: Counts) {
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
    pub(super) fn flush(&mut self, interval: &Interval, was: u64, product: Product, pace: &Pace) {
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
    pub(super) fn relocate(&mut self, interval: &Interval) {
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
    pub(super) fn hand_on(&mut self, interval: &Interval, arrived: u64) {
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
    pub(super) fn gone_with_the_process(&mut self, interval: &Interval, was: u64) {
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
    pub(super) fn residual(
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
    pub(super) fn overwritten(&mut self, interval: &Interval, was: u64, is: u64) {
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
