//! One diagnosis of several.

use std::collections::BTreeMap;

use super::court::{Court, Seat};
use super::resharding::{arrived, is_given_up, migrations, moves};
use super::summary;
use super::takeover;
use crate::diagnosis::incident::{self, Incident};
use crate::diagnosis::ledger::Sum;
use crate::diagnosis::{
    Cause, Diagnosis, Ending, Fate, Ledger, Removals, State, rank, top_cause, words,
};

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
        migrations: migrations(court),
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
        if court.counts_keys(member) {
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
            && court.seat(member) == Seat::Primary
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
        let moved = losses.filter(move |loss| moves(loss.mechanism) && court.counts(member, loss));
        moved.map(move |loss| (loss.keys, is_given_up(court, member, loss)))
    });
    let (given_up, booked): (Vec<_>, Vec<_>) = booked.partition(|(_, given_up)| *given_up);
    let keys = |booked: &[(u64, bool)]| {
        let keys = booked.iter().map(|(keys, _)| *keys);
        keys.fold(0, u64::saturating_add)
    };
    let (arrived, booked) = (arrived(court), keys(&booked));
    let arrived = if arrived.is_all() {
        booked
    } else {
        arrived.keys.min(booked)
    };
    sum.arrived(arrived.saturating_add(keys(&given_up)));
    sum.ledger()
}

/// Incidents of all nodes that count; those that overlap are one.
fn incidents(court: &Court<'_>) -> Vec<Incident> {
    let arrived = arrived(court);
    let is_arrived = arrived.left == 0 || arrived.is_all();
    let mut all: Vec<Incident> = Vec::new();
    for member in court.primaries() {
        for incident in &court.parts[member].incidents {
            let shares = incident.shares.iter().filter(|share| {
                let moved = is_arrived && moves(share.mechanism);
                !moved && court.is_of_the_whole(member, incident, share.cause)
            });
            let shares: Vec<_> = shares.copied().collect();
            if !shares.is_empty() {
                let verdicts = &court.parts[member].verdicts;
                let mut own = incident.with_shares(court.node(member), shares, verdicts);
                if court.is_gone(member) {
                    own.state = State::Over;
                }
                all.push(own);
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
