//! A stage for one trial: servers, a load, and a poller that watches one of the servers.

use std::fmt::Write as _;
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use amr_top::config::{Auth, Endpoint, Settings};
use amr_top::demo::server::Server;
use amr_top::diagnosis::{Diagnosis, diagnose};
use amr_top::model::{Assumptions, History, NodeId, Observation};
use amr_top::source::{Clock, Control, poll};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::load::{Load, Mix};
use crate::proxy::Proxy;
use crate::recording;
use crate::servers::Binary;
use crate::table::Row;
use crate::words;

/// Time for anything that must happen at all.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);
/// Polls before anything is done.
pub(crate) const QUIET: usize = 5;
/// Operations of the load before the watch begins.
const WARM: u64 = 240;

/// Servers, a load and a watch.
pub(crate) struct Stage {
    pub(crate) name: &'static str,
    pub(crate) binary: Binary,
    runtime: Runtime,
    pub(crate) clock: Clock,
    pub(crate) row: Arc<Mutex<Row>>,
    servers: Vec<Rc<Server>>,
    load: Option<Load>,
    eye: Option<Eye>,
    /// Nothing may be called a loss, at any poll.
    healthy: bool,
    /// But for an outage while it lasts.
    pub(crate) may_be_down: bool,
    /// How long a reply is waited for.
    timeout: Duration,
}

/// A poller and what it has told.
pub(crate) struct Eye {
    pub(crate) history: History,
    pub(crate) told: Vec<Observation>,
    observations: mpsc::Receiver<Observation>,
    _control: watch::Sender<Control>,
    stop: CancellationToken,
}

impl Drop for Eye {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Stage {
    pub(crate) fn new(name: &'static str, binary: Binary, row: Arc<Mutex<Row>>) -> Self {
        Self {
            name,
            binary,
            runtime: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .expect("a runtime"),
            clock: Clock::start(),
            row,
            servers: Vec::new(),
            load: None,
            eye: None,
            healthy: false,
            may_be_down: false,
            timeout: Duration::from_secs(5),
        }
    }

    /// A server of the trial's binary.
    pub(crate) fn server(&mut self, args: &[&str]) -> Rc<Server> {
        let path = self.binary.path.clone();
        self.server_of(&path, args)
    }

    /// A server of another binary.
    pub(crate) fn server_of(&mut self, path: &Path, args: &[&str]) -> Rc<Server> {
        let server = Server::start_with(path, args).unwrap_or_else(|error| panic!("{error}"));
        self.servers.push(Rc::new(server));
        Rc::clone(self.servers.last().expect("it was just there"))
    }

    /// Starts the load and waits until it runs.
    pub(crate) fn load(&mut self, server: &Server) {
        self.load_of(server, Mix::Usual);
    }

    /// The same of another mix.
    pub(crate) fn load_of(&mut self, server: &Server, mix: Mix) {
        let load = Load::start(&self.runtime, server.port(), &mut client(server), mix);
        self.wait("the load runs", || load.done() >= WARM);
        self.load = Some(load);
    }

    /// Keys that the load has created.
    pub(crate) fn created(&self) -> u64 {
        self.load.as_ref().map_or(0, Load::created)
    }

    /// Starts to watch a server and waits for some polls.
    pub(crate) fn watch(&mut self, server: &Server) {
        self.watch_port(server.port());
    }

    pub(crate) fn watch_port(&mut self, port: u16) {
        let settings = settings(port, self.timeout);
        let (out, observations) = mpsc::channel(64);
        let (control, changes) = watch::channel(Control::every(settings.interval));
        let stop = CancellationToken::new();
        let history = history(settings.assumptions.clone());
        let task = poll(settings, self.clock, changes, out, stop.clone());
        self.runtime.spawn(task);
        self.eye = Some(Eye {
            history,
            told: Vec::new(),
            observations,
            _control: control,
            stop,
        });
        for _ in 0..QUIET {
            self.next();
        }
    }

    /// A server, filled, under load and under watch; and a client of it.
    pub(crate) fn scene(
        &mut self,
        args: &[&str],
        fill: impl FnOnce(&mut redis::Connection),
    ) -> (Rc<Server>, redis::Connection) {
        let server = self.server(args);
        let mut redis = client(&server);
        fill(&mut redis);
        self.load(&server);
        self.watch(&server);
        (server, redis)
    }

    /// From now on nothing may be called a loss.
    pub(crate) fn must_stay_healthy(&mut self) {
        self.healthy = true;
        let mut row = Row::of(&self.row);
        row.expected = "no loss at any poll".into();
        row.got = "no loss".into();
    }

    /// An outage may be told as one while it lasts.
    pub(crate) fn may_be_down(&mut self) {
        self.may_be_down = true;
    }

    /// Replies are not waited for long: the server will hang.
    pub(crate) fn impatient(&mut self) {
        self.timeout = Duration::from_millis(500);
    }

    /// A port that leads to a server, slowly.
    pub(crate) fn proxy(&self, server: &Server, delay: Duration) -> Proxy {
        Proxy::start(&self.runtime, server.port(), delay)
    }

    /// Time since the trial began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    pub(crate) fn eye(&self) -> &Eye {
        self.eye.as_ref().expect("a server is watched")
    }

    pub(crate) fn history(&self) -> &History {
        &self.eye().history
    }

    pub(crate) fn diagnosis(&self) -> Diagnosis {
        diagnose(&self.history().window())
    }

    /// Waits for the next poll.
    pub(crate) fn next(&mut self) {
        let is_poll = |eye: &Eye| {
            let last = eye.told.last();
            last.is_some_and(|told| {
                matches!(
                    told,
                    Observation::Answer { .. } | Observation::Failed { .. }
                )
            })
        };
        loop {
            self.hear();
            if is_poll(self.eye()) {
                return;
            }
        }
    }

    /// Waits for the next observation, of whatever kind.
    fn hear(&mut self) {
        let eye = self.eye.as_mut().expect("a server is watched");
        let heard = async { tokio::time::timeout(DEADLINE, eye.observations.recv()).await };
        let observation = match self.runtime.block_on(heard) {
            Ok(Some(observation)) => recording::to_the_millisecond(observation),
            ended => panic!("the poller says nothing: {ended:?}"),
        };
        // Who is connected differs from run to run and has tests of its own.
        if !recording::is_kept(&observation) {
            return;
        }
        eye.told.push(observation.clone());
        eye.history.observe(observation);
        if self.healthy {
            self.check_healthy();
        }
    }

    /// Observes until a condition holds; it is looked at with every observation.
    pub(crate) fn until(&mut self, what: &str, mut condition: impl FnMut(&mut Self) -> bool) {
        let deadline = self.clock.elapsed() + DEADLINE;
        while !condition(self) {
            assert!(
                self.clock.elapsed() < deadline,
                "not in {DEADLINE:?}: {what}"
            );
            self.next();
        }
    }

    /// Waits until a condition holds that is none of the watched server's.
    pub(crate) fn wait(&self, what: &str, mut condition: impl FnMut() -> bool) {
        let deadline = self.clock.elapsed() + DEADLINE;
        let mut look = self
            .runtime
            .block_on(async { tokio::time::interval(Duration::from_millis(10)) });
        while !condition() {
            assert!(
                self.clock.elapsed() < deadline,
                "not in {DEADLINE:?}: {what}"
            );
            self.runtime.block_on(look.tick());
        }
    }

    /// Runs something beside the trial until the trial ends.
    pub(crate) fn beside(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(work);
    }

    /// The server lacks a command: the trial has nothing to show. It is asked, not supposed.
    pub(crate) fn lacks(&self, redis: &mut redis::Connection, command: &str) -> bool {
        let reply = redis::cmd(command).query::<redis::Value>(redis);
        let unknown = reply.is_err_and(|error| error.to_string().contains("unknown command"));
        if unknown {
            let mut row = Row::of(&self.row);
            row.expected = "–".into();
            row.got = format!("{command} is not offered by this server");
        }
        unknown
    }

    /// What is worth reading after a failure.
    pub(crate) fn story(&self) -> String {
        let mut story = String::new();
        if self.eye.is_some() {
            let diagnosis = self.diagnosis();
            story = words::story(&diagnosis, self.history());
        }
        for server in &self.servers {
            let log = server.log();
            let skip = log.lines().count().saturating_sub(25);
            let tail: Vec<&str> = log.lines().skip(skip).collect();
            let _ = write!(
                story,
                "\nthe log of the server at {}:\n{}\n",
                server.address(),
                tail.join("\n")
            );
        }
        story
    }
}

/// A history of the name that all trials share.
pub(crate) fn history(assumptions: Assumptions) -> History {
    let keep = Duration::from_secs(600);
    History::new(NodeId::new(recording::NODE), assumptions, keep)
}

fn settings(port: u16, timeout: Duration) -> Settings {
    Settings {
        endpoint: Endpoint::Tcp {
            host: "127.0.0.1".to_owned(),
            port,
        },
        auth: Auth::default(),
        tls: None,
        interval: Duration::from_millis(100),
        connect_timeout: Duration::from_secs(2),
        timeout,
        assumptions: Assumptions::default(),
        watch: Vec::new(),
        sample: None,
        tripwire: true,
        monitor: None,
    }
}

/// A client that may do anything.
pub(crate) fn client(server: &Server) -> redis::Connection {
    client_as(server, "")
}

/// A client that logs in, `user:password@`.
pub(crate) fn client_as(server: &Server, login: &str) -> redis::Connection {
    redis::Client::open(format!("redis://{login}{}/", server.address()))
        .and_then(|client| client.get_connection())
        .unwrap_or_else(|error| panic!("{error}; the server's log:\n{}", server.log()))
}
