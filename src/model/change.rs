//! Discrete things that happened, for the timeline.

use jiff::Timestamp;

use crate::format;

use super::continuity::Continuity;
use super::counter::Counter;
use super::events::Listening;
use super::node::{NodeId, Role};
use super::observation::{FailureKind, Moment};
use super::sample::{Limit, Sample};
use super::step::Step;
use super::watched::Watching;

/// Something discrete that happened between two polls.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// When it was seen; it happened between the poll before and this moment.
    pub moment: Moment,
    /// What.
    pub kind: ChangeKind,
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
        /// How many.
        slots: u32,
        /// From this node.
        from: NodeId,
        /// To this one.
        to: NodeId,
        /// The new holder was the replica of the old: a failover.
        takeover: bool,
    },
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
            Self::ReplicasLeft(n) => format!("{} left", format::plural(*n, "replica")),
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
            Self::NodeFound {
                node,
                role: Role::Unknown,
            } => format!("{node} found"),
            Self::NodeFound { node, role } => format!("{node} found, a {role}"),
            Self::NodeLeft(node) => format!("{node} has left"),
            Self::SameNode { alias, node } => format!("{alias} is {node} under another address"),
            Self::SlotsMoved {
                slots,
                from,
                to,
                takeover: true,
            } => {
                format!(
                    "{to} took over {} from {from}",
                    format::plural(u64::from(*slots), "slot")
                )
            }
            Self::SlotsMoved {
                slots, from, to, ..
            } => {
                format!(
                    "{} moved: {from} → {to}",
                    format::plural(u64::from(*slots), "slot")
                )
            }
            Self::SlotsUncovered(slots) => format!(
                "{} held by no working node: their keys cannot be reached",
                format::plural(u64::from(*slots), "slot")
            ),
            Self::Sentinel(said) => format!("Sentinel: {said}"),
            Self::Listening(told) => told.sentence(),
            Self::Gap(kind) => format!("poll failed: {}", kind.problem()),
            Self::Reconnected { after_s: s } => format!("answers after {}", format::seconds(*s)),
            plain => plain.plain().to_owned(),
        }
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

/// Everything discrete between two samples, in the order in which it matters.
pub(super) fn changes(
    before: &Sample,
    after: &Sample,
    step: &Step,
    was_evicting: bool,
) -> Vec<Change> {
    let mut kinds = Vec::new();
    process(step, &mut kinds);
    replication(before, after, step, &mut kinds);
    flushes(step, &mut kinds);
    settings(before, after, &mut kinds);
    disk(before, after, &mut kinds);
    kinds.extend(fall(step));
    if step.counter(Counter::EvictedKeys).at_least() > 0 && !was_evicting {
        kinds.push(ChangeKind::EvictionBegan);
    }
    kinds.extend(step.clock_jump_s().map(ChangeKind::ClockJump));
    kinds
        .into_iter()
        .map(|kind| Change {
            moment: after.moment,
            kind,
        })
        .collect()
}

/// A tenth of the keys, and at least ten of them.
fn fall(step: &Step) -> Option<ChangeKind> {
    let (before, after) = (step.keys_before?, step.keys_after?);
    let is_notable = step.fall() >= 10 && step.fall() >= before / 10;
    let is_told = step.loading || step.continuity != Continuity::Same;
    (is_notable && !is_told).then_some(ChangeKind::KeysFell { before, after })
}

fn process(step: &Step, kinds: &mut Vec<ChangeKind>) {
    match step.continuity {
        Continuity::Same => {}
        Continuity::StatsReset => kinds.push(ChangeKind::StatsReset),
        Continuity::OtherProcess => kinds.push(ChangeKind::OtherProcess),
        Continuity::Restart => {
            kinds.push(ChangeKind::Restart {
                keys_before: step.keys_before,
                keys_after: step.keys_after,
            });
        }
    }
}

fn replication(before: &Sample, after: &Sample, step: &Step, kinds: &mut Vec<ChangeKind>) {
    let (was, is) = (&before.replication, &after.replication);
    if was.role != is.role {
        kinds.push(ChangeKind::RoleChanged(was.role, is.role));
    } else if was.primary != is.primary {
        kinds.push(ChangeKind::PrimaryChanged(
            was.primary.clone(),
            is.primary.clone(),
        ));
    } else if was.replid != is.replid && step.continuity == Continuity::Same {
        kinds.push(ChangeKind::HistoryChanged);
    }
    match (was.link_up, is.link_up) {
        (Some(true), Some(false)) => kinds.push(ChangeKind::LinkDown),
        (Some(false), Some(true)) => kinds.push(ChangeKind::LinkUp),
        _ => {}
    }
    if let (Some(was), Some(is)) = (was.connected_replicas, is.connected_replicas) {
        match is.cmp(&was) {
            std::cmp::Ordering::Less => kinds.push(ChangeKind::ReplicasLeft(was - is)),
            std::cmp::Ordering::Greater => kinds.push(ChangeKind::ReplicasJoined(is - was)),
            std::cmp::Ordering::Equal => {}
        }
    }
    let full = step.counter(Counter::SyncFull).at_least();
    if full > 0 {
        kinds.push(ChangeKind::FullSyncs(full));
    }
}

fn flushes(step: &Step, kinds: &mut Vec<ChangeKind>) {
    for command in step.of(super::catalogue::Class::Flush) {
        let name = command.name.to_ascii_uppercase();
        if command.effective > 0 {
            kinds.push(ChangeKind::Flushed {
                command: name.clone(),
                calls: command.effective,
                keys_before: step.keys_before,
            });
        }
        if command.rejected + command.failed > 0 {
            kinds.push(ChangeKind::FlushDenied {
                command: name,
                calls: command.rejected + command.failed,
            });
        }
    }
}

fn settings(before: &Sample, after: &Sample, kinds: &mut Vec<ChangeKind>) {
    let limit = |limit: Limit| match limit {
        Limit::NotExposed => None,
        Limit::Unlimited => Some("0 (no limit)".to_owned()),
        Limit::Bytes(n) | Limit::Assumed(n) => Some(format::bytes(n)),
    };
    let on = |flag: Option<bool>| flag.map(|flag| if flag { "on" } else { "off" }.to_owned());
    let rows = [
        (
            "maxmemory",
            limit(before.memory.limit),
            limit(after.memory.limit),
        ),
        (
            "maxmemory_policy",
            before.memory.policy.clone(),
            after.memory.policy.clone(),
        ),
        (
            "aof_enabled",
            on(before.persistence.aof),
            on(after.persistence.aof),
        ),
        (
            "slave_read_only",
            on(before.replication.read_only),
            on(after.replication.read_only),
        ),
    ];
    for (field, was, is) in rows {
        if let (Some(before), Some(after)) = (was, is)
            && before != after
        {
            kinds.push(ChangeKind::Setting {
                field,
                before,
                after,
            });
        }
    }
}

fn disk(before: &Sample, after: &Sample, kinds: &mut Vec<ChangeKind>) {
    let (was, is) = (&before.persistence, &after.persistence);
    match (was.loading, is.loading) {
        (false, true) => kinds.push(ChangeKind::LoadingBegan),
        (true, false) => kinds.push(ChangeKind::LoadingEnded { keys: after.keys() }),
        _ => {}
    }
    for (what, was, is) in [
        ("rdb", was.last_save_ok, is.last_save_ok),
        ("aof", was.aof_write_ok, is.aof_write_ok),
    ] {
        match (was, is) {
            (Some(true), Some(false)) => kinds.push(ChangeKind::SaveFailing(what)),
            (Some(false), Some(true)) => kinds.push(ChangeKind::SaveRecovered(what)),
            _ => {}
        }
    }
}

impl Change {
    /// Wall-clock time of the change.
    pub fn at(&self) -> Timestamp {
        self.moment.at
    }
}
