//! What one rule says of one cause, and what backs it.

use jiff::Timestamp;
use serde::Serialize;

use super::cause::Cause;
use super::mechanism::Mechanism;
use crate::model::NodeId;

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

    /// The word for people; a confirmed loss is loud.
    pub fn word(self) -> &'static str {
        match self {
            Self::Confirmed => "CONFIRMED",
            Self::Suspected => "suspected",
            Self::AtRisk => "at risk",
            Self::Unknown => "unknown",
            Self::Clear => "clear",
        }
    }

    /// The sign beside the word, told apart without colour.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Confirmed => "▲",
            Self::Suspected => "△",
            Self::AtRisk => "◇",
            Self::Unknown => "?",
            Self::Clear => "·",
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

impl From<Option<&str>> for Reading {
    fn from(text: Option<&str>) -> Self {
        text.map_or(Self::None, Self::from)
    }
}

impl From<String> for Reading {
    fn from(text: String) -> Self {
        Self::Text(text)
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

/// Somebody who may have done it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Suspect {
    /// The command with its first arguments, inert, at most 64 characters.
    pub command: String,
    /// `ip:port` of the client, inert; `None` for commands inside scripts on Redis.
    pub address: Option<String>,
    /// The name that the client gave itself (`CLIENT SETNAME`), inert.
    pub name: Option<String>,
    /// The ACL user; not in the slow log.
    pub user: Option<String>,
    /// The client library; not in the slow log.
    pub library: Option<String>,
    /// When, by the server's clock: to the second in the slow log.
    pub at: Option<Timestamp>,
    /// Where this is known from, for example `slow log`.
    pub source: &'static str,
    /// How sure it is.
    pub certainty: Certainty,
}

/// How sure it is that a suspect did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Certainty {
    /// The command, and nobody else ran one like it in that time.
    Likely,
    /// One of several, or before we watched.
    Possible,
}

impl Suspect {
    /// One line: `FLUSHALL by 10.0.0.7:51234 (batch-cleanup) with redis-py 5.0 at
    /// 2026-11-23 14:03:07 UTC, slow log, client list`.
    pub fn sentence(&self) -> String {
        let by = self.address.iter().map(|address| format!(" by {address}"));
        let names = [&self.name, &self.user].into_iter().flatten();
        let names = names.map(|name| format!(" ({name})"));
        let library = self
            .library
            .iter()
            .map(|library| format!(" with {library}"));
        let at = self.at.iter();
        let at = at.map(|at| format!(" at {} UTC", at.strftime("%F %H:%M:%S")));
        let rest: String = by.chain(names).chain(library).chain(at).collect();
        format!("{}{rest}, {}", self.command, self.source)
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
    /// How it happened; of several mechanisms the one that took most. `None` where nothing
    /// happened or nothing tells.
    pub mechanism: Option<Mechanism>,
    /// What it speaks of.
    pub scope: Scope,
    /// One sentence with numbers.
    pub summary: String,
    /// Keys that this cause took, where they can be counted.
    pub keys_lost: Option<u64>,
    /// `keys_lost` is a lower bound: creations may hide more.
    pub at_least: bool,
    /// An upper bound of the same, where the commands that create keys give one.
    pub at_most: Option<u64>,
    /// When the first sign was seen.
    pub first_seen: Option<Timestamp>,
    /// When the last sign was seen.
    pub last_seen: Option<Timestamp>,
    /// The readings, strongest first.
    pub evidence: Vec<Evidence>,
    /// Who may have done it, by what the server remembers; the likeliest first.
    pub suspects: Vec<Suspect>,
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
            mechanism: None,
            scope: Scope::Window,
            summary: summary.into(),
            keys_lost: None,
            at_least: false,
            at_most: None,
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
