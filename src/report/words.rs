//! Numbers, times and words as reports write them.

use crate::diagnosis::{Scope, Verdict};
use crate::format::keys;
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
