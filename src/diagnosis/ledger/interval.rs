//! What one countable reading to the next showed.
//!
//! While a data set is being loaded the counts are partial, so the steps of a load are one
//! interval.

use crate::diagnosis::mechanism::Mechanism;
use crate::model::{
    Class, CommandDelta, Continuity, Counter, Moment, Packed, Product, Role, Sample, Step,
};

use super::suspects::{Calls, Pace};
use super::wrap::Wrap;

/// What happened between two readings.
#[derive(Default)]
pub(super) struct Interval {
    pub(super) from: Option<Moment>,
    pub(super) seconds: f64,
    pub(super) expired: u64,
    pub(super) evicted: u64,
    pub(super) counts: Counts,
    pub(super) lazyfreed: u64,
    pub(super) calls: Calls,
    /// `None` where a command ran that creates any number of keys.
    pub(super) creations: Creations,
    pub(super) flush: Flush,
    pub(super) restores: u64,
    pub(super) copies: u64,
    pub(super) swaps: u64,
    pub(super) moves: u64,
    pub(super) dbs_fell: Vec<(u64, u64)>,
    pub(super) db_falls: u64,
    pub(super) db_rises: u64,
    /// Rises of databases other than the one with most keys.
    pub(super) side_rises: u64,
    /// How the process that held the keys was lost, when it was.
    pub(super) process: Option<Process>,
    pub(super) resync: Option<Mechanism>,
    /// The server pushed that a database was emptied.
    pub(super) pushed: bool,
    pub(super) slots: SlotWork,
    /// No key was left at its end.
    is_empty: bool,
    pub(super) replica: bool,
}

/// How much the counters of an interval tell.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Counts {
    /// All that happened.
    #[default]
    Whole,
    /// A new process counts: what the old one counted last is not known.
    OfNewProcess,
    /// `CONFIG RESETSTAT` wiped what had been counted since the reading before.
    Wiped,
}

impl Counts {
    fn of(continuity: Continuity) -> Self {
        match continuity {
            Continuity::Same => Self::Whole,
            Continuity::Restart | Continuity::OtherProcess => Self::OfNewProcess,
            Continuity::StatsReset => Self::Wiped,
        }
    }
}

/// How many keys can have been created.
#[derive(Clone, Copy)]
pub(super) struct Creations(pub(super) Option<u64>);

impl Default for Creations {
    fn default() -> Self {
        Self(Some(0))
    }
}

impl Creations {
    fn add(&mut self, created: Option<u64>) {
        self.0 = self.0.zip(created).map(|(all, n)| all.saturating_add(n));
    }
}

/// Commands by which nodes of a cluster hand slots on, which no client sends.
#[derive(Default)]
pub(super) struct SlotWork {
    /// A migration was at work, from or to this node.
    pub(super) migrates: bool,
    /// On a replica: its primary had it drop the keys of slots that it gave away (Redis).
    pub(super) trims: bool,
}

/// Flushes that ran.
#[derive(Default)]
pub(super) struct Flush {
    pub(super) calls: u64,
    pub(super) all: bool,
    pub(super) db: bool,
}

/// Databases that were flushed.
pub(super) struct Emptied {
    /// Keys in them before.
    pub(super) keys: u64,
    /// By how much they fell.
    pub(super) fell: u64,
    /// By how much the other databases fell that did.
    pub(super) others: u64,
}

/// A new process.
pub(super) struct Process {
    pub(super) mechanism: Mechanism,
    /// Keys that it read from an RDB; `None` where unknown or where an AOF was read.
    pub(super) loaded: Option<u64>,
    /// Keys that it dropped at load because their TTL had passed.
    pub(super) loaded_expired: u64,
}

/// From this share of the machine's memory on, the out-of-memory killer is near.
const MACHINE_FULL: f64 = 0.85;

impl Interval {
    pub(super) fn add(&mut self, before: &Packed, step: &Step, after: &Packed) {
        self.from.get_or_insert(step.from);
        self.seconds += step.seconds();
        self.replica |= step.role_before == Role::Replica || step.role_after == Role::Replica;
        if !self.replica {
            let grew = |counter| step.counter(counter).at_least();
            more(&mut self.expired, grew(Counter::ExpiredKeys));
            more(&mut self.evicted, grew(Counter::EvictedKeys));
            self.calls.hash_fields(
                grew(Counter::ExpiredSubkeys).saturating_add(grew(Counter::ExpiredFields)),
            );
        }
        self.counts = self.counts.max(Counts::of(step.continuity));
        self.pushed |= step.emptied().is_some();
        if after.is_cluster() == Some(true) {
            let ran = |name| step.effective(name) > 0;
            self.slots.migrates |= ran("cluster|syncslots") || ran("cluster|migrateslots");
            self.slots.trims |= ran("trimslots");
        }
        self.is_empty = step.keys_after == Some(0);
        more(
            &mut self.lazyfreed,
            step.counter(Counter::LazyfreedObjects).at_least(),
        );
        step.commands
            .classed()
            .for_each(|command| self.command(command));
        self.creations.add(step.commands.creations());
        if !after.has_commands() {
            self.creations.0 = None;
        }
        self.databases(step, after);
        self.process_changed(before, step, after);
        self.resync = self.resync.or_else(|| resync(step));
    }

    fn command(&mut self, command: CommandDelta<'_>) {
        let calls = command.effective;
        let Some(class) = command.class.filter(|_| calls > 0) else {
            return;
        };
        let name = command.name;
        if class == Class::Flush {
            more(&mut self.flush.calls, calls);
            self.flush.all |= name == "flushall";
            self.flush.db |= name == "flushdb";
        }
        // Names are compared only where one of these can stand.
        match name {
            _ if !matches!(class, Class::Overwrite | Class::Move) => {}
            "restore" => more(&mut self.restores, calls),
            "copy" => more(&mut self.copies, calls),
            "swapdb" => more(&mut self.swaps, calls),
            "move" => more(&mut self.moves, calls),
            _ => {}
        }
        if let Some(place) = command.place {
            self.calls.add_at(place, calls);
        }
    }

    fn databases(&mut self, step: &Step, after: &Packed) {
        if step.dbs.is_empty() {
            return;
        }
        let keyspace = after.keyspace();
        let main = keyspace.dbs.iter().max_by_key(|db| db.keys);
        for db in &step.dbs {
            if db.fall() > 0 {
                self.dbs_fell.push((db.before, db.after));
            }
            more(&mut self.db_falls, db.fall());
            more(&mut self.db_rises, db.rise());
            if main.is_none_or(|main| main.index != db.index) {
                more(&mut self.side_rises, db.rise());
            }
        }
    }

    /// How databases were emptied: by commands that were counted, or by the server's word alone.
    pub(super) fn flushed_by(&self, product: Product, pace: &Pace) -> Option<Mechanism> {
        let told = self.pushed
            && !self.replica
            && self.process.is_none()
            && !self.calls.ran(Mechanism::DebugReload);
        if self.flush.calls == 0 && !told {
            return None;
        }
        Some(match pace.wrap(&self.calls, self.seconds) {
            _ if self.flush.calls == 0 && product.is_enterprise() => Mechanism::ControlPlaneFlush,
            Wrap::Script => Mechanism::ScriptedFlush,
            Wrap::Transaction => Mechanism::TransactionFlush,
            Wrap::Nothing if self.flush.all => Mechanism::Flushall,
            Wrap::Nothing if self.flush.db => Mechanism::Flushdb,
            Wrap::Nothing if self.flush.calls > 0 => Mechanism::SlotFlush,
            Wrap::Nothing if self.is_empty => Mechanism::Flushall,
            Wrap::Nothing => Mechanism::Flushdb,
        })
    }

    /// By how much every database fell that did.
    pub(super) fn falls(&self) -> impl Iterator<Item = u64> {
        self.dbs_fell.iter().map(|(was, is)| was - is)
    }

    /// The databases that the flushes of one database each emptied: those that collapsed most, one
    /// a flush.
    pub(super) fn emptied(&self) -> Emptied {
        let mut fell: Vec<(u64, u64)> = self.dbs_fell.clone();
        // By the share that is left, the largest database first among equals.
        fell.sort_by(|a, b| {
            let left = |(was, is): &(u64, u64)| *is as f64 / (*was).max(1) as f64;
            left(a).total_cmp(&left(b)).then(b.0.cmp(&a.0))
        });
        let flushes = usize::try_from(self.flush.calls.max(1)).unwrap_or(usize::MAX);
        let collapsed = |(was, is): &&(u64, u64)| is.saturating_mul(2) <= *was;
        let count = fell.iter().take(flushes).take_while(collapsed).count();
        let (emptied, others) = fell.split_at(count);
        let sum = |rows: &[(u64, u64)], keys: fn(&(u64, u64)) -> u64| {
            rows.iter().map(keys).fold(0, u64::saturating_add)
        };
        Emptied {
            keys: sum(emptied, |(was, _)| *was),
            fell: sum(emptied, |(was, is)| was - is),
            others: sum(others, |(was, is)| was - is),
        }
    }

    fn process_changed(&mut self, before: &Packed, step: &Step, after: &Packed) {
        let mechanism = match step.continuity {
            Continuity::Same | Continuity::StatsReset => return self.loaded_on(after),
            Continuity::Restart => restart(&before.sample(), &after.sample()),
            Continuity::OtherProcess if is_failover(step) => Mechanism::Failover,
            Continuity::OtherProcess => Mechanism::ServerReplaced,
        };
        self.process = Some(Process {
            mechanism,
            loaded: None,
            loaded_expired: 0,
        });
        self.loaded_on(after);
    }

    /// What the new process has read from disk; known when its load has ended.
    fn loaded_on(&mut self, after: &Packed) {
        let Some(process) = &mut self.process else {
            return;
        };
        let after = after.sample();
        let others = [Mechanism::ServerReplaced, Mechanism::Failover];
        if after.is_loading() || others.contains(&process.mechanism) {
            return;
        }
        let disk = &after.persistence;
        process.loaded_expired = disk.loaded_expired_keys.unwrap_or(0);
        // `rdb_last_load_keys_loaded` tells nothing of what an AOF held.
        let from_rdb = disk.aof == Some(false) && after.replication.role == Role::Primary;
        process.loaded = disk.loaded_keys.filter(|_| from_rdb);
        // Before Redis 7 nothing tells what was loaded, but all keys may have been written since.
        let keys = after.keys().unwrap_or(0);
        let written_since = self.creations.0.is_none_or(|created| created >= keys);
        if process.mechanism == Mechanism::RestartEmpty
            && process.loaded != Some(0)
            && !(disk.loaded_keys.is_none() && written_since)
            && keys > 0
        {
            process.mechanism = Mechanism::RestartStaleRdb;
        }
    }
}

/// How a restart lost what it lost, by what was on disk.
fn restart(before: &Sample, after: &Sample) -> Mechanism {
    let (memory, disk) = (&before.memory, &after.persistence);
    let machine = memory.rss_bytes.zip(memory.system_bytes);
    if machine.is_some_and(|(rss, all)| all > 0 && rss as f64 >= all as f64 * MACHINE_FULL) {
        Mechanism::OutOfMemoryKill
    } else if disk.aof == Some(true) && before.persistence.aof == Some(true) {
        Mechanism::RestartTruncatedAof
    } else if after.is_loading() || disk.loaded_keys.is_some_and(|keys| keys > 0) {
        Mechanism::RestartStaleRdb
    } else {
        Mechanism::RestartEmpty
    }
}

/// A server that continues the history of the one before it: `master_replid2` is the old id.
pub(in crate::diagnosis) fn is_failover(step: &Step) -> bool {
    step.replication()
        .is_some_and(|(was, is)| was.replid.is_some() && was.replid == is.replid2)
}

/// A data set that was replaced by another server's: the history changed and the applied offset
/// went back, or a primary became a replica.
fn resync(step: &Step) -> Option<Mechanism> {
    let (was, is) = step.replication()?;
    match (was.role, is.role) {
        (Role::Primary, Role::Replica) => Some(Mechanism::Replicaof),
        (Role::Replica, Role::Replica) if was.replid != is.replid && was.replid != is.replid2 => {
            Some(Mechanism::FullResync)
        }
        _ => None,
    }
}

/// Adds without overflow: a hostile server may claim anything.
pub(super) fn more(total: &mut u64, n: u64) {
    *total = total.saturating_add(n);
}
