//! A [`Diagnosis`] on paper: text for people, Markdown for a ticket, JSON for scripts, and the
//! snapshot export.
//!
//! All forms show one [`Report`]. JSON is schema `amr-top/report/1`: fields are added, never
//! renamed or removed. Text that came from a server is inert in every form.

mod exit;
mod export;
mod headline;
mod incidents;
mod json;
mod ledger;
mod markdown;
mod panels;
mod scene;
mod text;
mod watched;
mod words;

use jiff::{Timestamp, Unit};
use serde::Serialize;

pub use exit::{Causes, Exit, exit_code};
pub use export::{ExportError, Pages, Snapshot, export_to};
pub use scene::Scene;
pub use text::Style;

use self::incidents::Episode;
use self::ledger::Balance;
use self::watched::Key;
use crate::diagnosis::{Cause, Diagnosis, Forecast, Migration, Removals, Scope, Verdict};
use crate::format;
use crate::model::{Change, NodeId, Packed, Product, Role, Window};

/// The schema of the JSON form.
pub const SCHEMA: &str = "amr-top/report/1";

/// Forms of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people, on a terminal or in a pipe.
    #[default]
    Text,
    /// For scripts; schema `amr-top/report/1`.
    Json,
    /// For a ticket.
    Markdown,
}

impl Format {
    /// All forms.
    pub const ALL: [Self; 3] = [Self::Text, Self::Json, Self::Markdown];

    /// The word on the command line.
    pub fn id(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Markdown => "markdown",
        }
    }

    /// The form with this word.
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.id() == id)
    }
}

/// What every form shows.
#[derive(Clone, Debug, Serialize)]
pub struct Report<'a> {
    schema: &'static str,
    window: Watched,
    nodes: Vec<Node<'a>>,
    top_cause: Option<Cause>,
    verdicts: Vec<Row>,
    incidents: Vec<Episode<'a>>,
    /// Slots that changed their node; left out where none did. Times to the millisecond.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    migrations: Vec<Migration>,
    /// Left out where no key is watched.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    watched: Vec<Key<'a>>,
    /// Left out where no keys are sampled.
    #[serde(skip_serializing_if = "Option::is_none")]
    forecast: Option<&'a Forecast>,
    /// Left out where no keyspace events are heard; times to the millisecond.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    events: Vec<Removals>,
    ledger: Balance<'a>,
    changes: Vec<Happened<'a>>,
    notices: Vec<String>,
    /// Whether there is any sample; without one, silence is not good news.
    #[serde(skip)]
    answered: bool,
}

/// The time that was watched.
#[derive(Clone, Debug, Serialize)]
struct Watched {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    seconds: f64,
    polls: u64,
    gaps: usize,
}

#[derive(Clone, Debug, Serialize)]
struct Node<'a> {
    id: &'a NodeId,
    role: Role,
    product: Product,
    version: Option<&'a str>,
    keys: Option<u64>,
}

/// A verdict under its title; times to the millisecond.
#[derive(Clone, Debug, Serialize)]
struct Row {
    title: &'static str,
    #[serde(flatten)]
    verdict: Verdict,
}

#[derive(Clone, Debug, Serialize)]
struct Happened<'a> {
    at: Timestamp,
    /// Left out where there is one node, and for what concerns no single one.
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<&'a NodeId>,
    what: String,
    trouble: bool,
}

impl<'a> Report<'a> {
    /// Notices that the list of changes does not tell already.
    fn notices_beside_changes(&self) -> impl Iterator<Item = &str> {
        let is_told = |notice: &str| {
            self.changes
                .iter()
                .any(|change| notice.ends_with(&change.what))
        };
        self.notices
            .iter()
            .map(String::as_str)
            .filter(move |notice| !is_told(notice))
    }

    /// Puts together what was found. `notices` are the caller's own, shown first.
    pub fn new(scene: &Scene<'a>, diagnosis: &'a Diagnosis, notices: &[String]) -> Self {
        let windows = scene.windows();
        Self::of(&windows, scene.changes(), diagnosis, notices)
    }

    /// The same of one node.
    pub fn of_one(window: &Window<'a>, diagnosis: &'a Diagnosis, notices: &[String]) -> Self {
        Self::of(&[*window], std::iter::empty(), diagnosis, notices)
    }

    fn of(
        windows: &[Window<'a>],
        common: impl Iterator<Item = &'a Change>,
        diagnosis: &'a Diagnosis,
        notices: &[String],
    ) -> Self {
        let mut all: Vec<String> = Vec::new();
        for notice in notices.iter().chain(&diagnosis.notices) {
            let notice = words::safe(notice);
            if !all.contains(&notice) {
                all.push(notice);
            }
        }
        Self {
            schema: SCHEMA,
            window: Watched::new(windows),
            nodes: windows.iter().map(Node::new).collect(),
            top_cause: diagnosis.top_cause,
            verdicts: diagnosis.verdicts.iter().map(Row::new).collect(),
            incidents: diagnosis.incidents.iter().map(Episode::new).collect(),
            migrations: diagnosis.migrations.iter().map(migration).collect(),
            watched: watched_keys(windows, diagnosis),
            forecast: diagnosis.forecast.as_ref(),
            events: diagnosis.events.iter().map(events).collect(),
            ledger: Balance(&diagnosis.ledger),
            changes: changes(windows, common),
            notices: all,
            answered: windows.iter().any(|window| window.last().is_some()),
        }
    }

    /// The report in one of its forms, ending in a line break.
    pub fn render(&self, format: Format, style: Style) -> String {
        match format {
            Format::Text => self.text(style),
            Format::Json => self.json(),
            Format::Markdown => self.markdown(),
        }
    }

    /// The report for people.
    pub fn text(&self, style: Style) -> String {
        text::render(self, style)
    }

    /// The report for a ticket.
    pub fn markdown(&self) -> String {
        markdown::render(self)
    }

    /// The report for scripts.
    pub fn json(&self) -> String {
        json::render(self)
    }

    /// Whether a verdict on the time before we watched stands beside what was watched: told, but
    /// not what to do about it.
    fn is_past(&self, verdict: &Verdict) -> bool {
        verdict.scope == Scope::SinceStart && self.window.seconds > 0.0 && self.top_cause.is_none()
    }

    /// When and how long was watched, in words.
    fn watched(&self) -> String {
        let Watched {
            from, to, seconds, ..
        } = &self.window;
        let (Some(from), Some(to)) = (from, to) else {
            return "nothing was observed".into();
        };
        let gaps = match self.window.gaps as u64 {
            0 => String::new(),
            n => format!(", {}", format::plural(n, "gap")),
        };
        let polls = format::plural(self.window.polls, "poll");
        if from == to {
            return format!("{} UTC, {polls}{gaps}", format::date_and_clock(*from));
        }
        let until = words::until(*from, *to);
        format!(
            "{} to {until} UTC, {seconds:.0} s, {polls}{gaps}",
            format::date_and_clock(*from),
        )
    }
}

impl Watched {
    fn new(windows: &[Window<'_>]) -> Self {
        let start = windows.iter().filter_map(Window::start).min();
        let end = windows.iter().filter_map(Window::end).max();
        let seconds = match (start, end) {
            (Some(start), Some(end)) => end.seconds_since(start),
            _ => 0.0,
        };
        Self {
            from: start.map(|moment| to_millisecond(moment.at)),
            to: end.map(|moment| to_millisecond(moment.at)),
            seconds: (seconds * 1_000.0).round() / 1_000.0,
            polls: windows.iter().map(Window::polls).sum(),
            gaps: windows.iter().map(|window| window.gaps().count()).sum(),
        }
    }
}

impl<'a> Node<'a> {
    fn new(window: &Window<'a>) -> Self {
        let sample = window.last();
        Self {
            id: window.node(),
            role: sample.map_or(Role::Unknown, Packed::role),
            product: sample.map_or(Product::Unknown, Packed::product),
            version: sample.and_then(Packed::version),
            keys: sample.and_then(Packed::keys),
        }
    }
}

impl Row {
    fn new(verdict: &Verdict) -> Self {
        let mut verdict = verdict.clone();
        let evidence = verdict.evidence.iter_mut().map(|proof| &mut proof.at);
        let times = [&mut verdict.first_seen, &mut verdict.last_seen].into_iter();
        for at in times.chain(evidence) {
            *at = at.map(to_millisecond);
        }
        Self {
            title: verdict.cause.title(),
            verdict,
        }
    }
}

impl Happened<'_> {
    /// One line, with the node where there are several.
    fn line(&self) -> String {
        match self.node {
            Some(node) => format!("{node}: {}", self.what),
            None => self.what.clone(),
        }
    }
}

/// Changes of all nodes, the oldest first.
fn changes<'a>(
    windows: &[Window<'a>],
    common: impl Iterator<Item = &'a Change>,
) -> Vec<Happened<'a>> {
    let is_several = windows.len() > 1;
    let of_nodes = windows.iter().flat_map(|window| {
        let node = is_several.then(|| window.node());
        window.changes().map(move |change| (node, change))
    });
    let mut all: Vec<_> = of_nodes
        .chain(common.map(|change| (None, change)))
        .collect();
    if is_several {
        all.sort_by_key(|(_, change)| change.moment);
    }
    let told = all.into_iter().map(|(node, change)| Happened {
        at: to_millisecond(change.at()),
        node,
        what: words::safe(&change.kind.sentence()),
        trouble: change.kind.is_trouble(),
    });
    told.collect()
}

fn watched_keys<'a>(windows: &[Window<'_>], diagnosis: &'a Diagnosis) -> Vec<Key<'a>> {
    let end = windows.iter().filter_map(Window::end).max();
    let fates = diagnosis.fates.iter();
    fates
        .map(|fate| Key::new(fate, end.map(|end| end.elapsed)))
        .collect()
}

fn migration(migration: &Migration) -> Migration {
    Migration {
        first_seen: to_millisecond(migration.first_seen),
        last_seen: to_millisecond(migration.last_seen),
        ..migration.clone()
    }
}

fn events(heard: &Removals) -> Removals {
    Removals {
        from: to_millisecond(heard.from),
        to: to_millisecond(heard.to),
        ..heard.clone()
    }
}

fn to_millisecond(at: Timestamp) -> Timestamp {
    at.round(Unit::Millisecond).unwrap_or(at)
}

#[cfg(test)]
mod fixture;
