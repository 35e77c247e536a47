//! Losses that belong together, as a short list.

use jiff::Timestamp;
use serde::Serialize;

use super::to_millisecond;
use super::words::until;
use crate::diagnosis::{Cause, Incident, Mechanism, Share, Suspect};
use crate::format::{self, date_and_clock};

/// One incident; times to the millisecond.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Episode<'a> {
    from: Timestamp,
    to: Timestamp,
    state: &'static str,
    keys_lost: u64,
    at_least: bool,
    causes: Vec<Portion>,
    suspects: &'a [Suspect],
}

/// What one mechanism took of it; `share` to three digits.
#[derive(Clone, Copy, Debug, Serialize)]
struct Portion {
    cause: Cause,
    mechanism: Mechanism,
    title: &'static str,
    keys_lost: u64,
    at_least: bool,
    share: f64,
}

impl<'a> Episode<'a> {
    pub(super) fn new(incident: &'a Incident) -> Self {
        Self {
            from: to_millisecond(incident.from.at),
            to: to_millisecond(incident.to.at),
            state: incident.state.id(),
            keys_lost: incident.keys,
            at_least: incident.at_least,
            causes: incident.shares.iter().map(Portion::new).collect(),
            suspects: &incident.suspects,
        }
    }

    /// `2026-11-23 14:03:00–14:03:07`, UTC.
    pub(super) fn time(&self) -> String {
        let until = until(self.from, self.to);
        format!("{}–{until}", date_and_clock(self.from))
    }

    /// Whether it goes on, in words.
    pub(super) fn state(&self) -> String {
        self.state.replace('-', " ")
    }

    /// `−50,213 keys`; empty for an incident that took no key.
    pub(super) fn keys(&self) -> String {
        match (self.keys_lost, self.at_least) {
            (0, _) => String::new(),
            (n, true) => format!("≥ {}", format::keys(n)),
            (n, false) => format!("−{}", format::keys(n)),
        }
    }

    /// `UNLINK 67 %, TTLs ran out 33 %`; one that took all or nothing needs no number.
    pub(super) fn how(&self) -> String {
        let one = self.causes.len() == 1;
        let portions = self.causes.iter().map(|portion| {
            let words = portion.mechanism.words();
            if one || portion.keys_lost == 0 {
                return words.to_owned();
            }
            format!("{words} {}", percent(portion.share))
        });
        portions.collect::<Vec<_>>().join(", ")
    }

    /// Who may have done it.
    pub(super) fn suspects(&self) -> &'a [Suspect] {
        self.suspects
    }
}

/// `67 %`, `< 1 %`, `> 99 %`; nothing is rounded to all or nothing.
fn percent(share: f64) -> String {
    match (share * 100.0).round() {
        percent if percent < 1.0 && share > 0.0 => "< 1 %".into(),
        percent if percent > 99.0 && share < 1.0 => "> 99 %".into(),
        percent => format!("{percent:.0} %"),
    }
}

impl Portion {
    fn new(share: &Share) -> Self {
        Self {
            cause: share.cause,
            mechanism: share.mechanism,
            title: share.cause.title(),
            keys_lost: share.keys,
            at_least: share.at_least,
            share: (share.share * 1_000.0).round() / 1_000.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(0.0, "0 %")]
    #[case(0.001, "< 1 %")]
    #[case(0.667, "67 %")]
    #[case(0.999, "> 99 %")]
    #[case(1.0, "100 %")]
    fn shares_are_whole(#[case] share: f64, #[case] said: &str) {
        assert_eq!(percent(share), said);
    }
}
