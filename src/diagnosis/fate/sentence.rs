//! The one sentence that says what became of a key.

use std::time::Duration;

use jiff::Timestamp;

use super::candidates::Candidate;
use super::{Asked, Ending, Fate, SLACK, Span};
use crate::diagnosis::{Certainty, Suspect};
use crate::format;
use crate::model::{Fact, KeyState};

fn clock(at: Timestamp) -> String {
    at.strftime("%H:%M:%S%.3f").to_string()
}

/// `at 14:03:07.412`, or between which times.
fn when(span: Span) -> String {
    if span.to.since(span.from) <= SLACK {
        return format!("at {}", clock(span.from.at));
    }
    format!("between {} and {}", clock(span.from.at), clock(span.to.at))
}

/// A TTL in seconds, or in milliseconds where it is short.
pub(super) fn ttl(ttl: Duration) -> String {
    match ttl.as_secs() {
        0..10 => format!("{:.1} s", ttl.as_secs_f64()),
        s => format!("{} s", format::count(s)),
    }
}

pub(super) fn present(fact: &Fact) -> String {
    let KeyState::Present { kind, .. } = &fact.seen.state else {
        return String::new();
    };
    let back = match &fact.before {
        Some(was) if !was.state.is_present() && fact.asked != Asked::First => {
            format!(", came back at {}", clock(fact.since.at))
        }
        _ => String::new(),
    };
    format!("is there: {kind}{back}")
}

pub(super) fn overwritten(span: Span, was: &str, is: &str, how: Option<&str>) -> String {
    let how = how.map(|how| format!(" ({how})"));
    format!(
        "was overwritten {}: {was}, is {is} now{}",
        when(span),
        how.unwrap_or_default()
    )
}

/// `deleted (DEL by 10.0.0.7:5123, worker-3)`.
fn cause(candidate: &Candidate, suspects: &[Suspect]) -> String {
    let by = suspects.first().filter(|suspect| {
        let command = candidate.command.as_deref();
        suspect.certainty == Certainty::Likely
            && command.is_some_and(|name| suspect.command.to_ascii_uppercase().starts_with(name))
    });
    let by = by.and_then(|suspect| {
        let names = [&suspect.address, &suspect.name];
        let names: Vec<&str> = names.into_iter().flatten().map(String::as_str).collect();
        (!names.is_empty()).then(|| format!(" by {}", names.join(", ")))
    });
    let how = format!("{}{}", candidate.how, by.unwrap_or_default());
    match (candidate.ending, &*how) {
        (ending, "") => ending.id().to_owned(),
        (ending, how) => format!("{} ({how})", ending.id()),
    }
}

/// What is said of a key that has gone. `first` is the likeliest cause, where one is known.
pub(super) fn gone(
    fate: &Fate,
    span: Span,
    first: Option<&Candidate>,
    others: &[Candidate],
) -> String {
    let why = match (fate.ending, first) {
        (Ending::Pending, _) | (_, None) if fate.ending == Ending::Pending => {
            "the next poll may tell why".to_owned()
        }
        (_, None) => "nothing that the server counts tells why".to_owned(),
        (_, Some(first)) if others.is_empty() => cause(first, &fate.suspects),
        (_, Some(first)) => {
            let others: Vec<String> = others.iter().map(|one| cause(one, &[])).collect();
            format!(
                "probably {}, possibly {}",
                cause(first, &fate.suspects),
                others.join(" or ")
            )
        }
    };
    let left = match (&fate.last, fate.ttl_left) {
        (None, _) => String::new(),
        (Some(_), None) => ", it had no TTL".to_owned(),
        (Some(_), Some(Duration::ZERO)) => ", its TTL had run out".to_owned(),
        (Some(_), Some(left)) => format!(", its TTL had {} to go", ttl(left)),
    };
    format!("vanished {}: {why}{left}", when(span))
}
