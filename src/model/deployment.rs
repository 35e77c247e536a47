//! The nodes that belong together, each with its history, and what is known of how they belong.

mod extent;
mod kin;
mod member;
mod slot_move;
mod told;
mod views;

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use super::change::{Change, ChangeKind};
use super::node::{NodeId, Role};
use super::observation::{Moment, Observation};
use super::sample::Assumptions;
use super::timeline::{History, Most};
use super::topology::{Health, Topology};
use super::window::Window;
pub use extent::Extent;
use kin::Kinships;
pub use member::{Member, Takeover};
pub use slot_move::SlotMove;
pub use told::Told;
use views::Views;

/// Addresses under which nodes are known besides their own.
const MOST_ALIASES: usize = 1_000;
/// What all histories keep together: at half a kilobyte to one and a half an entry, what fits beside
/// five hundred nodes into 200 MB. Up to 27 nodes keep their hour at one a second.
const MOST: Most = Most {
    entries: 100_000,
    bytes: 200 << 20,
};
/// Nodes that left forget so often.
const FADES_EVERY: Duration = Duration::from_secs(1);
/// Changes that concern no single node, kept at most.
const MOST_CHANGES: usize = 500;

/// Everything that was observed of nodes that belong together; the first is the one that the user
/// named.
#[derive(Clone, Debug)]
pub struct Deployment {
    members: Vec<Member>,
    assumptions: Assumptions,
    keep: Duration,
    views: Views,
    changes: VecDeque<Change>,
    /// Addresses that lead to a member under another.
    aliases: HashMap<NodeId, NodeId>,
    /// Places of the members by address.
    places: HashMap<NodeId, usize>,
    /// Places of the members that hold the same data, in the order of their slots.
    shards: Vec<Vec<usize>>,
    looking: usize,
    /// When those that left were last made to forget.
    faded: Duration,
}

/// The node that an announced address leads to.
fn known_as(aliases: &HashMap<NodeId, NodeId>, announced: &str) -> NodeId {
    let node = NodeId::announced(announced);
    aliases.get(&node).cloned().unwrap_or(node)
}

impl Deployment {
    /// One node of which nothing was heard yet; every history keeps what is younger than `keep`.
    pub fn new(node: NodeId, assumptions: Assumptions, keep: Duration) -> Self {
        let places = HashMap::from([(node.clone(), 0)]);
        let mut first = History::new(node, assumptions.clone(), keep);
        first.keep_at_most(MOST);
        Self {
            members: vec![Member::new(first)],
            assumptions,
            keep,
            views: Views::default(),
            changes: VecDeque::new(),
            aliases: HashMap::new(),
            places,
            shards: vec![vec![0]],
            looking: 0,
            faded: Duration::ZERO,
        }
    }

    /// Takes in what a source says; the place of the member that it concerned, if one.
    pub fn observe(&mut self, told: Told) -> Option<usize> {
        self.fade(told.moment());
        if let Told::Node(node, _) = &told {
            self.tell_apart(node);
        }
        match told {
            Told::Node(node, Observation::Topology { moment, topology }) => {
                match topology {
                    Ok(topology) => self.view(moment, topology),
                    Err(why) => self.no_view(moment, why),
                }
                self.place(&node)
            }
            Told::Node(node, observation) => {
                let place = self.member(node, observation.moment());
                let is_answer = matches!(observation, Observation::Answer { .. });
                let member = &mut self.members[place];
                member.history.observe(observation);
                if is_answer {
                    member.left = None;
                    let aliases = &self.aliases;
                    let known_as = |announced: &str| known_as(aliases, announced);
                    if member.learn(known_as) {
                        self.group();
                        self.introduce(place);
                    }
                }
                Some(place)
            }
            Told::Same {
                moment,
                alias,
                node,
            } => {
                if self.aliases.len() < MOST_ALIASES {
                    self.aliases.insert(alias.clone(), node.clone());
                }
                if let Some(place) = self.place(&alias) {
                    self.members[place].left = Some(moment);
                }
                self.rename_known();
                self.group();
                self.note(moment, ChangeKind::SameNode { alias, node });
                None
            }
            Told::Looking { nodes, .. } => {
                self.looking = nodes;
                None
            }
            Told::Left { moment, node } => {
                let place = self.place(&node)?;
                self.members[place].left = Some(moment);
                self.note(moment, ChangeKind::NodeLeft(node));
                Some(place)
            }
            Told::Sentinel { moment, said } => {
                self.note(moment, ChangeKind::Sentinel(said));
                None
            }
        }
    }

    /// A node that is heard under an address which led to another is one of its own by now.
    fn tell_apart(&mut self, node: &NodeId) {
        if self.aliases.remove(node).is_some() {
            self.group();
        }
    }

    /// Nobody hears of those that left: they forget by the time of the others.
    fn fade(&mut self, now: Moment) {
        if now.elapsed >= self.faded.saturating_add(FADES_EVERY) {
            self.faded = now.elapsed;
            self.members.iter_mut().for_each(|member| member.fade(now));
        }
    }

    /// The place of a node; one that is new is taken in.
    fn member(&mut self, node: NodeId, moment: Moment) -> usize {
        if let Some(place) = self.place(&node) {
            return place;
        }
        let history = History::new(node.clone(), self.assumptions.clone(), self.keep);
        self.members.push(Member::new(history));
        self.places.insert(node.clone(), self.members.len() - 1);
        let has_any = |member: &&Member| member.left.is_none() || !member.history.is_empty();
        let there = self.members.iter().filter(has_any).count();
        let each = Most {
            entries: MOST.entries / there,
            bytes: MOST.bytes / there,
        };
        for member in &mut self.members {
            member.history.keep_at_most(each);
        }
        self.group();
        let role = Role::Unknown;
        self.note(moment, ChangeKind::NodeFound { node, role });
        self.members.len() - 1
    }

    /// A node that was found says what it is.
    fn introduce(&mut self, place: usize) {
        let member = &self.members[place];
        let mut roles = member.roles(None);
        let (Some((_, is)), None) = (roles.next(), roles.next()) else {
            return;
        };
        let found = self.changes.iter_mut().rev().take(MOST_CHANGES);
        for change in found {
            if let ChangeKind::NodeFound { node, role } = &mut change.kind
                && node == member.history.node()
                && *role == Role::Unknown
            {
                *role = is;
                return;
            }
        }
    }

    /// What was told of an alias before it was known to be one.
    fn rename_known(&mut self) {
        let aliases = &self.aliases;
        self.views.rename(aliases);
        for member in &mut self.members {
            for followed in &mut member.followed {
                let known = aliases.iter().find(|(alias, _)| alias.as_str() == followed);
                if let Some((_, node)) = known {
                    node.as_str().clone_into(followed);
                }
            }
        }
    }

    /// A view of the cluster.
    fn view(&mut self, moment: Moment, mut topology: Topology) {
        topology.rename(&self.aliases);
        if let Some(changes) = self.views.learn(moment, topology) {
            for kind in changes {
                self.note(moment, kind);
            }
            self.group();
        }
    }

    /// A node would not tell; said once, and not where another tells.
    fn no_view(&mut self, moment: Moment, why: String) {
        let mut changes = self.changes.iter();
        let is_told = changes.any(|change| matches!(change.kind, ChangeKind::NoView(_)));
        if self.views.at(None).is_none() && !is_told {
            self.note(moment, ChangeKind::NoView(why));
        }
    }

    /// Finds anew who belongs together. Where the cluster places a node among those that hold slots,
    /// its word decides; others belong to those with whom they share a history or whom they followed.
    /// The primary that another has just taken over from is among them: it holds none and follows
    /// nobody yet, as others see it.
    fn group(&mut self) {
        let view = self.views.at(None);
        let holders: HashSet<&str> = view.map(Topology::holders).unwrap_or_default();
        let shard = |member: &Member| {
            let id = view?.shard_of(member.node()).map(|id| &**id);
            id.filter(|id| holders.contains(id))
        };
        let mut kinships = Kinships::default();
        let (named, others): (Vec<_>, Vec<_>) = self
            .members
            .iter()
            .enumerate()
            .partition(|(_, member)| shard(member).is_some());
        for (place, member) in named {
            let own = shard(member).into_iter().chain([member.node().as_str()]);
            kinships.add(place, own, member.replids.iter().map(String::as_str));
        }
        for (place, member) in others {
            let ties = member.replids.iter().chain(&member.followed);
            let ties = ties.map(String::as_str).chain([member.node().as_str()]);
            kinships.add(place, ties, std::iter::empty());
        }
        self.shards = kinships.shards();
        // A cluster tells of its nodes in no order; slots have one. Shards without any come last.
        let lowest = self.views.lowest();
        let lowest = |place: &usize| {
            let node = view?.at(self.members[*place].node())?;
            lowest.get(&*node.id).copied()
        };
        self.shards.sort_by_cached_key(|places| {
            let slots = places.iter().filter_map(lowest);
            slots.min().unwrap_or(u32::MAX)
        });
    }

    fn note(&mut self, moment: Moment, kind: ChangeKind) {
        if self.changes.len() == MOST_CHANGES {
            self.changes.pop_front();
        }
        self.changes.push_back(Change { moment, kind });
    }

    /// Every node that was ever found, in that order; the first is the one that the user named.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The member that the user named.
    pub fn first(&self) -> &Member {
        &self.members[0]
    }

    /// The place of a node among the members.
    pub fn place(&self, node: &NodeId) -> Option<usize> {
        self.places.get(node).copied()
    }

    /// The node that an address leads to, as servers announce it.
    pub fn known_as(&self, announced: &str) -> NodeId {
        known_as(&self.aliases, announced)
    }

    /// Addresses that lead to nodes which are known under others.
    pub fn aliases(&self) -> impl Iterator<Item = &NodeId> {
        self.aliases.keys()
    }

    /// Nodes that are known and of which nothing was heard yet.
    pub fn looking(&self) -> usize {
        self.looking
    }

    /// Whether there is more than the one node that the user named.
    pub fn is_several(&self) -> bool {
        self.members.len() > 1
    }

    /// Changes that concern no single node, the oldest first.
    pub fn changes(&self) -> impl DoubleEndedIterator<Item = &Change> {
        self.changes.iter()
    }

    /// What each node had said by `end`; everything where none is given.
    pub fn windows(&self, end: Option<Duration>) -> impl ExactSizeIterator<Item = Window<'_>> {
        let members = self.members.iter();
        members.map(move |member| member.history.window_until(end))
    }

    /// The view of the cluster that was known by `end`.
    pub fn topology(&self, end: Option<Duration>) -> Option<&Topology> {
        self.views.at(end)
    }

    /// When the cluster was last asked by `end` who holds which slots.
    pub fn viewed(&self, end: Option<Duration>) -> Option<Moment> {
        self.views.time(end)
    }

    /// Whether a node ever gave slots to another or took some in, as far as that is remembered.
    pub fn has_moved_slots(&self, node: &NodeId) -> bool {
        self.changes.iter().any(|change| match &change.kind {
            ChangeKind::SlotsMoved {
                from,
                to,
                takeover: false,
                ..
            } => from == node || to == node,
            _ => false,
        })
    }

    /// Slots that nodes gave to others by `end`, the oldest first.
    pub fn slot_moves(&self, end: Option<Duration>) -> Vec<SlotMove> {
        slot_move::of(&self.changes, end)
    }

    /// Views of the cluster, the oldest first.
    pub fn views(&self) -> impl DoubleEndedIterator<Item = (Moment, &Topology)> {
        self.views.iter()
    }

    /// The places of the members that hold the same data, shard by shard: nodes of one replication
    /// history, a replica and the primary that it follows, and what the cluster says.
    pub fn shards(&self) -> &[Vec<usize>] {
        &self.shards
    }

    /// The places of the members that hold the same data as the one at a place, that one included.
    pub fn shard_of(&self, place: usize) -> &[usize] {
        let mut shards = self.shards.iter();
        let own = shards.find(|places| places.contains(&place));
        own.map_or(&[], Vec::as_slice)
    }

    /// What the cluster thinks of a node.
    pub fn health(&self, node: &NodeId, end: Option<Duration>) -> Option<Health> {
        Some(self.topology(end)?.at(node)?.health)
    }

    /// The same without what the witnesses said of people, keys and places, for an export.
    #[must_use]
    pub fn without_names(&self) -> Self {
        let mut deployment = self.clone();
        for member in &mut deployment.members {
            member.history = member.history.without_names();
        }
        deployment
    }
}
