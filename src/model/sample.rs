//! One answered poll, typed. Every field that a server may hide is an `Option`.

mod errors;
mod keyspace;
mod memory;
mod persistence;
mod replication;
mod server;

use std::time::Duration;

pub use keyspace::{Db, Keyspace};
pub use memory::{Limit, Memory};
pub use persistence::Persistence;
pub use replication::{ReplicaLine, Replication};
pub use server::Server;

use super::command::Commands;
use super::counter::Counter;
use super::node::Product;
use super::observation::Moment;
use super::unread::Unread;
use crate::info::Info;

/// What the user knows and the server hides (`--maxmemory`, `--eviction-policy`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assumptions {
    /// The limit in bytes.
    pub maxmemory_bytes: Option<u64>,
    /// The eviction policy, as Redis spells it.
    pub policy: Option<String>,
    /// The host that was dialled; tells Azure Managed Redis from other Redis Enterprise.
    pub host: String,
}

/// One `INFO` reply, understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// When the reply had arrived.
    pub moment: Moment,
    /// From the request to the whole reply.
    pub round_trip: Duration,
    /// Size of the reply in bytes.
    pub reply_bytes: u32,
    /// Who answered.
    pub server: Server,
    /// Memory gauges.
    pub memory: Memory,
    /// What a restart would find.
    pub persistence: Persistence,
    /// Role, replicas, offsets.
    pub replication: Replication,
    /// Databases.
    pub keyspace: Keyspace,
    /// The commandstats section; `None` where not exposed.
    pub commands: Option<Commands>,
    /// `errorstat_` prefixes and counts, sorted; `None` where not exposed (before 6.2, Redis
    /// Enterprise, Dragonfly).
    pub errors: Option<Vec<(String, u64)>>,
    /// What the reply says beside its fields.
    pub unread: Unread,
    counters: [Option<u64>; Counter::ALL.len()],
}

impl Sample {
    /// Understands a reply.
    pub fn new(
        moment: Moment,
        round_trip: Duration,
        info: &Info,
        assumptions: &Assumptions,
    ) -> Self {
        let mut counters = [None; Counter::ALL.len()];
        for (slot, counter) in counters.iter_mut().zip(Counter::ALL) {
            *slot = info.u64(counter.section(), counter.field());
        }
        Self {
            moment,
            round_trip,
            reply_bytes: u32::try_from(info.text().len()).unwrap_or(u32::MAX),
            server: Server::parse(info, &assumptions.host),
            memory: Memory::parse(info, assumptions),
            persistence: Persistence::parse(info),
            replication: Replication::parse(info),
            keyspace: Keyspace::parse(info),
            commands: Commands::parse(info),
            errors: errors::errors(info),
            unread: Unread::of(info),
            counters,
        }
    }

    /// A counter; `None` where not exposed.
    pub fn counter(&self, counter: Counter) -> Option<u64> {
        self.counters[counter as usize]
    }

    /// Keys in all databases.
    pub fn keys(&self) -> Option<u64> {
        self.keyspace.keys()
    }

    /// The product, [`Product::Unknown`] where nothing tells.
    pub fn product(&self) -> Product {
        self.server.product.unwrap_or(Product::Unknown)
    }

    /// Key counts are partial while a data set is being loaded.
    pub fn is_loading(&self) -> bool {
        self.persistence.loading
    }

    /// Takes memory that an earlier sample already holds.
    pub(super) fn share(&mut self, earlier: &Self) {
        if let (Some(mine), Some(known)) = (&mut self.commands, &earlier.commands) {
            mine.share_names(known);
        }
    }
}

/// What a sample consists of, for [`Packed`](super::packed::Packed).
impl Sample {
    /// Every number that is there, always in an order that only the rest of the sample decides:
    /// databases, then memory, then replication, then all others.
    pub(super) fn numbers(&mut self, visit: &mut dyn FnMut(&mut u64)) {
        self.keyspace
            .dbs
            .iter_mut()
            .for_each(|db| db.numbers(visit));
        self.memory.numbers(visit);
        self.replication.numbers(visit);
        self.server.numbers(visit);
        self.persistence.numbers(visit);
        self.counters.iter_mut().flatten().for_each(&mut *visit);
        if let Ok(mut nanos) = u64::try_from(self.round_trip.as_nanos()) {
            visit(&mut nanos);
            self.round_trip = Duration::from_nanos(nanos);
        }
        let mut bytes = self.reply_bytes.into();
        visit(&mut bytes);
        self.reply_bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        for (_, count) in self.errors.iter_mut().flatten() {
            visit(count);
        }
        if let Some(commands) = &mut self.commands {
            commands.numbers(visit);
        }
    }
}
