//! The closed set of mechanisms: how, inside Redis, a cause takes keys.

mod table;

use serde::{Serialize, Serializer};

use super::cause::Cause;
use table::TABLE;

/// How a cause took keys. The ids are stable: they appear in JSON and in the scenario files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mechanism {
    /// TTLs that keys were written with ran out.
    TtlRanOut,
    /// Keys that existed without a TTL were given one, which ran out.
    TtlAdded,
    /// The server's clock jumped forward and took TTLs along.
    ClockJump,
    /// The TTL of the last field of a hash ran out (Redis 7.4+, Valkey 9+).
    HashFieldTtl,
    /// TTLs passed while the server was down; the keys were dropped at load.
    ExpiredAtLoad,
    /// The data reached `maxmemory`.
    MemoryFull,
    /// Buffers of ordinary clients pushed data out.
    ClientBuffers,
    /// The replication backlog or replica buffers pushed data out.
    ReplicaBuffers,
    /// `maxmemory` was lowered below what was used.
    MaxmemoryLowered,
    /// `maxmemory_policy` was changed to one that evicts.
    PolicyChanged,
    /// One shard behind the proxy is full while the database has room.
    ShardFull,
    /// `DEL`.
    Del,
    /// `UNLINK`.
    Unlink,
    /// `GETDEL`.
    Getdel,
    /// `DELEX` (Redis 8.4), `DELIFEQ` (Valkey 9).
    ConditionalDelete,
    /// `JSON.DEL`, `JSON.FORGET`, `TS.DEL` and other module commands.
    ModuleDelete,
    /// `FT.DROPINDEX … DD`, which deletes every indexed document.
    DroppedIndex,
    /// Deletes inside `EVAL`, `EVALSHA` or `FCALL`.
    ScriptedDelete,
    /// Deletes inside `MULTI`/`EXEC`.
    TransactionDelete,
    /// The last element of a container was taken, and the key with it.
    EmptiedContainer,
    /// `EXPIRE` and its kin with a time in the past.
    PastTtlExpire,
    /// A replica that was behind became primary.
    Failover,
    /// A replica was promoted beside its primary, or while its link was down.
    Promotion,
    /// Two primaries of the same data took writes at once.
    SplitBrain,
    /// A full synchronisation replaced the data by another server's.
    FullResync,
    /// `REPLICAOF` was run on a primary.
    Replicaof,
    /// The link to the primary is down: what is read here is old.
    StaleReads,
    /// A replica lags behind, is silent, or has no data yet.
    ReplicaBehind,
    /// Replicas were given the whole data set again and again.
    ResyncLoop,
    /// A replica that is not behind lacks keys of its primary.
    ReplicaDiverged,
    /// The link of a replica breaks again and again, and it catches up each time.
    LinkFlapping,
    /// The replica accepts writes, which the next full synchronisation discards.
    WritableReplica,
    /// `FLUSHALL`.
    Flushall,
    /// `FLUSHDB`.
    Flushdb,
    /// A flush inside a script or function.
    ScriptedFlush,
    /// A flush inside `MULTI`/`EXEC`.
    TransactionFlush,
    /// Slots were flushed: `SFLUSH` (Redis 8), `CLUSTER FLUSHSLOT` (Valkey 9).
    SlotFlush,
    /// Everything went and no command was counted: the control plane.
    ControlPlaneFlush,
    /// A new process came up without data.
    RestartEmpty,
    /// A new process came up with an old RDB.
    RestartStaleRdb,
    /// A new process came up with an append-only file that lacks its end.
    RestartTruncatedAof,
    /// The process ended while memory was nearly used up.
    OutOfMemoryKill,
    /// Another server answers at this address.
    ServerReplaced,
    /// `DEBUG RELOAD` or `DEBUG LOADAOF` replaced the data by what is on disk.
    DebugReload,
    /// The server does not answer.
    Unreachable,
    /// Slots of a cluster that no working node holds.
    SlotsUnreached,
    /// A data set is being loaded.
    Loading,
    /// Saving to disk fails.
    SaveFailing,
    /// Nothing is on disk that a restart could bring back.
    Unsaved,
    /// Writes refused with `OOM` under `noeviction`.
    NoEviction,
    /// Writes refused with `OOM` because a volatile policy finds no key with a TTL.
    NothingEvictable,
    /// Writes refused with `MISCONF`, because saving to disk fails.
    SaveErrorRefusal,
    /// Writes refused with `READONLY`, on a replica.
    ReadOnlyReplica,
    /// Writes refused with `NOREPLICAS`.
    TooFewReplicas,
    /// Writes refused with `NOPERM`.
    PermissionDenied,
    /// Writes refused with `CLUSTERDOWN`.
    ClusterDown,
    /// `SWAPDB`.
    Swapdb,
    /// `MOVE`.
    Move,
    /// `MIGRATE`.
    Migrate,
    /// Slots were moved to another node.
    SlotMigration,
    /// `RENAME` onto a key that existed.
    Rename,
    /// `RESTORE … REPLACE`.
    Restore,
    /// `COPY … REPLACE`.
    Copy,
    /// A `*STORE` or `SORT … STORE` command with an empty result deleted its destination.
    EmptyStore,
    /// The statistics were reset while keys went.
    EvidenceReset,
    /// The replication stream removed them; the primary knows why.
    ReplicationStream,
    /// No counter moved.
    NoTrace,
}

impl Mechanism {
    /// How many there are.
    const COUNT: usize = 67;

    /// All mechanisms, by cause.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.0)
    }

    /// The stable id.
    pub fn id(self) -> &'static str {
        self.row().1
    }

    /// The cause that it belongs to.
    pub fn cause(self) -> Cause {
        self.row().2
    }

    /// A few words for a panel.
    pub fn words(self) -> &'static str {
        self.row().3
    }

    fn row(self) -> (Self, &'static str, Cause, &'static str) {
        TABLE[self as usize]
    }
}

impl Serialize for Mechanism {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_mechanism_stands_at_its_place_under_an_id_of_its_own() {
        let in_place = |(place, row): (usize, &(Mechanism, _, _, _))| row.0 as usize == place;
        assert!(TABLE.iter().enumerate().all(in_place));
        let ids: HashSet<&str> = Mechanism::all().map(Mechanism::id).collect();
        assert_eq!(ids.len(), Mechanism::COUNT);
        assert!(
            ids.iter()
                .all(|id| id.bytes().all(|b| b == b'-' || b.is_ascii_lowercase()))
        );
    }
}
