//! One diagnosis of several.

use super::court::Court;
use super::summary;
use super::takeover;
use crate::diagnosis::incident::{self, Incident};
use crate::diagnosis::ledger::{Loss, Sum};
use crate::diagnosis::{
    Cause, Diagnosis, Ending, Fate, Ledger, Mechanism, Removals, State, Way, rank, top_cause, words,
};
use crate::model::{Moment, Window};

/// Notices of the whole at most.
const MOST_NOTICES: usize = 40;

pub(super) fn merge(court: &Court<'_>) -> Diagnosis {
    let has_interval = court.windows.iter().any(Window::has_interval);
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
        forecast: court.parts.iter().find_map(|part| part.forecast.clone()),
        notices: notices(court),
    }
}

/// What went, over all primaries, and what their successors do not have.
fn ledger(court: &Court<'_>) -> Ledger {
    let mut sum = Sum::default();
    for shard in &court.shards {
        let of = |member: Option<usize>| member.map(|member| &court.parts[member].ledger);
        sum.keys(
            of(shard.first).and_then(|ledger| ledger.keys_before),
            of(shard.last).and_then(|ledger| ledger.keys_after),
        );
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
    sum.losses(
        court
            .handovers
            .iter()
            .filter(|h| !h.split)
            .filter_map(takeover::loss),
    );
    let moved = arrived(court).keys;
    sum.arrived(moved);
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
}

/// What moved away from some primaries, as far as others created as much meanwhile. What left after
/// the others were last heard is on its way: they cannot have told yet.
pub(super) fn arrived(court: &Court<'_>) -> Arrived {
    let moves = |loss: &&Loss| {
        matches!(
            loss.mechanism,
            Mechanism::Migrate | Mechanism::SlotMigration
        )
    };
    let left = |member: usize, since: Option<Moment>| {
        let losses = court.parts[member].ledger.losses.iter();
        let losses = losses
            .filter(moves)
            .filter(|loss| court.counts(member, loss));
        let losses = losses.filter(|loss| since.is_none_or(|since| loss.to > since));
        losses.map(|loss| loss.keys).fold(0, u64::saturating_add)
    };
    let came = |member: usize| court.parts[member].ledger.keys(Way::Created);
    let from = court.primaries().max_by_key(|member| left(*member, None));
    let Some(from) = from.filter(|from| left(*from, None) > 0) else {
        return Arrived::default();
    };
    let others = || court.primaries().filter(|member| *member != from);
    let Some(to) = others().max_by_key(|member| came(*member)) else {
        return Arrived::default();
    };
    let answering = others().map(|member| &court.windows[member]);
    let answering = answering.filter(|window| window.open_gap().is_none());
    let heard = answering.filter_map(Window::end).min();
    let gone = court
        .primaries()
        .map(|member| left(member, None))
        .fold(0, u64::saturating_add);
    let on_the_way = heard.map_or(0, |heard| left(from, Some(heard)));
    let came = others().map(came).fold(0, u64::saturating_add);
    Arrived {
        from,
        to,
        keys: gone.min(came.saturating_add(on_the_way)),
    }
}

/// Incidents of all nodes that count; those that overlap are one.
fn incidents(court: &Court<'_>) -> Vec<Incident> {
    let is_arrived = arrived(court).keys > 0;
    let mut all: Vec<Incident> = Vec::new();
    for member in court.primaries() {
        for incident in &court.parts[member].incidents {
            let shares = incident.shares.iter().filter(|share| {
                let moved = share.cause == Cause::Relocation && is_arrived;
                !moved && court.is_of_the_whole(member, incident, share.cause)
            });
            let shares: Vec<_> = shares.copied().collect();
            if !shares.is_empty() {
                all.push(incident.with_shares(shares));
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

/// What became of each watched key. In a cluster all nodes are asked, and those that do not hold
/// it cannot tell.
fn fates(court: &Court<'_>) -> Vec<Fate> {
    let all: Vec<(usize, &Fate)> = court
        .parts
        .iter()
        .enumerate()
        .flat_map(|(member, part)| part.fates.iter().map(move |fate| (member, fate)))
        .collect();
    let tells = |fate: &Fate| !matches!(fate.ending, Ending::Unreadable | Ending::Missing);
    let told_by = |of: &Fate| {
        let mut same = all.iter().filter(|(_, fate)| fate.name == of.name);
        same.any(|(_, fate)| tells(fate))
    };
    let mut shown: Vec<Fate> = Vec::new();
    for (_, fate) in &all {
        let is_known = shown
            .iter()
            .any(|known| known.name == fate.name && !tells(fate));
        if tells(fate) || !told_by(fate) && !is_known {
            shown.push((*fate).clone());
        }
    }
    shown.sort_by_key(|fate| fate.ending);
    shown
}

/// Notices, each once, whatever numbers stand in it, with the nodes that it is of.
fn notices(court: &Court<'_>) -> Vec<String> {
    let bare = |notice: &str| notice.replace(|c: char| c.is_ascii_digit(), "");
    let mut told: Vec<(String, &str, Vec<usize>)> = Vec::new();
    for (member, part) in court.parts.iter().enumerate() {
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
    let unheard = court.windows.iter().filter(|w| w.last_sample().is_none());
    unheard.filter_map(|window| {
        let (gap, node) = (window.open_gap()?, window.node());
        Some(format!(
            "{node} was announced and never reached: {}; where it is reachable under another address, say so: --node-map {node}=HOST:PORT",
            gap.failure.sentence()
        ))
    })
}
