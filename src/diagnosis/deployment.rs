//! Several nodes judged together: what was lost of the whole, not of each copy of it.
//!
//! ```text
//!  every node ─► diagnose ─► Diagnosis ┐
//!  shards ─► handover: who took over from whom, and without what ┤► court: whose word counts
//!                                                                └─► merge ─► one Diagnosis
//! ```
//!
//! A primary's word counts while it is the primary; after another took over, it does not. A
//! replica's counters tell of its primary's keys, so they are heard only where no primary of its
//! data can be seen. What left one node of a cluster and arrived at another is not lost: the total
//! counts.

mod court;
mod handover;
mod merge;
mod summary;
mod takeover;

use std::time::Duration;

use super::{Diagnosis, diagnose};
use crate::model::{Deployment, Extent};
pub use handover::Handover;

/// Judges every node of a deployment by what was known at `end` (by now where none is given), and
/// the whole by that.
pub fn diagnose_deployment(deployment: &Deployment, end: Option<Duration>) -> Diagnosis {
    diagnose_extent(deployment, &Extent::Whole, end)
}

/// The same of a part of a deployment.
pub fn diagnose_extent(
    deployment: &Deployment,
    extent: &Extent,
    end: Option<Duration>,
) -> Diagnosis {
    let mut parts: Vec<Diagnosis> = deployment
        .windows(end)
        .map(|window| diagnose(&window))
        .collect();
    match extent {
        Extent::Node(place) => parts.swap_remove(*place),
        _ if parts.len() == 1 => parts.swap_remove(0),
        _ => merge(deployment, extent, end, &parts),
    }
}

/// The whole or a shard, by the diagnoses of all nodes in the order of [`Deployment::members`]. What
/// left a shard for another is not lost by it.
pub fn merge(
    deployment: &Deployment,
    extent: &Extent,
    end: Option<Duration>,
    parts: &[Diagnosis],
) -> Diagnosis {
    merge::merge(&court::Court::new(deployment, extent, end, parts))
}
