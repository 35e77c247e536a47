//! Several nodes judged together: what was lost of the whole, not of each copy of it.
//!
//! ```text
//!  slots ─► resharding: what went to another node with them ┐
//!  every node ─► diagnose ─► Diagnosis ◄────────────────────┘┐
//!  shards ─► handover: who took over from whom, and without what ┤► court: whose word counts
//!                                                                └─► merge ─► one Diagnosis
//!  standby: which copy has most │ rescue: who still holds what was lost
//!  late: what copies betray of the time before us │ uncovered: slots that nobody holds
//!  demotion: who is about to drop its keys for another's
//!                                     └─► summary: one verdict a cause ─► merge
//! ```
//!
//! A primary's word counts while it is the primary; after another took over, it does not. A
//! replica's counters tell of its primary's keys, so they are heard only where no primary of its
//! data can be seen, or for the time since its primary fell silent. What left one node of a cluster
//! and arrived at another is not lost: the total counts.

mod court;
mod demotion;
mod handover;
mod late;
mod merge;
mod rescue;
mod resharding;
mod standby;
mod summary;
mod takeover;
mod uncovered;

use std::time::Duration;

use super::{Diagnosis, diagnose_among};
use crate::model::{Deployment, Extent};
pub use handover::Handover;
pub use resharding::Migration;

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
    if let Extent::Node(place) = extent {
        return diagnose_member(deployment, *place, end);
    }
    let places = 0..deployment.members().len();
    let judged = places.map(|place| diagnose_member(deployment, place, end));
    let mut parts: Vec<Diagnosis> = judged.collect();
    if parts.len() == 1 {
        return parts.swap_remove(0);
    }
    merge(deployment, extent, end, &parts)
}

/// The same of one node: what it lost itself, wherever that went.
pub fn diagnose_member(deployment: &Deployment, place: usize, end: Option<Duration>) -> Diagnosis {
    let window = deployment.members()[place].history().window_until(end);
    // Of many nodes few give slots away or take some in.
    let moves = if deployment.has_moved_slots(window.node()) {
        deployment.slot_moves(end)
    } else {
        Vec::new()
    };
    let given = resharding::given(deployment, &moves, window.node(), end);
    diagnose_among(&window, &given, Some(deployment))
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
