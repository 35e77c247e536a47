//! Role, replicas, offsets.

use crate::info::{Composite, Info};
use crate::model::node::Role;
use crate::model::text::inert;

/// Lines of replicas that are kept at most.
const MOST_REPLICAS: usize = 1_024;

/// Replication as this node sees it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Replication {
    /// Primary or replica.
    pub role: Role,
    /// Replicas connected, those still synchronising included. `connected_slaves` counts the channels
    /// of slot migrations too (Redis 8.4+), which have no `slaveN` line.
    pub connected_replicas: Option<u64>,
    /// One line a replica; on Redis Enterprise none, or a placeholder.
    pub replicas: Vec<ReplicaLine>,
    /// Id of the replication history.
    pub replid: Option<String>,
    /// Id of the history before the last promotion or restart; `None` also for forty zeros.
    pub replid2: Option<String>,
    /// Bytes of the replication stream so far.
    pub offset: Option<u64>,
    /// First offset that is not part of `replid2`'s history.
    pub second_offset: Option<u64>,
    /// The backlog exists.
    pub backlog_active: Option<bool>,
    /// Size of the backlog in bytes.
    pub backlog_size_bytes: Option<u64>,
    /// Bytes in the backlog now.
    pub backlog_used_bytes: Option<u64>,
    /// Replicas that satisfy `min-replicas-to-write`; absent when that is off.
    pub good_replicas: Option<u64>,
    /// On a replica: its primary, `host:port`, inert.
    pub primary: Option<String>,
    /// On a replica: the link is up.
    pub link_up: Option<bool>,
    /// On a replica: seconds since the link went down.
    pub link_down_s: Option<u64>,
    /// On a replica: seconds since the primary was last heard.
    pub last_io_s: Option<u64>,
    /// On a replica: a full synchronisation runs.
    pub syncing: Option<bool>,
    /// On a replica: bytes of the stream received.
    pub received_offset: Option<u64>,
    /// On a replica: bytes of the stream applied.
    pub applied_offset: Option<u64>,
    /// On a replica: writes are refused.
    pub read_only: Option<bool>,
    /// `master_failover_state`, when not `no-failover` (6.2+).
    pub failover: Option<String>,
}

/// One `slaveN:` line of a primary.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplicaLine {
    /// `ip:port` as announced, inert.
    pub address: String,
    /// `online`, `send_bulk`, `wait_bgsave`, …
    pub state: String,
    /// Last acknowledged offset; acknowledgements come about once a second.
    pub offset: Option<u64>,
    /// Seconds since the last acknowledgement. Not seconds behind.
    pub ack_age_s: Option<u64>,
}

impl ReplicaLine {
    /// Bytes of the stream that this replica has not acknowledged.
    pub fn behind_bytes(&self, primary_offset: Option<u64>) -> Option<u64> {
        Some(primary_offset?.saturating_sub(self.offset?))
    }

    /// Whether it receives the stream.
    pub fn is_online(&self) -> bool {
        self.state == "online"
    }
}

impl Replication {
    /// Its numbers, those that are there, in an order that only the replicas decide.
    pub(in crate::model) fn numbers(&mut self, visit: &mut dyn FnMut(&mut u64)) {
        let told = [
            &mut self.connected_replicas,
            &mut self.offset,
            &mut self.second_offset,
            &mut self.backlog_size_bytes,
            &mut self.backlog_used_bytes,
            &mut self.good_replicas,
            &mut self.link_down_s,
            &mut self.last_io_s,
            &mut self.received_offset,
            &mut self.applied_offset,
        ];
        told.into_iter().flatten().for_each(&mut *visit);
        for line in &mut self.replicas {
            let told = [&mut line.offset, &mut line.ack_age_s];
            told.into_iter().flatten().for_each(&mut *visit);
        }
    }

    /// What its replicas take of the memory, about.
    pub(in crate::model) fn bytes(&self) -> usize {
        let text = |line: &ReplicaLine| line.address.len() + line.state.len();
        let texts: usize = self.replicas.iter().map(text).sum();
        size_of_val(&*self.replicas) + texts
    }

    /// Reads the replication section.
    pub fn parse(info: &Info) -> Self {
        let number = |name| info.u64("Replication", name);
        let text = |name: &str| info.get("Replication", name).map(|value| inert(value, 128));
        let primary = text("master_host").map(|host| {
            format!(
                "{host}:{}",
                text("master_port").unwrap_or_else(|| "?".into())
            )
        });
        let lines = info.section("Replication");
        let lines: Vec<_> = lines.filter(|(name, _)| is_replica_line(name)).collect();
        let replicas = lines
            .iter()
            .take(MOST_REPLICAS)
            .filter_map(|(_, value)| ReplicaLine::parse(value));
        let connected = number("connected_slaves");
        Self {
            role: Role::detect(info),
            connected_replicas: connected.map(|told| told.min(lines.len() as u64)),
            replicas: replicas.collect(),
            replid: text("master_replid"),
            replid2: text("master_replid2").filter(|id| id.bytes().any(|b| b != b'0')),
            offset: number("master_repl_offset"),
            second_offset: number("second_repl_offset"),
            backlog_active: info.flag("Replication", "repl_backlog_active"),
            backlog_size_bytes: number("repl_backlog_size"),
            backlog_used_bytes: number("repl_backlog_histlen"),
            good_replicas: number("min_slaves_good_slaves"),
            primary,
            link_up: info
                .get("Replication", "master_link_status")
                .map(|status| status == "up"),
            link_down_s: number("master_link_down_since_seconds"),
            last_io_s: number("master_last_io_seconds_ago"),
            syncing: info.flag("Replication", "master_sync_in_progress"),
            received_offset: number("slave_read_repl_offset"),
            applied_offset: number("slave_repl_offset"),
            read_only: info.flag("Replication", "slave_read_only"),
            failover: text("master_failover_state").filter(|state| state != "no-failover"),
        }
    }
}

fn is_replica_line(name: &str) -> bool {
    name.strip_prefix("slave")
        .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

impl ReplicaLine {
    pub(super) fn parse(value: &str) -> Option<Self> {
        let value = Composite::new(value);
        Some(Self {
            address: inert(&format!("{}:{}", value.get("ip")?, value.get("port")?), 128),
            state: inert(value.get("state")?, 32),
            offset: value.u64("offset"),
            ack_age_s: value.u64("lag"),
        })
    }
}
