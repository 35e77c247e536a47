//! What the new holder of slots took in.

use std::time::Duration;

use super::is_within;
use crate::format;
use crate::model::{Deployment, SlotMove, Step, Window};

/// What grew and what left may be so much apart, in parts of the whole.
pub(super) const APART: u64 = 20;
/// A node's usual growth is that of so long.
const LATELY: Duration = Duration::from_secs(30);
/// An import that took longer is not followed back to its beginning.
pub(super) const LONGEST: Duration = Duration::from_secs(600);
/// Where nothing tells when an import began, it began so long before the cluster agreed on it.
const USUAL: Duration = Duration::from_secs(3);

/// By how much the new holder of slots grew while it imported them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    /// Beyond its usual growth: the keys that came with the slots, about.
    pub(super) keys: u64,
    /// Altogether.
    grown: u64,
}

impl Taken {
    /// Keys that may have come beside: what is usual may have paused, and the counts are a little
    /// apart.
    pub(super) fn spare(self) -> u64 {
        let usual = self.grown.saturating_sub(self.keys);
        usual.saturating_add(self.grown / APART)
    }
}

/// What the new holder took in; `None` where that was not seen.
pub(super) fn taken_in(
    deployment: &Deployment,
    moved: &SlotMove,
    all: &[SlotMove],
    end: Option<Duration>,
) -> Option<Taken> {
    let place = deployment.place(&moved.to)?;
    let window = deployment.members()[place].history().window_until(end);
    if window.start()? > moved.last {
        return None;
    }
    let began = began(&window, moved, all);
    let steps = window.steps();
    let (grown, seconds) =
        growth(steps.filter(|step| step.to.elapsed > began && step.from <= moved.last))?;
    let usual = usual_growth(&window, moved, all, began) * seconds;
    let own = grown.saturating_sub(format::whole(usual));
    // Of several that gave to it at once, each its part.
    let beside = all.iter().filter(|other| {
        let is_beside = other.first <= moved.last && other.last >= moved.first;
        other.to == moved.to && is_beside
    });
    let slots: u64 = beside.map(|other| u64::from(other.slots.count())).sum();
    let part = u128::from(own) * u128::from(moved.slots.count()) / u128::from(slots.max(1));
    let keys = u64::try_from(part).ok()?;
    Some(Taken { keys, grown })
}

/// Keys by which a node grew in those steps in which it did, what it removed and counted included, and
/// the seconds of all.
fn growth<'a>(steps: impl Iterator<Item = &'a Step>) -> Option<(u64, f64)> {
    let mut sum = None;
    for step in steps {
        let (before, after) = step.keys_before.zip(step.keys_after)?;
        let grown = after.saturating_add(step.counted_removals());
        let (keys, seconds) = sum.unwrap_or((0u64, 0.0));
        sum = Some((
            keys.saturating_add(grown.saturating_sub(before)),
            seconds + step.seconds(),
        ));
    }
    sum
}

/// Keys a second by which a node grew in the time before it imported slots; 0 where it imported
/// others then, for nothing tells what of it was usual.
fn usual_growth(window: &Window<'_>, moved: &SlotMove, all: &[SlotMove], began: Duration) -> f64 {
    let span = (began.saturating_sub(LATELY), began);
    let steps = || window.steps().filter(|step| is_within(step.to, span));
    let mut others = all.iter().filter(|other| other.to == moved.to);
    let is_busy = others.any(|other| other.last < moved.first && other.last.elapsed > span.0)
        || steps().any(imports);
    match growth(steps()) {
        Some((grown, seconds)) if seconds > 0.0 && !is_busy => grown as f64 / seconds,
        _ => 0.0,
    }
}

/// Whether a node takes keys of others in, or gives some away.
fn imports(step: &Step) -> bool {
    step.effective("cluster|syncslots") > 0 || is_given_keys(step)
}

/// Whether a node was sent keys by command.
pub(super) fn is_given_keys(step: &Step) -> bool {
    let brings = ["restore", "restore-asking"];
    brings.iter().any(|name| step.effective(name) > 0)
}

/// When the new holder began to import, as far as its commands tell.
fn began(window: &Window<'_>, moved: &SlotMove, all: &[SlotMove]) -> Duration {
    let first = moved.first.elapsed;
    // What it took in or gave away before was another import.
    let before = all.iter().filter(|other| {
        let is_own = other.to == moved.to || other.from == moved.to;
        is_own && other.last < moved.first
    });
    let before = before.map(|other| other.last.elapsed).max();
    let earliest = before
        .unwrap_or_default()
        .max(first.saturating_sub(LONGEST));
    let mut steps = window
        .steps()
        .filter(|step| step.from.elapsed >= earliest && step.from.elapsed <= first);
    let began = steps.find(|step| imports(step));
    let began = began.map(|step| step.from.elapsed);
    began
        .unwrap_or(first)
        .min(first.saturating_sub(USUAL))
        .max(earliest)
}
