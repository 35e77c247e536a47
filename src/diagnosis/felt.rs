//! Which losses count as losses.
//!
//! Flushes, evictions, restarts and moves always do. But caches expire and invalidate all day,
//! queues drain and refill, and nobody misses anything: what goes is replaced as fast. Such a loss
//! counts when the key count felt it. Two looks, because either alone is blind:
//!
//! - over the whole window, the count fell by at least half of what the cause took;
//! - in one run of intervals, it fell by so much. Such a run stays a loss however much is written,
//!   and lost again, later.
//!
//! Either way the fall must be notable: a twentieth of all keys. Where a command ran out of its
//! usual pace, it is enough that keys which come and go at random do not make such a fall. What
//! other causes took meanwhile is added back first.

use super::cause::Cause;
use super::ledger::Loss;
use super::mechanism::Mechanism;
use crate::model::{Role, Sample, Window};

/// The count must have fallen by at least this share of what the cause took.
const FELT_SHARE: f64 = 0.5;
/// A fall is notable from this share of all keys …
const NOTABLE_SHARE: f64 = 0.05;
/// … or, for commands out of their usual pace, from so many standard deviations of a count whose
/// keys come and go at random, which is less where there are many keys …
const DEVIATIONS: f64 = 4.0;
/// … and from so many keys …
const NOTABLE_KEYS: f64 = 10.0;
/// … or from this share of all keys, however few there are.
const HALF: f64 = 0.5;
/// One interval that took so many keys, and most of all that expired, is a wave whatever was
/// written meanwhile.
const BURST_KEYS: f64 = 100.0;
/// Intervals that must have been watched to tell a burst from the ordinary pace.
const BURST_NEEDS: usize = 5;

/// The losses of `cause` that count.
pub(super) fn counted<'a>(window: &Window<'_>, losses: &'a [Loss], cause: Cause) -> Vec<&'a Loss> {
    let mine: Vec<&Loss> = losses.iter().filter(|loss| loss.cause() == cause).collect();
    if mine.is_empty() {
        return mine;
    }
    match cause {
        Cause::Expiration => {
            let felt = felt(window, losses, cause, &mine);
            if felt.is_empty() {
                burst(window, &mine)
            } else {
                felt
            }
        }
        // RESTORE and COPY replace without a fall.
        Cause::Overwrite if mine.iter().any(|loss| is_silent(loss.mechanism)) => mine
            .into_iter()
            .filter(|loss| is_silent(loss.mechanism) && loss.keys as f64 >= NOTABLE_KEYS)
            .collect(),
        Cause::Deletion | Cause::Overwrite => felt(window, losses, cause, &mine),
        // A replica tells no total, only falls.
        Cause::Unexplained if is_replica(window) => Series::of(window, losses, cause).runs,
        _ => mine,
    }
}

fn is_replica(window: &Window<'_>) -> bool {
    window
        .last_sample()
        .is_some_and(|sample| sample.replication.role == Role::Replica)
}

fn is_silent(mechanism: Mechanism) -> bool {
    matches!(mechanism, Mechanism::Restore | Mechanism::Copy)
}

/// What a command did at its usual pace is business, unless it names the keys that it deletes.
fn is_business(loss: &Loss) -> bool {
    let names_keys = matches!(
        loss.mechanism,
        Mechanism::Del | Mechanism::Unlink | Mechanism::Getdel
    );
    loss.usual && !names_keys
}

/// From how many keys on a fall is notable.
fn notable(keys: f64, unusual: bool) -> f64 {
    let chance = if unusual {
        DEVIATIONS * keys.sqrt()
    } else {
        f64::INFINITY
    };
    f64::max(f64::min(keys * NOTABLE_SHARE, chance), NOTABLE_KEYS).min(keys * HALF)
}

/// Whether most of it was taken by commands out of their usual pace.
fn is_unusual(losses: &[&Loss]) -> bool {
    let (mut unusual, mut all) = (0u64, 0u64);
    for loss in losses {
        all = all.saturating_add(loss.keys);
        let by_command = matches!(loss.cause(), Cause::Deletion | Cause::Overwrite);
        if by_command && !loss.usual {
            unusual = unusual.saturating_add(loss.keys);
        }
    }
    unusual > all / 2
}

fn felt<'a>(
    window: &Window<'_>,
    losses: &'a [Loss],
    cause: Cause,
    mine: &[&'a Loss],
) -> Vec<&'a Loss> {
    let total = mine
        .iter()
        .fold(0u64, |sum, loss| sum.saturating_add(loss.keys));
    let series = Series::of(window, losses, cause);
    let least = f64::max(
        total as f64 * FELT_SHARE,
        notable(series.peak_keys, is_unusual(mine)),
    );
    let mut felt = if series.fall > 0.0 && series.fall >= least {
        mine.to_vec()
    } else {
        series.runs
    };
    if felt.iter().all(|loss| is_business(loss)) {
        felt.clear();
    }
    felt
}

/// The losses of the one interval that took most of all, when that is a wave.
fn burst<'a>(window: &Window<'_>, mine: &[&'a Loss]) -> Vec<&'a Loss> {
    if window.steps().count() < BURST_NEEDS {
        return Vec::new();
    }
    let keys = |at_once: &&[&Loss]| {
        let keys = at_once.iter().map(|loss| loss.keys);
        keys.fold(0u64, u64::saturating_add)
    };
    let intervals = || mine.chunk_by(|a, b| a.to == b.to);
    let Some(biggest) = intervals().max_by_key(keys) else {
        return Vec::new();
    };
    let total = intervals()
        .map(|at_once| keys(&at_once))
        .fold(0u64, u64::saturating_add);
    let peak = window.samples().filter_map(Sample::keys).max();
    let least = notable(peak.unwrap_or(0) as f64, false).max(BURST_KEYS);
    let took = keys(&biggest);
    if took as f64 >= least && took >= total / 2 {
        biggest.to_vec()
    } else {
        Vec::new()
    }
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
                if loss.cause() == cause {
                    here.push(loss);
                } else if !is_silent(loss.mechanism) {
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
        let least = notable(self.peak_keys, is_unusual(&run));
        if fall > 0.0 && fall >= taken * FELT_SHARE && fall >= least {
            self.runs.extend(run);
        }
    }
}
