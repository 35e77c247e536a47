//! One poller a node: the nodes that the user named, and every node that can be found from them.
//!
//! | who names nodes | when |
//! |---|---|
//! | an answer of a primary: its replicas (`slaveN`) | every answer |
//! | an answer of a replica: its primary (`master_host`) | every answer |
//! | a view of a cluster | when a cluster node is met, every [`VIEW_EVERY`], and when a node fails or changes its role |
//! | a Sentinel | every ten seconds, and when it says that another is the primary |
//!
//! A node that turns out to be the process of another under a second address is dropped, and not
//! dialled again while that process answers. One that was never reached stays, and so is told; one that fell silent is asked
//! on, and given up when nobody has named it for [`FORGET`].
//!
//! Everything that is known stands in one task; pollers only ever talk to it, and it to the
//! listener, in order.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::neighbours::Neighbours;
use super::poll::poll_asked;
use super::sentinel::{self, Word};
use super::{Clock, Control, topology};
use crate::config::{Endpoint, NodeMap, Plan, Settings};
use crate::model::{FailureKind, MOST_WATCHED, Moment, NodeId, Observation, Told, Topology, Watch};

/// A cluster is asked for its nodes so often.
const VIEW_EVERY: Duration = Duration::from_secs(5);
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
                    match wish {
                        Some(wish) => round.grant(wish).await,
                        None => {
                            can_wish = false;
                            true
                        }
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

/// A second address of a node.
struct Alias {
    place: usize,
    process: Option<String>,
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

/// One node.
struct Node {
    id: NodeId,
    settings: Settings,
    task: Option<Task>,
    /// The user named it.
    is_target: bool,
    state: State,
    process: Option<String>,
    is_cluster: bool,
    is_primary: bool,
    /// It refuses to tell who belongs to the cluster.
    is_mute: bool,
    /// When somebody last named it, or it answered.
    named: Duration,
    /// Its certificate was held against its own name already.
    by_own_name: bool,
}

/// A poller that runs.
struct Task {
    control: watch::Sender<Control>,
    wishes: mpsc::Sender<Watch>,
    _handle: AbortOnDropHandle<()>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing was heard yet.
    Unheard,
    /// The last poll failed.
    Silent,
    /// The last poll was answered.
    Answers,
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
            is_cluster: false,
            is_primary: false,
            is_mute: false,
            named: now,
            by_own_name: false,
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
                let neighbours = Neighbours::of(info);
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
            Observation::Topology { topology, .. } => {
                if !self.viewed(place, topology) {
                    return true;
                }
            }
            _ => {}
        }
        let told = Told::Node(self.nodes[place].id.clone(), observation);
        self.tell(told).await && self.tell_looking(moment).await
    }

    /// Another node that is known and is the same process, where this one leads to a process that it
    /// did not lead to before.
    fn same_process(&self, place: usize, neighbours: &Neighbours) -> Option<usize> {
        let process = neighbours.process.as_ref()?;
        if self.nodes[place].process.as_ref() == Some(process) {
            return None;
        }
        let mut known = self.nodes.iter().enumerate();
        let same = known.find(|(other, node)| {
            *other != place
                && node.task.is_some()
                && node.state == State::Answers
                && node.process.as_ref() == Some(process)
        });
        same.map(|(other, _)| other)
    }

    async fn drop_alias(
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

    fn answered(&mut self, place: usize, neighbours: Neighbours, moment: Moment) {
        let now = moment.elapsed;
        let node = &mut self.nodes[place];
        let is_other = node.process != neighbours.process;
        let is_news = node.state != State::Answers || node.is_primary != neighbours.is_primary;
        let is_crowned = neighbours.is_primary && (is_other || !node.is_primary);
        // Another process may tell what the one before would not.
        node.is_mute &= !is_other;
        node.state = State::Answers;
        node.process = neighbours.process;
        node.is_cluster = neighbours.is_cluster;
        node.is_primary = neighbours.is_primary;
        node.named = now;
        self.view.wanted |= node.is_cluster && is_news;
        for named in neighbours.named {
            self.consider(place, named, now);
        }
        if is_crowned {
            self.watch_on(place);
        }
        self.ask_view(now);
    }

    /// A Sentinel named nodes, or said something.
    async fn by_sentinel(&mut self, word: Word) -> bool {
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
    fn consider(&mut self, by: usize, named: NodeId, now: Duration) {
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
    fn seen_from_here(&self, by: usize, named: NodeId) -> NodeId {
        let Endpoint::Tcp { host: ours, .. } = &self.nodes[by].settings.endpoint else {
            return named;
        };
        match named.host_and_port() {
            Some((host, port)) if is_loopback(host) && !is_loopback(ours) => NodeId::of(ours, port),
            _ => named,
        }
    }

    /// A found node whose certificate does not carry the endpoint's name may carry its own.
    fn try_own_name(&mut self, place: usize, kind: FailureKind) -> bool {
        let node = &self.nodes[place];
        let is_untried = !node.is_target && !node.by_own_name && node.state == State::Unheard;
        if kind != FailureKind::Tls || !is_untried {
            return false;
        }
        let mut settings = node.settings.clone();
        if let Some(tls) = &mut settings.tls {
            tls.sni = None;
        }
        let task = self.poll(place, settings.clone());
        let node = &mut self.nodes[place];
        (node.settings, node.by_own_name, node.task) = (settings, true, Some(task));
        true
    }

    /// A view of the cluster came, or why there is none. Whether it is worth telling: a node that was
    /// taken out of its cluster knows of itself alone.
    fn viewed(&mut self, place: usize, topology: &Result<Topology, String>) -> bool {
        self.view.is_first = false;
        let now = self.clock.elapsed();
        match topology {
            Ok(topology) => {
                let known = self
                    .nodes
                    .iter()
                    .filter(|n| n.is_cluster && n.task.is_some());
                if topology.nodes().len() == 1 && known.count() > 1 {
                    self.mute(place);
                    return false;
                }
                let nodes = topology.nodes().iter();
                let addresses: Vec<NodeId> = nodes.filter_map(|n| n.address.clone()).collect();
                for address in addresses {
                    self.consider(place, address, now);
                }
            }
            Err(words) if topology::is_refusal(words) => self.mute(place),
            Err(_) => self.view.wanted = true,
        }
        true
    }

    /// Asks another from now on.
    fn mute(&mut self, place: usize) {
        self.nodes[place].is_mute = true;
        self.view.wanted = true;
    }

    /// Asks one node who belongs to the cluster, when that is due.
    fn ask_view(&mut self, now: Duration) {
        if !self.discover {
            return;
        }
        let is_due = match self.view.asked {
            None => true,
            Some((at, _)) if self.view.wanted => now >= at + VIEW_GAP,
            Some((at, _)) => now >= at + VIEW_EVERY,
        };
        if !is_due {
            return;
        }
        let fit = |node: &Node| {
            node.is_cluster && !node.is_mute && node.state == State::Answers && node.task.is_some()
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
            wanted.into_iter().for_each(|watch| node.watch(watch));
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

impl Node {
    fn is_keeper(&self) -> bool {
        self.is_primary
    }

    fn watch(&self, watch: Watch) {
        if let Some(task) = &self.task {
            // A poller that takes no more names watches as many as it can.
            let _ = task.wishes.try_send(watch);
        }
    }
}

/// Whether somebody can be there: servers announce nothing as port 0, or as `0.0.0.0`, which would be
/// our own host.
fn is_place(node: &NodeId) -> bool {
    let Some((host, port)) = node.host_and_port() else {
        return false;
    };
    let address = host.parse::<std::net::IpAddr>();
    port > 0 && !address.is_ok_and(|address| address.is_unspecified())
}

pub(super) fn is_loopback(host: &str) -> bool {
    let address = host.parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// Fractions that lie apart, however many there are.
fn golden(n: usize) -> f64 {
    const RATIO: f64 = 0.618_033_988_749_894_9;
    (n as f64 * RATIO).fract()
}
