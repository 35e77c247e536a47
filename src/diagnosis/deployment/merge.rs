//! One diagnosis of several.

use std::collections::BTreeMap;

use super::court::{Court, Seat};
use super::summary;
use super::takeover;
use crate::diagnosis::incident::{self, Incident};
use crate::diagnosis::ledger::Sum;
use crate::diagnosis::{
    Cause, Diagnosis, Ending, Fate, Ledger, Mechanism, Removals, State, Way, rank, top_cause, words,
};
use crate::model::{ChangeKind, Moment, Window};

/// Notices of the whole at most.
const MOST_NOTICES: usize = 40;

pub(super) fn merge(court: &Court<'_>) -> Diagnosis {
    let has_interval = court
        .members()
        .any(|member| court.windows[member].has_interval());
    let mut verdicts: Vec<_> = Cause::ALL
        .iter()
        .map(|cause| summary::verdict(court, *cause))
        .collect();
    rank(&mut verdicts, has_interval);
    Diagnosis {
        top_cause: top_cause(&verdicts, has_interval),
        verdicts,
        ledger: ledger(court),
        incidents: incidents(court),
        fates: fates(court),
        events: events(court),
        forecast: court
            .members()
            .find_map(|member| court.parts[member].forecast.clone()),
        notices: notices(court),
    }
}

/// What went, over all primaries, and what their successors do not have.
fn ledger(court: &Court<'_>) -> Ledger {
    let mut sum = Sum::default();
    for member in court.primaries() {
        let ledger = &court.parts[member].ledger;
        if court.was_reigning(member) {
            sum.before(ledger.keys_before);
        }
        if court.is_reigning(member) {
            sum.after(ledger.keys_after);
        }
    }
    for member in court.primaries() {
        let ledger = &court.parts[member].ledger;
        let counted: Vec<_> = ledger
            .losses
            .iter()
            .filter(|loss| court.counts(member, loss))
            .collect();
        if counted.len() == ledger.losses.len()
            && !court
                .handovers
                .iter()
                .any(|h| h.old == member || h.new == member)
        {
            sum.whole(ledger);
        } else {
            sum.losses(counted.into_iter().copied());
        }
    }
    sum.losses(court.handovers.iter().filter_map(takeover::loss));
    let booked = court.primaries().flat_map(|member| {
        let losses = court.parts[member].ledger.losses.iter();
        losses.filter(move |loss| moves(loss.mechanism) && court.counts(member, loss))
    });
    let booked = booked.map(|loss| loss.keys).fold(0, u64::saturating_add);
    sum.arrived(arrived(court).keys.min(booked));
    sum.ledger()
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
    pub(super) fn is_all(self, left: u64) -> bool {
        self.keys > 0 && self.keys.saturating_add(left / 20) >= left
    }
}

/// Whether keys go to another node by it.
fn moves(mechanism: Mechanism) -> bool {
    matches!(mechanism, Mechanism::Migrate | Mechanism::SlotMigration)
}

/// What moved away from some primaries, as far as others created as much meanwhile. What left after
/// the others were last heard is on its way: they cannot have told yet.
pub(super) fn arrived(court: &Court<'_>) -> Arrived {
    let left = |member: usize, since: Option<Moment>| {
        let losses = court.parts[member].ledger.losses.iter();
        let moved = losses.filter(|loss| {
            let by_command = moves(loss.mechanism) && court.counts(member, loss);
            by_command || court.is_handed_on(member, loss)
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
    let came = others().map(came).fold(0, u64::saturating_add);
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
    let end = court.end;
    let mut changes = court.deployment.changes();
    let was_given = changes.any(|change| match &change.kind {
        ChangeKind::SlotsMoved { to, takeover, .. } => {
            to == node && !takeover && end.is_none_or(|end| change.moment.elapsed <= end)
        }
        _ => false,
    });
    let brings = ["restore", "restore-asking"];
    was_given
        || court.windows[member]
            .steps()
            .any(|step| brings.iter().any(|name| step.effective(name) > 0))
}

/// Incidents of all nodes that count; those that overlap are one.
fn incidents(court: &Court<'_>) -> Vec<Incident> {
    let arrived = arrived(court);
    let is_arrived = arrived.is_all(arrived.left);
    let mut all: Vec<Incident> = Vec::new();
    for member in court.primaries() {
        for incident in &court.parts[member].incidents {
            let shares = incident.shares.iter().filter(|share| {
                let moved = is_arrived && moves(share.mechanism);
                !moved && court.is_of_the_whole(member, incident, share.cause)
            });
            let shares: Vec<_> = shares.copied().collect();
            if !shares.is_empty() {
                all.push(incident.with_shares(court.node(member), shares));
            }
        }
    }
    all.extend(takeover::incidents(court));
    all.sort_by_key(|incident| (incident.from, incident.to));
    let mut merged: Vec<Incident> = Vec::new();
    for incident in all {
        match merged.last_mut() {
            Some(last) if incident.from.since(last.to) <= incident::QUIET => last.join(incident),
            _ => merged.push(incident),
        }
    }
    let last = merged.len().saturating_sub(1);
    for incident in &mut merged[..last] {
        incident.state = State::Over;
    }
    merged
}

/// What the primaries published, by kind.
fn events(court: &Court<'_>) -> Vec<Removals> {
    let mut all: Vec<Removals> = Vec::new();
    for heard in court
        .primaries()
        .flat_map(|member| &court.parts[member].events)
    {
        match all.iter_mut().find(|known| known.event == heard.event) {
            Some(known) => known.join(heard),
            None => all.push(heard.clone()),
        }
    }
    all
}

/// What became of each watched key. Several nodes may be asked for it: in a cluster those that do not
/// hold it cannot tell, and of a primary and its copies the primary's word counts.
fn fates(court: &Court<'_>) -> Vec<Fate> {
    let mut named: BTreeMap<&str, (u8, &Fate)> = BTreeMap::new();
    for member in court.members() {
        let part = &court.parts[member];
        for fate in &part.fates {
            let weight = match fate.ending {
                Ending::Unreadable => 0,
                Ending::Missing => 2,
                _ => 4,
            } + u8::from(court.is_reigning(member));
            let known = named.entry(&fate.name).or_insert((weight, fate));
            if known.0 < weight {
                *known = (weight, fate);
            }
        }
    }
    let mut fates: Vec<Fate> = named.into_values().map(|(_, fate)| fate.clone()).collect();
    fates.sort_by_key(|fate| fate.ending);
    fates
}

/// Notices, each once, whatever numbers stand in it, with the nodes that it is of.
fn notices(court: &Court<'_>) -> Vec<String> {
    let bare = |notice: &str| notice.replace(|c: char| c.is_ascii_digit(), "");
    let mut told: Vec<(String, &str, Vec<usize>)> = Vec::new();
    for member in court.members() {
        let part = &court.parts[member];
        for notice in &part.notices {
            let words = bare(notice);
            match told.iter_mut().find(|(known, ..)| *known == words) {
                Some((.., members)) => members.push(member),
                None => told.push((words, notice, vec![member])),
            }
        }
    }
    let told = told.iter().map(|(_, notice, members)| {
        let node = court.node(members[0]);
        match members.len() {
            1 => format!("{node}: {notice}"),
            n => format!(
                "{node}: {notice} (and {} like it)",
                words::plural(n as u64 - 1, "other node")
            ),
        }
    });
    unreached(court).chain(told).take(MOST_NOTICES).collect()
}

/// Nodes that somebody named and that were never reached.
fn unreached(court: &Court<'_>) -> impl Iterator<Item = String> {
    let unheard = court
        .members()
        .filter(|member| court.seat(*member) == Seat::Unheard && !court.is_gone(*member));
    unheard.filter_map(|member| {
        let (gap, node) = (court.windows[member].open_gap()?, court.node(member));
        let why = gap.failure.sentence();
        Some(if gap.failure.kind.is_outage() {
            format!(
                "{node} was announced and never reached: {why}; where it is reachable under another address, say so: --node-map {node}=HOST:PORT"
            )
        } else {
            format!("{node} was found and cannot be looked at: {why}")
        })
    })
}
