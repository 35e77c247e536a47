//! What the new holder of slots took in.

use std::time::Duration;

use super::falls::Fall;
use super::span;
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
    if window.start()? > moved.since {
        return None;
    }
    let began = began(&window, moved, all);
    let steps = window.steps_within((began, Duration::MAX));
    let (grown, seconds) = growth(steps.take_while(|step| step.from <= moved.last))?;
    let usual = usual_growth(&window, moved, all, began) * seconds;
    let own = grown.saturating_sub(format::whole(usual));
    let keys = part(deployment, moved, all, end, own);
    Some(Taken { keys, grown })
}

/// Of keys that several nodes gave to one at once, those that came with a move: what fell on its old
/// holder and no command can have taken, and of the rest a part by the number of slots.
fn part(
    deployment: &Deployment,
    moved: &SlotMove,
    all: &[SlotMove],
    end: Option<Duration>,
    keys: u64,
) -> u64 {
    let is_at_once = |other: &&SlotMove| other.first <= moved.last && other.last >= moved.first;
    let at_once: Vec<&SlotMove> = all.iter().filter(is_at_once).collect();
    let beside = || at_once.iter().filter(|other| other.to == moved.to);
    if beside().count() <= 1 {
        return keys;
    }
    let slots = |moved: &SlotMove| u64::from(moved.slots.count());
    // What fell on a node that gave to several is of each by the number of slots.
    let sent = |other: &SlotMove| {
        let own = at_once.iter().filter(|own| own.from == other.from);
        let all = own.map(|own| slots(own)).sum();
        share(fell(deployment, other, end), slots(other), all)
    };
    let own = sent(moved);
    let sum = beside()
        .map(|other| sent(other))
        .fold(0, u64::saturating_add);
    if sum >= keys {
        return share(keys, own, sum);
    }
    let all = beside().map(|other| slots(other)).sum();
    own.saturating_add(share(keys - sum, slots(moved), all))
}

/// Keys that fell on the old holder of slots and that no command can have taken.
fn fell(deployment: &Deployment, moved: &SlotMove, end: Option<Duration>) -> u64 {
    let Some(place) = deployment.place(&moved.from) else {
        return 0;
    };
    let window = deployment.members()[place].history().window_until(end);
    let falls = Fall::within(&window, span(moved));
    falls.iter().map(Fall::free).fold(0, u64::saturating_add)
}

/// Of a number what a part of all has of it.
fn share(number: u64, part: u64, all: u64) -> u64 {
    let share = u128::from(number) * u128::from(part.min(all)) / u128::from(all.max(1));
    u64::try_from(share).unwrap_or(number)
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
    let steps = || window.steps_within(span);
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
    let steps = window.steps_within((earliest, Duration::MAX));
    let steps = steps.take_while(|step| step.from.elapsed <= first);
    let mut steps = steps.filter(|step| step.from.elapsed >= earliest);
    let began = steps.find(|step| imports(step));
    let began = began.map(|step| step.from.elapsed);
    began
        .unwrap_or(first)
        .min(first.saturating_sub(USUAL))
        .max(earliest)
}
