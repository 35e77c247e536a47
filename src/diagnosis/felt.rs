//! Which losses the key count felt.
//!
//! Caches expire and invalidate all day, queues drain and refill, and nobody misses anything: what
//! goes is replaced as fast. A loss is felt when the key count falls by it. Two looks, because
//! either alone is blind:
//!
//! - over the whole window, the count fell by at least half of what the cause took;
//! - in one run of intervals, it fell by a notable share of all keys. Such a run stays a loss
//!   however much is written, and lost again, later.
//!
//! What other causes took meanwhile is added back first.

use super::cause::Cause;
use super::ledger::Loss;
use crate::model::Window;

/// The whole window: the count fell by at least this share of what the cause took …
const FELT_SHARE: f64 = 0.5;
/// … and by at least this share of all keys.
const WINDOW_SHARE: f64 = 0.005;
/// One run: it fell by this share of all keys, and so many keys …
const RUN_SHARE: f64 = 0.05;
const RUN_KEYS: f64 = 10.0;
/// … or by this share of all keys, however few there are.
const HALF: f64 = 0.5;

/// The losses of `cause` that were felt; empty when none was.
pub(super) fn felt<'a>(window: &Window<'_>, losses: &'a [Loss], cause: Cause) -> Vec<&'a Loss> {
    let mine: Vec<&Loss> = losses.iter().filter(|loss| loss.cause == cause).collect();
    let total: u64 = mine
        .iter()
        .fold(0, |sum, loss| sum.saturating_add(loss.keys));
    let series = Series::of(window, losses, cause);
    let least = f64::max(total as f64 * FELT_SHARE, series.peak_keys * WINDOW_SHARE);
    if series.fall > 0.0 && series.fall >= least {
        mine
    } else {
        series.runs
    }
}

/// The same by the second look alone: for losses whose total is not counted, as on a replica.
pub(super) fn felt_in_runs<'a>(
    window: &Window<'_>,
    losses: &'a [Loss],
    cause: Cause,
) -> Vec<&'a Loss> {
    Series::of(window, losses, cause).runs
}

/// The key count with what other causes took added back, as it moves.
#[derive(Default)]
struct Series<'a> {
    added_back: f64,
    level: Option<f64>,
    peak: f64,
    peak_keys: f64,
    /// The largest fall from any point to a later one.
    fall: f64,
    /// The fall of the run that goes on, and the losses in it.
    run_fall: f64,
    run: Vec<&'a Loss>,
    /// Losses of the runs that were felt.
    runs: Vec<&'a Loss>,
}

impl<'a> Series<'a> {
    fn of(window: &Window<'_>, losses: &'a [Loss], cause: Cause) -> Self {
        let mut series = Self::default();
        let mut rest = losses.iter().peekable();
        for step in window.steps().filter(|step| !step.loading) {
            let mut here = Vec::new();
            while let Some(loss) = rest.next_if(|loss| loss.to <= step.to) {
                if loss.cause == cause {
                    here.push(loss);
                } else {
                    series.added_back += loss.keys as f64;
                }
            }
            if let (Some(before), Some(after)) = (step.keys_before, step.keys_after) {
                series.step(before as f64, after as f64, here);
            }
        }
        series.close_run();
        series
    }

    fn step(&mut self, before: f64, after: f64, losses: Vec<&'a Loss>) {
        let start = *self.level.get_or_insert(before);
        let now = after + self.added_back;
        self.peak_keys = self.peak_keys.max(before).max(after);
        self.peak = self.peak.max(start).max(now);
        self.fall = self.fall.max(self.peak - now);
        if now < start {
            self.run_fall += start - now;
            self.run.extend(losses);
        } else {
            self.close_run();
        }
        self.level = Some(now);
    }

    fn close_run(&mut self) {
        let run = std::mem::take(&mut self.run);
        let fall = std::mem::take(&mut self.run_fall);
        let taken: f64 = run.iter().map(|loss| loss.keys as f64).sum();
        let notable = fall >= f64::max(self.peak_keys * RUN_SHARE, RUN_KEYS);
        if fall >= taken * FELT_SHARE && (notable || fall >= self.peak_keys * HALF) {
            self.runs.extend(run);
        }
    }
}
