//! One node of a deployment: its history, and what must outlive it.

use std::time::Duration;

use crate::model::node::{NodeId, Role};
use crate::model::observation::Moment;
use crate::model::packed::Packed;
use crate::model::sample::Replication;
use crate::model::timeline::History;

/// Replication histories, primaries, roles and so on that are remembered of one node, the newest.
const MOST_REMEMBERED: usize = 32;

/// One node of a deployment.
#[derive(Clone, Debug)]
pub struct Member {
    pub(super) history: History,
    /// When it left, if it did.
    pub(super) left: Option<Moment>,
    /// Ids of the replication histories that it has belonged to, the newest last.
    pub(super) replids: Vec<String>,
    /// Addresses of primaries that it has followed, the newest last.
    pub(super) followed: Vec<String>,
    /// What it was, from when on, the newest last.
    roles: Vec<(Moment, Role)>,
    /// When it became a primary, the newest last.
    takeovers: Vec<Takeover>,
    /// Its last answer as a primary, of each replication history, the newest last.
    reigned: Vec<Packed>,
}

/// A node became a primary. Kept beside its history, which may forget the answers.
#[derive(Clone, Debug)]
pub struct Takeover {
    /// Its last answer as a replica; `None` where it was found as a primary that had taken over.
    pub before: Option<Packed>,
    /// Its first answer as a primary.
    pub after: Packed,
}

impl Member {
    pub(super) fn new(history: History) -> Self {
        Self {
            history,
            left: None,
            replids: Vec::new(),
            followed: Vec::new(),
            roles: Vec::new(),
            takeovers: Vec::new(),
            reigned: Vec::new(),
        }
    }

    /// Of one that left: forgets as time goes by, in the end everything but that.
    pub(super) fn fade(&mut self, now: Moment) {
        if self.left.is_some() && !self.history.is_empty() {
            self.history.fade(now);
            if self.history.is_empty() {
                self.replids.clear();
                self.followed.clear();
                self.roles.clear();
                self.takeovers.clear();
                self.reigned.clear();
            }
        }
    }

    /// Its address.
    pub fn node(&self) -> &NodeId {
        self.history.node()
    }

    /// What was observed of it.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// When it left, if it did.
    pub fn left(&self) -> Option<Moment> {
        self.left
    }

    /// What it was, and since which answer, as far as that was by `end`; the oldest first.
    pub fn roles(
        &self,
        end: Option<Duration>,
    ) -> impl DoubleEndedIterator<Item = (Moment, Role)> + Clone + use<'_> {
        let roles = self.roles.iter().copied();
        roles.filter(move |(moment, _)| end.is_none_or(|end| moment.elapsed <= end))
    }

    /// When it became a primary by `end`, the oldest first.
    pub fn takeovers(&self, end: Option<Duration>) -> impl Iterator<Item = &Takeover> {
        let by = move |taken: &&Takeover| end.is_none_or(|end| taken.after.moment.elapsed <= end);
        self.takeovers.iter().filter(by)
    }

    /// Its last answer by `end` as the primary of a replication history.
    pub fn as_primary_of(&self, replid: &str, end: Option<Duration>) -> Option<&Packed> {
        let is_one = |sample: &&Packed| sample.replid() == Some(replid);
        let by = |sample: &&Packed| end.is_none_or(|end| sample.moment.elapsed <= end);
        let known = self.reigned.iter().find(is_one)?;
        if by(&known) {
            return Some(known);
        }
        // An earlier moment is looked at.
        let mut samples = self.history.window_until(end).samples().rev();
        samples.find(|sample| sample.role() == Role::Primary && is_one(sample))
    }

    /// What it was at a moment: by the answer before it, or the first.
    pub fn role_at(&self, moment: Moment) -> Role {
        let mut roles = self.roles.iter().rev();
        let role = roles.find(|(since, _)| *since <= moment);
        role.or(self.roles.first())
            .map_or(Role::Unknown, |(_, role)| *role)
    }

    /// Notes what it is and whose data it holds; whether that is news.
    pub(super) fn learn(&mut self, known_as: impl Fn(&str) -> NodeId) -> bool {
        let mut samples = self.history.window().samples().rev();
        let Some(sample) = samples.next() else {
            return false;
        };
        let before = samples.next();
        let replication = sample.replication();
        let mut is_news = false;
        let was = self.roles.last().map(|(_, role)| *role);
        if was != Some(replication.role) {
            push(&mut self.roles, (sample.moment, replication.role));
            is_news = true;
        }
        if replication.role == Role::Primary {
            let taken = match was {
                Some(Role::Replica) => before.map(|before| Some(before.clone())),
                None if replication.replid2.is_some() => Some(None),
                _ => None,
            };
            if let Some(before) = taken {
                let after = sample.clone();
                push(&mut self.takeovers, Takeover { before, after });
            }
            self.reigned
                .retain(|known| known.replid() != sample.replid());
            push(&mut self.reigned, sample.clone());
        }
        let Replication {
            replid,
            replid2,
            primary,
            ..
        } = &replication;
        for id in [replid2, replid].into_iter().flatten() {
            is_news |= remember(&mut self.replids, id);
        }
        if let Some(primary) = primary {
            is_news |= remember(&mut self.followed, known_as(primary).as_str());
        }
        is_news
    }
}

/// Whether it was new.
fn remember(known: &mut Vec<String>, new: &str) -> bool {
    if known.iter().any(|one| one == new) {
        return false;
    }
    push(known, new.to_owned());
    true
}

/// The oldest goes for the newest.
fn push<T>(known: &mut Vec<T>, new: T) {
    if known.len() == MOST_REMEMBERED {
        known.remove(0);
    }
    known.push(new);
}
