//! Who belongs to a cluster, asked of one of its nodes: `CLUSTER NODES`, which tells most, or
//! `CLUSTER SHARDS`, or `CLUSTER SLOTS`, whichever is allowed. On servers without a cluster, and
//! behind proxies that hide it, all three are refused.

use std::collections::HashMap;
use std::sync::Arc;

use redis::Value;
use tokio_util::task::AbortOnDropHandle;

use super::connection::{Connection, Trouble};
use super::slowlog;
use super::{Clock, commands, seal};
use crate::config::{Endpoint, Settings};
use crate::model::{
    ClusterNode, Health, MOST_NODES, NodeId, Observation, Role, SLOTS, Topology, inert, slot_range,
};

/// How the words begin where nothing came.
const NO_REPLY: &str = "no reply";

/// Whether asking the same process again would bring the same answer. A server that loads its data or
/// runs a script says no for a while only.
pub(super) fn is_lasting(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    words.starts_with("noperm")
        || words.starts_with("err unknown")
        || words.contains("cluster support disabled")
}

/// A question on its way.
pub(super) type Running = AbortOnDropHandle<Observation>;

/// Asks beside the polls.
pub(super) fn ask(connection: &Connection, settings: &Settings, clock: Clock) -> Running {
    let host = match &settings.endpoint {
        Endpoint::Tcp { host, .. } => host.clone(),
        Endpoint::Unix(_) => "127.0.0.1".to_owned(),
    };
    let is_tls = settings.tls.is_some();
    let auth = settings.auth.clone();
    let nodes = connection.aside(commands::cluster_nodes());
    let shards = connection.aside(commands::cluster_shards());
    let slots = connection.aside(commands::cluster_slots());
    AbortOnDropHandle::new(tokio::spawn(async move {
        let topology = async {
            match nodes.await {
                Ok(reply) => {
                    return Topology::parse(&text(&reply), &host)
                        .ok_or_else(|| "CLUSTER NODES makes no sense".to_owned());
                }
                Err(Trouble::Error(error)) if !error.is_io_error() => {}
                Err(_) => return Err(format!("{NO_REPLY} to CLUSTER NODES")),
            }
            if let Ok(reply) = shards.await
                && let Some(topology) = of_shards(&reply, &host, is_tls)
            {
                return Ok(topology);
            }
            match slots.await {
                Ok(reply) => {
                    of_slots(&reply, &host).ok_or_else(|| "CLUSTER SLOTS makes no sense".to_owned())
                }
                Err(Trouble::Error(error)) if !error.is_io_error() => {
                    let (code, said) = (error.code(), error.detail());
                    Err(format!(
                        "{} {}",
                        code.unwrap_or_default(),
                        said.unwrap_or_default()
                    ))
                }
                Err(_) => Err(format!("{NO_REPLY} to CLUSTER SLOTS")),
            }
        };
        let topology = topology.await;
        Observation::Topology {
            moment: clock.now(),
            topology: topology.map_err(|words| seal::words(words.trim(), &auth)),
        }
    }))
}

/// What came of it; never returns when nothing was asked.
pub(super) async fn told(running: &mut Option<Running>) -> Option<Observation> {
    match running {
        Some(task) => {
            let told = task.await.ok();
            *running = None;
            told
        }
        None => std::future::pending().await,
    }
}

/// `[{slots: [first, last, …], nodes: [{id, port, tls-port, ip, endpoint, role, health}]}]`, maps
/// as lists of names and values in RESP2.
fn of_shards(reply: &Value, host: &str, is_tls: bool) -> Option<Topology> {
    let mut nodes = Vec::new();
    for shard in list(reply)? {
        let numbers: Vec<String> = list(field(shard, "slots")?)?.iter().map(text).collect();
        let slots = numbers.chunks_exact(2);
        let slots: Vec<_> = slots
            .filter_map(|pair| slot_range(&format!("{}-{}", pair[0], pair[1])))
            .take(SLOTS as usize)
            .collect();
        let first = nodes.len();
        // Each primary has a copy of the slots, and a reply may claim any number of both.
        let room = MOST_NODES.saturating_sub(first);
        for node in list(field(shard, "nodes")?)?.iter().take(room) {
            let word = |name: &str| field(node, name).map(text);
            let is_primary = word("role").as_deref() == Some("master");
            let port = word("tls-port").filter(|_| is_tls).or_else(|| word("port"));
            let place = |name: &str| word(name).filter(|host| is_place(host));
            let place = place("endpoint").or_else(|| place("ip"));
            let place = place.unwrap_or_else(|| host.to_owned());
            nodes.push(ClusterNode {
                id: inert(&word("id")?, 48).into(),
                address: port?.parse().ok().map(|port| NodeId::of(&place, port)),
                role: if is_primary {
                    Role::Primary
                } else {
                    Role::Replica
                },
                primary: None,
                health: match word("health").as_deref() {
                    Some("failed" | "fail") => Health::Failed,
                    _ => Health::Good,
                },
                slots: Vec::new(),
                moving: 0,
            });
        }
        lead(&mut nodes[first..], slots);
    }
    Topology::of(nodes)
}

/// `[[first, last, [ip, port, id, …], …], …]`: the primary first, then its replicas.
fn of_slots(reply: &Value, host: &str) -> Option<Topology> {
    let mut nodes: Vec<ClusterNode> = Vec::new();
    let mut places: HashMap<Arc<str>, usize> = HashMap::new();
    for row in list(reply)? {
        let [first, last, holders @ ..] = list(row)? else {
            return None;
        };
        let range = slot_range(&format!("{}-{}", text(first), text(last)))?;
        let mut primary = None;
        for holder in holders {
            let [ip, port, rest @ ..] = list(holder)? else {
                return None;
            };
            let ip = Some(text(ip)).filter(|ip| is_place(ip));
            let address = NodeId::of(ip.as_deref().unwrap_or(host), text(port).parse().ok()?);
            let id = rest.first().map_or_else(|| address.to_string(), text);
            let id: Arc<str> = inert(&id, 48).into();
            let place = *places.entry(id.clone()).or_insert_with(|| {
                nodes.push(ClusterNode {
                    id: id.clone(),
                    address: Some(address),
                    role: Role::Replica,
                    primary: primary.clone(),
                    health: Health::Good,
                    slots: Vec::new(),
                    moving: 0,
                });
                nodes.len() - 1
            });
            if primary.is_none() {
                (nodes[place].role, nodes[place].primary) = (Role::Primary, None);
                nodes[place].slots.push(range);
                primary = Some(id);
            }
        }
    }
    Topology::of(nodes)
}

/// The primary of a shard holds its slots, and the replicas follow it. A primary that failed is listed
/// as one beside its successor (Redis 7.2 and later).
fn lead(shard: &mut [ClusterNode], slots: Vec<(u16, u16)>) {
    let primaries = shard.iter_mut().filter(|node| node.role == Role::Primary);
    let Some(primary) = primaries.min_by_key(|node| node.health == Health::Failed) else {
        return;
    };
    primary.slots = slots;
    let id = primary.id.clone();
    for node in shard.iter_mut().filter(|n| n.role == Role::Replica) {
        node.primary = Some(id.clone());
    }
}

/// Redis writes nothing, or a question mark, for an address that it does not know.
fn is_place(host: &str) -> bool {
    !host.is_empty() && host != "?"
}

/// A word or a number as text.
fn text(value: &Value) -> String {
    match value {
        Value::Int(number) => number.to_string(),
        value => slowlog::text(value),
    }
}

fn list(value: &Value) -> Option<&[Value]> {
    match value {
        Value::Array(rows) => Some(rows),
        _ => None,
    }
}

/// A field of a map, which RESP2 writes as a list.
fn field<'v>(map: &'v Value, name: &str) -> Option<&'v Value> {
    match map {
        Value::Map(pairs) => pairs
            .iter()
            .find(|(key, _)| text(key) == name)
            .map(|(_, v)| v),
        Value::Array(cells) => {
            let mut pairs = cells.chunks_exact(2);
            pairs
                .find(|pair| text(&pair[0]) == name)
                .map(|pair| &pair[1])
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
