//! How many changed keys are read in a second, and what happens when more are changed.

use std::time::Duration;

/// A budget of reads. When it is used up within a second, keys are read in rounds, one a poll, until
/// few keys are changed again.
pub(super) struct Pace {
    most: u32,
    every: Duration,
    second: Duration,
    used: u32,
    rounds: Option<Rounds>,
    shift: Option<Shift>,
}

/// A change of pace, to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shift {
    /// Rounds, from now on.
    Slow,
    /// Each change, from now on.
    Normal,
}

#[derive(Clone, Copy)]
struct Rounds {
    next: Duration,
    /// Keys that are left of this round.
    left: usize,
    /// Rounds in a row in which few keys were changed.
    calm: u8,
}

/// A round of fewer keys is calm: as many would fit in the budget when each is read as often as it
/// may be.
const FEW: usize = 50;
/// After so many calm rounds each change is read again.
const CALM: u8 = 3;

impl Pace {
    pub(super) fn new(most: u32, every: Duration) -> Self {
        Self {
            most,
            every,
            second: Duration::ZERO,
            used: 0,
            rounds: None,
            shift: None,
        }
    }

    /// How many of `waiting` keys may be read now.
    pub(super) fn room(&mut self, now: Duration, waiting: usize) -> usize {
        if let Some(rounds) = &mut self.rounds {
            if rounds.left == 0 && now >= rounds.next {
                rounds.left = waiting;
                rounds.next = now + self.every;
                rounds.calm = if waiting < FEW { rounds.calm + 1 } else { 0 };
                if rounds.calm >= CALM {
                    self.rounds = None;
                    self.shift = Some(Shift::Normal);
                    return waiting;
                }
                return waiting;
            }
            return rounds.left;
        }
        if now >= self.second + Duration::from_secs(1) {
            (self.second, self.used) = (now, 0);
        }
        let left = self.most.saturating_sub(self.used) as usize;
        if left == 0 && waiting > 0 {
            self.rounds = Some(Rounds {
                next: now + self.every,
                left: 0,
                calm: 0,
            });
            self.shift = Some(Shift::Slow);
        }
        left
    }

    /// So many of them are read.
    pub(super) fn took(&mut self, count: usize) {
        if let Some(rounds) = &mut self.rounds {
            rounds.left = rounds.left.saturating_sub(count);
        } else {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            self.used = self.used.saturating_add(count);
        }
    }

    /// When there is room again; `now` where there is.
    pub(super) fn opens(&self, now: Duration) -> Duration {
        match self.rounds {
            Some(rounds) if rounds.left == 0 => rounds.next,
            _ => now,
        }
    }

    /// The last change of pace, told once.
    pub(super) fn shift(&mut self) -> Option<Shift> {
        self.shift.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn a_used_up_budget_makes_rounds_until_it_is_calm() {
        let mut pace = Pace::new(100, S);
        assert_eq!(pace.room(S, 70), 100);
        pace.took(70);
        assert_eq!(pace.room(S, 70), 30);
        pace.took(30);
        assert_eq!(pace.room(S, 40), 0);
        assert_eq!(pace.shift(), Some(Shift::Slow));
        assert_eq!(pace.opens(S), 2 * S);
        assert_eq!(pace.room(2 * S, 400), 400);
        pace.took(100);
        assert_eq!(
            pace.room(2 * S, 350),
            300,
            "what came later waits for the next round"
        );
        pace.took(300);
        assert_eq!(pace.room(2 * S, 50), 0);
        for round in 3..5 {
            assert_eq!(pace.room(round * S, 10), 10);
            pace.took(10);
            assert_eq!(pace.shift(), None);
        }
        assert_eq!(pace.room(5 * S, 10), 10);
        assert_eq!(pace.shift(), Some(Shift::Normal));
    }
}
