//! What integration tests share: a poller to watch, servers that misbehave, certificates.
#![allow(
    clippy::expect_used,
    reason = "a test whose surroundings cannot be set up has failed"
)]
#![allow(
    dead_code,
    unreachable_pub,
    reason = "compiled into every test that says `mod support`, and none uses all of it"
)]

pub mod certs;
pub mod fake;

use std::time::Duration;

use amr_top::config::{Auth, Endpoint, Settings};
use amr_top::demo::server::Server;
use amr_top::model::{Assumptions, Failure, FailureKind, Observation, SlowEntry};
use amr_top::source::{Clock, Control, poll};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Time for anything that must happen at all.
pub const DEADLINE: Duration = Duration::from_secs(15);

/// Quick polls of a port on this host, and patience with a busy machine.
pub fn settings(port: u16) -> Settings {
    Settings {
        endpoint: Endpoint::Tcp {
            host: "127.0.0.1".to_owned(),
            port,
        },
        auth: Auth::default(),
        tls: None,
        interval: Duration::from_millis(100),
        connect_timeout: Duration::from_secs(2),
        timeout: Duration::from_secs(5),
        assumptions: Assumptions::default(),
        tripwire: true,
        watch: Vec::new(),
        sample: None,
        monitor: None,
    }
}

/// A password, with or without a user.
pub fn auth(user: Option<&str>, password: &str) -> Auth {
    Auth {
        user: user.map(str::to_owned),
        password: Some(password.to_owned()),
    }
}

/// A file of `tests/fixtures/info`.
pub fn fixture(name: &str) -> String {
    let path = format!("{}/tests/fixtures/info/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A client that may write, for the test's own doings.
pub fn client(server: &Server) -> redis::Connection {
    redis::Client::open(format!("redis://{}/", server.address()))
        .and_then(|client| client.get_connection())
        .unwrap_or_else(|error| panic!("{error}; the server's log:\n{}", server.log()))
}

/// Runs one command, written as in `redis-cli`, with blanks between the words.
pub fn run(client: &mut redis::Connection, line: &str) -> redis::Value {
    let mut words = line.split(' ');
    let mut command = redis::cmd(words.next().unwrap_or_default());
    for word in words {
        command.arg(word);
    }
    command
        .query(client)
        .unwrap_or_else(|error| panic!("{line}: {error}"))
}

/// A running poller and what it has said.
pub struct Watch {
    pub clock: Clock,
    pub control: watch::Sender<Control>,
    pub stop: CancellationToken,
    task: JoinHandle<()>,
    pub seen: Vec<Observation>,
    /// What came between the polls, which `next` steps over.
    pub asides: Vec<Observation>,
    heard: mpsc::Receiver<Observation>,
}

impl Watch {
    /// Starts polling.
    pub fn start(settings: Settings) -> Self {
        let clock = Clock::start();
        let (control, changes) = watch::channel(Control::every(settings.interval));
        let (out, heard) = mpsc::channel(4);
        let stop = CancellationToken::new();
        let task = tokio::spawn(poll(settings, clock, changes, out, stop.clone()));
        Self {
            clock,
            control,
            stop,
            task,
            seen: Vec::new(),
            asides: Vec::new(),
            heard,
        }
    }

    /// What comes of the next poll.
    pub async fn next(&mut self) -> Observation {
        loop {
            let observation = self.hear().await;
            if is_attempt(&observation) {
                self.seen.push(observation.clone());
                return observation;
            }
            self.asides.push(observation);
        }
    }

    /// The next thing that comes between the polls and that `wanted` accepts.
    pub async fn aside(&mut self, wanted: impl Fn(&Observation) -> bool) -> Observation {
        loop {
            let observation = self.hear().await;
            if wanted(&observation) {
                return observation;
            }
            if is_attempt(&observation) {
                self.seen.push(observation);
            } else {
                self.asides.push(observation);
            }
        }
    }

    /// Slow logs that were stepped over.
    pub fn slow_logs(&self) -> impl Iterator<Item = &Result<Vec<SlowEntry>, String>> {
        self.asides.iter().filter_map(|aside| match aside {
            Observation::SlowLog { log, .. } => Some(log),
            _ => None,
        })
    }

    /// The next slow log.
    pub async fn slow_log(&mut self) -> Result<Vec<SlowEntry>, String> {
        let is_log = |aside: &Observation| matches!(aside, Observation::SlowLog { .. });
        match self.aside(is_log).await {
            Observation::SlowLog { log, .. } => log,
            other => unreachable!("not a slow log: {other:?}"),
        }
    }

    async fn hear(&mut self) -> Observation {
        match tokio::time::timeout(DEADLINE, self.heard.recv()).await {
            Ok(Some(observation)) => observation,
            Ok(None) => panic!("the poller has ended; seen: {}", self.story()),
            Err(late) => panic!("{late}: nothing in {DEADLINE:?}; seen: {}", self.story()),
        }
    }

    /// The first observation from now on that `wanted` accepts.
    pub async fn until(
        &mut self,
        what: &str,
        wanted: impl Fn(&Observation) -> bool,
    ) -> Observation {
        let end = self.clock.elapsed() + DEADLINE;
        while self.clock.elapsed() < end {
            let observation = self.next().await;
            if wanted(&observation) {
                return observation;
            }
        }
        panic!("no {what} in {DEADLINE:?}; seen: {}", self.story());
    }

    /// The next answer, and its text.
    pub async fn answer(&mut self) -> String {
        match self.until("answer", is_answer).await {
            Observation::Answer { info, .. } => info.into_string(),
            other => unreachable!("not an answer: {other:?}"),
        }
    }

    /// The next failure of this kind, and its details.
    pub async fn failure(&mut self, kind: FailureKind) -> Failure {
        let what = format!("{kind:?}");
        match self.until(&what, |observation| is(observation, kind)).await {
            Observation::Failed { failure, .. } => failure,
            other => unreachable!("not a failure: {other:?}"),
        }
    }

    /// Listens until the poller has ended.
    pub async fn stopped(mut self) {
        while tokio::time::timeout(DEADLINE, self.heard.recv())
            .await
            .expect("the poller ends when told")
            .is_some()
        {}
        self.end().await;
    }

    /// Stops listening and waits for the poller to end.
    pub async fn end(self) {
        drop(self.heard);
        tokio::time::timeout(DEADLINE, self.task)
            .await
            .expect("the poller ends when nobody listens")
            .expect("it ends in order");
    }

    fn story(&self) -> String {
        let line = |observation: &Observation| match observation {
            Observation::Answer { moment, info, .. } => {
                format!("{:?} answer of {} bytes", moment.elapsed, info.len())
            }
            Observation::Failed {
                moment, failure, ..
            } => format!("{:?} {failure:?}", moment.elapsed),
            aside => format!("{aside:?}"),
        };
        let skip = self.seen.len().saturating_sub(20);
        let lines: Vec<String> = self.seen.iter().skip(skip).map(line).collect();
        lines.join("\n")
    }
}

/// The failure of the very first attempt, which must be of this kind.
pub async fn first_failure(settings: Settings, kind: FailureKind) -> Failure {
    match Watch::start(settings).next().await {
        Observation::Failed { failure, .. } if failure.kind == kind => failure,
        other => panic!("wanted {kind:?}, got {other:?}"),
    }
}

/// Whether this came of a poll.
pub fn is_attempt(observation: &Observation) -> bool {
    matches!(
        observation,
        Observation::Answer { .. } | Observation::Failed { .. }
    )
}

pub fn is_answer(observation: &Observation) -> bool {
    matches!(observation, Observation::Answer { .. })
}

pub fn is(observation: &Observation, wanted: FailureKind) -> bool {
    matches!(observation, Observation::Failed { failure, .. } if failure.kind == wanted)
}

/// A field of an `INFO` reply.
pub fn field(info: &str, name: &str) -> String {
    info.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .unwrap_or_else(|| panic!("no '{name}' in:\n{info}"))
        .trim()
        .to_owned()
}
