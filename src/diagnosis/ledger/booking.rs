//! One interval after the other is booked: counted removals first, then flushes, then what is
//! left of the fall.

use std::time::Duration;

use crate::diagnosis::cause::Cause;
use crate::diagnosis::mechanism::Mechanism;
use crate::model::{Moment, Packed, Product, Step, Window};

use super::expiry::Expiry;
use super::interval::{Counts, Creations, Interval};
use super::page::Page;
use super::pressure::Pressure;
use super::slots::{Given, Slots};
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
