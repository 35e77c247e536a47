//! Sentinels: who is the primary now, and what they say when that changes.
//!
//! Asked at the start where to begin, then listened to (`+switch-master`, RESP3), and asked every
//! second, which also serves Sentinels that do not push. What they say is told as it is and leads to
//! nodes; roles and losses are judged by what the servers themselves answer.

mod mistaken;

use std::time::Duration;

use redis::{PushInfo, PushKind, Value};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::connection::{Connection, Trouble, scene};
use super::deployment::is_loopback;
use super::schedule::BackOff;
use super::slowlog::text;
use super::{Clock, commands, seal};
use crate::config::{Auth, Endpoint, Plan, Sentinel, Settings};
use crate::model::{Failure, FailureKind, Moment, NodeId, inert};
pub(super) use mistaken::mistaken;

/// It is asked who is the primary so often.
const EVERY: Duration = Duration::from_secs(1);
/// And for the replicas every so many times.
const REPLICAS: u32 = 10;
/// The longest line of it that is told.
const LONGEST: usize = 200;

/// Why no Sentinel led anywhere. What servers said stands in it sealed.
#[derive(Debug, thiserror::Error)]
pub enum SentinelError {
    /// None answers.
    #[error("no Sentinel answers: {0}")]
    Silent(String),
    /// None knows the name.
    #[error(
        "the Sentinel at {place} knows no primary named '{name}'; look at SENTINEL MASTERS there"
    )]
    Unknown {
        /// Which.
        place: String,
        /// The name.
        name: String,
    },
}

/// What a Sentinel says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) moment: Moment,
    /// One line, inert; `None` where only nodes are named.
    pub(super) said: Option<String>,
    /// Nodes that it names.
    pub(super) named: Vec<NodeId>,
}

/// Puts the primary that the Sentinels name in the place of the first target. A plan without Sentinels
/// stays as it is.
pub async fn settle(mut plan: Plan, clock: Clock) -> Result<Plan, SentinelError> {
    let Some(sentinel) = &plan.sentinel else {
        return Ok(plan);
    };
    let mut why = Vec::new();
    let mut unknown = None;
    for endpoint in &sentinel.endpoints {
        let settings = at(endpoint, sentinel, &plan.targets[0]);
        let asked = async {
            let mut connection = open(&settings, clock).await?;
            Ok::<_, Failure>(primary(&mut connection, &sentinel.name).await)
        };
        match asked.await {
            Ok(Ok(Some(node))) => {
                let node = seen_from(endpoint, node);
                let Some(endpoint) = plan.node_map.reach(&node) else {
                    continue;
                };
                let first = &mut plan.targets[0];
                if let Endpoint::Tcp { host, .. } = &endpoint {
                    first.assumptions.host.clone_from(host);
                }
                first.endpoint = endpoint;
                return Ok(plan);
            }
            Ok(Ok(None)) => {
                unknown.get_or_insert_with(|| SentinelError::Unknown {
                    place: endpoint.to_string(),
                    name: inert(&sentinel.name, 64),
                });
            }
            Ok(Err(trouble)) => {
                let words = seal::words(&words(&trouble), &settings.auth);
                why.push(format!("{endpoint}: {words}"));
            }
            Err(failure) => {
                let failure = seal::failure(&failure, &settings.auth);
                why.push(format!("{endpoint}: {}", failure.sentence()));
            }
        }
    }
    Err(unknown.unwrap_or_else(|| SentinelError::Silent(why.join("; "))))
}

/// A Sentinel that names its own host means the host that we know it under.
fn seen_from(sentinel: &Endpoint, node: NodeId) -> NodeId {
    match (sentinel, node.host_and_port()) {
        (Endpoint::Tcp { host: ours, .. }, Some((host, port)))
            if is_loopback(host) && !is_loopback(ours) =>
        {
            NodeId::of(ours, port)
        }
        _ => node,
    }
}

/// The settings for a Sentinel: those of the servers that it watches, at its own place, with its own
/// password where it has one.
fn at(endpoint: &Endpoint, sentinel: &Sentinel, servers: &Settings) -> Settings {
    Settings {
        endpoint: endpoint.clone(),
        auth: sentinel.auth.as_ref().unwrap_or(&servers.auth).clone(),
        ..servers.clone()
    }
}

/// Sentinels often have no password where the servers have one.
async fn open(settings: &Settings, clock: Clock) -> Result<Connection, Failure> {
    match Connection::open(settings, clock, false).await {
        Err(failure) if failure.kind == FailureKind::PasswordWrong => {
            Connection::open(&without_password(settings), clock, false).await
        }
        opened => opened,
    }
}

fn without_password(settings: &Settings) -> Settings {
    Settings {
        auth: Auth::default(),
        ..settings.clone()
    }
}

/// Who is the primary; `None` where the Sentinel does not know the name.
async fn primary(connection: &mut Connection, name: &str) -> Result<Option<NodeId>, Trouble> {
    let reply = connection.ask(&commands::sentinel_primary(name)).await?;
    Ok(match &reply {
        Value::Array(cells) => match &cells[..] {
            [ip, port] => text(port)
                .parse()
                .ok()
                .map(|port| NodeId::of(&text(ip), port)),
            _ => None,
        },
        _ => None,
    })
}

fn words(trouble: &Trouble) -> String {
    match trouble {
        Trouble::Timeout => "no reply in time".to_owned(),
        Trouble::Rubbish(words) => words.clone(),
        Trouble::Error(error) => {
            let (code, said) = (error.code(), error.detail());
            let (code, said) = (code.unwrap_or_default(), said.unwrap_or_default());
            format!("{code} {said}").trim().to_owned()
        }
    }
}

/// Listens to one Sentinel after the other until nobody listens any more.
pub(super) async fn listen(
    sentinel: Sentinel,
    servers: Settings,
    clock: Clock,
    out: mpsc::Sender<Word>,
) {
    let mut back_off = BackOff::new();
    let mut ear = Ear {
        name: sentinel.name.clone(),
        clock,
        out,
        known: None,
    };
    for endpoint in sentinel.endpoints.iter().cycle() {
        let settings = at(endpoint, &sentinel, &servers);
        let begun = clock.elapsed();
        let wait = match ear.hear(&settings).await {
            Ok(()) => {
                back_off.lived(clock.elapsed().saturating_sub(begun));
                back_off.wait(EVERY)
            }
            Err(failure) => back_off.wait_after(failure.kind, EVERY),
        };
        if ear.out.is_closed() {
            return;
        }
        sleep(wait).await;
    }
}

struct Ear {
    name: String,
    clock: Clock,
    out: mpsc::Sender<Word>,
    /// Who was the primary last.
    known: Option<NodeId>,
}

impl Ear {
    /// One connection, from its beginning until the other side hangs up or gives no answer.
    async fn hear(&mut self, settings: &Settings) -> Result<(), Failure> {
        let (out, mut pushed) = mpsc::channel(64);
        let clock = self.clock;
        let take = move |push: PushInfo| {
            // What has no room is asked for within a second.
            let _ = out.try_send((clock.now(), push));
        };
        let mut connection = self.open(settings, take).await?;
        let mut tick = interval(EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut rounds = 0u32;
        loop {
            tokio::select! {
                Some((moment, push)) = pushed.recv() => self.push(moment, &push).await,
                _ = tick.tick() => {
                    let replicas = rounds.is_multiple_of(REPLICAS);
                    if let Err(trouble) = self.ask(&mut connection, replicas).await {
                        return Err(connection.explain(&trouble, scene(settings, true), 1));
                    }
                    rounds = rounds.wrapping_add(1);
                }
                () = connection.over() => return Ok(()),
                () = self.out.closed() => return Ok(()),
            }
        }
    }

    /// With pushes where the Sentinel knows RESP3, without where it does not.
    async fn open(
        &self,
        settings: &Settings,
        take: impl Fn(PushInfo) + Clone + Send + Sync + 'static,
    ) -> Result<Connection, Failure> {
        let patience = settings.connect_timeout + settings.timeout;
        let bare = without_password(settings);
        for settings in [settings, &bare] {
            let opening = Connection::open_pushed(settings, self.clock, take.clone());
            if let Ok(Ok(mut connection)) = timeout(patience, opening).await
                && connection.say(&commands::sentinel_news()).await.is_ok()
            {
                return Ok(connection);
            }
        }
        open(settings, self.clock).await
    }

    async fn push(&mut self, moment: Moment, push: &PushInfo) {
        if push.kind != PushKind::Message {
            return;
        }
        let [channel, payload] = &push.data[..] else {
            return;
        };
        let (channel, payload) = (text(channel), text(payload));
        let is_ours = payload.split(' ').any(|word| word == self.name);
        if !is_ours && !channel.ends_with("tilt") {
            return;
        }
        let named = switched(&channel, &payload);
        if let Some(node) = &named {
            self.known = Some(node.clone());
        }
        let said = Some(inert(&format!("{channel} {payload}"), LONGEST));
        let named = named.into_iter().collect();
        self.tell(Word {
            moment,
            said,
            named,
        })
        .await;
    }

    /// Who is the primary, and the replicas where that is due.
    async fn ask(&mut self, connection: &mut Connection, replicas: bool) -> Result<(), Trouble> {
        let mut named = Vec::new();
        let mut said = None;
        if let Some(node) = primary(connection, &self.name).await? {
            if let Some(known) = self.known.as_ref().filter(|known| **known != node) {
                said = Some(format!("the primary is {node} now, it was {known}"));
            }
            self.known = Some(node.clone());
            named.push(node);
        }
        if replicas {
            let reply = match connection
                .ask(&commands::sentinel_replicas(&self.name))
                .await
            {
                Err(Trouble::Error(error)) if !error.is_io_error() => {
                    connection.ask(&commands::sentinel_slaves(&self.name)).await
                }
                reply => reply,
            };
            named.extend(addresses(&reply?));
        }
        if said.is_some() || replicas {
            let moment = self.clock.now();
            self.tell(Word {
                moment,
                said,
                named,
            })
            .await;
        }
        Ok(())
    }

    async fn tell(&self, word: Word) {
        let _ = self.out.send(word).await;
    }
}

/// `name old-ip old-port new-ip new-port`.
fn switched(channel: &str, payload: &str) -> Option<NodeId> {
    if channel != "+switch-master" {
        return None;
    }
    let words: Vec<&str> = payload.split(' ').collect();
    let [.., ip, port] = words[..] else {
        return None;
    };
    Some(NodeId::of(ip, port.parse().ok()?))
}

/// The addresses in a list of maps, which RESP2 writes as lists.
fn addresses(reply: &Value) -> Vec<NodeId> {
    let Value::Array(rows) = reply else {
        return Vec::new();
    };
    let address = |row: &Value| {
        let pairs: Vec<(String, String)> = match row {
            Value::Map(pairs) => pairs.iter().map(|(k, v)| (text(k), text(v))).collect(),
            Value::Array(cells) => {
                let pairs = cells.chunks_exact(2);
                pairs.map(|pair| (text(&pair[0]), text(&pair[1]))).collect()
            }
            _ => return None,
        };
        let get = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, v)| &**v);
        Some(NodeId::of(get("ip")?, get("port")?.parse().ok()?))
    };
    rows.iter().filter_map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loopback_address_is_that_of_the_sentinels_host() {
        let at = |host: &str| Endpoint::Tcp {
            host: host.to_owned(),
            port: 26_379,
        };
        let local = || NodeId::new("127.0.0.1:6379");
        assert_eq!(seen_from(&at("prod"), local()).as_str(), "prod:6379");
        assert_eq!(seen_from(&at("localhost"), local()), local());
        let far = NodeId::new("10.0.0.9:6379");
        assert_eq!(seen_from(&at("prod"), far.clone()), far);
    }

    #[test]
    fn a_switch_names_the_new_primary() {
        let node = switched("+switch-master", "m 10.0.0.1 6379 10.0.0.2 6380");
        assert_eq!(node, Some(NodeId::new("10.0.0.2:6380")));
        assert_eq!(switched("+sdown", "master m 10.0.0.1 6379"), None);
        assert_eq!(switched("+switch-master", "m"), None);
    }

    #[test]
    fn replicas_are_read_in_either_protocol() {
        let bulk = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let list = ["name", "x", "ip", "10.0.0.2", "port", "6380"].map(bulk);
        let map = [("ip", "10.0.0.3"), ("port", "6381")].map(|(k, v)| (bulk(k), bulk(v)));
        let rows = vec![
            Value::Array(list.into()),
            Value::Map(map.into()),
            Value::Nil,
        ];
        let nodes = ["10.0.0.2:6380", "10.0.0.3:6381"].map(NodeId::new);
        assert_eq!(addresses(&Value::Array(rows)), nodes);
        assert!(addresses(&Value::Int(1)).is_empty());
    }
}
