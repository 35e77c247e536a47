//! How much comes in a second, for what costs the server something with each.

use std::time::Duration;

/// Counts within one second after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    most: usize,
    /// When this second began, with the first that came, and what came in it.
    second: Option<(Duration, usize)>,
}

impl Rate {
    /// At most so many a second.
    pub(super) fn new(most: usize) -> Self {
        Self { most, second: None }
    }

    /// How many more may come in this second.
    pub(super) fn room(&self, now: Duration) -> usize {
        self.most.saturating_sub(self.this_second(now).1)
    }

    /// Takes in so many more; whether they are too many for one second.
    pub(super) fn is_beyond(&mut self, now: Duration, count: usize) -> bool {
        let (began, before) = self.this_second(now);
        let sum = before.saturating_add(count);
        self.second = Some((began, sum));
        sum > self.most
    }

    fn this_second(&self, now: Duration) -> (Duration, usize) {
        let is_over = |(began, _): &(Duration, usize)| now >= *began + Duration::from_secs(1);
        self.second.filter(|s| !is_over(s)).unwrap_or((now, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_in_one_second_may_come_in_two() {
        let mut rate = Rate::new(10);
        let ms = Duration::from_millis;
        assert!(!rate.is_beyond(ms(300), 10));
        assert_eq!(rate.room(ms(1_299)), 0);
        assert!(rate.is_beyond(ms(1_299), 1));
        assert_eq!(rate.room(ms(1_300)), 10);
        assert!(!rate.is_beyond(ms(1_300), 10));
        assert!(!rate.is_beyond(ms(9_000), 10));
        assert!(rate.is_beyond(ms(9_500), 1));
    }
}
