//! What happened besides losses and is worth a line: denied attempts, resets, gaps, hidden
//! sections.

use super::case::Case;
use super::{witness, words};
use crate::model::{ChangeKind, Class, Limit};

/// Notices of changes at most; the Changes panel and the report's list have all.
const MOST: usize = 50;

pub(super) fn of(case: &Case<'_>) -> Vec<String> {
    let mut notices: Vec<String> = case
        .window
        .changes()
        .filter(|change| is_worth_a_notice(&change.kind))
        .map(|change| {
            format!(
                "{}  {}",
                change.at().strftime("%H:%M:%S"),
                change.kind.sentence()
            )
        })
        .collect();
    if notices.len() > MOST {
        let left_out = notices.len() - MOST;
        notices.drain(..left_out);
        notices.insert(0, format!("{left_out} earlier changes left out"));
    }
    notices.extend(refused(case));
    notices.extend(redirected(case));
    notices.extend(witness::told(case));
    notices.extend(hidden(case));
    notices
}

/// Commands that remove or replace keys and were refused or failed: somebody tries. Flushes have
/// lines of their own.
fn refused(case: &Case<'_>) -> Option<String> {
    let mut attempts: Vec<(&str, u64)> = Vec::new();
    let refusing = case
        .window
        .steps()
        .filter(|step| step.commands.has_refusals());
    for command in refusing.flat_map(|step| step.commands.classed()) {
        let tries = command.rejected.saturating_add(command.failed);
        let removes = matches!(
            command.class,
            Some(Class::Delete | Class::Empty | Class::Move | Class::Overwrite | Class::Admin)
        );
        if !removes || tries == 0 {
            continue;
        }
        match attempts.iter_mut().find(|(name, _)| *name == command.name) {
            Some((_, sum)) => *sum = sum.saturating_add(tries),
            None => attempts.push((command.name, tries)),
        }
    }
    (!attempts.is_empty()).then(|| format!("refused or failed: {}", words::list(attempts)))
}

/// So many redirections a second are no client that learns of a moved slot.
const REDIRECTIONS: f64 = 10.0;

/// Clients of a cluster that ask nodes which do not hold the slot, again and again: what they look for
/// exists, elsewhere.
fn redirected(case: &Case<'_>) -> Option<String> {
    let mut counts: [(&str, u64); 4] =
        [("MOVED", 0), ("ASK", 0), ("CROSSSLOT", 0), ("TRYAGAIN", 0)];
    let mut seconds = 0.0;
    for step in case.window.steps() {
        seconds += step.seconds();
        for error in step.errors() {
            if let Some((_, sum)) = counts.iter_mut().find(|(name, _)| *name == error.prefix) {
                *sum = sum.saturating_add(error.count());
            }
        }
    }
    let all = counts.iter().map(|(_, n)| *n).fold(0, u64::saturating_add);
    let told: Vec<_> = counts.into_iter().filter(|(_, n)| *n > 0).collect();
    (seconds > 0.0 && all as f64 / seconds >= REDIRECTIONS).then(|| {
        format!(
            "clients ask the wrong node: {} in {}; keys look missing to clients that do not follow redirections",
            words::list(told),
            words::duration(crate::format::whole(seconds))
        )
    })
}

/// Losses have verdicts of their own; news like "a replica joined" stays in the timeline.
fn is_worth_a_notice(kind: &ChangeKind) -> bool {
    kind.is_trouble()
        && !matches!(
            kind,
            ChangeKind::Flushed { .. } | ChangeKind::EvictionBegan | ChangeKind::KeysFell { .. }
        )
}

/// What this server does not tell, once.
fn hidden(case: &Case<'_>) -> Vec<String> {
    let Some(last) = case.last else {
        return Vec::new();
    };
    let mut notices = Vec::new();
    if last.server.sentinel {
        notices.push(format!(
            "this is a Sentinel, which holds no keys; to look at what it watches: amr-top redis-sentinel://{}/NAME",
            case.node()
        ));
    }
    if case.was_reset() {
        notices.push(
            "CONFIG RESETSTAT has run: totals count since then, what was counted before is gone"
                .into(),
        );
    }
    if last.product().is_enterprise() {
        notices.push(format!(
            "{} answers with a reduced INFO: limit, policy, replicas and offsets are not exposed",
            last.product()
        ));
    }
    match last.memory.limit {
        Limit::Assumed(limit) => notices.push(format!(
            "the limit of {} is assumed from the command line",
            words::bytes(limit)
        )),
        Limit::NotExposed => notices
            .push("give the memory limit with --maxmemory to judge how near eviction is".into()),
        Limit::Unlimited | Limit::Bytes(_) => {}
    }
    notices.extend(witness::silent(case));
    let mut newest = case.window.samples().rev();
    notices.extend(newest.find_map(|sample| sample.unread().sentence()));
    if last.commands.is_none() {
        notices.push("commandstats are not exposed: deletes and flushes cannot be told".into());
    }
    notices
}
