//! What a report is of.

use std::time::Duration;

use crate::model::{Change, Deployment, Extent, Window};

/// What is reported: all nodes of a deployment or some of them, up to a moment.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The nodes.
    pub deployment: &'a Deployment,
    /// How much of it is reported.
    pub extent: &'a Extent,
    /// The end, on the monotonic scale; `None` for now.
    pub end: Option<Duration>,
}

impl<'a> Scene<'a> {
    /// All of a deployment, as of now.
    pub fn whole(deployment: &'a Deployment) -> Self {
        Self {
            deployment,
            extent: &Extent::Whole,
            end: None,
        }
    }

    pub(super) fn windows(&self) -> Vec<Window<'a>> {
        let windows = self.deployment.windows(self.end).enumerate();
        let shown = windows.filter(|(place, _)| self.extent.contains(*place));
        shown.map(|(_, window)| window).collect()
    }

    /// Changes that concern no single node.
    pub(super) fn changes(&self) -> impl Iterator<Item = &'a Change> {
        let (end, is_whole) = (self.end, self.extent.is_whole());
        let changes = self.deployment.changes();
        changes.filter(move |change| is_whole && end.is_none_or(|end| change.moment.elapsed <= end))
    }
}
