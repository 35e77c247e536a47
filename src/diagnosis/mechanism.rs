//! The closed set of mechanisms: how, inside Redis, a cause takes keys.

use serde::{Serialize, Serializer};

use super::cause::{Cause, Cause as C};
use Mechanism as M;

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
    /// A replica was promoted while its link was down.
    Promotion,
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
    const COUNT: usize = 63;

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

/// Every mechanism in the order of the variants: id, cause, words.
const TABLE: [(Mechanism, &str, C, &str); Mechanism::COUNT] = [
    (M::TtlRanOut, "ttl-ran-out", C::Expiration, "TTLs ran out"),
    (
        M::TtlAdded,
        "ttl-added",
        C::Expiration,
        "a TTL was put on keys that had none",
    ),
    (
        M::ClockJump,
        "clock-jump",
        C::Expiration,
        "the server's clock jumped forward",
    ),
    (
        M::HashFieldTtl,
        "hash-field-ttl",
        C::Expiration,
        "hash field TTLs ran out",
    ),
    (
        M::ExpiredAtLoad,
        "expired-at-load",
        C::Expiration,
        "TTLs passed while the server was down",
    ),
    (
        M::MemoryFull,
        "memory-full",
        C::Eviction,
        "the data reached maxmemory",
    ),
    (
        M::ClientBuffers,
        "client-buffers",
        C::Eviction,
        "client buffers took the room",
    ),
    (
        M::ReplicaBuffers,
        "replica-buffers",
        C::Eviction,
        "replication buffers took the room",
    ),
    (
        M::MaxmemoryLowered,
        "maxmemory-lowered",
        C::Eviction,
        "maxmemory was lowered",
    ),
    (
        M::PolicyChanged,
        "policy-changed",
        C::Eviction,
        "the policy was changed",
    ),
    (M::ShardFull, "shard-full", C::Eviction, "one shard is full"),
    (M::Del, "del", C::Deletion, "DEL"),
    (M::Unlink, "unlink", C::Deletion, "UNLINK"),
    (M::Getdel, "getdel", C::Deletion, "GETDEL"),
    (
        M::ConditionalDelete,
        "conditional-delete",
        C::Deletion,
        "DELEX or DELIFEQ",
    ),
    (
        M::ModuleDelete,
        "module-delete",
        C::Deletion,
        "a module's delete command",
    ),
    (
        M::DroppedIndex,
        "dropped-index",
        C::Deletion,
        "a search index was dropped with its documents",
    ),
    (
        M::ScriptedDelete,
        "scripted-delete",
        C::Deletion,
        "deletes in a script",
    ),
    (
        M::TransactionDelete,
        "transaction-delete",
        C::Deletion,
        "deletes in a transaction",
    ),
    (
        M::EmptiedContainer,
        "emptied-container",
        C::Deletion,
        "containers lost their last element",
    ),
    (
        M::PastTtlExpire,
        "past-ttl-expire",
        C::Deletion,
        "EXPIRE with a time in the past",
    ),
    (
        M::Failover,
        "failover",
        C::Replication,
        "a replica took over",
    ),
    (
        M::Promotion,
        "promotion",
        C::Replication,
        "a replica was promoted with its link down",
    ),
    (
        M::FullResync,
        "full-resync",
        C::Replication,
        "the data was replaced by another server's",
    ),
    (
        M::Replicaof,
        "replicaof",
        C::Replication,
        "REPLICAOF on a primary",
    ),
    (
        M::StaleReads,
        "stale-reads",
        C::Replication,
        "the link is down",
    ),
    (
        M::ReplicaBehind,
        "replica-behind",
        C::Replication,
        "a replica lags",
    ),
    (
        M::ResyncLoop,
        "resync-loop",
        C::Replication,
        "full synchronisations over and over",
    ),
    (
        M::WritableReplica,
        "writable-replica",
        C::Replication,
        "the replica accepts writes",
    ),
    (M::Flushall, "flushall", C::Flush, "FLUSHALL"),
    (M::Flushdb, "flushdb", C::Flush, "FLUSHDB"),
    (
        M::ScriptedFlush,
        "scripted-flush",
        C::Flush,
        "a flush in a script",
    ),
    (
        M::TransactionFlush,
        "transaction-flush",
        C::Flush,
        "a flush in a transaction",
    ),
    (M::SlotFlush, "slot-flush", C::Flush, "slots were flushed"),
    (
        M::ControlPlaneFlush,
        "control-plane-flush",
        C::Flush,
        "the control plane: flush or import",
    ),
    (
        M::RestartEmpty,
        "restart-empty",
        C::InstanceFailure,
        "restarted without data",
    ),
    (
        M::RestartStaleRdb,
        "restart-stale-rdb",
        C::InstanceFailure,
        "restarted with an old RDB",
    ),
    (
        M::RestartTruncatedAof,
        "restart-truncated-aof",
        C::InstanceFailure,
        "restarted with an incomplete AOF",
    ),
    (
        M::OutOfMemoryKill,
        "out-of-memory-kill",
        C::InstanceFailure,
        "ended with the machine's memory used up",
    ),
    (
        M::ServerReplaced,
        "server-replaced",
        C::InstanceFailure,
        "another server answers here",
    ),
    (
        M::DebugReload,
        "debug-reload",
        C::InstanceFailure,
        "DEBUG RELOAD",
    ),
    (
        M::Unreachable,
        "unreachable",
        C::InstanceFailure,
        "no answer",
    ),
    (
        M::Loading,
        "loading",
        C::InstanceFailure,
        "a data set is being loaded",
    ),
    (
        M::SaveFailing,
        "save-failing",
        C::InstanceFailure,
        "saving to disk fails",
    ),
    (
        M::Unsaved,
        "unsaved",
        C::InstanceFailure,
        "writes are on no disk",
    ),
    (
        M::NoEviction,
        "no-eviction",
        C::RejectedWrites,
        "memory full under noeviction",
    ),
    (
        M::NothingEvictable,
        "nothing-evictable",
        C::RejectedWrites,
        "memory full and no key has a TTL",
    ),
    (
        M::SaveErrorRefusal,
        "save-error-refusal",
        C::RejectedWrites,
        "saving to disk fails",
    ),
    (
        M::ReadOnlyReplica,
        "read-only-replica",
        C::RejectedWrites,
        "writes sent to a replica",
    ),
    (
        M::TooFewReplicas,
        "too-few-replicas",
        C::RejectedWrites,
        "too few replicas",
    ),
    (
        M::PermissionDenied,
        "permission-denied",
        C::RejectedWrites,
        "the user may not write",
    ),
    (
        M::ClusterDown,
        "cluster-down",
        C::RejectedWrites,
        "the cluster is down",
    ),
    (M::Swapdb, "swapdb", C::Relocation, "SWAPDB"),
    (M::Move, "move", C::Relocation, "MOVE"),
    (M::Migrate, "migrate", C::Relocation, "MIGRATE"),
    (
        M::SlotMigration,
        "slot-migration",
        C::Relocation,
        "slots moved",
    ),
    (M::Rename, "rename", C::Overwrite, "RENAME onto a key"),
    (M::Restore, "restore", C::Overwrite, "RESTORE with REPLACE"),
    (M::Copy, "copy", C::Overwrite, "COPY with REPLACE"),
    (
        M::EmptyStore,
        "empty-store",
        C::Overwrite,
        "a *STORE with an empty result",
    ),
    (
        M::EvidenceReset,
        "evidence-reset",
        C::Unexplained,
        "the statistics were reset",
    ),
    (
        M::ReplicationStream,
        "replication-stream",
        C::Unexplained,
        "removed by the replication stream",
    ),
    (M::NoTrace, "no-trace", C::Unexplained, "no counter moved"),
];

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
