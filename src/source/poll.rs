//! The poller: one task per node, one [`Observation`] per attempt. After the first answer it sets
//! up the tripwire: when that tells of an emptied database, the next poll is made at once. When
//! something moved, the witnesses are asked, beside the polls. Where the server publishes removals,
//! they are heard, and told with the poll that follows them.
//!
//! A connection that ends between two polls is noticed and told at once, unless it had been idle for
//! long. What becomes of it after a failure is told in [`super::link`].

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::ask::Reply;
use super::connection::scene;
use super::events::{self, Listener};
use super::failure::Scene;
use super::link::{Link, Next, ended};
use super::monitor;
use super::schedule::{BackOff, Due, Extra, Grid};
use super::sentinel::mistaken;
use super::tripwire::{self, Tripwire};
use super::watched::{self, Watcher};
use super::witness::Witnesses;
use super::{Clock, Control, chosen, seal, topology};
use crate::config::{MONITOR_TIME, Settings};
use crate::model::{Failure, Observation, Watch};

/// Polls one server until `stop` is cancelled or nobody listens to `out` any more.
///
/// Sends one observation per attempt, in order. When `out` is full it waits and makes no polls
/// meanwhile. `control` changes the interval of `settings` while it runs.
pub async fn poll(
    settings: Settings,
    clock: Clock,
    control: watch::Receiver<Control>,
    out: mpsc::Sender<Observation>,
    stop: CancellationToken,
) {
    let (_, nobody) = mpsc::channel(1);
    poll_asked(settings, clock, control, nobody, out, stop).await;
}

/// The same, and watches besides the keys of `settings` those that are asked for while it runs.
pub async fn poll_asked(
    settings: Settings,
    clock: Clock,
    control: watch::Receiver<Control>,
    wishes: mpsc::Receiver<Watch>,
    out: mpsc::Sender<Observation>,
    stop: CancellationToken,
) {
    let unheard = out.clone();
    let Control {
        interval,
        monitors,
        topologies,
    } = *control.borrow();
    let poller = Poller {
        grid: Grid::new(clock.elapsed(), interval),
        witnesses: Witnesses::new(settings.clone(), clock),
        settings,
        clock,
        control: Some(control),
        out,
        link: None,
        tripwire: None,
        events: None,
        wishes: Some(wishes),
        watcher: None,
        names: watch::Sender::new(Vec::new()),
        monitor: None,
        monitors,
        topology: None,
        topologies,
        polled: Duration::ZERO,
        rested: Duration::ZERO,
        proven: false,
        extra: Extra::default(),
        back_off: BackOff::new(),
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = unheard.closed() => {}
        () = poller.run() => {}
    }
}

struct Poller {
    settings: Settings,
    clock: Clock,
    /// `None` when nobody holds the other end any more.
    control: Option<watch::Receiver<Control>>,
    out: mpsc::Sender<Observation>,
    link: Option<Link>,
    /// Who may tell who did it.
    witnesses: Witnesses,
    /// Stands after the first answer, unless the server refused it.
    tripwire: Option<Tripwire>,
    /// Hears removals, where the server publishes them.
    events: Option<Listener>,
    /// Keys that are asked for while it runs; `None` when nobody can ask any more.
    wishes: Option<mpsc::Receiver<Watch>>,
    /// Watches keys, after the first answer and where somebody wants that.
    watcher: Option<Watcher>,
    /// The full names of watched keys, by their numbers.
    names: watch::Sender<Vec<Vec<u8>>>,
    /// Runs when the user asks for it.
    monitor: Option<monitor::Running>,
    /// How often that was.
    monitors: u32,
    /// The question who belongs to the cluster, while it is on its way.
    topology: Option<topology::Running>,
    /// How often it was to be asked.
    topologies: u32,
    /// When the last poll began.
    polled: Duration,
    /// Since when the next line of the grid is waited for.
    rested: Duration,
    /// Whether the server has ever answered, spoken to in this way.
    proven: bool,
    grid: Grid,
    extra: Extra,
    back_off: BackOff,
}

impl Poller {
    async fn run(mut self) {
        loop {
            let (observation, mut due) = self.attempt().await;
            // What was heard belongs to the interval that this ends.
            let heard = self.events.as_ref().and_then(Listener::take);
            for told in heard.into_iter().chain([observation]) {
                if self.out.send(told).await.is_err() {
                    return;
                }
            }
            self.rested = self.clock.elapsed();
            while let Some((told, next)) = self.rest(due).await {
                if self.out.send(told).await.is_err() {
                    return;
                }
                due = next;
            }
            if matches!(due, Due::Pushed(_)) {
                self.extra.made(self.clock.elapsed());
            }
        }
    }

    /// One attempt: what came of it, and when the next is due.
    async fn attempt(&mut self) -> (Observation, Due) {
        let begun = self.clock.elapsed();
        self.polled = begun;
        let fresh = self.link.is_none();
        match self.ask().await {
            Ok(reply) => {
                self.proven = true;
                self.back_off.reset();
                if fresh {
                    // The rhythm starts anew: else two polls might follow each other at once.
                    self.grid = Grid::new(begun, self.grid.interval());
                }
                let answer = Observation::Answer {
                    moment: reply.moment,
                    round_trip: reply.round_trip,
                    info: reply.info,
                };
                (answer, Due::Poll)
            }
            Err((failure, next)) => self.failed(&failure, next),
        }
    }

    async fn ask(&mut self) -> Result<Reply, (Failure, Next)> {
        let mut link = match self.link.take() {
            Some(link) if !link.connection.is_over() => link,
            _ => self.dial().await?,
        };
        match link.asker.info(&mut link.connection, self.clock).await {
            Ok(reply) => {
                let (endpoint, tls) = (&self.settings.endpoint, self.settings.tls.as_ref());
                if let Some(failure) = mistaken(&reply.info, endpoint, tls) {
                    return Err((failure, Next::Wait));
                }
                link.answered(reply.moment.elapsed);
                let is_new = self.witnesses.answered(&link.connection, &reply);
                // It stands over all processes, but one that was refused is tried on the next.
                if is_new && self.settings.tripwire && self.tripwire.is_none() {
                    self.tripwire = Some(Tripwire::set_up(self.settings.clone(), self.clock));
                }
                self.link = Some(link);
                for watch in std::mem::take(&mut self.settings.watch) {
                    self.watcher().watch(watch);
                }
                if let Some(keys) = self.settings.sample.take() {
                    self.watcher().sample(keys);
                }
                if let Some(time) = self.settings.monitor.take() {
                    self.begin_monitor(time);
                }
                Ok(reply)
            }
            Err(trouble) => {
                let (failure, next, keep) = link.failed(&trouble, self.scene());
                self.link = Some(link).filter(|_| keep);
                Err((failure, next))
            }
        }
    }

    async fn dial(&mut self) -> Result<Link, (Failure, Next)> {
        let opened = Link::open(&self.settings, self.clock, self.proven).await;
        opened.map_err(|failure| (failure, Next::Wait))
    }

    fn scene(&self) -> Scene<'_> {
        scene(&self.settings, self.proven)
    }

    fn failed(&mut self, failure: &Failure, next: Next) -> (Observation, Due) {
        let moment = self.clock.now();
        let interval = self.grid.interval();
        let (retry_in, due) = match next {
            Next::Poll => {
                let at = self.grid.next(moment.elapsed);
                (at.saturating_sub(moment.elapsed), Due::Poll)
            }
            Next::Wait => {
                let wait = self.back_off.wait_after(failure.kind, interval);
                (wait, Due::At(moment.elapsed + wait))
            }
        };
        let observation = Observation::Failed {
            moment,
            failure: seal::failure(failure, &self.settings.auth),
            retry_in,
        };
        (observation, due)
    }

    /// Waits until the next attempt is due. Returns early, with what to tell, when a witness
    /// speaks, the tripwire is tripped, or the connection ends meanwhile.
    async fn rest(&mut self, due: Due) -> Option<(Observation, Due)> {
        loop {
            let now = self.clock.elapsed();
            let until = due.moment(&self.grid, self.rested);
            tokio::select! {
                () = sleep(until.saturating_sub(now)) => return None,
                wish = chosen(&mut self.control) => {
                    if wish.interval != self.grid.interval() {
                        self.rested = self.clock.elapsed();
                        self.grid.change(self.rested, wish.interval);
                    }
                    if wish.monitors != self.monitors {
                        self.monitors = wish.monitors;
                        self.begin_monitor(MONITOR_TIME);
                    }
                    if wish.topologies != self.topologies {
                        self.topologies = wish.topologies;
                        self.ask_topology();
                    }
                }
                Some(seen) = monitor::seen(&mut self.monitor) => return Some((seen, due)),
                Some(told) = topology::told(&mut self.topology) => return Some((told, due)),
                told = self.witnesses.next(self.link.as_ref().map(|link| &link.connection)) => {
                    self.listen(&told);
                    return Some((told, due));
                }
                told = events::told(&mut self.events) => {
                    self.listen(&told);
                    return Some((told, due));
                }
                told = tripwire::told(&mut self.tripwire) => {
                    let due = self.told(&told, due);
                    return Some((told, due));
                }
                told = watched::told(&mut self.watcher) => {
                    let due = self.told(&told, due);
                    return Some((told, due));
                }
                watch = watched::wished(&mut self.wishes) => self.watcher().watch(watch),
                () = ended(self.link.as_ref()) => {
                    if let Some(told) = self.hung_up() {
                        return Some(told);
                    }
                }
            }
        }
    }

    fn watcher(&mut self) -> &mut Watcher {
        let (settings, clock, names) = (&self.settings, self.clock, &self.names);
        let watcher = &mut self.watcher;
        watcher.get_or_insert_with(|| Watcher::new(settings.clone(), clock, names.clone()))
    }

    fn listen(&mut self, told: &Observation) {
        let (settings, names) = (&self.settings, &self.names);
        events::follow(&mut self.events, told, settings, self.clock, names);
    }

    /// Runs `MONITOR`, unless it runs already.
    fn begin_monitor(&mut self, time: Duration) {
        if self.monitor.is_none() {
            let running = monitor::begin(self.settings.clone(), self.clock, time);
            self.monitor = Some(running);
        }
    }

    /// Asks who belongs to the cluster, beside the polls, unless that question is on its way: it ends
    /// within its own timeouts. Without a connection nobody can be asked.
    fn ask_topology(&mut self) {
        if let (None, Some(link)) = (&self.topology, &self.link) {
            let running = topology::ask(&link.connection, &self.settings, self.clock);
            self.topology = Some(running);
        }
    }

    /// What is pushed, and when the next poll is due.
    fn told(&mut self, told: &Observation, due: Due) -> Due {
        let soon = match told {
            Observation::Emptied { moment } => Some(tripwire::poll_after(*moment, self.polled)),
            Observation::Tripwire { stands: Err(_), .. } => {
                self.tripwire = None;
                None
            }
            _ => watched::poll_after(told, self.polled),
        };
        let Some(soon) = soon else {
            return due;
        };
        if let Some(link) = &self.link {
            self.witnesses.ask_now(&link.connection);
        }
        let soon = soon.max(self.extra.next());
        if due.moment(&self.grid, self.rested) <= soon {
            due
        } else {
            Due::Pushed(soon)
        }
    }

    /// The connection ended between two polls.
    fn hung_up(&mut self) -> Option<(Observation, Due)> {
        let link = self.link.take()?;
        let failure = link.end(self.clock.elapsed(), self.scene())?;
        Some(self.failed(&failure, Next::Wait))
    }
}
