//! Who belongs together, by what ties them: a shard of the cluster, a replication history, an address.

use std::collections::HashMap;

/// Shards on their way.
#[derive(Default)]
pub(super) struct Kinships<'a> {
    shards: Vec<Vec<usize>>,
    /// The shard that a tie leads to.
    of: HashMap<&'a str, usize>,
}

impl<'a> Kinships<'a> {
    /// Adds a member by its ties; others may find it by `found_by` besides.
    pub(super) fn add(
        &mut self,
        place: usize,
        ties: impl Iterator<Item = &'a str>,
        found_by: impl Iterator<Item = &'a str>,
    ) {
        let ties: Vec<&str> = ties.collect();
        let mut kin: Vec<usize> = ties
            .iter()
            .filter_map(|tie| self.of.get(tie).copied())
            .collect();
        kin.sort_unstable();
        kin.dedup();
        let home = kin.first().copied().unwrap_or(self.shards.len());
        if home == self.shards.len() {
            self.shards.push(Vec::new());
        }
        self.shards[home].push(place);
        // It may tie together what was apart.
        for apart in kin.into_iter().skip(1) {
            let moved = std::mem::take(&mut self.shards[apart]);
            self.shards[home].extend(moved);
            let led = self.of.values_mut().filter(|known| **known == apart);
            led.for_each(|known| *known = home);
        }
        self.of.extend(ties.into_iter().map(|tie| (tie, home)));
        for tie in found_by {
            self.of.entry(tie).or_insert(home);
        }
    }

    /// In the order of their first members.
    pub(super) fn shards(mut self) -> Vec<Vec<usize>> {
        self.shards.retain(|places| !places.is_empty());
        self.shards
            .iter_mut()
            .for_each(|places| places.sort_unstable());
        self.shards.sort();
        self.shards
    }
}
