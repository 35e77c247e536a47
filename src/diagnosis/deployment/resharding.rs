//! Slots that changed their node: what went with them, what arrived, and what is said of it.

mod falls;
mod taken;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::court::Court;
use crate::diagnosis::ledger::{Given, Handed, Loss, TRIM};
use crate::diagnosis::{
    Cause, Evidence, Ledger, Level, Mechanism, Reading, Scope, Verdict, Way, words,
};
use crate::model::{Deployment, Moment, NodeId, SlotMove, Window};
use falls::{Fall, allot};
use taken::{APART, LONGEST, Taken, is_given_keys, taken_in};

/// Ranges that are told of slots which moved together.
const MOST_RANGES: usize = 64;

/// Two times since the watch began: after the first, up to the second.
type Span = (Duration, Duration);

/// Slots that went from one node to another, and what went with them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Migration {
    /// Who held the slots.
    pub from: NodeId,
    /// Who holds them.
    pub to: NodeId,
    /// How many.
    pub slots: u32,
    /// Which, both ends included; the first ranges of many.
    pub ranges: Vec<(u16, u16)>,
    /// Keys by which the new holder grew meanwhile; `None` where nobody saw it.
    pub keys: Option<u64>,
    /// When a view of the cluster first showed some of it.
    pub first_seen: Timestamp,
    /// When one last showed more of it.
    pub last_seen: Timestamp,
}

/// What went between nodes of which one at least is reported, the oldest first.
pub(super) fn migrations(court: &Court<'_>) -> Vec<Migration> {
    let own = reported(court).into_iter();
    own.map(|moved| Migration {
        keys: taken_in(court.deployment, &moved, &court.slot_moves, court.end).map(|t| t.keys),
        slots: moved.slots.count(),
        ranges: moved
            .slots
            .ranges()
            .iter()
            .copied()
            .take(MOST_RANGES)
            .collect(),
        first_seen: moved.first.at,
        last_seen: moved.last.at,
        from: moved.from,
        to: moved.to,
    })
    .collect()
}

fn reported(court: &Court<'_>) -> Vec<SlotMove> {
    let is_own = |node: &NodeId| {
        let place = court.deployment.place(node);
        place.is_some_and(|place| court.reports(place))
    };
    let moves = court.slot_moves.iter();
    moves
        .filter(|moved| is_own(&moved.from) || is_own(&moved.to))
        .cloned()
        .collect()
}

/// What others know of the slots that a node gave away.
pub(super) fn given(
    deployment: &Deployment,
    moves: &[SlotMove],
    node: &NodeId,
    end: Option<Duration>,
) -> Given {
    let view = deployment.topology(end);
    // One that gave all away and was forgotten is in no view any more.
    let is_of_it = |moved: &SlotMove| moved.from == *node || moved.to == *node;
    let is_known = view.is_some_and(|view| view.at(node).is_some());
    if !is_known && !moves.iter().any(is_of_it) {
        return Given::Untold;
    }
    let Some(place) = deployment.place(node) else {
        return Given::Untold;
    };
    let window = deployment.members()[place].history().window_until(end);
    let mut falls: BTreeMap<Moment, Fall> = BTreeMap::new();
    let own = moves.iter().filter(|moved| moved.from == *node);
    let handed = own.map(|moved| {
        let span = span(moved);
        for fall in Fall::within(&window, span) {
            falls.entry(fall.to).or_insert(fall);
        }
        let taken = taken_in(deployment, moved, moves, end);
        Handed {
            span,
            spare: taken.map_or(0, Taken::spare),
            fell: taken.map(|taken| allot(&mut falls, span, taken.keys)),
        }
    });
    let taken = moves.iter().filter(|moved| moved.to == *node);
    let taken = taken.map(|moved| {
        let first = moved.first.elapsed.saturating_sub(LONGEST);
        (first, moved.last.elapsed + TRIM)
    });
    Given::Told {
        handed: handed.collect(),
        taken: taken.collect(),
    }
}

/// Between these, the keys of slots left their old holder.
fn span(moved: &SlotMove) -> Span {
    (moved.since.elapsed, moved.last.elapsed + TRIM)
}

fn is_within(to: Moment, span: Span) -> bool {
    to.elapsed > span.0 && to.elapsed <= span.1
}

/// Whether keys go to another node by it.
pub(super) fn moves(mechanism: Mechanism) -> bool {
    matches!(mechanism, Mechanism::Migrate | Mechanism::SlotMigration)
}

/// Whether a loss is of keys that came to a node by an import that was given up: it drops them, and
/// who holds their slots has them still.
pub(super) fn is_given_up(court: &Court<'_>, member: usize, loss: &Loss) -> bool {
    let ledger: &Ledger = &court.parts[member].ledger;
    let dropped = || {
        let losses = ledger.losses.iter();
        let dropped = losses.filter(|loss| loss.mechanism == Mechanism::SlotMigration);
        dropped.map(|loss| loss.keys).fold(0, u64::saturating_add)
    };
    loss.mechanism == Mechanism::SlotMigration
        && court.given[member] != Given::Untold
        && !court.given[member].is_about(loss.to)
        && ledger.keys(Way::Created) >= dropped()
}

/// Keys that left nodes and arrived at others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Arrived {
    /// The node that most left.
    pub(super) from: usize,
    /// The node at which most arrived.
    pub(super) to: usize,
    /// How many.
    pub(super) keys: u64,
    /// How many left.
    pub(super) left: u64,
}

impl Arrived {
    /// Whether so many are all that left. They are counted on both sides by bounds: a twentieth
    /// apart is not a loss.
    pub(super) fn is_all(self) -> bool {
        self.keys > 0 && self.keys.saturating_add(self.left / APART) >= self.left
    }
}

/// What moved away from some primaries, as far as others created as much meanwhile. What left after
/// the others were last heard is on its way: they cannot have told yet.
pub(super) fn arrived(court: &Court<'_>) -> Arrived {
    let left = |member: usize, since: Option<Moment>| {
        let losses = court.parts[member].ledger.losses.iter();
        let moved = losses.filter(|loss| {
            let by_command = moves(loss.mechanism) && court.counts(member, loss);
            let is_gone = by_command && !is_given_up(court, member, loss);
            is_gone || court.is_handed_on(member, loss)
        });
        let moved = moved.filter(|loss| since.is_none_or(|since| loss.to > since));
        moved.map(|loss| loss.keys).fold(0, u64::saturating_add)
    };
    let came = |member: usize| {
        if takes_in(court, member) {
            court.parts[member].ledger.keys(Way::Created)
        } else {
            0
        }
    };
    let from = court
        .all_primaries()
        .max_by_key(|member| left(*member, None));
    let Some(from) = from.filter(|from| left(*from, None) > 0) else {
        return Arrived::default();
    };
    let others = || court.all_primaries().filter(|member| *member != from);
    let Some(to) = others().max_by_key(|member| came(*member)) else {
        return Arrived::default();
    };
    let answering = others().map(|member| &court.windows[member]);
    let answering = answering.filter(|window| window.open_gap().is_none());
    let heard = answering.filter_map(Window::end).min();
    let gone = court
        .all_primaries()
        .map(|member| left(member, None))
        .fold(0, u64::saturating_add);
    let on_the_way = heard.map_or(0, |heard| left(from, Some(heard)));
    // Two nodes may give to each other.
    let came = court.all_primaries().map(came);
    let came = came.fold(0, u64::saturating_add);
    Arrived {
        from,
        to,
        keys: gone.min(came.saturating_add(on_the_way)),
        left: gone,
    }
}

/// Whether keys of others came to a node: it was given slots, or commands that bring keys.
fn takes_in(court: &Court<'_>, member: usize) -> bool {
    let node = court.node(member);
    court.slot_moves.iter().any(|moved| moved.to == *node)
        || court.windows[member].steps().any(is_given_keys)
}

/// What is said of keys that moved: those that left one node and arrived at another are not lost.
pub(super) fn told(court: &Court<'_>, mut whole: Verdict) -> Verdict {
    let arrived = arrived(court);
    let moves = reported(court);
    let is_lost = whole.is_loss_in_window();
    let is_of_old = whole.is_loss() && !is_lost && whole.mechanism != Some(Mechanism::Migrate);
    let is_idle = !is_lost && moves.is_empty() && arrived.keys == 0;
    if is_of_old || is_idle || has_other_ways(court) {
        return whole;
    }
    let is_about = !moves.is_empty() || court.reports(arrived.from) || court.reports(arrived.to);
    let largest = moves.iter().max_by_key(|moved| moved.slots.count());
    if is_lost && arrived.left == 0 {
        if let Some(summary) = given_up(court) {
            clear(&mut whole, summary);
        }
    } else if arrived.keys > 0 && is_about && arrived.is_all() {
        let (mut from, mut to) = (court.node(arrived.from), court.node(arrived.to));
        let mut left = arrived.left;
        if let Some(largest) = largest.filter(|_| !court.is_whole()) {
            (from, to) = (&largest.from, &largest.to);
            left = whole.keys_lost.unwrap_or(left);
        }
        let words = format!("{}, and all arrived", went(&moves, left, from, to));
        clear(&mut whole, words);
    } else if is_lost && arrived.keys > 0 && is_about {
        let from = court.node(arrived.from);
        let lost = arrived.left - arrived.keys;
        whole.keys_lost = Some(lost);
        let most = whole.at_most;
        whole.at_most = most.map(|most| most.saturating_sub(arrived.keys).max(lost));
        whole.summary = format!(
            "{} left {from}{}, {} arrived at other nodes",
            words::keys(arrived.left),
            with(&moves),
            words::count(arrived.keys)
        );
    } else if !is_lost && let Some(most) = largest {
        // The old holder had other keys beside, or follows the new one now.
        let taken = |moved| taken_in(court.deployment, moved, &court.slot_moves, court.end);
        let keys = moves.iter().filter_map(taken).map(|taken| taken.keys);
        let keys = keys.fold(0, u64::saturating_add);
        let words = went(&moves, keys, &most.from, &most.to);
        clear(&mut whole, words);
    }
    if !moves.is_empty() {
        whole.mechanism = whole.mechanism.or(Some(Mechanism::SlotMigration));
        whole.evidence.extend(moves.iter().take(4).map(evidence));
    }
    whole
}

/// Whether keys went to other databases too: the other node does not have those.
fn has_other_ways(court: &Court<'_>) -> bool {
    court.primaries().any(|member| {
        let mut losses = court.losses(member, Cause::Relocation);
        losses.any(|loss| !moves(loss.mechanism))
    })
}

/// Nothing is lost by it.
fn clear(verdict: &mut Verdict, summary: String) {
    verdict.level = Level::Clear;
    verdict.scope = Scope::Window;
    verdict.keys_lost = None;
    (verdict.at_least, verdict.at_most) = (false, None);
    verdict.next_steps.clear();
    verdict.summary = summary;
}

/// `4,010 keys moved with 1,000 slots, 10.0.0.1:6379 → 10.0.0.2:6379`.
fn went(moves: &[SlotMove], keys: u64, from: &NodeId, to: &NodeId) -> String {
    let what = match (keys, moves) {
        (0, moves) => format!("{} moved with their keys", slots(moves)),
        (keys, moves) => format!("{} moved{}", words::keys(keys), with(moves)),
    };
    let beside = |one: &NodeId, side: fn(&SlotMove) -> &NodeId| {
        let others: BTreeSet<&str> = moves.iter().map(|m| side(m).as_str()).collect();
        match others.iter().filter(|node| **node != one.as_str()).count() {
            0 => String::new(),
            1 => " and one other node".to_owned(),
            n => format!(" and {}", words::plural(n as u64, "other node")),
        }
    };
    let (giving, taking) = (beside(from, |m| &m.from), beside(to, |m| &m.to));
    format!("{what}, {from}{giving} → {to}{taking}")
}

fn slots(moves: &[SlotMove]) -> String {
    let count = moves.iter().map(|moved| u64::from(moved.slots.count()));
    words::plural(count.sum(), "slot")
}

fn with(moves: &[SlotMove]) -> String {
    if moves.is_empty() {
        String::new()
    } else {
        format!(" with {}", slots(moves))
    }
}

fn evidence(moved: &SlotMove) -> Evidence {
    Evidence {
        node: moved.to.clone(),
        field: "CLUSTER NODES".into(),
        before: Reading::None,
        after: u64::from(moved.slots.count()).into(),
        note: format!("slots {} from {}", moved.slots, moved.from),
        at: Some(moved.last.at),
    }
}

/// An import that was given up took no key from anybody.
fn given_up(court: &Court<'_>) -> Option<String> {
    let mut dropped = court.primaries().filter_map(|member| {
        let losses = court.parts[member].ledger.losses.iter();
        let dropped = losses.filter(|loss| is_given_up(court, member, loss));
        let keys = dropped.map(|loss| loss.keys).fold(0, u64::saturating_add);
        (keys > 0).then_some((court.node(member), keys))
    });
    let (node, keys) = dropped.next()?;
    let others = match dropped.count() {
        0 => "",
        _ => ", and others did the like",
    };
    Some(format!(
        "{node} gave up an import of slots and dropped {} that had come with it; who holds the slots has them{others}",
        words::keys(keys)
    ))
}
