//! Discrete things that happened, for the timeline.

mod found;

use jiff::Timestamp;

pub(super) use found::changes;

use crate::format;

use super::events::Listening;
use super::node::{NodeId, Role};
use super::observation::{FailureKind, Moment};
use super::topology::SlotSet;
use super::watched::Watching;

/// Something discrete that happened between two polls.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// When it was seen; it happened between the poll before and this moment.
    pub moment: Moment,
    /// What.
    pub kind: ChangeKind,
}

impl Change {
    /// Wall-clock time of the change.
    pub fn at(&self) -> Timestamp {
        self.moment.at
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum ChangeKind {
    /// The first sample: watching began.
    Attached,
    /// A new process answers.
    Restart {
        /// Keys at the last poll before.
        keys_before: Option<u64>,
        /// Keys at the first poll after; partial while loading.
        keys_after: Option<u64>,
    },
    /// The address leads to another server that was already running.
    OtherProcess,
    /// Statistics fell to zero without a restart: evidence was wiped.
    StatsReset,
    /// Primary became replica or the reverse.
    RoleChanged(Role, Role),
    /// A replica follows another primary.
    PrimaryChanged(Option<String>, Option<String>),
    /// The replication history changed without a change of role or process.
    HistoryChanged,
    /// A setting that INFO shows has another value.
    Setting {
        /// Field name.
        field: &'static str,
        /// Before.
        before: String,
        /// After.
        after: String,
    },
    /// A flushing command ran.
    Flushed {
        /// The command, upper case.
        command: String,
        /// How often.
        calls: u64,
        /// Keys before; the fall is in the ledger.
        keys_before: Option<u64>,
    },
    /// The server pushed that a database was emptied.
    Emptied,
    /// The server does not push that, and why.
    NoTripwire(String),
    /// What the watch on keys says of itself.
    Watching(Watching),
    /// What the ear for keyspace events says of itself.
    Listening(Listening),
    /// A flushing command was refused or failed.
    FlushDenied {
        /// The command, upper case.
        command: String,
        /// How often.
        calls: u64,
    },
    /// Loading a data set began.
    LoadingBegan,
    /// Loading ended.
    LoadingEnded {
        /// Keys then.
        keys: Option<u64>,
    },
    /// More replicas are connected.
    ReplicasJoined(u64),
    /// Fewer replicas are connected.
    ReplicasLeft(u64),
    /// The link of this replica went down.
    LinkDown,
    /// The link of this replica came back.
    LinkUp,
    /// Replicas were given the whole data set anew.
    FullSyncs(u64),
    /// Saving to disk began to fail (`rdb` or `aof`).
    SaveFailing(&'static str),
    /// Saving to disk works again.
    SaveRecovered(&'static str),
    /// The key count fell by a notable share between two polls.
    KeysFell {
        /// Keys before.
        before: u64,
        /// Keys after.
        after: u64,
    },
    /// Eviction began after at least one poll without.
    EvictionBegan,
    /// The server's clock and ours moved apart, in seconds; positive is forward.
    ClockJump(i64),
    /// A node of the deployment was found.
    NodeFound {
        /// Its address.
        node: NodeId,
        /// What it is, or how it is known where it has not answered.
        role: Role,
    },
    /// A node has left the deployment.
    NodeLeft(NodeId),
    /// A node is the same process as one that is known already under another address.
    SameNode {
        /// The address that is not counted.
        alias: NodeId,
        /// The address that is.
        node: NodeId,
    },
    /// Slots of the cluster changed their holder.
    SlotsMoved {
        /// Which.
        slots: SlotSet,
        /// From this node.
        from: NodeId,
        /// To this one.
        to: NodeId,
        /// The new holder was the replica of the old: a failover.
        takeover: bool,
        /// The last view that did not show it yet.
        since: Moment,
    },
    /// No node has told yet who belongs to the cluster, and why one would not.
    NoView(String),
    /// So many slots are held by no node that works.
    SlotsUncovered(u32),
    /// All slots are held again.
    SlotsCovered,
    /// What a Sentinel said, inert.
    Sentinel(String),
    /// Polls failed.
    Gap(FailureKind),
    /// Polls are answered again.
    Reconnected {
        /// Seconds without an answer.
        after_s: u64,
    },
}

fn keys(keys: Option<u64>) -> String {
    keys.map_or_else(|| "keys unknown".into(), format::keys)
}

fn times(calls: u64) -> String {
    format!("{}×", format::count(calls))
}

impl ChangeKind {
    /// The nodes that a change of the deployment names.
    pub fn nodes(&self) -> impl Iterator<Item = &NodeId> {
        let (one, other) = match self {
            Self::NodeFound { node, .. } | Self::NodeLeft(node) => (Some(node), None),
            Self::SameNode { alias, node } => (Some(alias), Some(node)),
            Self::SlotsMoved { from, to, .. } => (Some(from), Some(to)),
            _ => (None, None),
        };
        one.into_iter().chain(other)
    }

    /// One line for people.
    pub fn sentence(&self) -> String {
        match self {
            Self::Restart {
                keys_before,
                keys_after,
            } => {
                format!(
                    "server restarted: {} before, {} after",
                    keys(*keys_before),
                    keys(*keys_after)
                )
            }
            Self::RoleChanged(before, after) => format!("role changed: {before} → {after}"),
            Self::PrimaryChanged(_, Some(after)) => format!("follows {after} now"),
            Self::Setting {
                field,
                before,
                after,
            } => format!("{field} changed: {before} → {after}"),
            Self::Flushed {
                command,
                calls,
                keys_before,
            } => {
                format!(
                    "{command} ran {}, {} before",
                    times(*calls),
                    keys(*keys_before)
                )
            }
            Self::FlushDenied { command, calls } => {
                format!("{command} refused or failed, {}", times(*calls))
            }
            Self::LoadingEnded { keys: n } => format!("loading ended with {}", keys(*n)),
            Self::ReplicasJoined(n) => format!("{} joined", format::plural(*n, "replica")),
            Self::ReplicasLeft(n) => format!("{} went away", format::plural(*n, "replica")),
            Self::FullSyncs(n) => format!("{} served", format::plural(*n, "full synchronisation")),
            Self::SaveFailing(what) => format!("{what}: writing to disk fails"),
            Self::SaveRecovered(what) => format!("{what}: writing to disk works again"),
            Self::KeysFell { before, after } => {
                format!(
                    "key count fell: {} → {}",
                    format::count(*before),
                    format::count(*after)
                )
            }
            Self::ClockJump(seconds) => format!("the server's clock jumped by {seconds:+} s"),
            Self::NoTripwire(why) => {
                format!("flushes are seen at the next poll, not at once: {why}")
            }
            Self::Watching(told) => told.sentence(),
            Self::Listening(told) => told.sentence(),
            Self::Gap(kind) => format!("poll failed: {}", kind.problem()),
            Self::Reconnected { after_s: s } => format!("answers after {}", format::seconds(*s)),
            other => other
                .of_several()
                .unwrap_or_else(|| other.plain().to_owned()),
        }
    }

    /// The lines that concern several nodes.
    fn of_several(&self) -> Option<String> {
        let slots = |n: u32| format::plural(u64::from(n), "slot");
        Some(match self {
            Self::NodeFound {
                node,
                role: Role::Unknown,
            } => format!("{node} found"),
            Self::NodeFound { node, role } => format!("{node} found, a {role}"),
            Self::NodeLeft(node) => format!("{node} has left"),
            Self::SameNode { alias, node } => format!("{alias} is {node} under another address"),
            Self::SlotsMoved {
                slots: set,
                from,
                to,
                takeover: true,
                ..
            } => format!("{to} took over {} from {from}", slots(set.count())),
            Self::SlotsMoved {
                slots: set,
                from,
                to,
                takeover: false,
                ..
            } => format!("{} moved: {from} → {to} ({set})", slots(set.count())),
            Self::SlotsUncovered(n) => format!(
                "{} held by no working node: their keys cannot be reached",
                slots(*n)
            ),
            Self::NoView(why) => format!(
                "who belongs to the cluster is not told, and slots that move look like losses: {why}"
            ),
            Self::Sentinel(said) => format!("Sentinel: {said}"),
            _ => return None,
        })
    }

    /// The lines without numbers or names.
    fn plain(&self) -> &'static str {
        match self {
            Self::Attached => "watching began",
            Self::OtherProcess => "another server answers at this address (failover, replacement)",
            Self::StatsReset => {
                "statistics were reset (CONFIG RESETSTAT, or a proxy lost its totals)"
            }
            Self::HistoryChanged => "replication history changed (new master_replid)",
            Self::PrimaryChanged(..) => "follows no primary any more",
            Self::LoadingBegan => "loading a data set",
            Self::LinkDown => "link to the primary is down",
            Self::LinkUp => "link to the primary is up",
            Self::EvictionBegan => "eviction began",
            Self::SlotsCovered => "all slots are held by working nodes again",
            Self::Emptied => "a database was emptied (pushed by the server)",
            _ => "",
        }
    }

    /// Whether the line reports trouble, as opposed to news.
    pub fn is_trouble(&self) -> bool {
        !matches!(
            self,
            Self::Attached
                | Self::NoTripwire(_)
                | Self::Watching(_)
                | Self::Listening(_)
                | Self::LoadingEnded { .. }
                | Self::NodeFound { .. }
                | Self::SameNode { .. }
                | Self::SlotsMoved {
                    takeover: false,
                    ..
                }
                | Self::SlotsCovered
                | Self::ReplicasJoined(_)
                | Self::LinkUp
                | Self::SaveRecovered(_)
                | Self::Reconnected { .. }
        )
    }
}
