//! What filled the memory when keys were evicted.

use std::time::Duration;

use crate::diagnosis::mechanism::Mechanism;
use crate::model::{Counter, Memory, Moment, Packed, Step};

/// Evictions this long after the last belong to another episode: eviction comes in bursts.
const EPISODE: Duration = Duration::from_secs(10);
/// Buffers that grew by this share of the limit, and more than the data, took the room.
const BUFFER_SHARE: f64 = 0.05;
/// Client buffers are counted by a timer; this long after an eviction they must be in the figures.
const LATE: Duration = Duration::from_millis(1_500);
/// Below this share of the limit it is not the database that is full but a part of it.
const FULL: f64 = 0.95;

/// The state of memory before the evictions that go on.
#[derive(Default)]
pub(super) struct Pressure<'a> {
    /// The last reading without eviction.
    base: Option<&'a Packed>,
    /// The first and the last reading of the episode that showed evictions.
    since: Option<Moment>,
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

impl<'a> Pressure<'a> {
    pub(super) fn observe(&mut self, before: &'a Packed, step: &Step, after: &Packed) {
        let evicts = step.counter(Counter::EvictedKeys).at_least() > 0;
        let over = |last: Moment| step.to.since(last) > EPISODE;
        if self.last_eviction.is_some_and(over) {
            (self.last_eviction, self.setting) = (None, None);
        }
        if self.last_eviction.is_none() {
            self.base = Some(before);
        }
        if let Some(changed) = setting(before, after) {
            self.setting = Some((step.to, changed));
        } else if self.last_eviction.is_none() && self.setting.is_some_and(|(at, _)| over(at)) {
            self.setting = None;
        }
        if evicts {
            self.since = self.last_eviction.and(self.since).or(Some(step.to));
            self.last_eviction = Some(step.to);
        }
    }

    /// What pushed the keys out that were evicted up to this reading.
    pub(super) fn mechanism(&self, after: &Packed) -> Mechanism {
        if let Some((_, changed)) = self.setting {
            return changed;
        }
        let memory = after.memory();
        if after.product().is_enterprise() && memory.share().is_some_and(|share| share < FULL) {
            return Mechanism::ShardFull;
        }
        self.buffers(&memory).unwrap_or(Mechanism::MemoryFull)
    }

    /// The buffers that grew since before the evictions, where they took the room.
    fn buffers(&self, memory: &Memory) -> Option<Mechanism> {
        let limit = memory.limit.bytes()?;
        let base = Buffers::of(&self.base?.memory());
        let now = Buffers::of(memory);
        let clients = now.clients.saturating_sub(base.clients);
        let replicas = now.replicas.saturating_sub(base.replicas);
        let data = now.data.saturating_sub(base.data);
        let notable = |grown: u64| grown as f64 >= limit as f64 * BUFFER_SHARE && grown > data;
        if notable(clients) && clients >= replicas {
            Some(Mechanism::ClientBuffers)
        } else if notable(replicas) {
            Some(Mechanism::ReplicaBuffers)
        } else {
            None
        }
    }

    /// What a reading soon after the evictions tells of them, and since when they went on.
    pub(super) fn told_late(&self, after: &Packed) -> Option<(Moment, Mechanism)> {
        let (since, last) = (self.since?, self.last_eviction?);
        if self.setting.is_some() || after.moment.since(last) > LATE {
            return None;
        }
        Some((since, self.buffers(&after.memory())?))
    }
}

/// A setting that makes the server evict what it kept before.
fn setting(was: &Packed, is: &Packed) -> Option<Mechanism> {
    let lowered = match (was.limit().bytes(), is.limit().bytes()) {
        (Some(was), Some(is)) => is < was,
        (None, Some(_)) => was.limit() == crate::model::Limit::Unlimited,
        _ => false,
    };
    if lowered {
        return Some(Mechanism::MaxmemoryLowered);
    }
    let (was, is) = (was.policy(), is.policy());
    let changed = was.is_some() && is.is_some() && was != is;
    (changed && is != Some("noeviction")).then_some(Mechanism::PolicyChanged)
}
