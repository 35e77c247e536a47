//! Why keys went away: a pure function from a [`Window`] to a [`Diagnosis`].
//!
//! A rule is one file per cause; its documentation explains the cause to an operator and the
//! same words serve the help, the cards and the reports ([`Cause::explanation`]). Rules only read
//! the window and the [`Ledger`], which has already accounted for every interval once.
//!
//! *Every claim carries evidence. A field that is not exposed gives [`Level::Unknown`] with its
//! name in [`Verdict::missing`], never a zero.*

mod cause;
mod deletion;
mod eviction;
mod expiration;
mod flush;
mod instance_failure;
mod ledger;
mod overwrite;
mod rejected_writes;
mod relocation;
mod replication;
mod unexplained;
mod words;

use jiff::Timestamp;
use serde::Serialize;

pub use cause::Cause;
pub use ledger::{Ledger, Loss};

use crate::model::{NodeId, Window};

/// How sure a verdict is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// A counter or event that only this cause has accounts for the loss.
    Confirmed,
    /// There is evidence, but another cause shares it, or only totals since start exist.
    Suspected,
    /// Nothing lost yet; the next failure would lose data.
    AtRisk,
    /// What decides is not exposed by this server.
    Unknown,
    /// Nothing of this kind happened.
    Clear,
}

impl Level {
    /// The stable id that reports use.
    pub fn id(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Suspected => "suspected",
            Self::AtRisk => "at-risk",
            Self::Unknown => "unknown",
            Self::Clear => "clear",
        }
    }
}

/// What a verdict speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// What happened while we watched.
    Window,
    /// Totals since the server's start or its last CONFIG RESETSTAT.
    SinceStart,
}

/// One reading that supports a verdict.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// The node that said it.
    pub node: NodeId,
    /// The field, `cmdstat_flushall.calls` for items of composite fields.
    pub field: String,
    /// The reading before.
    pub before: Reading,
    /// The reading after.
    pub after: Reading,
    /// What it means, in a few words.
    pub note: String,
    /// When the later reading was taken.
    pub at: Option<Timestamp>,
}

/// A reading: a number, a word, or nothing.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Reading {
    /// Not known.
    None,
    /// A count or a gauge.
    Number(u64),
    /// A state.
    Text(String),
}

impl From<u64> for Reading {
    fn from(n: u64) -> Self {
        Self::Number(n)
    }
}

impl From<Option<u64>> for Reading {
    fn from(n: Option<u64>) -> Self {
        n.map_or(Self::None, Self::Number)
    }
}

impl From<&str> for Reading {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl std::fmt::Display for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("–"),
            Self::Number(n) => n.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

/// What one rule says of one cause.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// The cause.
    pub cause: Cause,
    /// How sure.
    #[serde(rename = "verdict")]
    pub level: Level,
    /// What it speaks of.
    pub scope: Scope,
    /// One sentence with numbers.
    pub summary: String,
    /// Keys that this cause took, where they can be counted.
    pub keys_lost: Option<u64>,
    /// `keys_lost` is a lower bound: creations may hide more.
    pub at_least: bool,
    /// When the first sign was seen.
    pub first_seen: Option<Timestamp>,
    /// When the last sign was seen.
    pub last_seen: Option<Timestamp>,
    /// The readings, strongest first.
    pub evidence: Vec<Evidence>,
    /// Who did it; empty until a witness is asked.
    pub suspects: Vec<String>,
    /// Fields that would have been needed.
    pub missing: Vec<&'static str>,
    /// What to do next.
    pub next_steps: Vec<String>,
    /// Documentation.
    pub docs: Vec<&'static str>,
}

impl Verdict {
    /// A verdict without evidence; only [`Level::Clear`] and [`Level::Unknown`] may stay so.
    pub fn new(cause: Cause, level: Level, summary: impl Into<String>) -> Self {
        Self {
            cause,
            level,
            scope: Scope::Window,
            summary: summary.into(),
            keys_lost: None,
            at_least: false,
            first_seen: None,
            last_seen: None,
            evidence: Vec::new(),
            suspects: Vec::new(),
            missing: Vec::new(),
            next_steps: Vec::new(),
            docs: Vec::new(),
        }
    }

    /// Whether the verdict says that data was lost (or never written), in whatever scope.
    pub fn is_loss(&self) -> bool {
        matches!(self.level, Level::Confirmed | Level::Suspected)
    }

    /// Whether it says so of the window that was watched.
    pub fn is_loss_in_window(&self) -> bool {
        self.is_loss() && self.scope == Scope::Window
    }
}

/// Everything that can be said about a window.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnosis {
    /// One verdict a cause, what needs a human first.
    pub verdicts: Vec<Verdict>,
    /// The cause that took most keys; `None` when nothing was lost.
    pub top_cause: Option<Cause>,
    /// Where the keys went.
    pub ledger: Ledger,
    /// What happened besides, one line each: denied attempts, resets, gaps, missing sections.
    pub notices: Vec<String>,
}

impl Diagnosis {
    /// The verdict on one cause.
    pub fn of(&self, cause: Cause) -> Option<&Verdict> {
        self.verdicts.iter().find(|verdict| verdict.cause == cause)
    }
}

/// Judges every cause over a window.
pub fn diagnose(window: &Window<'_>) -> Diagnosis {
    let ledger = Ledger::of(window);
    Diagnosis {
        verdicts: Vec::new(),
        top_cause: None,
        ledger,
        notices: Vec::new(),
    }
}
