//! Slots that nodes gave to others, as the views of the cluster show it.

use std::collections::{HashMap, VecDeque};
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
    // The newest move between two nodes.
    let mut newest: HashMap<(&NodeId, &NodeId), usize> = HashMap::new();
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
        let known = newest.get(&(from, to)).map(|place| &mut moves[*place]);
        let known = known.filter(|known| change.moment.since(known.last) <= TOGETHER);
        if let Some(known) = known {
            known.slots.join(slots);
            known.last = change.moment;
            continue;
        }
        newest.insert((from, to), moves.len());
        moves.push(SlotMove {
            from: from.clone(),
            to: to.clone(),
            slots: slots.clone(),
            since: *since,
            first: change.moment,
            last: change.moment,
        });
    }
    moves
}
