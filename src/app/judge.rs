//! The diagnoses of what is shown: of every node, and of the whole.

use std::time::Duration;

use crate::diagnosis::{Diagnosis, diagnose, merge};
use crate::model::Deployment;

/// Diagnoses at one moment.
#[derive(Clone, Debug)]
pub(super) struct Judge {
    /// One a member; empty where there is but one, whose diagnosis is the whole.
    parts: Vec<Diagnosis>,
    whole: Diagnosis,
}

impl Judge {
    pub(super) fn new(deployment: &Deployment) -> Self {
        Self {
            parts: Vec::new(),
            whole: diagnose(&deployment.first().history().window()),
        }
    }

    /// Judges everything as of `end`.
    pub(super) fn at(&mut self, deployment: &Deployment, end: Option<Duration>) {
        let windows = deployment.windows(end);
        self.parts = windows.map(|window| diagnose(&window)).collect();
        self.conclude(deployment, end);
    }

    /// Judges those members anew of which something was heard, as of now.
    pub(super) fn again(&mut self, deployment: &Deployment, concerned: &[usize]) {
        let members = deployment.members();
        if members.len() == 1 && concerned.is_empty() {
            return;
        }
        let known = self.parts.len();
        for (place, member) in members.iter().enumerate() {
            let judged = |of: &crate::model::Member| diagnose(&of.history().window());
            if place >= known {
                self.parts.push(judged(member));
            } else if concerned.contains(&place) {
                self.parts[place] = judged(member);
            }
        }
        self.conclude(deployment, None);
    }

    fn conclude(&mut self, deployment: &Deployment, end: Option<Duration>) {
        if let [_] = self.parts[..] {
            self.whole = self.parts.remove(0);
        } else {
            self.whole = merge(deployment, end, &self.parts);
        }
    }

    /// The diagnosis of one member, or of the whole.
    pub(super) fn of(&self, member: Option<usize>) -> &Diagnosis {
        let part = member.and_then(|member| self.parts.get(member));
        part.unwrap_or(&self.whole)
    }
}
