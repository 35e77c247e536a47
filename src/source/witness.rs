//! When the witnesses are asked: slow log, client list, log of denied attempts, and once what the
//! server publishes.
//!
//! Only when something moved: a process was met, the tripwire tripped, or an answer is alarming.
//! A round runs beside the polls and never holds one up.
//!
//! | what it may cost | |
//! |---|---|
//! | rounds | one at a time, at most one a [`BETWEEN`], and so that no more than a [`PART`]th of the time is spent in them |
//! | clients | `CLIENT LIST` only up to [`MOST_CLIENTS`]: the server walks through all of them |
//! | refusals | who was refused is not asked again in this process, after [`STRIKES`] questions in a row without a reply neither |

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use super::Clock;
use super::alarm::Listener;
use super::ask::Reply;
use super::connection::Connection;
use super::questions::{Answer, Ear};
use crate::config::Settings;
use crate::format::plural;
use crate::info::Info;
use crate::model::{
    Clients, Denied, Listening, Observation, Product, Published, Sample, SlowEntry,
};

/// The shortest time between two rounds after first contact.
const BETWEEN: Duration = Duration::from_secs(1);
/// A round is followed by so many times its own time without one.
const PART: u32 = 50;
/// The most clients that are listed. Two thousand rows are half a megabyte and some milliseconds
/// of the server's time.
const MOST_CLIENTS: u64 = 2_000;
/// Questions in a row without a reply, after which a witness is left alone.
const STRIKES: u32 = 3;
/// Processes that are remembered to have been asked.
const REMEMBERED: usize = 16;

/// The witnesses of one server.
pub(super) struct Witnesses {
    clock: Clock,
    settings: Settings,
    listener: Listener,
    /// The `run_id`s that were met, the last [`REMEMBERED`]; empty where there is none.
    met: Vec<String>,
    /// What the last answer said of the server.
    server: Server,
    process: Process,
    wanted: Wanted,
    round: Option<Running>,
    not_before: Duration,
    ready: VecDeque<Observation>,
}

/// What is worth asking.
#[derive(Clone, Copy, Debug, Default)]
struct Wanted {
    /// Anything at all.
    round: bool,
    /// All that the process remembers, at once.
    first: bool,
    /// Whom the access rules stopped.
    denied: bool,
}

/// Which witnesses the server has.
#[derive(Clone, Copy, Debug, Default)]
struct Server {
    clients: Option<u64>,
    has_acl_log: bool,
    has_large_log: bool,
}

/// What one process has said so far.
#[derive(Debug, Default)]
struct Process {
    /// The last id of the slow log.
    seen: Option<u64>,
    /// That there are too many clients was told.
    told_many: bool,
    slow: Strikes,
    large: Strikes,
    clients: Strikes,
    denied: Strikes,
    /// Also out when it has answered.
    published: Strikes,
}

/// Questions in a row that one witness did not answer.
#[derive(Clone, Copy, Debug, Default)]
struct Strikes(u32);

impl Strikes {
    fn is_out(self) -> bool {
        self.0 >= STRIKES
    }

    fn note<T>(&mut self, answer: &Answer<T>) {
        self.0 = match answer {
            Ok(_) => 0,
            Err(no) if no.may_come => self.0 + 1,
            Err(_) => STRIKES,
        };
    }
}

/// A round on its way.
struct Running {
    answers: AbortOnDropHandle<Answers>,
    begun: Duration,
    first: bool,
}

/// What came of the questions that were asked.
struct Answers {
    slow: Option<Answer<Vec<SlowEntry>>>,
    large: Option<Answer<Vec<SlowEntry>>>,
    clients: Option<Answer<Clients>>,
    denied: Option<Answer<Vec<Denied>>>,
    published: Option<Answer<Published>>,
}

impl Witnesses {
    pub(super) fn new(settings: Settings, clock: Clock) -> Self {
        Self {
            clock,
            settings,
            listener: Listener::default(),
            met: Vec::new(),
            server: Server::default(),
            process: Process::default(),
            wanted: Wanted::default(),
            round: None,
            not_before: Duration::ZERO,
            ready: VecDeque::new(),
        }
    }

    /// An answer came: asks when it is alarming, or the first of its process. A process is met
    /// once, whatever comes of it: a proxy may hang up on a question. Whether it was new.
    pub(super) fn answered(&mut self, connection: &Connection, reply: &Reply) -> bool {
        let info = Info::parse(&*reply.info);
        let assumptions = &self.settings.assumptions;
        let sample = Sample::new(reply.moment, reply.round_trip, &info, assumptions);
        let run_id = sample.server.run_id.clone().unwrap_or_default();
        self.server = Server::of(&sample);
        let alarm = self.listener.hear(sample);
        let is_new = !self.met.contains(&run_id);
        if is_new {
            if self.met.len() == REMEMBERED {
                self.met.remove(0);
            }
            self.met.push(run_id);
            self.process = Process::default();
            // What is on its way is of another process.
            self.round = None;
        }
        self.wanted.first |= is_new;
        self.wanted.denied |= is_new || alarm.refused;
        self.wanted.round |= is_new || alarm.moved || alarm.refused;
        self.ask(connection);
        is_new
    }

    /// A database was emptied or a watched key went: asks while the last command of whoever did it
    /// can still be seen.
    pub(super) fn ask_now(&mut self, connection: &Connection) {
        self.wanted.round = true;
        self.ask(connection);
    }

    /// What there is to tell next, and asks what had to wait; returns when there is something.
    pub(super) async fn next(&mut self, connection: Option<&Connection>) -> Observation {
        loop {
            if let Some(told) = self.ready.pop_front() {
                return told;
            }
            match (&mut self.round, connection) {
                (Some(running), _) => {
                    let answers = (&mut running.answers).await;
                    let (begun, first) = (running.begun, running.first);
                    self.round = None;
                    if let Ok(answers) = answers {
                        self.take(answers);
                    }
                    if !first {
                        let now = self.clock.elapsed();
                        let rest = now + now.saturating_sub(begun) * PART;
                        self.not_before = rest.max(begun + BETWEEN);
                    }
                }
                (None, Some(connection)) if self.wanted.round => {
                    let now = self.clock.elapsed();
                    sleep(self.not_before.saturating_sub(now)).await;
                    self.ask(connection);
                }
                (None, _) => return std::future::pending().await,
            }
        }
    }

    /// Begins a round if one is wanted and due.
    fn ask(&mut self, connection: &Connection) {
        let begun = self.clock.elapsed();
        let is_due = self.wanted.first || begun >= self.not_before;
        if !self.wanted.round || self.round.is_some() || !is_due {
            return;
        }
        let Wanted { first, denied, .. } = std::mem::take(&mut self.wanted);
        let ear = Ear {
            connection,
            clock: self.clock,
            auth: &self.settings.auth,
        };
        let (server, process) = (&self.server, &self.process);
        let lists = !process.clients.is_out() && server.clients.is_some_and(|n| n <= MOST_CLIENTS);
        let clients = lists.then(|| ear.clients());
        let slow = (!process.slow.is_out()).then(|| ear.slow_log(process.seen));
        let large = server.has_large_log && !process.large.is_out();
        let large = large.then(|| ear.large_requests());
        let denied = denied && server.has_acl_log && !process.denied.is_out();
        let denied = denied.then(|| ear.denied());
        let published = (!process.published.is_out()).then(|| ear.published());
        let answers = tokio::spawn(async move {
            // In this order: the last command of a client is gone first.
            let (clients, slow, large, denied, published) = tokio::join!(
                maybe(clients),
                maybe(slow),
                maybe(large),
                maybe(denied),
                maybe(published)
            );
            Answers {
                slow,
                large,
                clients,
                denied,
                published,
            }
        });
        self.round = Some(Running {
            answers: AbortOnDropHandle::new(answers),
            begun,
            first,
        });
        self.tell_too_many();
    }

    fn tell_too_many(&mut self) {
        let many = self.server.clients.filter(|n| *n > MOST_CLIENTS);
        if let Some(many) = many
            && !self.process.told_many
        {
            self.process.told_many = true;
            self.ready.push_back(Observation::Clients {
                moment: self.clock.now(),
                clients: Err(format!(
                    "not asked: {} are more than {MOST_CLIENTS}, and the server would walk \
                     through all of them",
                    plural(many, "client")
                )),
            });
        }
    }

    /// Notes what was answered, and queues it; the slow log last, it ends a round.
    fn take(&mut self, answers: Answers) {
        let moment = self.clock.now();
        let Answers {
            slow,
            large,
            clients,
            denied,
            published,
        } = answers;
        if let Some(clients) = clients {
            self.process.clients.note(&clients);
            let clients = clients.map_err(|no| no.words);
            let told = Observation::Clients { moment, clients };
            self.ready.push_back(told);
        }
        if let Some(denied) = denied {
            self.process.denied.note(&denied);
            let denied = denied.map_err(|no| no.words);
            let told = Observation::Denied { moment, denied };
            self.ready.push_back(told);
        }
        if let Some(told) = published.and_then(|answer| self.process.publishes(answer)) {
            self.ready
                .push_back(Observation::Listening { moment, told });
        }
        // Servers have the log of large requests or not, and nothing is lost without.
        let large = large.and_then(|large| {
            self.process.large.note(&large);
            large.ok()
        });
        if let Some(slow) = slow {
            self.process.slow.note(&slow);
            let ids = slow.iter().flatten().map(|entry| entry.id);
            self.process.seen = ids.max().max(self.process.seen);
            let mut log = slow.map_err(|no| no.words);
            if let Ok(log) = &mut log {
                log.extend(large.unwrap_or_default());
            }
            self.ready.push_back(Observation::SlowLog { moment, log });
        } else if let Some(log) = large {
            let log = Ok(log);
            self.ready.push_back(Observation::SlowLog { moment, log });
        }
    }
}

impl Process {
    /// What the server said that it publishes. A refusal is told where a right is missing; a service
    /// that has no `CONFIG` is left in peace.
    fn publishes(&mut self, answer: Answer<Published>) -> Option<Listening> {
        self.published.note(&answer);
        match answer {
            Ok(published) => {
                self.published = Strikes(STRIKES);
                Some(Listening::Setting(published))
            }
            Err(no) if no.words.starts_with("NOPERM") => Some(Listening::Unknown(no.words)),
            Err(_) => None,
        }
    }
}

impl Server {
    fn of(sample: &Sample) -> Self {
        let version = sample.server.version.0.as_deref().unwrap_or_default();
        let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
        let mut part = || parts.next().flatten().unwrap_or(0);
        let version = (part(), part());
        let product = sample.product();
        Self {
            clients: sample.server.clients,
            has_acl_log: !product.is_enterprise() && version >= (6, 0),
            has_large_log: product == Product::Valkey && version >= (8, 1),
        }
    }
}

async fn maybe<T>(question: Option<impl Future<Output = Answer<T>>>) -> Option<Answer<T>> {
    match question {
        Some(question) => Some(question.await),
        None => None,
    }
}
