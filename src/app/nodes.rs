//! Several nodes: which is shown, their order, and narrowing everything to one of them.

use std::cmp::Reverse;
use std::time::Duration;

use super::{App, Panel};
use crate::diagnosis::{Diagnosis, Incident, Level, diagnose_extent};
use crate::format;
use crate::model::{Change, Counter, Extent, Member, NodeId, Packed, Role};

/// Order of the nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NodeSort {
    /// Shard by shard, the primary first.
    #[default]
    Shard,
    /// What needs a human first.
    Trouble,
    /// Most keys evicted a second first.
    Evicted,
    /// Fullest memory first.
    Memory,
    /// Most keys first.
    Keys,
}

/// What the user has narrowed everything to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Narrow {
    /// Nothing is left out.
    #[default]
    Not,
    /// One node by itself.
    Node(NodeId),
    /// A node and those that hold the same data.
    Shard(NodeId),
}

/// Changes that are listed, the newest.
const MOST_CHANGES: usize = 500;
/// Up to so many nodes can be overlooked at once; of more, those in trouble come first.
const FEW: usize = 12;

impl NodeSort {
    /// The order of so many nodes while the user has chosen none.
    pub(super) fn usual(nodes: usize) -> Self {
        if nodes > FEW {
            Self::Trouble
        } else {
            Self::Shard
        }
    }

    /// All orders.
    pub const ALL: [Self; 5] = [
        Self::Shard,
        Self::Trouble,
        Self::Evicted,
        Self::Memory,
        Self::Keys,
    ];

    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Shard => "by shard",
            Self::Trouble => "trouble first",
            Self::Evicted => "evictions first",
            Self::Memory => "fullest first",
            Self::Keys => "most keys first",
        }
    }
}

impl App {
    /// What the user has narrowed everything to.
    pub fn extent(&self) -> Extent {
        let place = |node| self.deployment.place(node);
        match &self.narrow {
            Narrow::Not => Extent::Whole,
            Narrow::Node(node) => place(node).map_or(Extent::Whole, Extent::Node),
            Narrow::Shard(node) => place(node).map_or(Extent::Whole, |place| {
                Extent::Shard(self.deployment.shard_of(place).to_vec())
            }),
        }
    }

    /// The place of the node that the user has narrowed everything to, alone or with its shard.
    fn narrowed(&self) -> Option<usize> {
        match &self.narrow {
            Narrow::Not => None,
            Narrow::Node(node) | Narrow::Shard(node) => self.deployment.place(node),
        }
    }

    /// The place of the node whose readings the panels show: the one that it is narrowed to, the
    /// one under the selection, or the first that matters.
    pub fn shown(&self) -> usize {
        let chosen = self.screen.chosen_node.as_ref();
        let chosen = chosen.and_then(|node| self.deployment.place(node));
        self.narrowed().or(chosen).unwrap_or_else(|| self.lead())
    }

    /// The node whose readings prove the top cause; the one that the user named where nothing was
    /// lost or that node is as good.
    fn lead(&self) -> usize {
        let diagnosis = self.whole();
        let top = diagnosis.top_cause.and_then(|cause| diagnosis.of(cause));
        let proofs = top.into_iter().flat_map(|verdict| &verdict.evidence);
        let mut places = proofs.filter_map(|proof| self.deployment.place(&proof.node));
        let answers = |place: &usize| {
            let history = self.deployment.members()[*place].history();
            let window = history.window_until(self.end());
            window.last().is_some() && window.open_gap().is_none()
        };
        // Of a dead node, readings are old: any that answers tells more.
        let others = std::iter::once(0).chain(0..self.deployment.members().len());
        places
            .find(answers)
            .or_else(|| others.into_iter().find(answers))
            .unwrap_or(0)
    }

    /// Shows one node alone; when it is, its shard; then the whole again.
    pub(super) fn open_node(&mut self) {
        let rows = self.node_rows();
        let row = self
            .screen
            .row(Panel::Nodes)
            .min(rows.len().saturating_sub(1));
        let node = rows
            .get(row)
            .map(|place| self.deployment.members()[*place].node().clone());
        let Some(node) = node else {
            return;
        };
        match &self.narrow {
            Narrow::Node(known) if *known == node => match self.copies_of(&node) {
                0 => drop(self.widen()),
                copies => {
                    let with = format::plural(copies as u64, "node");
                    self.say(
                        format!("{node} with {with} of its shard; Esc or Enter: all nodes"),
                        false,
                    );
                    self.narrow_to(Narrow::Shard(node));
                }
            },
            Narrow::Shard(known) if *known == node => drop(self.widen()),
            _ => {
                let next = match self.copies_of(&node) {
                    0 => "Esc or Enter: all nodes",
                    _ => "Enter: its shard, Esc: all nodes",
                };
                self.say(format!("{node} alone; {next}"), false);
                self.narrow_to(Narrow::Node(node));
            }
        }
    }

    /// How many others hold the data of a node, where that is not all of the deployment.
    fn copies_of(&self, node: &NodeId) -> usize {
        let place = self.deployment.place(node);
        let shard = place.map_or(&[][..], |place| self.deployment.shard_of(place));
        if shard.len() == self.deployment.members().len() {
            return 0;
        }
        let members = self.deployment.members();
        let there = shard
            .iter()
            .filter(|place| members[**place].left().is_none());
        there.count().saturating_sub(1)
    }

    fn narrow_to(&mut self, narrow: Narrow) {
        self.narrow = narrow;
        let (extent, end) = (self.extent(), self.end());
        self.judge.narrow(&self.deployment, &extent, end);
        self.settle_selection();
    }

    /// Shows the whole again. Whether it did not already.
    pub(super) fn widen(&mut self) -> bool {
        let was = self.narrow != Narrow::Not;
        if was {
            self.say("all nodes", false);
            self.narrow_to(Narrow::Not);
        }
        was
    }

    /// The selection is moved to another node.
    pub(super) fn choose_node(&mut self) {
        let rows = self.node_rows();
        let row = self
            .screen
            .row(Panel::Nodes)
            .min(rows.len().saturating_sub(1));
        let chosen = rows
            .get(row)
            .map(|place| self.deployment.members()[*place].node().clone());
        if let Some(node) = &chosen {
            match self.narrow {
                Narrow::Not => {}
                Narrow::Node(_) => self.narrow = Narrow::Node(node.clone()),
                Narrow::Shard(_) => self.narrow_to(Narrow::Shard(node.clone())),
            }
        }
        self.screen.chosen_node = chosen;
    }

    /// Rows change places; the selection stays on its node.
    pub(super) fn settle_node(&mut self) {
        let Some(chosen) = &self.screen.chosen_node else {
            return;
        };
        let place = self.deployment.place(chosen);
        let row = self.node_rows().iter().position(|row| Some(*row) == place);
        if let Some(row) = row {
            self.screen.set_row_of(Panel::Nodes, row);
        }
    }

    /// The members that are listed, by their places, in the order of the list: those that match the
    /// filter by address or role. Those that have left are not.
    pub fn node_rows(&self) -> Vec<usize> {
        if !self.deployment.is_several() {
            return Vec::new();
        }
        let end = self.end();
        let members = self.deployment.members();
        let is_there = |member: &Member| {
            // While the screen is paused, who is found is not known yet.
            let is_known = end.is_none() || member.history().window_until(end).end().is_some();
            let left = member.left().map(|moment| moment.elapsed);
            is_known && left.is_none_or(|left| end.is_some_and(|end| left > end))
        };
        let mut rows: Vec<(usize, usize)> = Vec::new();
        for (shard, places) in self.deployment.shards().iter().enumerate() {
            let there = places.iter().copied().filter(|place| self.matches(*place));
            let mut places: Vec<usize> = there.filter(|place| is_there(&members[*place])).collect();
            places.sort_by_key(|place| (self.role(*place) != Role::Primary, *place));
            rows.extend(places.into_iter().map(|place| (shard, place)));
        }
        match self.screen.node_sort() {
            NodeSort::Shard => {}
            NodeSort::Trouble => rows.sort_by_key(|(_, place)| self.trouble(*place)),
            NodeSort::Evicted => {
                rows.sort_by(|a, b| self.evicted(b.1).total_cmp(&self.evicted(a.1)));
            }
            NodeSort::Memory => {
                rows.sort_by(|a, b| self.fullness(b.1).total_cmp(&self.fullness(a.1)));
            }
            NodeSort::Keys => rows.sort_by_key(|(_, place)| Reverse(self.keys(*place))),
        }
        rows.into_iter().map(|(_, place)| place).collect()
    }

    fn matches(&self, place: usize) -> bool {
        let filter = self.screen.node_filter.value().trim().to_ascii_lowercase();
        let node = self.deployment.members()[place].node().as_str();
        filter.is_empty()
            || node.to_ascii_lowercase().contains(&filter)
            || self.role(place).id().starts_with(&filter)
    }

    fn last_of(&self, place: usize) -> Option<&Packed> {
        let history = self.deployment.members()[place].history();
        history.window_until(self.end()).last()
    }

    fn role(&self, place: usize) -> Role {
        self.last_of(place).map_or(Role::Unknown, Packed::role)
    }

    fn keys(&self, place: usize) -> Option<u64> {
        self.last_of(place)?.keys()
    }

    fn evicted(&self, place: usize) -> f64 {
        let history = self.deployment.members()[place].history();
        let window = history.window_until(self.end());
        window.rate(Counter::EvictedKeys).unwrap_or(-1.0)
    }

    fn fullness(&self, place: usize) -> f64 {
        self.last_of(place)
            .and_then(|sample| sample.memory().share())
            .unwrap_or(-1.0)
    }

    /// Nodes that do not answer first, then by the strongest verdict.
    fn trouble(&self, place: usize) -> (bool, Level, usize) {
        let history = self.deployment.members()[place].history();
        let answers = history.window_until(self.end()).open_gap().is_none();
        let verdicts = self.judge.of(&Extent::Node(place)).verdicts.iter();
        let worst = verdicts.map(|verdict| verdict.level).min();
        (answers, worst.unwrap_or(Level::Clear), place)
    }

    /// The diagnosis of the whole, whatever is shown.
    pub fn whole(&self) -> &Diagnosis {
        self.judge.of(&Extent::Whole)
    }

    /// The diagnosis of one node by itself.
    pub fn diagnosis_of(&self, place: usize) -> &Diagnosis {
        self.judge.of(&Extent::Node(place))
    }

    /// The newest changes up to the cursor, the oldest first, with the node that each is of where there
    /// are several.
    pub fn changes(&self) -> Vec<(Option<&NodeId>, &Change)> {
        let end = self.end();
        let by = |change: &&Change| end.is_none_or(|end| change.moment.elapsed <= end);
        let mut changes = self.changes_by(by);
        let least = changes.len().saturating_sub(MOST_CHANGES);
        changes.split_off(least)
    }

    /// The moments of all changes of what is shown, those after the cursor included.
    pub(super) fn change_times(&self) -> Vec<Duration> {
        let all = self.changes_by(|_| true);
        all.iter()
            .map(|(_, change)| change.moment.elapsed)
            .collect()
    }

    fn changes_by(&self, by: impl Fn(&&Change) -> bool) -> Vec<(Option<&NodeId>, &Change)> {
        let extent = self.extent();
        if matches!(extent, Extent::Node(_)) || !self.deployment.is_several() {
            let changes = self.history().changes().filter(|change| by(change));
            return changes.map(|change| (None, change)).collect();
        }
        let mut all: Vec<(Option<&NodeId>, &Change)> = Vec::new();
        let members = self.deployment.members().iter().enumerate();
        for (_, member) in members.filter(|(place, _)| extent.contains(*place)) {
            let newest = member.history().changes().rev().filter(|change| by(change));
            let newest: Vec<&Change> = newest.take(MOST_CHANGES).collect();
            let oldest_first = newest.into_iter().rev();
            all.extend(oldest_first.map(|change| (Some(member.node()), change)));
        }
        let common = self.deployment.changes().filter(|change| {
            let mut nodes = change.kind.nodes();
            let is_own = |node: &NodeId| {
                let place = self.deployment.place(node);
                place.is_some_and(|place| extent.contains(place))
            };
            by(change) && (extent.is_whole() || nodes.any(is_own))
        });
        all.extend(common.map(|change| (None, change)));
        all.sort_by_key(|(_, change)| change.moment);
        all
    }

    /// The incidents of what is shown, as of a moment.
    pub(super) fn incidents_at(&self, end: Option<Duration>) -> Vec<Incident> {
        diagnose_extent(&self.deployment, &self.extent(), end).incidents
    }
}
