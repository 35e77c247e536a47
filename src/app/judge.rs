//! The diagnoses of what is shown: of every node, and of the whole.

use std::time::Duration;

use crate::diagnosis::{Diagnosis, diagnose_member, merge};
use crate::model::{Deployment, Extent, Member};

/// Diagnoses at one moment.
#[derive(Clone, Debug)]
pub(super) struct Judge {
    /// One a member; empty where there is but one, whose diagnosis is the whole.
    parts: Vec<Diagnosis>,
    whole: Diagnosis,
    /// Entries of each member when it was judged: one that left forgets and is heard no more.
    entries: Vec<usize>,
    /// Of the shard that everything is narrowed to.
    shard: Option<Diagnosis>,
}

impl Judge {
    pub(super) fn new(deployment: &Deployment) -> Self {
        Self {
            parts: Vec::new(),
            entries: Vec::new(),
            whole: diagnose_member(deployment, 0, None),
            shard: None,
        }
    }

    /// Judges everything as of `end`.
    pub(super) fn at(&mut self, deployment: &Deployment, extent: &Extent, end: Option<Duration>) {
        let places = 0..deployment.members().len();
        let judged = places.map(|place| diagnose_member(deployment, place, end));
        self.parts = judged.collect();
        self.entries = deployment.members().iter().map(entries).collect();
        self.conclude(deployment, extent, end);
    }

    /// Judges those members anew of which something was heard, as of now.
    pub(super) fn again(&mut self, deployment: &Deployment, extent: &Extent, concerned: &[usize]) {
        let members = deployment.members();
        if members.len() == 1 && concerned.is_empty() {
            return;
        }
        for (place, member) in members.iter().enumerate() {
            let judged = || diagnose_member(deployment, place, None);
            if place >= self.parts.len() {
                self.parts.push(judged());
            } else if concerned.contains(&place)
                || self.entries.get(place) != Some(&entries(member))
            {
                self.parts[place] = judged();
            }
        }
        self.entries = members.iter().map(entries).collect();
        self.conclude(deployment, extent, None);
    }

    /// Everything is narrowed to something else.
    pub(super) fn narrow(
        &mut self,
        deployment: &Deployment,
        extent: &Extent,
        end: Option<Duration>,
    ) {
        let is_shard = matches!(extent, Extent::Shard(_));
        self.shard = is_shard.then(|| merge(deployment, extent, end, &self.parts));
    }

    fn conclude(&mut self, deployment: &Deployment, extent: &Extent, end: Option<Duration>) {
        if let [_] = self.parts[..] {
            self.whole = self.parts.remove(0);
        } else {
            self.whole = merge(deployment, &Extent::Whole, end, &self.parts);
        }
        self.narrow(deployment, extent, end);
    }

    /// The diagnosis of the whole, of the shard that everything is narrowed to, or of any one member.
    pub(super) fn of(&self, extent: &Extent) -> &Diagnosis {
        let part = match extent {
            Extent::Whole => None,
            Extent::Shard(_) => self.shard.as_ref(),
            Extent::Node(place) => self.parts.get(*place),
        };
        part.unwrap_or(&self.whole)
    }
}

fn entries(member: &Member) -> usize {
    member.history().len()
}
