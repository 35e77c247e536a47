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
//! usual pace, it is enough that the keys which come meanwhile cannot have made such a fall by
//! chance. What other causes took is added back first.
//!
//! What commands do again and again and is made good each time is routine: tags that are
//! invalidated and refilled, locks, queues. From the third time on it is no loss, unless one takes
//! more.

use super::cause::Cause;
use super::ledger::Loss;
use super::mechanism::Mechanism;
use crate::model::{Packed, Role, Window};

/// The count must have fallen by at least this share of what the cause took.
const FELT_SHARE: f64 = 0.5;
/// A fall is notable from this share of all keys …
const NOTABLE_SHARE: f64 = 0.05;
/// … and from so many keys …
const NOTABLE_KEYS: f64 = 10.0;
/// … or from this share of all keys, however few there are.
const HALF: f64 = 0.5;
/// For commands out of their usual pace: this share of all keys …
const UNUSUAL_SHARE: f64 = 0.002;
/// … and so many standard deviations of the keys that came meanwhile …
const DEVIATIONS: f64 = 4.0;
/// … or this share of all keys, however few there are.
const FIFTH: f64 = 0.2;
/// So often made good is routine: the count came back to this share of what it had been …
const TIMES: usize = 3;
const MADE_GOOD: f64 = 0.98;
/// … and what takes so many times as much as the others is none.
const LIKE_THE_OTHERS: f64 = 2.0;
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
        Cause::Relocation => moved(window, mine),
        // A replica tells no total, only falls.
        Cause::Unexplained if is_replica(window) => Series::of(window, losses, cause).losses().0,
        _ => mine,
    }
}

/// What is elsewhere now: of several swaps the last counts, and none where every database holds
/// again what it held before the first.
fn moved<'a>(window: &Window<'_>, mut mine: Vec<&'a Loss>) -> Vec<&'a Loss> {
    let is_swap = |loss: &Loss| loss.mechanism == Mechanism::Swapdb;
    let swaps: Vec<&Loss> = mine.iter().copied().filter(|loss| is_swap(loss)).collect();
    let [first, .., last] = &*swaps else {
        return mine;
    };
    let before = window.sample_at(first.from);
    let back = before.zip(window.last_sample()).is_some_and(|(was, is)| {
        let dbs = was.keyspace.dbs.iter().chain(&is.keyspace.dbs);
        dbs.map(|db| db.index).all(|db| {
            let (was, is) = (was.keyspace.keys_of(db), is.keyspace.keys_of(db));
            was.abs_diff(is) as f64 <= was.max(is) as f64 * NOTABLE_SHARE
        })
    });
    let last = last.to;
    mine.retain(|loss| !is_swap(loss) || (!back && loss.to == last));
    mine
}

fn is_replica(window: &Window<'_>) -> bool {
    window
        .last()
        .is_some_and(|sample| sample.role() == Role::Replica)
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

/// From how many keys on a fall is notable. `came` is how many keys were created meanwhile.
fn notable(keys: f64, unusual: bool, came: f64) -> f64 {
    let share = keys * NOTABLE_SHARE;
    if unusual {
        let chance = f64::max(keys * UNUSUAL_SHARE, came.sqrt() * DEVIATIONS);
        f64::max(f64::min(share, chance), NOTABLE_KEYS).min(keys * FIFTH)
    } else {
        f64::max(share, NOTABLE_KEYS).min(keys * HALF)
    }
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
        notable(series.peak_keys, is_unusual(mine), series.came),
    );
    let whole = series.fall > 0.0 && series.fall >= least;
    let (mut felt, routine) = series.losses();
    if whole {
        let is_routine = |loss: &&&Loss| routine.iter().any(|known| known.to == loss.to);
        felt = mine
            .iter()
            .filter(|loss| !is_routine(loss))
            .copied()
            .collect();
    }
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
    let peak = window.samples().filter_map(Packed::keys).max();
    let least = notable(peak.unwrap_or(0) as f64, false, 0.0).max(BURST_KEYS);
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
    /// Keys that were created at most.
    came: f64,
    /// The run that goes on.
    run: Run<'a>,
    /// The runs that were felt.
    runs: Vec<Run<'a>>,
}

/// Intervals in a row in which the count fell.
#[derive(Default)]
struct Run<'a> {
    /// The count before it.
    from: f64,
    fall: f64,
    came: f64,
    losses: Vec<&'a Loss>,
    /// The count came back.
    made_good: bool,
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
                // Where any number may have come, as many as there are is the best guess.
                let rise = after.saturating_sub(before);
                let came = step.commands.creations().unwrap_or(before).max(rise);
                series.step((before as f64, after as f64), came as f64, here);
            }
        }
        series.close_run(f64::NEG_INFINITY);
        series
    }

    fn step(&mut self, (before, after): (f64, f64), came: f64, losses: Vec<&'a Loss>) {
        let start = *self.level.get_or_insert(before);
        let now = after + self.added_back;
        self.peak_keys = self.peak_keys.max(before).max(after);
        self.peak = self.peak.max(start).max(now);
        self.fall = self.fall.max(self.peak - now);
        self.came += came;
        for run in self.runs.iter_mut().rev().take_while(|run| !run.made_good) {
            run.made_good = now >= run.from * MADE_GOOD;
        }
        if now < start {
            if self.run.losses.is_empty() && self.run.fall <= 0.0 {
                self.run.from = start;
            }
            self.run.fall += start - now;
            self.run.came += came;
            self.run.losses.extend(losses);
        } else {
            self.close_run(now);
        }
        self.level = Some(now);
    }

    fn close_run(&mut self, now: f64) {
        let mut run = std::mem::take(&mut self.run);
        let taken: f64 = run.losses.iter().map(|loss| loss.keys as f64).sum();
        let least = notable(self.peak_keys, is_unusual(&run.losses), run.came);
        if run.fall > 0.0 && run.fall >= taken * FELT_SHARE && run.fall >= least {
            run.made_good = now >= run.from * MADE_GOOD;
            self.runs.push(run);
        }
    }

    /// The losses of the runs that were felt, and those of them that are routine apart.
    fn losses(self) -> (Vec<&'a Loss>, Vec<&'a Loss>) {
        let mut falls: Vec<f64> = self.runs.iter().map(|run| run.fall).collect();
        falls.sort_by(f64::total_cmp);
        let usual = falls.get(falls.len() / 2).copied().unwrap_or(0.0);
        let by_command = self.runs.iter().flat_map(|run| &run.losses);
        let by_command = by_command
            .map(|loss| loss.cause())
            .all(|cause| matches!(cause, Cause::Deletion | Cause::Overwrite));
        let times = self.runs.iter().filter(|run| run.made_good).count();
        let is_routine = by_command && times >= TIMES;
        let (mut losses, mut routine) = (Vec::new(), Vec::new());
        for (place, run) in self.runs.iter().enumerate() {
            let goes_on = place + 1 == self.runs.len();
            let like = run.fall <= usual * LIKE_THE_OTHERS;
            if is_routine && like && (run.made_good || goes_on) {
                routine.extend(&run.losses);
            } else {
                losses.extend(&run.losses);
            }
        }
        (losses, routine)
    }
}
