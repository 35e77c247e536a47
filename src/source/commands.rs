//! Every command that this program can ever send, and the only functions that build one.
//!
//! Nothing here writes, moves or deletes a key, changes a setting, selects a database, switches
//! the protocol or names the client. The client library is kept from sending anything on its own
//! (`HELLO`, `SELECT`, `CLIENT SETINFO`); `tests/source.rs` compares what a real server counted
//! with [`ALL`].

mod list;

use redis::{Cmd, Pipeline};

use crate::config::Auth;
use crate::model::{EventKind, HEARD_DATABASES};
pub use list::ALL;

/// One command that may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name as `INFO commandstats` counts it since Redis 7, lower case.
    pub name: &'static str,
    /// The arguments; `<…>` stands for a value of the user's.
    pub arguments: &'static str,
    /// What it is for and when it is sent.
    pub purpose: &'static str,
}

impl Entry {
    /// Whether any user may send it, whatever the access rules say.
    pub fn is_open(&self) -> bool {
        matches!(self.name, "auth" | "hello")
    }

    /// Whether it is only ever sent to a Sentinel, which has access rules of its own.
    pub fn is_for_sentinels(&self) -> bool {
        self.name.starts_with("sentinel|") || self.arguments == SENTINEL_CHANNELS
    }

    /// Whether it is only sent when the user asks for it.
    pub fn is_on_demand(&self) -> bool {
        self.name == "monitor" || self.reads_keys()
    }

    /// Whether it needs the right to channels besides: only where the server publishes removals.
    pub fn hears_channels(&self) -> bool {
        self.name == "subscribe" && !self.is_for_sentinels()
    }

    /// Whether it reads a key by name: only where the user asks to watch one.
    pub fn reads_keys(&self) -> bool {
        self.arguments.starts_with("<key>") || self.name == "scan"
    }
}

/// The sections that the rules read. Without `cpu`, `modules` and `latencystats`, which cost the
/// server time and tell nothing about keys.
const SECTIONS: &str =
    "server clients memory persistence stats replication commandstats errorstats cluster keyspace";

/// `AUTH`, or `None` without a password.
///
/// The default user is authenticated by the one-argument form, which servers before 6.0 know too.
pub(super) fn auth(auth: &Auth) -> Option<Cmd> {
    let password = auth.password.as_deref()?;
    let mut command = redis::cmd("AUTH");
    if let Some(user) = auth.user.as_deref().filter(|user| *user != "default") {
        command.arg(user);
    }
    command.arg(password);
    Some(command)
}

/// `INFO` with the list of sections.
pub(super) fn info_sections() -> Cmd {
    let mut command = redis::cmd("INFO");
    for section in SECTIONS.split(' ') {
        command.arg(section);
    }
    command
}

/// `INFO all`.
pub(super) fn info_all() -> Cmd {
    let mut command = redis::cmd("INFO");
    command.arg("all");
    command
}

/// `INFO`, `INFO commandstats`, `INFO errorstats` in one round trip; one may fail without the
/// others.
pub(super) fn info_parts() -> Pipeline {
    let mut pipeline = redis::pipe();
    pipeline.cmd("INFO");
    pipeline.cmd("INFO").arg("commandstats");
    pipeline.cmd("INFO").arg("errorstats");
    pipeline.ignore_errors();
    pipeline
}

/// Entries that are asked for after the first time.
pub(super) const FEW: usize = 16;

/// `SLOWLOG GET 128`, or `16`.
pub(super) fn slow_log(most: usize) -> Cmd {
    let mut command = redis::cmd("SLOWLOG");
    command.arg("GET").arg(most);
    command
}

/// `COMMANDLOG GET 16 large-request`: who sent much at once, such as a `DEL` of very many keys.
pub(super) fn large_requests() -> Cmd {
    let mut command = redis::cmd("COMMANDLOG");
    command.arg("GET").arg(FEW).arg("large-request");
    command
}

/// `CLIENT LIST`.
pub(super) fn clients() -> Cmd {
    let mut command = redis::cmd("CLIENT");
    command.arg("LIST");
    command
}

/// `MONITOR`, which only ever is sent because the user said so.
pub(super) fn monitor() -> Cmd {
    redis::cmd("MONITOR")
}

/// `CLUSTER NODES`, the fullest view.
pub(super) fn cluster_nodes() -> Cmd {
    cluster("NODES")
}

/// `CLUSTER SHARDS`, on Redis 7 and later and on Valkey.
pub(super) fn cluster_shards() -> Cmd {
    cluster("SHARDS")
}

/// `CLUSTER SLOTS`, which tells no node that holds none.
pub(super) fn cluster_slots() -> Cmd {
    cluster("SLOTS")
}

fn cluster(what: &str) -> Cmd {
    let mut command = redis::cmd("CLUSTER");
    command.arg(what);
    command
}

/// What a Sentinel says of itself, and is listened to.
const SENTINEL_CHANNELS: &str = "+switch-master +sdown -sdown +odown -odown +failover-end -failover-abort-no-good-slave \
     -failover-abort-not-elected +tilt -tilt";

/// `SENTINEL GET-MASTER-ADDR-BY-NAME …`.
pub(super) fn sentinel_primary(name: &str) -> Cmd {
    sentinel("GET-MASTER-ADDR-BY-NAME", name)
}

/// `SENTINEL REPLICAS …`.
pub(super) fn sentinel_replicas(name: &str) -> Cmd {
    sentinel("REPLICAS", name)
}

/// `SENTINEL SLAVES …`, the same by its old name.
pub(super) fn sentinel_slaves(name: &str) -> Cmd {
    sentinel("SLAVES", name)
}

fn sentinel(what: &str, name: &str) -> Cmd {
    let mut command = redis::cmd("SENTINEL");
    command.arg(what).arg(name);
    command
}

/// `SUBSCRIBE` to what a Sentinel says; it is answered by pushes alone.
pub(super) fn sentinel_news() -> Cmd {
    let mut command = redis::cmd("SUBSCRIBE");
    SENTINEL_CHANNELS
        .split_ascii_whitespace()
        .for_each(|channel| {
            command.arg(channel);
        });
    command.set_no_response(true);
    command
}

/// `ACL LOG 16`. Never `ACL LOG RESET`.
pub(super) fn denied() -> Cmd {
    let mut command = redis::cmd("ACL");
    command.arg("LOG").arg(FEW);
    command
}

/// `CONFIG GET notify-keyspace-events`. Never `CONFIG SET`.
pub(super) fn published() -> Cmd {
    let mut command = redis::cmd("CONFIG");
    command.arg("GET").arg("notify-keyspace-events");
    command
}

/// The channel of one kind of event in one database.
pub(super) fn channel(db: &str, event: &str) -> String {
    format!("__keyevent@{db}__:{event}")
}

fn subscribe(channel: &str) -> Cmd {
    let mut command = redis::cmd("SUBSCRIBE");
    command.arg(channel);
    command
}

/// `SUBSCRIBE` of each kind of event in each database, in one round trip. Never `PSUBSCRIBE`: a server
/// compares every pattern with every event that it publishes, those of writes included.
pub(super) fn subscriptions(events: impl Iterator<Item = EventKind>) -> Pipeline {
    let mut pipeline = redis::pipe();
    for event in events {
        for db in 0..HEARD_DATABASES {
            pipeline.add_command(subscribe(&channel(&db.to_string(), event.id())));
        }
    }
    pipeline.ignore_errors();
    pipeline
}

/// `CLIENT TRACKING ON OPTIN`. A connection that never reads a key is told of emptied databases
/// only (tracking.c, `trackingInvalidateKeysOnFlush`).
pub(super) fn tripwire() -> Cmd {
    let mut command = redis::cmd("CLIENT");
    command.arg("TRACKING").arg("ON").arg("OPTIN");
    command
}

/// `CLIENT TRACKING ON`: keys that are read on the connection are tracked.
pub(super) fn tracking() -> Cmd {
    let mut command = redis::cmd("CLIENT");
    command.arg("TRACKING").arg("ON");
    command
}

/// `CLIENT TRACKING ON BCAST PREFIX …`: all keys under a prefix are tracked, read or not.
pub(super) fn tracking_prefix(prefix: &str) -> Cmd {
    let mut command = tracking();
    command.arg("BCAST").arg("PREFIX").arg(prefix);
    command
}

/// `SCAN … COUNT 100`.
pub(super) fn scan(cursor: &[u8]) -> Cmd {
    let mut command = redis::cmd("SCAN");
    command.arg(cursor).arg("COUNT").arg(100);
    command
}

/// `PTTL` of each key; each may fail alone.
pub(super) fn ttls(names: &[Vec<u8>]) -> Pipeline {
    let mut pipeline = redis::pipe();
    for name in names {
        pipeline.cmd("PTTL").arg(&**name);
    }
    pipeline.ignore_errors();
    pipeline
}

/// `PTTL` and `TYPE` of each key, and `MEMORY USAGE … SAMPLES 1` with sizes; each may fail alone.
/// With `SAMPLES 0` the server would walk through the whole key.
pub(super) fn look(names: &[&[u8]], sizes: bool) -> Pipeline {
    let mut pipeline = redis::pipe();
    for name in names {
        pipeline.cmd("PTTL").arg(*name);
        pipeline.cmd("TYPE").arg(*name);
        if sizes {
            let usage = pipeline.cmd("MEMORY").arg("USAGE").arg(*name);
            usage.arg("SAMPLES").arg(1);
        }
    }
    pipeline.ignore_errors();
    pipeline
}

#[cfg(test)]
mod tests;
