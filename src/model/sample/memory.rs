//! Memory gauges and the limit that they are compared with.

use super::Assumptions;
use crate::info::Info;
use crate::model::text::inert;

/// Memory gauges, bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// Allocator bytes: data, buffers, overhead. Compared with the limit.
    pub used_bytes: Option<u64>,
    /// Resident set. Not what eviction looks at.
    pub rss_bytes: Option<u64>,
    /// Highest `used_bytes` since start.
    pub peak_bytes: Option<u64>,
    /// Unix seconds at which the peak was reached (Redis 8.2+).
    pub peak_at_s: Option<u64>,
    /// Estimated data (`used - overhead`).
    pub dataset_bytes: Option<u64>,
    /// Buffers of ordinary clients.
    pub clients_bytes: Option<u64>,
    /// Buffers of replicas.
    pub replicas_bytes: Option<u64>,
    /// Replication backlog.
    pub backlog_bytes: Option<u64>,
    /// AOF buffer.
    pub aof_buffer_bytes: Option<u64>,
    /// Part of `used_bytes` that eviction does not count (replica and AOF buffers).
    pub not_counted_bytes: Option<u64>,
    /// Memory of the machine.
    pub system_bytes: Option<u64>,
    /// The limit and where it is known from.
    pub limit: Limit,
    /// Eviction policy; with `policy_assumed` from the command line.
    pub policy: Option<String>,
    /// The policy is the user's word, not the server's.
    pub policy_assumed: bool,
    /// Milliseconds that the limit has been exceeded without a break (7.0+).
    pub exceeded_now_ms: Option<u64>,
}

/// The memory limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Limit {
    /// The server does not tell and the user gave none.
    #[default]
    NotExposed,
    /// `maxmemory:0`: no limit, hence no eviction.
    Unlimited,
    /// The server's own limit in bytes.
    Bytes(u64),
    /// The user's word in bytes (`--maxmemory`).
    Assumed(u64),
}

impl Limit {
    /// The limit in bytes where there is one.
    pub fn bytes(self) -> Option<u64> {
        match self {
            Self::Bytes(n) | Self::Assumed(n) => Some(n),
            Self::NotExposed | Self::Unlimited => None,
        }
    }
}

impl Memory {
    /// Bytes that eviction compares with the limit.
    pub fn counted_bytes(&self) -> Option<u64> {
        Some(
            self.used_bytes?
                .saturating_sub(self.not_counted_bytes.unwrap_or(0)),
        )
    }

    /// Counted bytes as a share of the limit, 1.0 = full.
    pub fn share(&self) -> Option<f64> {
        let limit = self.limit.bytes().filter(|limit| *limit > 0)?;
        Some(self.counted_bytes()? as f64 / limit as f64)
    }

    /// Buffers and scripts: what is used and is not data.
    pub fn buffers_bytes(&self) -> Option<u64> {
        let parts = [
            self.clients_bytes,
            self.replicas_bytes,
            self.backlog_bytes,
            self.aof_buffer_bytes,
        ];
        parts
            .iter()
            .any(Option::is_some)
            .then(|| parts.into_iter().flatten().sum())
    }
}

impl Memory {
    /// Its numbers, those that are there, always in this order. The limit is a setting, no reading.
    pub(in crate::model) fn numbers(&mut self, visit: &mut dyn FnMut(&mut u64)) {
        let told = [
            &mut self.used_bytes,
            &mut self.rss_bytes,
            &mut self.peak_bytes,
            &mut self.peak_at_s,
            &mut self.dataset_bytes,
            &mut self.clients_bytes,
            &mut self.replicas_bytes,
            &mut self.backlog_bytes,
            &mut self.aof_buffer_bytes,
            &mut self.not_counted_bytes,
            &mut self.exceeded_now_ms,
        ];
        told.into_iter().flatten().for_each(visit);
    }

    pub(super) fn parse(info: &Info, assumptions: &Assumptions) -> Self {
        let bytes = |name| info.u64("Memory", name);
        let policy = info
            .get("Memory", "maxmemory_policy")
            .map(|policy| inert(policy, 32));
        Self {
            used_bytes: bytes("used_memory"),
            rss_bytes: bytes("used_memory_rss"),
            peak_bytes: bytes("used_memory_peak"),
            peak_at_s: bytes("used_memory_peak_time").filter(|at| *at > 0),
            dataset_bytes: bytes("used_memory_dataset"),
            clients_bytes: bytes("mem_clients_normal"),
            replicas_bytes: bytes("mem_clients_slaves"),
            backlog_bytes: bytes("mem_replication_backlog"),
            aof_buffer_bytes: bytes("mem_aof_buffer"),
            not_counted_bytes: bytes("mem_not_counted_for_evict"),
            system_bytes: bytes("total_system_memory"),
            limit: match (bytes("maxmemory"), assumptions.maxmemory_bytes) {
                (Some(0), _) => Limit::Unlimited,
                (Some(n), _) if n > 0 => Limit::Bytes(n),
                (_, Some(n)) => Limit::Assumed(n),
                _ => Limit::NotExposed,
            },
            policy_assumed: policy.is_none() && assumptions.policy.is_some(),
            policy: policy.or_else(|| assumptions.policy.clone()),
            exceeded_now_ms: info.u64("Stats", "current_eviction_exceeded_time"),
        }
    }
}
