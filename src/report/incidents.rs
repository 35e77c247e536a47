//! Losses that belong together, as a short list.

use jiff::Timestamp;
use serde::Serialize;

use super::to_millisecond;
use super::words::until;
use crate::diagnosis::{Cause, Incident, Mechanism, Share, Suspect};
use crate::format::{self, date_and_clock};
use crate::model::NodeId;

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
    /// Left out where there is one node.
    #[serde(skip_serializing_if = "no_nodes")]
    nodes: &'a [NodeId],
    #[serde(skip)]
    how: String,
}

fn no_nodes(nodes: &&[NodeId]) -> bool {
    nodes.is_empty()
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
            nodes: &incident.nodes,
            how: format!("{}{}", incident.how(), incident.whereabouts()),
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

    /// `UNLINK 67 %, TTLs ran out 33 %`.
    pub(super) fn how(&self) -> &str {
        &self.how
    }

    /// Who may have done it.
    pub(super) fn suspects(&self) -> &'a [Suspect] {
        self.suspects
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
