//! Numbers, times and words as reports write them.

use jiff::Timestamp;

use crate::diagnosis::{Level, Scope, Verdict};
use crate::model::inert;

/// Longest piece of foreign text in a report.
const LONGEST: usize = 2_000;

/// Text that cannot steer a terminal.
pub(super) fn safe(text: &str) -> String {
    inert(text, LONGEST)
}

/// `50213` as `50,213`.
pub(super) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 key`, `2 keys`.
pub(super) fn plural(n: u64, word: &str) -> String {
    let ending = if n == 1 { "" } else { "s" };
    format!("{} {word}{ending}", count(n))
}

/// `14:03:07`, UTC.
pub(super) fn clock(at: Timestamp) -> String {
    at.strftime("%H:%M:%S").to_string()
}

/// `2026-11-23 14:03:07`, UTC.
pub(super) fn date_and_clock(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// The severity as a word; a confirmed loss is loud.
pub(super) fn level_word(level: Level) -> &'static str {
    match level {
        Level::Confirmed => "CONFIRMED",
        Level::Suspected => "suspected",
        Level::AtRisk => "at risk",
        Level::Unknown => "unknown",
        Level::Clear => "clear",
    }
}

/// `50,213 keys`, `at least 3 keys`; empty where they cannot be counted.
pub(super) fn keys_lost(verdict: &Verdict) -> String {
    match (verdict.keys_lost, verdict.at_least) {
        (None, _) => String::new(),
        (Some(n), false) => plural(n, "key"),
        (Some(n), true) => format!("at least {}", plural(n, "key")),
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
            '−' | '–' | '—' => out.push('-'),
            '→' => out.push_str("->"),
            '≥' => out.push_str(">="),
            '≤' => out.push_str("<="),
            '…' => out.push_str("..."),
            '×' => out.push('x'),
            '▲' => out.push('!'),
            '△' => out.push('~'),
            '◇' => out.push('*'),
            '·' => out.push('-'),
            '’' | '‘' => out.push('\''),
            c if c.is_ascii() => out.push(c),
            _ => out.push('?'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(0, "0")]
    #[case(999, "999")]
    #[case(1_000, "1,000")]
    #[case(51_417, "51,417")]
    #[case(1_234_567, "1,234,567")]
    fn thousands_are_set_apart(#[case] n: u64, #[case] expected: &str) {
        assert_eq!(count(n), expected);
    }

    #[test]
    fn ascii_keeps_the_meaning() {
        assert_eq!(ascii("−5 → ≥ 3 … ü"), "-5 -> >= 3 ... ?");
    }
}
