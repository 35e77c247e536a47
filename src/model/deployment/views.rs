//! Who belonged to a cluster and held which slots, view by view.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::model::change::ChangeKind;
use crate::model::node::NodeId;
use crate::model::observation::Moment;
use crate::model::topology::{Holders, Topology};

/// Nodes in all views that are kept: only those that differ from the one before. An hour of news every
/// second from nine nodes, or 64 views of five hundred.
const MOST_NODES: usize = 32_000;
/// Times at which the cluster was asked that are kept: an hour of every second.
const MOST_TIMES: usize = 3_600;
/// Moves of slots that one view tells of at most.
const MOST_MOVES: usize = 500;

/// Views of a cluster, the newest last.
#[derive(Clone, Debug, Default)]
pub(super) struct Views {
    kept: VecDeque<(Moment, Topology)>,
    /// When views came, also those that told nothing new.
    times: VecDeque<Moment>,
    holders: Holders,
}

impl Views {
    /// Takes a view in; what it changed, and `None` where it tells what the one before did.
    pub(super) fn learn(&mut self, moment: Moment, view: Topology) -> Option<Vec<ChangeKind>> {
        let since = self.times.back().copied().unwrap_or(moment);
        self.times.push_back(moment);
        if self.times.len() > MOST_TIMES {
            self.times.pop_front();
        }
        let moved = self.holders.learn(&view);
        let mut changes = Vec::new();
        let mut was_uncovered = 0;
        if let Some((_, last)) = self.kept.back() {
            if *last == view {
                return None;
            }
            let address = |view: &Topology, id: &str| {
                let node = view.nodes().iter().find(|node| &*node.id == id)?;
                node.address.clone()
            };
            let moved = moved.into_iter().take(MOST_MOVES);
            changes.extend(moved.filter_map(|(from, to, slots)| {
                Some(ChangeKind::SlotsMoved {
                    slots,
                    takeover: view.is_takeover(last, &from, &to),
                    from: address(last, &from)?,
                    to: address(&view, &to)?,
                    since,
                })
            }));
            was_uncovered = last.uncovered();
        }
        match view.uncovered() {
            0 if was_uncovered > 0 => changes.push(ChangeKind::SlotsCovered),
            now if now > 0 && now != was_uncovered => changes.push(ChangeKind::SlotsUncovered(now)),
            _ => {}
        }
        self.keep(moment, view);
        Some(changes)
    }

    fn keep(&mut self, moment: Moment, view: Topology) {
        self.kept.push_back((moment, view));
        let mut nodes: usize = self.kept.iter().map(|(_, view)| view.nodes().len()).sum();
        while nodes > MOST_NODES
            && self.kept.len() > 2
            && let Some((_, oldest)) = self.kept.pop_front()
        {
            nodes -= oldest.nodes().len();
        }
    }

    /// Gives nodes the addresses that they are known under.
    pub(super) fn rename(&mut self, aliases: &HashMap<NodeId, NodeId>) {
        for (_, view) in &mut self.kept {
            view.rename(aliases);
        }
    }

    /// The newest of those that came by `end`.
    pub(super) fn at(&self, end: Option<Duration>) -> Option<&Topology> {
        let mut kept = self.kept.iter().rev();
        let (_, view) = kept.find(|(moment, _)| is_by(*moment, end))?;
        Some(view)
    }

    /// When the newest of those came, whether it told anything new or not.
    pub(super) fn time(&self, end: Option<Duration>) -> Option<Moment> {
        let mut times = self.times.iter().rev().copied();
        times.find(|moment| is_by(*moment, end))
    }

    /// All, the oldest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (Moment, &Topology)> {
        self.kept.iter().map(|(moment, view)| (*moment, view))
    }

    /// The lowest slot of each node that holds any, by its id.
    pub(super) fn lowest(&self) -> HashMap<&str, u32> {
        self.holders.lowest()
    }
}

fn is_by(moment: Moment, end: Option<Duration>) -> bool {
    end.is_none_or(|end| moment.elapsed <= end)
}
