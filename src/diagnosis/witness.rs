//! Who may have done it: commands that can take keys in the way in which they went, by the server's
//! slow log and its list of clients.
//!
//! The slow log holds what was slow, not what was run, and the list of clients holds the last
//! command of those who stayed: nobody in them is no proof of innocence, and a command in them ran,
//! but not necessarily on the keys that are missed. So nobody is ever more than likely.

mod deed;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use self::deed::Deed;
use super::case::Case;
use super::heard::{self, Removals};
use super::{Cause, Certainty, Diagnosis, Reading, Scope, Suspect, Verdict};
use crate::format;
use crate::model::{Denied, Monitored};

/// Suspects at most.
const MOST: usize = 5;
/// Entries that become evidence at most.
const MOST_EVIDENCE: usize = 3;
/// Denied attempts that are told at most.
const MOST_DENIED: usize = 5;
/// A list of so many clients, or one that took so long, has a price worth telling.
const MANY_CLIENTS: usize = 100;
const LONG_MS: u128 = 10;

/// A time of our clock.
type Span = (Timestamp, Timestamp);

/// Those whose commands can have taken keys by `of` between two moments of our clock, the newest
/// first. Without moments, all that is remembered, and none of them likely.
pub(super) fn suspects(
    case: &Case<'_>,
    of: Cause,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> Vec<Suspect> {
    let watched = from.zip(to);
    let spans: Vec<_> = watched.into_iter().collect();
    let found = found(case, of, watched.is_some().then_some(&*spans));
    name_them(case, &found, watched.is_some())
}

/// Those who were seen to run one of these commands on a key, within a time of our clock.
pub(super) fn of_key(case: &Case<'_>, key: &str, verbs: &[String], span: Span) -> Vec<Suspect> {
    let ahead = deed::ahead(case);
    let mut found: Vec<Deed<'_>> = deed::all(case)
        .into_iter()
        .filter(|deed| deed.is_within(span) && deed.is_on(key, verbs))
        .collect();
    found.sort_by(Deed::newest_first);
    let clients: BTreeSet<_> = found.iter().map(|deed| (deed.address, deed.name)).collect();
    let certainty = if clients.len() == 1 {
        Certainty::Likely
    } else {
        Certainty::Possible
    };
    let found = found.iter().take(MOST);
    found.map(|deed| deed.suspect(ahead, certainty)).collect()
}

/// Names the suspects of a loss, and dates a flush that nobody watched.
pub(super) fn name(case: &Case<'_>, verdict: &mut Verdict) {
    let of = verdict.cause;
    if verdict.scope == Scope::SinceStart {
        verdict.suspects = suspects(case, of, None, None);
        if of == Cause::Flush {
            date(case, verdict);
        }
        return;
    }
    let spans: Vec<Span> = match case.account(of) {
        Some(account) => {
            let losses = account.losses.iter();
            losses.map(|loss| (loss.from.at, loss.to.at)).collect()
        }
        None => verdict
            .first_seen
            .zip(verdict.last_seen)
            .into_iter()
            .collect(),
    };
    verdict.suspects = name_them(case, &found(case, of, Some(&spans)), true);
}

/// Deeds of a cause, the newest first; those that were done within `spans` of our clock where
/// these are given, else those since the server's start.
fn found<'a>(case: &Case<'a>, of: Cause, spans: Option<&[Span]>) -> Vec<Deed<'a>> {
    let started = spans.is_none().then(|| deed::started(case)).flatten();
    let is_within = |deed: &Deed<'_>| match spans {
        Some(spans) => spans.iter().any(|span| deed.is_within(*span)),
        None => started.is_none_or(|started| deed.latest >= started),
    };
    let all = deed::all(case).into_iter();
    let mut found: Vec<Deed<'a>> = all
        .filter(|deed| deed.can_be(of) && is_within(deed))
        .collect();
    found.sort_by(Deed::newest_first);
    let found = deed::together(deed::without_inner(found));
    // What a script did is not known; where somebody is known to have done it, scripts are not
    // suspect.
    let is_exact = found.iter().any(|deed| deed.does(of));
    let found = found.into_iter();
    found.filter(|deed| !is_exact || deed.does(of)).collect()
}

fn name_them(case: &Case<'_>, found: &[Deed<'_>], watched: bool) -> Vec<Suspect> {
    let clients: BTreeSet<_> = found.iter().map(|deed| (deed.address, deed.name)).collect();
    let is_known = found.len() == 1 || found.iter().all(|deed| deed.address.is_some());
    let is_told = found.iter().all(|deed| !deed.is_guess());
    let certainty = if watched && clients.len() == 1 && is_known && is_told {
        Certainty::Likely
    } else {
        Certainty::Possible
    };
    let ahead = deed::ahead(case);
    let mut seen = BTreeSet::new();
    let mut suspects = Vec::new();
    for deed in found {
        if suspects.len() < MOST && seen.insert((&deed.command, deed.address, deed.name)) {
            let was_seen = deed.was_seen() && watched;
            let certainty = if was_seen {
                Certainty::Likely
            } else {
                certainty
            };
            suspects.push(deed.suspect(ahead, certainty));
        }
    }
    suspects
}

/// The slow log tells when.
fn date(case: &Case<'_>, verdict: &mut Verdict) {
    let found = found(case, Cause::Flush, None);
    let entries = || found.iter().filter_map(|deed| Some((deed, deed.entry?)));
    for (_, entry) in entries().take(MOST_EVIDENCE) {
        let by = entry
            .address
            .iter()
            .map(|address| format!(", by {address}"));
        let name = entry.name.iter().map(|name| format!(" ({name})"));
        let by: String = by.chain(name).collect();
        let note = format!(
            "at {} UTC, {:.1} ms{by}",
            entry.at.strftime("%F %H:%M:%S"),
            entry.took.as_secs_f64() * 1_000.0
        );
        let field = format!("slowlog {}", entry.id);
        let command = entry.command.as_str();
        verdict
            .evidence
            .push(case.evidence(field, Reading::None, command, note, Some(entry.at)));
    }
    // A script may only have mentioned it.
    let flush = entries().find(|(deed, _)| !deed.is_script());
    if let Some((_, flush)) = flush {
        verdict.first_seen = verdict.first_seen.or(Some(flush.at));
        verdict.last_seen = verdict.last_seen.or(Some(flush.at));
    }
}

/// What the witnesses told besides: attempts that were stopped, and what asking has cost.
pub(super) fn told(case: &Case<'_>) -> Vec<String> {
    let end = case
        .window
        .end()
        .map(|end| end.at + SignedDuration::from_secs(1));
    let testimony = case.window.witnesses();
    let denied = testimony.denied().iter();
    let denied = denied.filter(|denied| end.is_some_and(|end| denied.at <= end));
    let mut told: Vec<String> = denied.take(MOST_DENIED).map(Denied::sentence).collect();
    let lists: Vec<_> = testimony.clients().map(|(_, list)| list).collect();
    let rows = lists.iter().map(|list| list.total).max().unwrap_or(0);
    let took = lists.iter().map(|list| list.took).max().unwrap_or_default();
    let bytes: usize = lists.iter().map(|list| list.bytes).sum();
    if rows >= MANY_CLIENTS || took.as_millis() >= LONG_MS {
        told.push(format!(
            "CLIENT LIST was asked {}×: up to {}, {} in all, {} ms at most",
            lists.len(),
            format::plural(rows as u64, "client"),
            format::bytes(bytes as u64),
            took.as_millis()
        ));
    }
    told.extend(testimony.monitors().map(monitor));
    told
}

/// One line on a monitor.
fn monitor(monitor: Result<&Monitored, &str>) -> String {
    match monitor {
        Ok(monitor) => monitor.sentence(),
        Err(words) => format!("MONITOR did not run: {words}"),
    }
}

/// Witnesses that do not speak, and why.
pub(super) fn silent(case: &Case<'_>) -> impl Iterator<Item = String> + use<> {
    let testimony = case.window.witnesses();
    let lines = [
        testimony
            .no_slow_log()
            .map(|words| format!("the slow log is not readable: {words}")),
        testimony
            .no_clients()
            .map(|words| format!("CLIENT LIST {words}")),
        testimony
            .no_denied()
            .map(|words| format!("denied attempts are not readable: {words}")),
        testimony.no_events().map(|words| {
            format!("whether keyspace events tell which keys went is not readable: {words}")
        }),
    ];
    lines.into_iter().flatten()
}

impl Diagnosis {
    /// The same without what the witnesses said of people, keys and places: addresses, names,
    /// users and arguments of commands.
    #[must_use]
    pub fn without_names(&self) -> Self {
        let mut diagnosis = self.clone();
        let verdicts = diagnosis.verdicts.iter_mut();
        let incidents = diagnosis.incidents.iter_mut();
        let named = verdicts.map(|verdict| &mut verdict.suspects);
        for suspect in named
            .chain(incidents.map(|incident| &mut incident.suspects))
            .flatten()
        {
            let command = suspect.command.split(' ').next().unwrap_or_default();
            suspect.command = command.to_owned();
            (suspect.address, suspect.name, suspect.user) = (None, None, None);
        }
        diagnosis.lines_without_names()
    }

    /// The same with the suspects as they are, and nobody named in evidence and notices.
    #[must_use]
    pub fn lines_without_names(&self) -> Self {
        let mut diagnosis = self.clone();
        let evidence = diagnosis.verdicts.iter_mut();
        for proof in evidence.flat_map(|verdict| &mut verdict.evidence) {
            if proof.field.starts_with("slowlog ") {
                cut(&mut proof.note);
                if let Reading::Text(command) = &mut proof.after {
                    command.truncate(command.find(' ').unwrap_or(command.len()));
                }
            }
        }
        diagnosis
            .events
            .iter_mut()
            .for_each(Removals::leave_out_names);
        for proof in diagnosis.verdicts.iter_mut().flat_map(|v| &mut v.evidence) {
            heard::leave_out_names(proof);
        }
        for fate in &mut diagnosis.fates {
            *fate = fate.without_names();
        }
        let denied = diagnosis.notices.iter_mut();
        denied
            .filter(|notice| notice.starts_with("denied: "))
            .for_each(cut);
        diagnosis
    }
}

/// Cuts who it was off a line.
fn cut(line: &mut String) {
    line.truncate(line.find(", by ").unwrap_or(line.len()));
}

#[cfg(test)]
mod tests;
