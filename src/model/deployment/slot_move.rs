//! Slots that nodes gave to others, as the views of the cluster show it.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::{Change, ChangeKind, Moment, NodeId, SlotSet};

/// What follows within so long between the same nodes is of the same move: a resharding takes slot
/// by slot.
const TOGETHER: Duration = Duration::from_secs(60);

/// Slots that one node gave to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotMove {
    /// Who held them.
    pub from: NodeId,
    /// Who holds them.
    pub to: NodeId,
    /// Which.
    pub slots: SlotSet,
    /// The last view that shows none of it.
    pub since: Moment,
    /// The first view that shows some of it.
    pub first: Moment,
    /// The last view that shows more of it.
    pub last: Moment,
}

/// The moves that changes tell of, takeovers by a replica left out.
pub(super) fn of(changes: &VecDeque<Change>, end: Option<Duration>) -> Vec<SlotMove> {
    let mut moves: Vec<SlotMove> = Vec::new();
    let known = changes.iter();
    for change in known.filter(|change| end.is_none_or(|end| change.moment.elapsed <= end)) {
        let ChangeKind::SlotsMoved {
            slots,
            from,
            to,
            takeover: false,
            since,
        } = &change.kind
        else {
            continue;
        };
        let is_same = |known: &&mut SlotMove| {
            let is_soon = change.moment.since(known.last) <= TOGETHER;
            known.from == *from && known.to == *to && is_soon
        };
        match moves.iter_mut().rev().find(is_same) {
            Some(known) => {
                known.slots.join(slots);
                known.last = change.moment;
            }
            None => moves.push(SlotMove {
                from: from.clone(),
                to: to.clone(),
                slots: slots.clone(),
                since: *since,
                first: change.moment,
                last: change.moment,
            }),
        }
    }
    moves
}
