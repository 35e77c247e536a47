//! What a report is of.

use std::time::Duration;

use crate::model::{Change, Deployment, Window};

/// What is reported: all nodes of a deployment or one of them, up to a moment.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The nodes.
    pub deployment: &'a Deployment,
    /// The place of the only node that is reported; `None` for all.
    pub only: Option<usize>,
    /// The end, on the monotonic scale; `None` for now.
    pub end: Option<Duration>,
}

impl<'a> Scene<'a> {
    /// All of a deployment, as of now.
    pub fn whole(deployment: &'a Deployment) -> Self {
        Self {
            deployment,
            only: None,
            end: None,
        }
    }

    pub(super) fn windows(&self) -> Vec<Window<'a>> {
        let windows = self.deployment.windows(self.end).enumerate();
        let shown = windows.filter(|(place, _)| self.only.is_none_or(|only| only == *place));
        shown.map(|(_, window)| window).collect()
    }

    /// Changes that concern no single node.
    pub(super) fn changes(&self) -> impl Iterator<Item = &'a Change> {
        let (end, only) = (self.end, self.only);
        let changes = self.deployment.changes();
        changes.filter(move |change| {
            only.is_none() && end.is_none_or(|end| change.moment.elapsed <= end)
        })
    }
}
