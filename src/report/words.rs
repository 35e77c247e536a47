//! Numbers, times and words as reports write them.

use jiff::Timestamp;

use crate::diagnosis::{Certainty, Mechanism, Scope, Suspect, Verdict};
use crate::format::{clock, date_and_clock, keys};
use crate::model::inert;

/// Longest piece of foreign text in a report.
const LONGEST: usize = 2_000;

/// Text that cannot steer a terminal.
pub(super) fn safe(text: &str) -> String {
    inert(text, LONGEST)
}

/// `50,213 keys`, `at least 3 keys`; empty where they cannot be counted.
pub(super) fn keys_lost(verdict: &Verdict) -> String {
    match (verdict.keys_lost, verdict.at_least) {
        (None, _) => String::new(),
        (Some(n), false) => keys(n),
        (Some(n), true) => format!("at least {}", keys(n)),
    }
}

/// What the scope means for a reader; nothing for a window that was watched.
pub(super) fn scope_words(scope: Scope) -> &'static str {
    match scope {
        Scope::Window => "",
        Scope::SinceStart => "since the server's start",
    }
}

/// The summary, and how it happened where the summary does not say so itself.
pub(super) fn summary(verdict: &Verdict) -> String {
    let summary = safe(&verdict.summary);
    let is_said = |words: &&str| summary.to_lowercase().contains(&words.to_lowercase());
    let how = verdict.mechanism.map(Mechanism::words);
    match how.filter(|words| !is_said(words)) {
        Some(how) => format!("{summary} ({how})"),
        None => summary,
    }
}

/// How sure it is that somebody did it.
pub(super) fn certainty(suspect: &Suspect) -> &'static str {
    match suspect.certainty {
        Certainty::Likely => "likely",
        Certainty::Possible => "possible",
    }
}

/// The end of a time that began at `from`: without the day where that is the same.
pub(super) fn until(from: Timestamp, to: Timestamp) -> String {
    let day = |at: Timestamp| at.strftime("%F").to_string();
    if day(from) == day(to) {
        clock(to)
    } else {
        date_and_clock(to)
    }
}

/// The text in ASCII: signs by their likeness, other characters as `?`.
pub(super) fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '−' | '–' | '—' | '·' => out.push('-'),
            '→' => out.push_str("->"),
            '≥' => out.push_str(">="),
            '≤' => out.push_str("<="),
            '…' => out.push_str("..."),
            '×' => out.push('x'),
            '▲' => out.push('!'),
            '△' => out.push('~'),
            '◇' => out.push('*'),
            '’' | '‘' => out.push('\''),
            c if c.is_ascii() => out.push(c),
            _ => out.push('?'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_keeps_the_meaning() {
        assert_eq!(ascii("−5 → ≥ 3 … ü"), "-5 -> >= 3 ... ?");
    }
}
