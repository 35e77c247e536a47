//! One poller a node: the nodes that the user named, and every node that can be found from them.
//!
//! | who names nodes | when |
//! |---|---|
//! | an answer of a primary: its replicas (`slaveN`) | every answer |
//! | an answer of a replica: its primary (`master_host`) | every answer |
//! | a view of a cluster | when a cluster node is met, every second (`VIEW_EVERY` where there are many), and when a node fails or changes its role |
//! | a Sentinel | every ten seconds, and when it says that another is the primary |
//!
//! A node that turns out to be the process of another under a second address is dropped, and not
//! dialled again while that process answers. One that was never reached stays, and so is told; one that fell silent is asked
//! on, and given up when nobody has named it for `FORGET`.
//!
//! Everything that is known stands in one task; pollers only ever talk to it, and it to the
//! listener, in order.

mod discovery;
mod node;

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

pub(super) use node::is_loopback;
use node::{Alias, Cluster, Name, Node, State, Task, golden};

use super::neighbours::Neighbours;
use super::poll::poll_asked;
use super::sentinel;
use super::{Clock, Control};
use crate::config::{NodeMap, Plan, Settings};
use crate::model::{MOST_WATCHED, Moment, NodeId, Observation, Told, Watch};

/// A cluster is asked for its nodes so often.
const VIEW_EVERY: Duration = Duration::from_secs(5);
/// Up to [`FEW`] nodes, so often.
const VIEW_SOON: Duration = Duration::from_secs(1);
/// Nodes whose view is small: some kilobytes.
const FEW: usize = 50;
/// And not more often, whatever happens.
const VIEW_GAP: Duration = Duration::from_millis(500);
/// A silent node that nobody names is given up after so long.
const FORGET: Duration = Duration::from_secs(600);
/// Nodes that are polled at most.
const MOST_NODES: usize = 1_000;
/// And ever: addresses that come and go must not pile up without end.
const MOST_EVER: usize = 10_000;
/// Up to so many nodes, each has a tripwire: a second connection.
const MOST_TRIPWIRES: usize = 200;
/// From so many nodes on, first polls are spread over the interval.
const CROWD: usize = 8;
/// Observations of one node that wait to be taken.
const WAITING: usize = 16;

/// What the user may ask for while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Poll every node at this interval from now on.
    Interval(Duration),
    /// Watch a key or a prefix besides.
    Watch(Watch),
    /// Run `MONITOR` on this node.
    Monitor(NodeId),
}

/// Watches a deployment until `stop` is cancelled or nobody listens to `out` any more.
pub async fn watch_deployment(
    plan: Plan,
    clock: Clock,
    mut wishes: mpsc::Receiver<Wish>,
    out: mpsc::Sender<Told>,
    stop: CancellationToken,
) {
    let unheard = out.clone();
    let (said, mut heard) = mpsc::channel(WAITING);
    let mut round = Round {
        discover: plan.discover,
        node_map: plan.node_map,
        clock,
        stop: stop.clone(),
        said,
        out,
        nodes: Vec::new(),
        places: HashMap::new(),
        aliases: HashMap::new(),
        view: View::default(),
        looking: 0,
        wanted: Vec::new(),
    };
    let (words, mut spoken) = mpsc::channel(WAITING);
    let _listener = plan.sentinel.map(|sentinel| {
        let servers = plan.targets[0].clone();
        let listener = sentinel::listen(sentinel, servers, clock, words);
        AbortOnDropHandle::new(tokio::spawn(listener))
    });
    for settings in plan.targets {
        round.begin(settings.node(), settings, true);
    }
    let work = async {
        let mut tick = interval(VIEW_GAP);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut can_wish = true;
        loop {
            let goes_on = tokio::select! {
                Some((place, observation)) = heard.recv() => round.hear(place, observation).await,
                wish = wishes.recv(), if can_wish => {
                    can_wish = wish.is_some();
                    match wish {
                        Some(wish) => round.grant(wish).await,
                        None => true,
                    }
                }
                Some(word) = spoken.recv() => round.by_sentinel(word).await,
                _ = tick.tick() => round.tend().await,
            };
            if !goes_on {
                return;
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = unheard.closed() => {}
        () = work => {}
    }
}

/// Everything that is known.
struct Round {
    discover: bool,
    node_map: NodeMap,
    clock: Clock,
    stop: CancellationToken,
    said: mpsc::Sender<(usize, Observation)>,
    out: mpsc::Sender<Told>,
    /// Every node that was ever polled; one that is not any more has no task.
    nodes: Vec<Node>,
    places: HashMap<NodeId, usize>,
    /// Addresses that lead to nodes which are known under others, and to which process.
    aliases: HashMap<NodeId, Alias>,
    view: View,
    /// Nodes of which nothing was heard yet, as it was last told.
    looking: usize,
    /// What is watched by name.
    wanted: Vec<Watch>,
}

/// The question who belongs to the cluster.
#[derive(Default)]
struct View {
    /// When it was last asked, and of whom.
    asked: Option<(Duration, usize)>,
    /// It is on its way, and none was answered before.
    is_first: bool,
    /// Something happened since.
    wanted: bool,
}

impl Round {
    /// Begins to poll a node.
    fn begin(&mut self, id: NodeId, settings: Settings, is_target: bool) {
        if self.places.contains_key(&id) {
            return;
        }
        let place = self.nodes.len();
        let now = self.clock.elapsed();
        let task = self.poll(place, settings.clone());
        self.places.insert(id.clone(), place);
        self.nodes.push(Node {
            id,
            settings,
            task: Some(task),
            is_target,
            state: State::Unheard,
            process: None,
            totals: None,
            is_primary: false,
            cluster: Cluster::None,
            named: now,
            name: Name::Endpoint,
        });
    }

    fn poll(&self, place: usize, settings: Settings) -> Task {
        let (control, controlled) = watch::channel(Control::every(settings.interval));
        let (wishes, asked) = mpsc::channel(MOST_WATCHED);
        let (said, clock, stop) = (self.said.clone(), self.clock, self.stop.clone());
        // Many nodes at once would all answer in the same millisecond, every second.
        let delay = if place < CROWD {
            Duration::ZERO
        } else {
            settings
                .interval
                .min(Duration::from_secs(1))
                .mul_f64(golden(place))
        };
        let handle = tokio::spawn(async move {
            sleep(delay).await;
            let (out, mut observations) = mpsc::channel(WAITING);
            let forward = async move {
                while let Some(observation) = observations.recv().await {
                    if said.send((place, observation)).await.is_err() {
                        return;
                    }
                }
            };
            let poll = poll_asked(settings, clock, controlled, asked, out, stop);
            tokio::join!(poll, forward);
        });
        Task {
            control,
            wishes,
            _handle: AbortOnDropHandle::new(handle),
        }
    }

    /// A poller said something. Whether anybody listens still.
    async fn hear(&mut self, place: usize, observation: Observation) -> bool {
        if self.nodes[place].task.is_none() {
            return true;
        }
        let moment = observation.moment();
        match &observation {
            Observation::Answer { info, .. } => {
                let host = &self.nodes[place].settings.assumptions.host;
                let neighbours = Neighbours::of(info, host);
                let mut goes_on = true;
                if let Some(same) = self.same_process(place, &neighbours) {
                    // What the user named keeps its name.
                    let is_kept = self.nodes[place].is_target && !self.nodes[same].is_target;
                    let (kept, alias) = if is_kept {
                        (place, same)
                    } else {
                        (same, place)
                    };
                    let process = neighbours.process.clone();
                    goes_on = self.drop_alias(alias, kept, process, moment).await;
                    if !is_kept {
                        return goes_on;
                    }
                }
                if !goes_on {
                    return false;
                }
                self.answered(place, neighbours, moment);
            }
            Observation::Failed { failure, .. } => {
                if self.try_own_name(place, failure.kind) {
                    return true;
                }
                let node = &mut self.nodes[place];
                self.view.wanted |= node.state == State::Answers;
                node.state = State::Silent;
            }
            Observation::Topology { topology, .. } if !self.viewed(place, topology) => {
                return true;
            }
            _ => {}
        }
        let told = Told::Node(self.nodes[place].id.clone(), observation);
        self.tell(told).await && self.tell_looking(moment).await
    }

    fn answered(&mut self, place: usize, neighbours: Neighbours, moment: Moment) {
        let now = moment.elapsed;
        let node = &mut self.nodes[place];
        let is_other = node.is_moved_to(&neighbours);
        let is_news = node.state != State::Answers || node.is_primary != neighbours.is_primary;
        let is_crowned = neighbours.is_primary && (is_other || !node.is_primary);
        node.state = State::Answers;
        node.process = neighbours.process;
        node.totals = neighbours.totals.map(|totals| (now, totals));
        node.cluster = node.cluster.answered(neighbours.is_cluster, is_other);
        node.is_primary = neighbours.is_primary;
        node.named = now;
        self.view.wanted |= node.cluster != Cluster::None && is_news;
        for named in neighbours.named {
            self.consider(place, named, now);
        }
        if is_crowned {
            self.watch_on(place);
        }
        self.ask_view(now);
    }

    /// What is due by the clock.
    async fn tend(&mut self) -> bool {
        let now = self.clock.now();
        self.ask_view(now.elapsed);
        let is_over = |node: &Node| {
            !node.is_target
                && node.task.is_some()
                && node.state != State::Answers
                && now.elapsed.saturating_sub(node.named) > FORGET
        };
        while let Some(place) = self.nodes.iter().position(is_over) {
            let node = self.nodes[place].id.clone();
            self.nodes[place].task = None;
            self.places.remove(&node);
            let told = Told::Left { moment: now, node };
            if !self.tell(told).await {
                return false;
            }
        }
        true
    }

    async fn grant(&mut self, wish: Wish) -> bool {
        match wish {
            Wish::Interval(interval) => {
                for node in &mut self.nodes {
                    node.settings.interval = interval;
                    if let Some(task) = &node.task {
                        task.control
                            .send_modify(|control| control.interval = interval);
                    }
                }
            }
            Wish::Monitor(node) => {
                let place = self.places.get(&node);
                let task = place.and_then(|place| self.nodes[*place].task.as_ref());
                let Some(task) = task else {
                    let why = Observation::Monitored {
                        moment: self.clock.now(),
                        monitored: Err(format!("{node} is not polled any more")),
                    };
                    return self.tell(Told::Node(node, why)).await;
                };
                task.control.send_modify(|control| control.monitors += 1);
            }
            Wish::Watch(watch) => {
                for node in self.nodes.iter().filter(|n| n.is_target || n.is_keeper()) {
                    node.watch(watch.clone());
                }
                self.wanted.push(watch);
            }
        }
        true
    }

    /// The primaries of a cluster each hold a part of the keys, and a replica that took over holds
    /// those of a primary.
    fn watch_on(&mut self, place: usize) {
        let targets = self.nodes.iter().filter(|node| node.is_target);
        let wanted = targets.flat_map(|node| &node.settings.watch);
        let wanted: Vec<Watch> = wanted.chain(&self.wanted).cloned().collect();
        let node = &self.nodes[place];
        if !node.is_target && node.is_keeper() {
            for watch in wanted {
                node.watch(watch);
            }
        }
    }

    async fn tell(&self, told: Told) -> bool {
        self.out.send(told).await.is_ok()
    }

    /// How many nodes are known and have not been heard yet.
    async fn tell_looking(&mut self, moment: Moment) -> bool {
        let unheard = |node: &&Node| node.task.is_some() && node.state == State::Unheard;
        let nodes = self.nodes.iter().filter(unheard).count() + usize::from(self.view.is_first);
        if nodes == self.looking {
            return true;
        }
        self.looking = nodes;
        self.tell(Told::Looking { moment, nodes }).await
    }
}
