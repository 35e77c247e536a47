//! Many numbers that are nearly those of another list, in few bytes.

/// The numbers that differ: how many are skipped, then by how much, each as a [`varint`]; small
/// falls are as short as small rises.
pub(super) fn differences(of: &[u64], numbers: &[u64]) -> Box<[u8]> {
    let mut bytes = Vec::new();
    let mut next = 0;
    for (place, (base, number)) in of.iter().zip(numbers).enumerate() {
        let by = number.wrapping_sub(*base);
        if by != 0 {
            varint(&mut bytes, (place - next) as u64);
            varint(&mut bytes, (by << 1) ^ 0u64.wrapping_sub(by >> 63));
            next = place + 1;
        }
    }
    bytes.into()
}

/// The numbers of a sample, one after the other.
pub(super) struct Numbers<'a> {
    of: std::slice::Iter<'a, u64>,
    moved: &'a [u8],
    /// Numbers until the next one that differs.
    skip: u64,
}

impl<'a> Numbers<'a> {
    pub(super) fn new(of: &'a [u64], moved: &'a [u8]) -> Self {
        let mut numbers = Self {
            of: of.iter(),
            moved,
            skip: 0,
        };
        numbers.skip = numbers.read().unwrap_or(u64::MAX);
        numbers
    }

    fn read(&mut self) -> Option<u64> {
        let (mut value, mut shift) = (0, 0);
        loop {
            let (byte, rest) = self.moved.split_first()?;
            self.moved = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
            shift += 7;
        }
    }
}

impl Iterator for Numbers<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let base = *self.of.next()?;
        if self.skip > 0 {
            self.skip -= 1;
            return Some(base);
        }
        let coded = self.read().unwrap_or(0);
        self.skip = self.read().unwrap_or(u64::MAX);
        let by = (coded >> 1) ^ 0u64.wrapping_sub(coded & 1);
        Some(base.wrapping_add(by))
    }
}

/// Seven bits a byte, the lowest first.
fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_come_back(pairs in prop::collection::vec(any::<(u64, Option<u64>)>(), 0..40)) {
            let (of, numbers): (Vec<u64>, Vec<u64>) =
                pairs.into_iter().map(|(a, b)| (a, b.unwrap_or(a))).unzip();
            let moved = differences(&of, &numbers);
            prop_assert_eq!(Numbers::new(&of, &moved).collect::<Vec<_>>(), numbers);
        }
    }
}
