//! Why keys went away: a pure function from a [`Window`] to a [`Diagnosis`].
//!
//! A rule is one file per cause; its documentation explains the cause to an operator and the
//! same words serve the help, the cards and the reports ([`Cause::explanation`]). Rules only read
//! the window and the [`Ledger`], which has already accounted for every interval once.
//!
//! *Every claim carries evidence. A field that is not exposed gives [`Level::Unknown`] with its
//! name in [`Verdict::missing`], never a zero.*

mod case;
mod cause;
mod deletion;
mod eviction;
mod expiration;
mod felt;
mod flush;
mod instance_failure;
mod ledger;
mod notices;
mod overwrite;
mod rejected_writes;
mod relocation;
mod replication;
mod unexplained;
mod words;

use std::cmp::Reverse;

use jiff::Timestamp;
use serde::Serialize;

use case::Case;
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

/// How one cause is judged and explained: one constant per file of this room.
struct Rule {
    cause: Cause,
    /// What happens inside Redis, which fields prove it, what looks alike and is not.
    explanation: &'static str,
    /// What to do next on Redis and Valkey.
    steps: &'static [&'static str],
    /// What to do next on Azure Managed Redis, where commands are blocked and the portal is not.
    azure_steps: &'static [&'static str],
    /// What to do while nothing is lost yet, where that differs; empty for the same steps.
    risk_steps: &'static [&'static str],
    /// Documentation besides Microsoft's guide.
    docs: &'static [&'static str],
    judge: fn(&Case<'_>) -> Verdict,
}

/// All rules, in the order of [`Cause::ALL`].
const RULES: [Rule; Cause::ALL.len()] = [
    expiration::RULE,
    eviction::RULE,
    deletion::RULE,
    replication::RULE,
    flush::RULE,
    instance_failure::RULE,
    rejected_writes::RULE,
    relocation::RULE,
    overwrite::RULE,
    unexplained::RULE,
];

/// Microsoft's guide, whose headings the causes follow.
const GUIDE: &str = "https://learn.microsoft.com/azure/redis/troubleshoot-data-loss";

impl Cause {
    /// The cause explained to an operator, one paragraph.
    pub fn explanation(self) -> &'static str {
        RULES
            .iter()
            .find(|rule| rule.cause == self)
            .map_or("", |rule| rule.explanation)
    }
}

/// Judges every cause over a window.
pub fn diagnose(window: &Window<'_>) -> Diagnosis {
    let ledger = Ledger::of(window);
    let case = Case::new(*window, &ledger);
    let mut verdicts: Vec<Verdict> = RULES.iter().map(|rule| rule.apply(&case)).collect();
    verdicts.sort_by_key(|verdict| {
        (
            verdict.level,
            verdict.scope,
            Reverse(weight(verdict)),
            verdict.cause,
        )
    });
    let top_cause = top_cause(&verdicts, window.has_interval());
    let notices = notices::of(&case);
    Diagnosis {
        verdicts,
        top_cause,
        ledger,
        notices,
    }
}

impl Rule {
    fn apply(&self, case: &Case<'_>) -> Verdict {
        let mut verdict = (self.judge)(case);
        if matches!(
            verdict.level,
            Level::Confirmed | Level::Suspected | Level::AtRisk
        ) {
            let steps = if case.product().is_enterprise() {
                self.azure_steps
            } else if verdict.level == Level::AtRisk && !self.risk_steps.is_empty() {
                self.risk_steps
            } else {
                self.steps
            };
            verdict
                .next_steps
                .extend(steps.iter().map(|&step| step.to_owned()));
        }
        verdict.docs = std::iter::once(GUIDE)
            .chain(self.docs.iter().copied())
            .collect();
        verdict
    }
}

/// How much a verdict weighs among its equals. Totals since start cannot be compared by keys
/// alone: a flush takes everything and counts nothing.
fn weight(verdict: &Verdict) -> u64 {
    match (verdict.scope, verdict.cause) {
        (Scope::SinceStart, Cause::Flush) => u64::MAX,
        _ => verdict.keys_lost.unwrap_or(0),
    }
}

/// The cause that took most keys in the window; where there is no interval to compare, the
/// likeliest by totals since start. Verdicts are sorted already.
fn top_cause(verdicts: &[Verdict], has_interval: bool) -> Option<Cause> {
    let in_window = verdicts
        .iter()
        .filter(|verdict| verdict.is_loss_in_window());
    let most =
        in_window.max_by_key(|v| (v.keys_lost.unwrap_or(0), Reverse(v.level), Reverse(v.cause)));
    match most {
        Some(verdict) => Some(verdict.cause),
        None if has_interval => None,
        None => verdicts
            .iter()
            .find(|verdict| verdict.is_loss())
            .map(|verdict| verdict.cause),
    }
}
