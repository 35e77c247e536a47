//! What became of each watched key.
//!
//! A key that is not there any more went between two readings of it. What the server counted
//! around that time tells which causes are possible; the last known TTL, the memory policy and the
//! type of the key rule some of them out. One that is left is the fate; of several, the likeliest
//! is named first, with the word *probably*, and the others are named too.

mod candidates;
mod published;
mod ran;
mod sentence;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::case::Case;
use super::verdict::{Evidence, Suspect};
use super::witness;
use crate::model::{Asked, Fact, KeyState, Moment, OnWatched, Seen, Step, WatchedKey};
use candidates::Candidate;

/// How a key ended, or that it did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// Its name was emptied with its whole database.
    Flushed,
    /// The server removed it for memory.
    Evicted,
    /// A command removed it.
    Deleted,
    /// It went with its process, its primary, or a data set that was replaced.
    Lost,
    /// Its TTL ran out.
    Expired,
    /// It has another name, database or node now.
    Moved,
    /// Gone; nothing that was counted tells why.
    Unknown,
    /// Gone; the next poll may tell why.
    Pending,
    /// The name is there and holds something else.
    Overwritten,
    /// The server refuses to tell.
    Unreadable,
    /// It was never there while it was watched.
    Missing,
    /// It is there.
    Present,
}

impl Ending {
    /// The stable id that reports use, which is also the word for people.
    pub fn id(self) -> &'static str {
        match self {
            Self::Flushed => "flushed",
            Self::Evicted => "evicted",
            Self::Deleted => "deleted",
            Self::Lost => "lost",
            Self::Expired => "expired",
            Self::Moved => "moved",
            Self::Unknown => "unknown",
            Self::Pending => "pending",
            Self::Overwritten => "overwritten",
            Self::Unreadable => "unreadable",
            Self::Missing => "missing",
            Self::Present => "present",
        }
    }

    /// Whether the key was seen to go.
    pub fn is_gone(self) -> bool {
        self <= Self::Pending
    }
}

/// What became of one watched key.
#[derive(Clone, Debug, PartialEq)]
pub struct Fate {
    /// The key's number.
    pub id: u64,
    /// Its name as it is shown.
    pub name: Arc<str>,
    /// It begins with a watched prefix.
    pub is_member: bool,
    /// How it ended.
    pub ending: Ending,
    /// Other endings that are possible, the likeliest first.
    pub others: Vec<Ending>,
    /// When it went: not before this.
    pub from: Option<Moment>,
    /// When it went, or last changed: not after this.
    pub to: Option<Moment>,
    /// The last reading while it was there.
    pub last: Option<Seen>,
    /// How much of its TTL was left when it went, the least that is possible; zero where it had run
    /// out.
    pub ttl_left: Option<Duration>,
    /// What was counted in that time.
    pub evidence: Vec<Evidence>,
    /// Who may have done it.
    pub suspects: Vec<Suspect>,
    /// What the sentence says of who did it; empty where it names nobody.
    by: String,
    /// One sentence without the name: `vanished at 14:03:07.412: deleted (DEL), its TTL had 3,412 s
    /// to go`.
    pub summary: String,
}

impl Fate {
    /// Whether one cause alone is possible.
    pub fn is_certain(&self) -> bool {
        self.others.is_empty()
    }

    /// When it went or changed, by our clock; where a span is known, its end.
    pub fn at(&self) -> Option<Timestamp> {
        self.to.map(|moment| moment.at)
    }

    /// The same without names of keys and people.
    #[must_use]
    pub fn without_names(&self) -> Self {
        let mut fate = self.clone();
        fate.name = format!("key {}", self.id + 1).into();
        fate.summary = fate.summary.replace(&self.by, "");
        fate.by.clear();
        if self.ending == Ending::Unreadable {
            "cannot be read".clone_into(&mut fate.summary);
        }
        for suspect in &mut fate.suspects {
            let command = suspect.command.split(' ').next().unwrap_or_default();
            suspect.command = command.to_owned();
            (suspect.address, suspect.name, suspect.user) = (None, None, None);
        }
        fate
    }

    /// One sentence with the name.
    pub fn sentence(&self) -> String {
        format!("'{}' {}", self.name, self.summary)
    }
}

/// When something happened to a key: between these two, ends included.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: Moment,
    to: Moment,
    /// It was pushed: the beginning is the event itself.
    is_pushed: bool,
}

/// Two connections are not heard in order: what one tells may lie this long after the other.
const SLACK: Duration = Duration::from_millis(100);

/// The fates of all watched keys, those that went first, the newest of them first.
pub(super) fn of(case: &Case<'_>) -> Vec<Fate> {
    let mut watched = case.window.watched().peekable();
    if watched.peek().is_none() {
        return Vec::new();
    }
    let testimony = case.window.witnesses();
    let court = Court {
        case,
        events: testimony.heard().flat_map(|heard| &heard.watched).collect(),
        steps: case.window.steps().collect(),
    };
    let mut fates: Vec<Fate> = watched.map(|(key, fact)| court.judge(key, fact)).collect();
    fates.sort_by(|a, b| {
        let rank = |fate: &Fate| match fate.ending {
            ending if ending.is_gone() => 0,
            Ending::Overwritten => 1,
            Ending::Unreadable => 2,
            Ending::Missing => 3,
            _ => 4,
        };
        let newest = |fate: &Fate| fate.to.filter(|_| rank(fate) < 2).map(|to| to.elapsed);
        rank(a)
            .cmp(&rank(b))
            .then_with(|| newest(b).cmp(&newest(a)))
            .then_with(|| a.id.cmp(&b.id))
    });
    fates
}

struct Court<'c, 'a> {
    case: &'c Case<'a>,
    /// Oldest first.
    steps: Vec<&'a Step>,
    /// What the server published of watched keys.
    events: Vec<&'a OnWatched>,
}

impl Court<'_, '_> {
    fn judge(&self, key: &WatchedKey, fact: &Fact) -> Fate {
        let mut fate = Fate {
            id: key.id,
            name: Arc::clone(&key.name),
            is_member: key.is_member,
            ending: Ending::Present,
            others: Vec::new(),
            from: None,
            to: fact.written,
            last: None,
            ttl_left: None,
            evidence: Vec::new(),
            suspects: Vec::new(),
            by: String::new(),
            summary: String::new(),
        };
        match &fact.seen.state {
            KeyState::Unreadable(why) => {
                fate.ending = Ending::Unreadable;
                fate.summary = format!("cannot be read: {why}");
            }
            KeyState::Absent => self.gone(fact, &mut fate),
            KeyState::Present { .. } => self.present(fact, &mut fate),
        }
        fate
    }

    /// A key that is there: as it was, back again, or something else under the same name.
    fn present(&self, fact: &Fact, fate: &mut Fate) {
        fate.last = Some(fact.seen.clone());
        let was = fact.before.as_ref().map(|seen| &seen.state);
        let other = match (was, &fact.seen.state) {
            (Some(KeyState::Present { kind: was, .. }), KeyState::Present { kind, .. }) => {
                (was != kind).then_some((was, kind))
            }
            _ => None,
        };
        let Some((was, is)) = other else {
            fate.summary = sentence::present(fact);
            return;
        };
        let span = Self::span(fact);
        fate.ending = Ending::Overwritten;
        (fate.from, fate.to) = (Some(span.from), Some(span.to));
        let found = candidates::of_overwriting(&self.around(span), self.case.node());
        let how = found.map(|candidate| {
            fate.suspects = self.suspects(&candidate, &fate.name, span);
            fate.by = sentence::by(&candidate, &fate.suspects, &fate.name);
            fate.evidence = candidate.evidence;
            format!("{}{}", candidate.how, fate.by)
        });
        fate.summary = sentence::overwritten(span, was, is, how.as_deref());
    }

    fn gone(&self, fact: &Fact, fate: &mut Fate) {
        let was = fact.before.as_ref();
        let was_there = was.is_some_and(|seen| seen.state.is_present());
        // What is pushed under a prefix and is not there has gone, whoever saw it before.
        let is_told = was_there || fate.is_member && fact.pushed.is_some();
        if !is_told {
            fate.ending = Ending::Missing;
            "is not there, and was not when it was first looked for".clone_into(&mut fate.summary);
            return;
        }
        let span = Self::span(fact);
        (fate.from, fate.to) = (Some(span.from), Some(span.to));
        fate.last = was.filter(|_| was_there).cloned();
        let deadline = fate.last.as_ref().and_then(Seen::deadline);
        fate.ttl_left = deadline.map(|deadline| deadline.saturating_sub(span.to.elapsed));
        let steps = self.around(span);
        let view = candidates::View {
            window: &self.case.window,
            steps: &steps,
            span,
            emptied: fact.asked == Asked::Emptied,
            last: fate.last.as_ref(),
        };
        let published = published::event(&self.events, fate.id, span, &steps);
        let found = published::fitting(view.candidates(), published, self.case.node());
        let is_told = steps.last().is_some_and(|step| step.to >= span.to);
        self.settle(found, is_told, span, fate);
    }

    fn settle(&self, found: Vec<Candidate>, is_told: bool, span: Span, fate: &mut Fate) {
        let strong = found.iter().any(|candidate| !candidate.is_weak);
        let mut found = found.into_iter().filter(|one| one.is_weak != strong);
        let first = found.next();
        let others: Vec<Candidate> = found.collect();
        // A poll that is still to come may tell of another cause, unless this one rules it out.
        let is_final = is_told || first.as_ref().is_some_and(|one| one.is_proof);
        fate.ending = match &first {
            Some(candidate) if is_final => candidate.ending,
            None if is_told => Ending::Unknown,
            _ => Ending::Pending,
        };
        if fate.ending != Ending::Pending {
            fate.others = others.iter().map(|one| one.ending).collect();
            for candidate in first.iter().chain(&others) {
                fate.evidence.extend(candidate.evidence.iter().cloned());
            }
        }
        if let Some(candidate) = first.as_ref().filter(|_| is_final) {
            fate.suspects = self.suspects(candidate, &fate.name, span);
            fate.by = sentence::by(candidate, &fate.suspects, &fate.name);
        }
        let first = first.filter(|_| is_final);
        fate.summary = sentence::gone(fate, span, first.as_ref(), &others);
    }

    /// Between which two moments a fact came to be.
    fn span(fact: &Fact) -> Span {
        let to = fact.since;
        match (fact.pushed, &fact.before) {
            (Some(pushed), _) => Span {
                from: pushed.min(to),
                to,
                is_pushed: true,
            },
            (None, before) => Span {
                from: before.as_ref().map_or(to, |seen| seen.moment.min(to)),
                to,
                is_pushed: false,
            },
        }
    }

    /// The steps in which something can have been counted that happened in a span.
    fn around(&self, span: Span) -> Vec<&Step> {
        let from = span.from.elapsed.saturating_sub(SLACK);
        let first = self.steps.partition_point(|step| step.to.elapsed < from);
        let after = |step: &&&Step| step.from.elapsed <= span.to.elapsed;
        let steps = self.steps[first..].iter().take_while(after);
        steps.copied().collect()
    }

    /// Who may have done it in that time: whoever named the key, then those whose commands can have
    /// taken keys in this way.
    fn suspects(&self, candidate: &Candidate, name: &str, span: Span) -> Vec<Suspect> {
        let (from, to) = (span.from.at, span.to.at);
        let mut suspects = witness::of_key(self.case, name, &candidate.verbs, (from, to));
        for cause in candidate.causes {
            for other in witness::suspects(self.case, *cause, Some(from), Some(to)) {
                let is_known = |known: &Suspect| known.address == other.address;
                if !suspects.iter().any(is_known) {
                    suspects.push(other);
                }
            }
        }
        suspects
    }
}

#[cfg(test)]
mod tests;
