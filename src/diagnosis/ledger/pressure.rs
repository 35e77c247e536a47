//! What filled the memory when keys were evicted.

use std::time::Duration;

use crate::diagnosis::mechanism::Mechanism;
use crate::model::{Counter, Memory, Moment, Sample, Step};

/// Evictions this long after the last belong to another episode: eviction comes in bursts.
const EPISODE: Duration = Duration::from_secs(10);
/// Buffers that grew by this share of the limit, and more than the data, took the room.
const BUFFER_SHARE: f64 = 0.05;
/// Below this share of the limit it is not the database that is full but a part of it.
const FULL: f64 = 0.95;

/// The state of memory before the evictions that go on.
#[derive(Default)]
pub(super) struct Pressure {
    /// The last reading without eviction.
    base: Option<Buffers>,
    last_eviction: Option<Moment>,
    /// A setting that was changed shortly before or during the episode.
    setting: Option<(Moment, Mechanism)>,
}

/// Bytes that are not data.
#[derive(Clone, Copy)]
struct Buffers {
    clients: u64,
    replicas: u64,
    data: u64,
}

impl Buffers {
    fn of(memory: &Memory) -> Self {
        let backlog = memory
            .backlog_bytes
            .unwrap_or(0)
            .max(memory.replicas_bytes.unwrap_or(0));
        Self {
            clients: memory.clients_bytes.unwrap_or(0),
            replicas: backlog.saturating_sub(memory.not_counted_bytes.unwrap_or(0)),
            data: memory.dataset_bytes.unwrap_or(0),
        }
    }
}

impl Pressure {
    pub(super) fn observe(&mut self, before: &Sample, step: &Step, after: &Sample) {
        let evicts = step.counter(Counter::EvictedKeys).at_least() > 0;
        let over = |last: Moment| step.to.since(last) > EPISODE;
        if self.last_eviction.is_some_and(over) {
            (self.last_eviction, self.setting) = (None, None);
        }
        if self.last_eviction.is_none() {
            self.base = Some(Buffers::of(&before.memory));
        }
        if let Some(changed) = setting(&before.memory, &after.memory) {
            self.setting = Some((step.to, changed));
        } else if self.last_eviction.is_none() && self.setting.is_some_and(|(at, _)| over(at)) {
            self.setting = None;
        }
        if evicts {
            self.last_eviction = Some(step.to);
        }
    }

    /// What pushed the keys out that were evicted up to this reading.
    pub(super) fn mechanism(&self, after: &Sample) -> Mechanism {
        if let Some((_, changed)) = self.setting {
            return changed;
        }
        let memory = &after.memory;
        if after.product().is_enterprise() && memory.share().is_some_and(|share| share < FULL) {
            return Mechanism::ShardFull;
        }
        let (Some(base), Some(limit)) = (self.base, memory.limit.bytes()) else {
            return Mechanism::MemoryFull;
        };
        let now = Buffers::of(memory);
        let clients = now.clients.saturating_sub(base.clients);
        let replicas = now.replicas.saturating_sub(base.replicas);
        let data = now.data.saturating_sub(base.data);
        let notable = |grown: u64| grown as f64 >= limit as f64 * BUFFER_SHARE && grown > data;
        if notable(clients) && clients >= replicas {
            Mechanism::ClientBuffers
        } else if notable(replicas) {
            Mechanism::ReplicaBuffers
        } else {
            Mechanism::MemoryFull
        }
    }
}

/// A setting that makes the server evict what it kept before.
fn setting(was: &Memory, is: &Memory) -> Option<Mechanism> {
    let lowered = match (was.limit.bytes(), is.limit.bytes()) {
        (Some(was), Some(is)) => is < was,
        (None, Some(_)) => was.limit == crate::model::Limit::Unlimited,
        _ => false,
    };
    if lowered {
        return Some(Mechanism::MaxmemoryLowered);
    }
    let changed = was.policy.is_some() && is.policy.is_some() && was.policy != is.policy;
    (changed && is.policy.as_deref() != Some("noeviction")).then_some(Mechanism::PolicyChanged)
}
