//! Who belongs to a cluster and holds which slots, as one of its nodes sees it.

mod slot_set;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::node::{NodeId, Role};
use super::text::inert;
pub use slot_set::SlotSet;

/// Slots of a cluster (cluster.h, `CLUSTER_SLOTS`).
pub const SLOTS: u32 = 16_384;
/// Nodes that are taken from one view. Redis recommends 1,000 at most; a view may claim any number.
pub const MOST_NODES: usize = 2_000;

/// A view of a cluster.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    nodes: Vec<ClusterNode>,
    /// Places of the nodes by address.
    places: HashMap<NodeId, usize>,
}

impl PartialEq for Topology {
    fn eq(&self, other: &Self) -> bool {
        self.nodes == other.nodes
    }
}

impl Eq for Topology {}

/// One node of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterNode {
    /// Its id: forty hexadecimal digits, inert; an address where none was told.
    pub id: Arc<str>,
    /// Where it can be reached, as announced; `None` where it has no address.
    pub address: Option<NodeId>,
    /// Primary or replica.
    pub role: Role,
    /// Of a replica: the id of its primary.
    pub primary: Option<Arc<str>>,
    /// What the teller thinks of it.
    pub health: Health,
    /// Ranges of slots that it holds, both ends included.
    pub slots: Vec<(u16, u16)>,
    /// Slots that are on their way to or from it.
    pub moving: u32,
}

/// What a node thinks of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It answers.
    Good,
    /// It does not answer the teller (`fail?`).
    Doubtful,
    /// The majority says that it is gone (`fail`).
    Failed,
}

impl Topology {
    /// Understands the reply to `CLUSTER NODES`; `host` stands for an address that the teller does
    /// not know of itself. `None` where not one line makes sense.
    ///
    /// `<id> <ip:port@cport[,hostname]> <flags> <primary> <ping> <pong> <epoch> <link> <slot>…`
    /// (cluster.c, `clusterGenNodeDescription`).
    pub fn parse(text: &str, host: &str) -> Option<Self> {
        let lines = text.lines().take(MOST_NODES);
        let nodes: Vec<ClusterNode> = lines.filter_map(|line| node(line, host)).collect();
        Self::of(nodes)
    }

    /// A view of these nodes; `None` where there are none.
    ///
    /// A cluster has so many slots and no more, whatever a server says: what goes beyond is left out.
    pub fn of(mut nodes: Vec<ClusterNode>) -> Option<Self> {
        nodes.truncate(MOST_NODES);
        let mut left = SLOTS;
        for node in &mut nodes {
            node.slots.retain(|range| {
                let size = range_size(*range);
                let fits = size <= left;
                left -= if fits { size } else { 0 };
                fits
            });
        }
        let mut topology = Self {
            nodes,
            places: HashMap::new(),
        };
        topology.index();
        (!topology.nodes.is_empty()).then_some(topology)
    }

    fn index(&mut self) {
        let nodes = self.nodes.iter().enumerate();
        let addressed = nodes.filter_map(|(place, node)| Some((node.address.clone()?, place)));
        self.places = addressed.collect();
    }

    /// Every node, in the order in which it was told.
    pub fn nodes(&self) -> &[ClusterNode] {
        &self.nodes
    }

    /// The node at an address.
    pub fn at(&self, address: &NodeId) -> Option<&ClusterNode> {
        self.nodes.get(*self.places.get(address)?)
    }

    /// Gives nodes the addresses that they are known under.
    pub(super) fn rename(&mut self, aliases: &HashMap<NodeId, NodeId>) {
        for address in self
            .nodes
            .iter_mut()
            .filter_map(|node| node.address.as_mut())
        {
            if let Some(known) = aliases.get(address) {
                address.clone_from(known);
            }
        }
        self.index();
    }

    /// The id of the shard that a node belongs to: its primary's, or its own.
    pub fn shard_of(&self, address: &NodeId) -> Option<&Arc<str>> {
        let node = self.at(address)?;
        Some(node.primary.as_ref().unwrap_or(&node.id))
    }

    /// The ids of the nodes that hold slots.
    pub fn holders(&self) -> HashSet<&str> {
        let holders = self.nodes.iter().filter(|node| !node.slots.is_empty());
        holders.map(|node| &*node.id).collect()
    }

    /// Slots that no node which works holds: what is in them cannot be reached.
    pub fn uncovered(&self) -> u32 {
        let working = self.nodes.iter().filter(|n| n.health != Health::Failed);
        let held: u32 = working.map(ClusterNode::slot_count).sum();
        SLOTS.saturating_sub(held)
    }

    /// Slots that no node holds, whether it works or not.
    pub fn unassigned(&self) -> u32 {
        let held: u32 = self.nodes.iter().map(ClusterNode::slot_count).sum();
        SLOTS.saturating_sub(held)
    }

    /// Whether a replica of the earlier view's primary holds its slots now.
    pub fn is_takeover(&self, earlier: &Self, from: &str, to: &str) -> bool {
        let known = earlier.nodes.iter().find(|node| &*node.id == to);
        known.is_some_and(|node| node.primary.as_deref() == Some(from))
    }
}

/// Who holds each slot, as far as it was ever told: a view from the midst of a change may leave some
/// out.
#[derive(Clone, Debug, Default)]
pub(super) struct Holders(Vec<Option<Arc<str>>>);

/// Who held slots, who holds them, and which.
type Row = (Arc<str>, Arc<str>, SlotSet);

impl Holders {
    /// The lowest slot of each node that holds any, by its id.
    pub(super) fn lowest(&self) -> HashMap<&str, u32> {
        let mut lowest = HashMap::new();
        for (slot, holder) in (0..).zip(&self.0) {
            if let Some(holder) = holder {
                lowest.entry(&**holder).or_insert(slot);
            }
        }
        lowest
    }

    /// Takes a view in; slots that changed their holder by it, with the ids of both.
    pub(super) fn learn(&mut self, view: &Topology) -> Vec<Row> {
        self.0.resize(SLOTS as usize, None);
        let mut moved: Vec<Row> = Vec::new();
        let mut places: HashMap<(Arc<str>, Arc<str>), usize> = HashMap::new();
        for node in &view.nodes {
            for (first, last) in &node.slots {
                for slot in *first..=*last {
                    let holder = self.0.get_mut(usize::from(slot));
                    let was = holder.and_then(|holder| holder.replace(Arc::clone(&node.id)));
                    let Some(was) = was.filter(|was| *was != node.id) else {
                        continue;
                    };
                    let sides = (was, Arc::clone(&node.id));
                    let place = *places.entry(sides).or_insert_with_key(|(from, to)| {
                        moved.push((Arc::clone(from), Arc::clone(to), SlotSet::default()));
                        moved.len() - 1
                    });
                    moved[place].2.push(slot);
                }
            }
        }
        moved
    }
}

impl ClusterNode {
    /// How many slots it holds.
    pub fn slot_count(&self) -> u32 {
        self.slots.iter().copied().map(range_size).sum()
    }
}

fn range_size((first, last): (u16, u16)) -> u32 {
    u32::from(last.saturating_sub(first)) + 1
}

fn node(line: &str, host: &str) -> Option<ClusterNode> {
    let mut words = line.split_ascii_whitespace();
    let id = inert(words.next()?, 48).into();
    let address = address(words.next()?, host);
    let flags = words.next()?;
    let primary = words.next()?;
    let has = |wanted: &str| flags.split(',').any(|flag| flag == wanted);
    if has("handshake") {
        return None;
    }
    let role = match (has("master"), has("slave")) {
        (true, _) => Role::Primary,
        (_, true) => Role::Replica,
        _ => return None,
    };
    let mut node = ClusterNode {
        id,
        address: address.filter(|_| !has("noaddr")),
        role,
        primary: (primary != "-").then(|| inert(primary, 48).into()),
        health: if has("fail") {
            Health::Failed
        } else if has("fail?") {
            Health::Doubtful
        } else {
            Health::Good
        },
        slots: Vec::new(),
        moving: 0,
    };
    // Pings, epoch, link.
    for slot in words.skip(4).take(SLOTS as usize) {
        if slot.starts_with('[') {
            node.moving += 1;
        } else if let Some(range) = range(slot) {
            node.slots.push(range);
        }
    }
    Some(node)
}

/// `first-last` or one slot; `None` for what is no slot.
pub fn range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last && u32::from(last) < SLOTS).then_some((first, last))
}

/// `ip:port@cport,hostname`: the address without what other nodes use.
fn address(text: &str, host: &str) -> Option<NodeId> {
    let place = text.split([',', '@']).next()?;
    let (ip, port) = place.rsplit_once(':')?;
    let port: u16 = port.parse().ok().filter(|port| *port > 0)?;
    let ip = if ip.is_empty() { host } else { ip };
    Some(NodeId::of(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODES: &str = "\
e1 127.0.0.1:7001@17001,a.example.com myself,master - 0 0 1 connected 0-5460 [93->-e2]
e2 127.0.0.1:7002@17002 master - 0 1 2 connected 5461-10922 16000
e3 :7003@17003 slave e1 0 1 1 connected
e4 127.0.0.1:7004@17004 master,fail - 0 1 3 disconnected 10923-15999 16001-16383
e5 127.0.0.1:7005@17005 handshake - 0 0 0 connected
e6 :0@0 master,noaddr - 0 0 0 disconnected
garbage
";

    fn topology() -> Topology {
        Topology::parse(NODES, "seed").expect("parses")
    }

    #[test]
    fn a_view_is_understood() {
        let topology = topology();
        assert_eq!(topology.nodes.len(), 5);
        let at = |address: &str| topology.at(&NodeId::new(address)).expect("is there");
        assert_eq!(at("127.0.0.1:7001").moving, 1);
        assert_eq!(at("127.0.0.1:7002").slot_count(), 5_463);
        assert_eq!(at("seed:7003").primary.as_deref(), Some("e1"));
        assert_eq!(at("127.0.0.1:7004").health, Health::Failed);
        assert_eq!((topology.uncovered(), topology.unassigned()), (5_460, 0));
        let shard = topology.shard_of(&NodeId::new("seed:7003"));
        assert_eq!(shard.map(|id| &**id), Some("e1"));
        assert_eq!(topology.nodes[4].address, None);
        assert_eq!(Topology::parse("ERR no", "h"), None);
    }

    #[test]
    fn slots_that_moved_are_told_by_their_holders() {
        let earlier = topology();
        let mut holders = Holders::default();
        assert_eq!(holders.learn(&earlier), []);
        let mut between = topology();
        between.nodes[0].slots = vec![(1_000, 5_460)];
        assert_eq!(holders.learn(&between), [], "held by nobody for a moment");
        let mut later = between;
        later.nodes[1].slots.push((0, 999));
        let moved = holders.learn(&later);
        let [(from, to, slots)] = &moved[..] else {
            panic!("one move: {moved:?}");
        };
        assert_eq!((&**from, &**to, slots.count()), ("e1", "e2", 1_000));
        assert_eq!(slots.ranges(), [(0, 999)]);
        assert!(!later.is_takeover(&earlier, "e1", "e2"));
        assert!(later.is_takeover(&earlier, "e1", "e3"));
        assert_eq!(holders.learn(&later), []);
    }

    #[test]
    fn ranges_out_of_bounds_are_none() {
        assert_eq!(range("5-7"), Some((5, 7)));
        assert_eq!(range("16383"), Some((16_383, 16_383)));
        for odd in ["", "7-5", "16384", "-1", "a-b", "0-99999"] {
            assert_eq!(range(odd), None, "{odd}");
        }
    }
}
