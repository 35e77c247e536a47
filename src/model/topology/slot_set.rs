//! Any slots of a cluster, as ranges.

use super::range_size;

/// Slots of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlotSet {
    /// Ascending, none touches the next.
    ranges: Vec<(u16, u16)>,
}

impl SlotSet {
    /// Takes one more in, above all that it has.
    pub(super) fn push(&mut self, slot: u16) {
        match self.ranges.last_mut() {
            Some((_, last)) if slot.checked_sub(1) == Some(*last) => *last = slot,
            _ => self.ranges.push((slot, slot)),
        }
    }

    /// Takes in those of another.
    pub fn join(&mut self, other: &Self) {
        self.ranges.extend(&other.ranges);
        self.ranges.sort_unstable();
        self.ranges.dedup_by(|next, range| {
            let touches = u32::from(next.0) <= u32::from(range.1) + 1;
            if touches {
                range.1 = range.1.max(next.1);
            }
            touches
        });
    }

    /// How many.
    pub fn count(&self) -> u32 {
        self.ranges.iter().copied().map(range_size).sum()
    }

    /// The ranges, ascending, both ends included.
    pub fn ranges(&self) -> &[(u16, u16)] {
        &self.ranges
    }
}

/// `0-999, 1005`, and `…` for what goes beyond three ranges.
impl std::fmt::Display for SlotSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (place, (first, last)) in self.ranges.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            match place {
                3.. => return write!(f, "{comma}…"),
                _ if first == last => write!(f, "{comma}{first}")?,
                _ => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_told_by_ranges() {
        let of = |slots: &[u16]| {
            let mut set = SlotSet::default();
            for slot in slots {
                set.push(*slot);
            }
            set
        };
        let mut set = of(&[1, 2, 3, 7]);
        assert_eq!(set.to_string(), "1-3, 7");
        set.join(&of(&[4, 5, 9, 11]));
        assert_eq!((set.count(), set.to_string()), (8, "1-5, 7, 9, …".into()));
        assert_eq!(set.ranges(), [(1, 5), (7, 7), (9, 9), (11, 11)]);
        set.join(&of(&[2, 3, 8]));
        assert_eq!(set.count(), 9, "some were known");
    }
}
