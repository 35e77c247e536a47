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

/// ` by 10.0.0.7:5123, worker-3`: the first suspect, where there is no other and its command is what
/// took the key. One whose command does not name the key is only likely.
pub(super) fn by(candidate: &Candidate, suspects: &[Suspect], key: &str) -> String {
    let ([suspect, ..], [verb]) = (suspects, &*candidate.verbs) else {
        return String::new();
    };
    let mut words = suspect.command.split(' ');
    let is_it = words
        .next()
        .is_some_and(|word| word.eq_ignore_ascii_case(verb));
    if suspect.certainty != Certainty::Likely || !is_it {
        return String::new();
    }
    let names = [&suspect.address, &suspect.name];
    let names: Vec<&str> = names.into_iter().flatten().map(String::as_str).collect();
    match (names.is_empty(), words.any(|word| word == key)) {
        (true, _) => String::new(),
        (_, true) => format!(" by {}", names.join(", ")),
        (_, false) => format!(", likely by {}", names.join(", ")),
    }
}

/// `deleted (DEL by 10.0.0.7:5123, worker-3)`.
fn cause(candidate: &Candidate, by: &str) -> String {
    let how = format!("{}{by}", candidate.how);
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
        (_, Some(first)) if others.is_empty() => cause(first, &fate.by),
        (_, Some(first)) => {
            let others: Vec<String> = others.iter().map(|one| cause(one, "")).collect();
            format!(
                "probably {}, possibly {}",
                cause(first, &fate.by),
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
