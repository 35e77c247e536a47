//! When to poll and when to try again. Times are on the scale of
//! [`Moment::elapsed`](crate::model::Moment::elapsed).

use std::time::Duration;

use crate::model::{FailureKind, INTERVAL_RANGE};

/// A fixed grid of polls: no drift, and after a stall the polls that were missed stay missed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    anchor: Duration,
    interval: Duration,
}

impl Grid {
    /// A grid with a line at `anchor`.
    pub(crate) fn new(anchor: Duration, interval: Duration) -> Self {
        Self {
            anchor,
            interval: held(interval),
        }
    }

    /// The first line after `now`.
    pub(crate) fn next(&self, now: Duration) -> Duration {
        let since = now.saturating_sub(self.anchor).as_nanos();
        let lines = since / self.interval.as_nanos() + 1;
        self.anchor + self.interval * u32::try_from(lines).unwrap_or(u32::MAX)
    }

    /// Another interval, from the last line at or before `now` on.
    pub(crate) fn change(&mut self, now: Duration, interval: Duration) {
        self.anchor = self.next(now).saturating_sub(self.interval);
        self.interval = held(interval);
    }

    pub(crate) fn interval(&self) -> Duration {
        self.interval
    }
}

/// When the next attempt is made.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Due {
    /// With the next line of the grid.
    Poll,
    /// At a moment, whatever the interval is.
    At(Duration),
    /// The same, because of what was pushed.
    Pushed(Duration),
}

impl Due {
    /// The moment, where the next line of the grid is waited for since `rested`.
    pub(crate) fn moment(self, grid: &Grid, rested: Duration) -> Duration {
        match self {
            Self::Poll => grid.next(rested),
            Self::At(at) | Self::Pushed(at) => at,
        }
    }
}

fn held(interval: Duration) -> Duration {
    interval.clamp(*INTERVAL_RANGE.start(), *INTERVAL_RANGE.end())
}

/// Polls beside the grid, which pushes bring: a burst at once, and then so many a second that steady
/// pushes do not make the interval meaningless.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Extra {
    /// When the whole burst may be made again.
    full: Duration,
}

impl Extra {
    /// So many at once.
    const BURST: u32 = 10;
    /// And then one in this time.
    const EVERY: Duration = Duration::from_millis(500);

    /// The earliest moment of the next.
    pub(crate) fn next(&self) -> Duration {
        self.full.saturating_sub(Self::EVERY * (Self::BURST - 1))
    }

    /// One is made.
    pub(crate) fn made(&mut self, now: Duration) {
        self.full = self.full.max(now) + Self::EVERY;
    }
}

/// How long to wait after a failed dial: doubled each time, up to a cap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BackOff {
    next: Duration,
}

impl BackOff {
    /// The first wait. A restart is seen early; a dead server costs four dials in the first
    /// seconds.
    pub(crate) const FIRST: Duration = Duration::from_millis(250);
    /// The longest wait.
    pub(crate) const CAP: Duration = Duration::from_secs(5);
    /// The shortest cap: who polls more often than this is content with one dial a second.
    const LEAST_CAP: Duration = Duration::from_secs(1);

    pub(crate) fn new() -> Self {
        Self { next: Self::FIRST }
    }

    /// The wait after one more failure. An outage is measured as finely as the polls that it
    /// interrupts, so the cap follows the interval.
    pub(crate) fn wait(&mut self, interval: Duration) -> Duration {
        let wait = self.next.min(interval.clamp(Self::LEAST_CAP, Self::CAP));
        self.next = (self.next * 2).min(Self::CAP);
        wait
    }

    /// The wait after this failure. Who refuses us logs each attempt, and goes on until somebody
    /// changes a password or a right; and a Sentinel stays one.
    pub(crate) fn wait_after(&mut self, kind: FailureKind, interval: Duration) -> Duration {
        match kind {
            FailureKind::PasswordNeeded
            | FailureKind::PasswordWrong
            | FailureKind::NotPermitted
            | FailureKind::Sentinel => Self::CAP,
            _ => self.wait(interval),
        }
    }

    /// A connection was made and lived so long. Who hangs up at once, time after time, is dialled as
    /// rarely as who does not answer.
    pub(crate) fn lived(&mut self, time: Duration) {
        if time >= Self::CAP {
            self.reset();
        }
    }

    pub(crate) fn reset(&mut self) {
        *self = Self::new();
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[rstest]
    #[case::at_the_start(0, 1_000)]
    #[case::after_a_quick_answer(3, 1_000)]
    #[case::after_a_slow_answer(999, 1_000)]
    #[case::on_the_line(1_000, 2_000)]
    #[case::after_a_stall(7_300, 8_000)]
    fn polls_stay_on_the_grid(#[case] now: u64, #[case] next: u64) {
        assert_eq!(Grid::new(ms(0), ms(1_000)).next(ms(now)), ms(next));
    }

    #[test]
    fn a_new_interval_counts_from_the_last_line() {
        let mut grid = Grid::new(ms(0), ms(10_000));
        grid.change(ms(12_500), ms(1_000));
        assert_eq!(grid.next(ms(12_500)), ms(13_000));
        grid.change(ms(12_500), ms(60_000));
        assert_eq!(grid.next(ms(12_500)), ms(72_000));
    }

    #[test]
    fn an_interval_out_of_range_is_held() {
        let mut grid = Grid::new(ms(0), Duration::ZERO);
        assert_eq!(grid.interval(), ms(100));
        grid.change(ms(0), Duration::MAX);
        assert_eq!(grid.interval(), ms(3_600_000));
    }

    #[test]
    fn a_burst_of_extra_polls_is_made_at_once_and_two_a_second_after_it() {
        let mut extra = Extra::default();
        let mut now = ms(60_000);
        let moments: Vec<u64> = (0..14)
            .map(|_| {
                now = extra.next().max(now + ms(50));
                extra.made(now);
                u64::try_from(now.as_millis()).unwrap_or(0) - 60_000
            })
            .collect();
        let burst = [50, 100, 150, 200, 250, 300, 350, 400, 450, 500];
        assert_eq!(moments[..10], burst);
        assert_eq!(moments[10..], [550, 1_050, 1_550, 2_050]);
        assert!(extra.next() <= now + Extra::EVERY);
        let later = now + Extra::EVERY * Extra::BURST;
        for n in 0..10 {
            assert!(extra.next() <= later, "{n}");
            extra.made(later);
        }
        assert!(extra.next() > later);
    }

    #[rstest]
    #[case(ms(100), &[250, 500, 1_000, 1_000])]
    #[case(ms(2_000), &[250, 500, 1_000, 2_000, 2_000])]
    #[case(ms(60_000), &[250, 500, 1_000, 2_000, 4_000, 5_000, 5_000])]
    fn waits_double_up_to_the_cap(#[case] interval: Duration, #[case] waits: &[u64]) {
        let mut back_off = BackOff::new();
        for wait in waits {
            assert_eq!(back_off.wait(interval), ms(*wait));
        }
        back_off.reset();
        assert_eq!(back_off.wait(interval), BackOff::FIRST);
    }

    #[test]
    fn a_connection_that_is_cut_at_once_is_no_success() {
        let mut back_off = BackOff::new();
        for wait in [250, 500, 1_000, 1_000] {
            back_off.lived(ms(4_999));
            assert_eq!(back_off.wait(ms(1_000)), ms(wait));
        }
        back_off.lived(BackOff::CAP);
        assert_eq!(back_off.wait(ms(1_000)), BackOff::FIRST);
    }

    #[test]
    fn who_refuses_is_asked_rarely() {
        let mut back_off = BackOff::new();
        for kind in [FailureKind::PasswordNeeded, FailureKind::NotPermitted] {
            assert_eq!(back_off.wait_after(kind, ms(1_000)), BackOff::CAP);
        }
        assert_eq!(back_off.wait_after(FailureKind::Closed, ms(1_000)), ms(250));
    }
}
