//! The balances of several primaries, added up.

use super::{Known, Ledger, Loss, Part, Way};

/// A sum on its way.
#[derive(Default)]
pub(in crate::diagnosis) struct Sum {
    ledger: Ledger,
    /// What is unknown of one is unknown of the sum.
    unknown: Vec<Way>,
    /// Nothing bounds what was created.
    is_open: bool,
}

impl Sum {
    /// Keys of one primary when the watch on it began; one of which that is unknown adds nothing.
    pub(in crate::diagnosis) fn before(&mut self, keys: Option<u64>) {
        add(&mut self.ledger.keys_before, keys);
    }

    /// Keys of one primary now.
    pub(in crate::diagnosis) fn after(&mut self, keys: Option<u64>) {
        add(&mut self.ledger.keys_after, keys);
    }

    /// All of one primary.
    pub(in crate::diagnosis) fn whole(&mut self, ledger: &Ledger) {
        for part in &ledger.parts {
            if part.known == Known::Unknown {
                self.unknown.push(part.way);
            } else if part.way != Way::Created {
                self.ledger.part_mut(part.way).add(part.keys, part.most);
            } else if part.most != Some(part.keys) {
                self.is_open = true;
            }
        }
        self.ledger.losses.extend(&ledger.losses);
    }

    /// Some losses of one.
    pub(in crate::diagnosis) fn losses(&mut self, losses: impl Iterator<Item = Loss>) {
        for loss in losses {
            let way = Way::of(loss.mechanism);
            self.ledger.part_mut(way).add(loss.keys, loss.most);
            self.ledger.losses.push(loss);
            self.is_open = true;
        }
    }

    /// So many of the keys that moved away arrived at another primary.
    pub(in crate::diagnosis) fn arrived(&mut self, keys: u64) {
        let part = self.ledger.part_mut(Way::Moved);
        part.keys = part.keys.saturating_sub(keys);
        if part.keys == 0 {
            part.most = Some(0);
        } else {
            part.most = part
                .most
                .map(|most| most.saturating_sub(keys).max(part.keys));
        }
    }

    /// The sum; what was created is what the balance needs.
    pub(in crate::diagnosis) fn ledger(mut self) -> Ledger {
        let removed = |parts: &[Part]| {
            let out = parts.iter().filter(|part| part.way != Way::Created);
            out.map(|part| part.keys).fold(0, u64::saturating_add)
        };
        let ledger = &mut self.ledger;
        if let (Some(before), Some(after)) = (ledger.keys_before, ledger.keys_after) {
            let out = removed(&ledger.parts);
            let created = after.saturating_add(out).saturating_sub(before);
            let most = (!self.is_open).then_some(created);
            ledger.part_mut(Way::Created).add(created, most);
        }
        ledger.parts.iter_mut().for_each(Part::settle);
        for way in self.unknown {
            ledger.part_mut(way).unknown();
        }
        ledger.losses.sort_by_key(|loss| (loss.to, loss.from));
        self.ledger
    }
}

fn add(sum: &mut Option<u64>, keys: Option<u64>) {
    if let Some(keys) = keys {
        *sum = Some(sum.unwrap_or(0).saturating_add(keys));
    }
}
