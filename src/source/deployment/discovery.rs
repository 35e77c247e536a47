//! Finding nodes: who is named, under which address, and who belongs to the cluster.

use std::time::Duration;

use super::node::{Alias, Cluster, Name, Node, State, is_loopback, is_place};
use super::{
    FEW, MOST_EVER, MOST_NODES, MOST_TRIPWIRES, Round, VIEW_EVERY, VIEW_GAP, VIEW_SOON, View,
};
use crate::config::{Endpoint, Settings};
use crate::model::{FailureKind, Moment, NodeId, Told, Topology};
use crate::source::neighbours::Neighbours;
use crate::source::sentinel::Word;
use crate::source::topology;

impl Round {
    /// Another node that is known and is the same as the one that has just answered here.
    pub(super) fn same_process(&self, place: usize, neighbours: &Neighbours) -> Option<usize> {
        let process = neighbours.process.as_ref()?;
        let own = &self.nodes[place];
        if neighbours.totals.is_none() && !own.is_moved_to(neighbours) {
            return None;
        }
        let mut known = self.nodes.iter().enumerate();
        let same = known.find(|(other, node)| {
            *other != place
                && node.task.is_some()
                && node.state == State::Answers
                && node.process.as_ref() == Some(process)
                && own.is_one_with(node, neighbours)
        });
        same.map(|(other, _)| other)
    }

    pub(super) async fn drop_alias(
        &mut self,
        place: usize,
        kept: usize,
        process: Option<String>,
        moment: Moment,
    ) -> bool {
        let alias = self.nodes[place].id.clone();
        let node = self.nodes[kept].id.clone();
        self.nodes[place].task = None;
        self.places.remove(&alias);
        if self.aliases.len() < MOST_NODES {
            let known = Alias {
                place: kept,
                process,
            };
            self.aliases.insert(alias.clone(), known);
        }
        let told = Told::Same {
            moment,
            alias,
            node,
        };
        self.tell(told).await && self.tell_looking(moment).await
    }

    /// A Sentinel named nodes, or said something.
    pub(super) async fn by_sentinel(&mut self, word: Word) -> bool {
        let Word {
            moment,
            said,
            named,
        } = word;
        for node in named {
            self.consider(0, node, moment.elapsed);
        }
        match said {
            Some(said) => self.tell(Told::Sentinel { moment, said }).await,
            None => true,
        }
    }

    /// Somebody names a node.
    pub(super) fn consider(&mut self, by: usize, named: NodeId, now: Duration) {
        if !self.discover {
            return;
        }
        let named = self.seen_from_here(by, named);
        if let Some(place) = self.places.get(&named) {
            self.nodes[*place].named = now;
            return;
        }
        if let Some(alias) = self.aliases.get(&named) {
            let node = &mut self.nodes[alias.place];
            let is_alias = node.task.is_some() && node.process == alias.process;
            if is_alias {
                node.named = now;
                return;
            }
            // The process that it led to is no more: it may lead to another.
            self.aliases.remove(&named);
        }
        let polled = self.places.len();
        if polled >= MOST_NODES || self.nodes.len() >= MOST_EVER || !is_place(&named) {
            return;
        }
        let Some(endpoint) = self.node_map.reach(&named) else {
            return;
        };
        let base = &self.nodes[by].settings;
        let mut settings = Settings {
            endpoint,
            tripwire: base.tripwire && polled < MOST_TRIPWIRES,
            watch: Vec::new(),
            sample: None,
            monitor: None,
            ..base.clone()
        };
        // Certificates of managed servers carry the name of the endpoint, not the nodes' addresses.
        if let (Some(tls), Endpoint::Tcp { host, .. }) = (&mut settings.tls, &base.endpoint) {
            tls.sni.get_or_insert_with(|| host.clone());
        }
        self.begin(named, settings, false);
    }

    /// A server that names its own host means the host that we know it under.
    pub(super) fn seen_from_here(&self, by: usize, named: NodeId) -> NodeId {
        let Endpoint::Tcp { host: ours, .. } = &self.nodes[by].settings.endpoint else {
            return named;
        };
        match named.host_and_port() {
            Some((host, port)) if is_loopback(host) && !is_loopback(ours) => NodeId::of(ours, port),
            _ => named,
        }
    }

    /// A found node whose certificate does not carry the endpoint's name may carry its own.
    pub(super) fn try_own_name(&mut self, place: usize, kind: FailureKind) -> bool {
        let node = &self.nodes[place];
        let is_untried =
            !node.is_target && node.name == Name::Endpoint && node.state == State::Unheard;
        if kind != FailureKind::Tls || !is_untried {
            return false;
        }
        let mut settings = node.settings.clone();
        if let Some(tls) = &mut settings.tls {
            tls.sni = None;
        }
        let task = self.poll(place, settings.clone());
        let node = &mut self.nodes[place];
        (node.settings, node.name, node.task) = (settings, Name::Own, Some(task));
        true
    }

    /// A view of the cluster came, or why there is none. Whether it is worth telling: a node that was
    /// taken out of its cluster knows of itself alone.
    pub(super) fn viewed(&mut self, place: usize, topology: &Result<Topology, String>) -> bool {
        self.view.is_first = false;
        let now = self.clock.elapsed();
        match topology {
            Ok(topology) => {
                let known = self
                    .nodes
                    .iter()
                    .filter(|n| n.cluster != Cluster::None && n.task.is_some());
                if topology.nodes().len() == 1 && known.count() > 1 {
                    self.pass_over(place, Cluster::Later(now + VIEW_EVERY));
                    return false;
                }
                let nodes = topology.nodes().iter();
                let addresses: Vec<NodeId> = nodes.filter_map(|n| n.address.clone()).collect();
                for address in addresses {
                    self.consider(place, address, now);
                }
            }
            Err(words) if topology::is_lasting(words) => self.pass_over(place, Cluster::Mute),
            Err(_) => {
                self.pass_over(place, Cluster::Later(now + VIEW_EVERY));
                return false;
            }
        }
        true
    }

    /// Asks another from now on.
    fn pass_over(&mut self, place: usize, cluster: Cluster) {
        self.nodes[place].cluster = cluster;
        self.view.wanted = true;
    }

    /// Asks one node who belongs to the cluster, when that is due.
    pub(super) fn ask_view(&mut self, now: Duration) {
        if !self.discover {
            return;
        }
        let is_due = match self.view.asked {
            None => true,
            Some((at, _)) if self.view.wanted => now >= at + VIEW_GAP,
            // A view of few nodes is small.
            Some((at, _)) if self.places.len() <= FEW => now >= at + VIEW_SOON,
            Some((at, _)) => now >= at + VIEW_EVERY,
        };
        if !is_due {
            return;
        }
        let fit = |node: &Node| {
            node.cluster.may_tell(now) && node.state == State::Answers && node.task.is_some()
        };
        // The same as long as it tells: two that see a change one after the other would tell it twice.
        let last = self.view.asked.map_or(0, |(_, place)| place);
        let places = (last..self.nodes.len()).chain(0..last.min(self.nodes.len()));
        let Some(place) = places.into_iter().find(|place| fit(&self.nodes[*place])) else {
            return;
        };
        self.view = View {
            is_first: self.view.asked.is_none(),
            asked: Some((now, place)),
            wanted: false,
        };
        if let Some(task) = &self.nodes[place].task {
            task.control.send_modify(|control| control.topologies += 1);
        }
    }
}
