//! Losses that follow each other are one incident.

use std::time::Duration;

use super::case::Case;
use super::cause::Cause;
use super::mechanism::Mechanism;
use super::rejected_writes;
use super::replication;
use super::verdict::{Suspect, Verdict};
use super::witness;
use crate::format;
use crate::model::{Entry, Moment, NodeId};

/// Consecutive losses.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    /// The last good reading before the first loss.
    pub from: Moment,
    /// The reading that showed the last loss so far.
    pub to: Moment,
    /// Keys that went in it.
    pub keys: u64,
    /// `keys` is a lower bound.
    pub at_least: bool,
    /// Causes and mechanisms, the largest first.
    pub shares: Vec<Share>,
    /// Who may have done it, the likeliest first.
    pub suspects: Vec<Suspect>,
    /// Whether it goes on.
    pub state: State,
    /// The nodes on which it happened, where several are judged together; otherwise empty.
    pub nodes: Vec<NodeId>,
}

/// What one mechanism took in an incident.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// The cause.
    pub cause: Cause,
    /// How.
    pub mechanism: Mechanism,
    /// How many keys.
    pub keys: u64,
    /// `keys` is a lower bound.
    pub at_least: bool,
    /// Its part of all keys of the incident, 0 to 1; 1 for an incident that took no key (an
    /// outage, refused writes).
    pub share: f64,
}

/// Whether an incident goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The last loss is recent.
    GoingOn,
    /// Nothing was lost for a while since.
    Over,
}

impl State {
    /// The stable id that reports use.
    pub fn id(self) -> &'static str {
        match self {
            Self::GoingOn => "going-on",
            Self::Over => "over",
        }
    }
}

/// What happened in one interval, whether it took keys or not.
#[derive(Clone, Copy)]
struct Event {
    from: Moment,
    to: Moment,
    mechanism: Mechanism,
    keys: u64,
    at_least: bool,
}

/// An incident goes on until so many polls have shown no loss.
const OVER_POLLS: usize = 2;
/// A loss after so many polls …
const QUIET_POLLS: usize = 5;
/// … and so much time without one is another incident.
pub(super) const QUIET: Duration = Duration::from_secs(5);
/// The slow log tells the time to the second.
const TOLD: Duration = Duration::from_secs(1);

/// The incidents of a window, oldest first.
pub(super) fn of(case: &Case<'_>) -> Vec<Incident> {
    let mut events = events(case);
    events.sort_by_key(|event| (event.to, event.from));
    let polls: Vec<Moment> = case.window.entries().map(Entry::end).collect();
    let is_quiet = |since: Moment, until: Moment| {
        let first = polls.partition_point(|poll| *poll <= since);
        let last = polls.partition_point(|poll| *poll < until);
        until.since(since) > QUIET && last.saturating_sub(first) >= QUIET_POLLS
    };
    let mut incidents: Vec<Incident> = Vec::new();
    for event in events {
        match incidents.last_mut() {
            Some(incident) if !is_quiet(incident.to, event.to) => incident.add(event),
            _ => incidents.push(Incident::new(event)),
        }
    }
    for incident in &mut incidents {
        incident.settle();
        let (from, to) = (incident.from.at, incident.to.at);
        if let Some(cause) = incident.main().map(|share| share.cause) {
            incident.suspects = witness::suspects(case, cause, Some(from), Some(to));
        }
        let since = polls.partition_point(|poll| *poll <= incident.to);
        let over = polls.len().saturating_sub(since) >= OVER_POLLS;
        incident.state = if over { State::Over } else { State::GoingOn };
    }
    // What was followed by another incident is over.
    let last = incidents.len().saturating_sub(1);
    for incident in &mut incidents[..last] {
        incident.state = State::Over;
    }
    incidents
}

/// Losses that count, outages, and what takes no key that could be counted: refused writes and
/// hand-overs.
fn events(case: &Case<'_>) -> Vec<Event> {
    let losses = case.losses().map(|loss| Event {
        from: loss.from,
        to: loss.to,
        mechanism: loss.mechanism,
        keys: loss.keys,
        at_least: loss.at_least(),
    });
    let outages = case.window.gaps().filter(|gap| gap.attempts > 1);
    let outages = outages.filter(|gap| gap.failure.kind.is_outage());
    let outages = outages.map(|gap| Event {
        from: gap.from,
        to: gap.to,
        mechanism: Mechanism::Unreachable,
        keys: 0,
        at_least: false,
    });
    let silent = rejected_writes::intervals(case).chain(replication::handovers(case));
    let silent = silent.map(|(step, mechanism)| Event {
        from: step.from,
        to: step.to,
        mechanism,
        keys: 0,
        at_least: false,
    });
    losses.chain(outages).chain(silent).collect()
}

impl Incident {
    fn new(event: Event) -> Self {
        let mut incident = Self {
            from: event.from,
            to: event.to,
            keys: 0,
            at_least: false,
            shares: Vec::new(),
            suspects: Vec::new(),
            state: State::GoingOn,
            nodes: Vec::new(),
        };
        incident.add(event);
        incident
    }

    fn add(&mut self, event: Event) {
        self.from = self.from.min(event.from);
        self.to = self.to.max(event.to);
        self.keys = self.keys.saturating_add(event.keys);
        self.at_least |= event.at_least;
        let known = self
            .shares
            .iter_mut()
            .find(|share| share.mechanism == event.mechanism);
        match known {
            Some(share) => {
                share.keys = share.keys.saturating_add(event.keys);
                share.at_least |= event.at_least;
            }
            None => self.shares.push(Share {
                cause: event.mechanism.cause(),
                mechanism: event.mechanism,
                keys: event.keys,
                at_least: event.at_least,
                share: 0.0,
            }),
        }
    }

    /// Sorts the shares and says how large each is.
    fn settle(&mut self) {
        self.shares
            .sort_by_key(|share| std::cmp::Reverse(share.keys));
        for share in &mut self.shares {
            share.share = if self.keys == 0 {
                1.0
            } else {
                share.keys as f64 / self.keys as f64
            };
        }
    }

    /// The shares in whole percent that add up to 100: what rounding leaves over goes to those that
    /// lost most by it.
    fn percents(&self) -> Vec<u64> {
        let exact: Vec<f64> = self
            .shares
            .iter()
            .map(|share| share.share * 100.0)
            .collect();
        let mut whole: Vec<u64> = exact.iter().map(|p| format::whole(p.floor())).collect();
        let sum: u64 = whole.iter().sum();
        let mut places: Vec<usize> = (0..exact.len()).collect();
        places.sort_by(|a, b| exact[*b].fract().total_cmp(&exact[*a].fract()));
        let missing = usize::try_from(100u64.saturating_sub(sum)).unwrap_or(0);
        for place in places.into_iter().take(missing) {
            whole[place] += 1;
        }
        whole
    }

    /// `UNLINK 67 %, TTLs ran out 33 %`; without numbers where there is one mechanism or no key went.
    /// Nothing is rounded to all or nothing.
    pub fn how(&self) -> String {
        let one = self.shares.iter().filter(|share| share.keys > 0).count() < 2;
        let parts = self.shares.iter().zip(self.percents());
        let parts = parts.map(|(share, percent)| {
            let words = share.mechanism.words();
            match percent {
                _ if one || share.keys == 0 => words.to_owned(),
                0 => format!("{words} < 1 %"),
                100 => format!("{words} > 99 %"),
                percent => format!("{words} {percent} %"),
            }
        });
        parts.collect::<Vec<_>>().join(", ")
    }

    /// The same on a node of several, with some of its shares. Where the largest of these is of another
    /// cause, the suspects are those of the node's verdict on that.
    pub(super) fn with_shares(
        &self,
        node: &NodeId,
        shares: Vec<Share>,
        verdicts: &[Verdict],
    ) -> Self {
        let keys = shares.iter().map(|share| share.keys);
        let mut incident = Self {
            keys: keys.fold(0, u64::saturating_add),
            at_least: shares.iter().any(|share| share.at_least),
            shares,
            nodes: vec![node.clone()],
            ..self.clone()
        };
        incident.settle();
        let cause = |incident: &Self| incident.main().map(|share| share.cause);
        if cause(&incident) != cause(self) {
            let verdict = verdicts.iter().find(|v| Some(v.cause) == cause(&incident));
            let suspects = verdict.map(|verdict| verdict.suspects.iter());
            let is_within = |suspect: &&Suspect| {
                suspect
                    .at
                    .is_none_or(|at| at >= incident.from.at - TOLD && at <= incident.to.at + TOLD)
            };
            incident.suspects = suspects
                .into_iter()
                .flatten()
                .filter(is_within)
                .cloned()
                .collect();
        }
        incident
    }

    /// Takes in another that happened at about the same time on another node.
    pub(super) fn join(&mut self, other: Self) {
        self.from = self.from.min(other.from);
        self.to = self.to.max(other.to);
        self.keys = self.keys.saturating_add(other.keys);
        self.at_least |= other.at_least;
        for share in other.shares {
            let mut known = self.shares.iter_mut();
            match known.find(|known| known.mechanism == share.mechanism) {
                Some(known) => {
                    known.keys = known.keys.saturating_add(share.keys);
                    known.at_least |= share.at_least;
                }
                None => self.shares.push(share),
            }
        }
        for suspect in other.suspects {
            if !self.suspects.contains(&suspect) {
                self.suspects.push(suspect);
            }
        }
        for node in other.nodes {
            if !self.nodes.contains(&node) {
                self.nodes.push(node);
            }
        }
        if other.state == State::GoingOn {
            self.state = State::GoingOn;
        }
        self.settle();
    }

    /// ` on 10.0.0.2:6379`, ` on 3 nodes`; nothing where there is but one node.
    pub fn whereabouts(&self) -> String {
        match &self.nodes[..] {
            [] => String::new(),
            [node] => format!(" on {node}"),
            nodes => format!(" on {} nodes", nodes.len()),
        }
    }

    /// The largest share.
    pub fn main(&self) -> Option<&Share> {
        self.shares.first()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;
    use rstest::rstest;

    use super::*;

    fn incident(keys: &[u64]) -> Incident {
        let moment = Moment {
            elapsed: Duration::ZERO,
            at: Timestamp::UNIX_EPOCH,
        };
        let ways = [Mechanism::Unlink, Mechanism::TtlRanOut, Mechanism::Rename];
        let events = keys.iter().zip(ways).map(|(keys, mechanism)| Event {
            from: moment,
            to: moment,
            mechanism,
            keys: *keys,
            at_least: false,
        });
        let mut events = events;
        let mut incident = Incident::new(events.next().expect("one at least"));
        for event in events {
            incident.add(event);
        }
        incident.settle();
        incident
    }

    #[rstest]
    #[case(&[600], "UNLINK")]
    #[case(&[0], "UNLINK")]
    #[case(&[490, 110], "UNLINK 82 %, TTLs ran out 18 %")]
    #[case(&[1, 1, 1], "UNLINK 34 %, TTLs ran out 33 %, RENAME onto a key 33 %")]
    #[case(&[1_000_000, 1], "UNLINK > 99 %, TTLs ran out < 1 %")]
    fn shares_add_up(#[case] keys: &[u64], #[case] said: &str) {
        assert_eq!(incident(keys).how(), said);
    }
}
