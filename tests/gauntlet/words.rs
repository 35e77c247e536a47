//! Small things that are said of replies and panics.

use std::any::Any;
use std::fmt::Write as _;

use amr_top::diagnosis::{Diagnosis, Level};
use amr_top::model::{History, Memory};

/// The message of a panic.
pub(crate) fn of_panic(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without words")
        .to_owned()
}

/// A field of an `INFO` reply.
pub(crate) fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    let line = |line: &'a str| line.strip_prefix(name)?.strip_prefix(':');
    info.lines().find_map(line).map(str::trim)
}

/// `flush/flushall ≥2000`: what a diagnosis names first.
pub(crate) fn of_diagnosis(diagnosis: &Diagnosis) -> String {
    let Some(verdict) = diagnosis.top_cause.and_then(|cause| diagnosis.of(cause)) else {
        return "nothing".into();
    };
    let mechanism = verdict.mechanism.map_or("–", |mechanism| mechanism.id());
    let mut text = format!("{}/{mechanism}", verdict.cause.id());
    if verdict.level != Level::Confirmed {
        let _ = write!(text, " {}", verdict.level.id());
    }
    if let Some(keys) = verdict.keys_lost {
        let sign = if verdict.at_least { "≥" } else { "" };
        let _ = write!(text, " {sign}{keys}");
    }
    let shares = diagnosis.incidents.last().map_or(&[][..], |i| &i.shares);
    if shares.len() > 1 {
        let shares: Vec<&str> = shares.iter().map(|share| share.mechanism.id()).collect();
        let _ = write!(text, " [{}]", shares.join(" > "));
    }
    text
}

/// Verdicts, losses, incidents and the last readings, for whoever has to find out.
pub(crate) fn story(diagnosis: &Diagnosis, history: &History) -> String {
    let mut text = String::from("\nverdicts:\n");
    for verdict in &diagnosis.verdicts {
        let _ = writeln!(
            text,
            "  {} {:?} {:?} {:?} keys={:?} at_least={} at_most={:?}: {}",
            verdict.cause.id(),
            verdict.level,
            verdict.scope,
            verdict.mechanism,
            verdict.keys_lost,
            verdict.at_least,
            verdict.at_most,
            verdict.summary
        );
    }
    text.push_str("losses:\n");
    for loss in &diagnosis.ledger.losses {
        let _ = writeln!(
            text,
            "  {} ms to {} ms: {:?} {} most={:?} usual={}",
            loss.from.elapsed.as_millis(),
            loss.to.elapsed.as_millis(),
            loss.mechanism,
            loss.keys,
            loss.most,
            loss.usual
        );
    }
    text.push_str("incidents:\n");
    for incident in &diagnosis.incidents {
        let shares = incident.shares.iter();
        let shares: Vec<_> = shares.map(|s| (s.mechanism.id(), s.keys)).collect();
        let _ = writeln!(
            text,
            "  {:?} keys={} {shares:?}",
            incident.state, incident.keys
        );
    }
    steps(history, &mut text);
    let _ = writeln!(text, "notices: {:#?}", diagnosis.notices);
    text
}

/// What memory is used for, where there is a limit.
fn of_memory(memory: &Memory) -> String {
    let Some(limit) = memory.limit.bytes() else {
        return String::new();
    };
    format!(
        "limit {limit} used {:?} data {:?} clients {:?} backlog {:?} replicas {:?} not counted {:?}",
        memory.used_bytes,
        memory.dataset_bytes,
        memory.clients_bytes,
        memory.backlog_bytes,
        memory.replicas_bytes,
        memory.not_counted_bytes
    )
}

fn steps(history: &History, text: &mut String) {
    text.push_str("steps:\n");
    for (before, step, after) in history.window().intervals() {
        let commands: Vec<String> = step
            .commands
            .iter()
            .filter(|command| command.name != "info")
            .map(|command| format!("{}+{}", command.name, command.effective))
            .collect();
        let _ = writeln!(
            text,
            "  {} ms {:?}: keys {:?} to {:?}; {}; {}",
            step.to.elapsed.as_millis(),
            step.continuity,
            before.keys(),
            after.keys(),
            of_memory(&after.memory()),
            commands.join(" ")
        );
    }
    for gap in history.window().gaps() {
        let _ = writeln!(text, "  gap {gap:?}");
    }
}
