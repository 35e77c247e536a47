//! The closed set of mechanisms: how, inside Redis, a cause takes keys.

use serde::{Serialize, Serializer};

use super::cause::Cause;

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
    /// The stable id.
    pub fn id(self) -> &'static str {
        self.row().0
    }

    /// The cause that it belongs to.
    pub fn cause(self) -> Cause {
        self.row().1
    }

    /// A few words for a panel.
    pub fn words(self) -> &'static str {
        self.row().2
    }

    /// Id, cause, words.
    fn row(self) -> (&'static str, Cause, &'static str) {
        use Cause as C;
        match self {
            Self::TtlRanOut => ("ttl-ran-out", C::Expiration, "TTLs ran out"),
            Self::TtlAdded => (
                "ttl-added",
                C::Expiration,
                "a TTL was put on keys that had none",
            ),
            Self::ClockJump => (
                "clock-jump",
                C::Expiration,
                "the server's clock jumped forward",
            ),
            Self::HashFieldTtl => ("hash-field-ttl", C::Expiration, "hash field TTLs ran out"),
            Self::ExpiredAtLoad => (
                "expired-at-load",
                C::Expiration,
                "TTLs passed while the server was down",
            ),
            Self::MemoryFull => ("memory-full", C::Eviction, "the data reached maxmemory"),
            Self::ClientBuffers => (
                "client-buffers",
                C::Eviction,
                "client buffers took the room",
            ),
            Self::ReplicaBuffers => (
                "replica-buffers",
                C::Eviction,
                "replication buffers took the room",
            ),
            Self::MaxmemoryLowered => ("maxmemory-lowered", C::Eviction, "maxmemory was lowered"),
            Self::PolicyChanged => ("policy-changed", C::Eviction, "the policy was changed"),
            Self::ShardFull => ("shard-full", C::Eviction, "one shard is full"),
            Self::Del => ("del", C::Deletion, "DEL"),
            Self::Unlink => ("unlink", C::Deletion, "UNLINK"),
            Self::Getdel => ("getdel", C::Deletion, "GETDEL"),
            Self::ConditionalDelete => ("conditional-delete", C::Deletion, "DELEX or DELIFEQ"),
            Self::ModuleDelete => ("module-delete", C::Deletion, "a module's delete command"),
            Self::DroppedIndex => (
                "dropped-index",
                C::Deletion,
                "a search index was dropped with its documents",
            ),
            Self::ScriptedDelete => ("scripted-delete", C::Deletion, "deletes in a script"),
            Self::TransactionDelete => (
                "transaction-delete",
                C::Deletion,
                "deletes in a transaction",
            ),
            Self::EmptiedContainer => (
                "emptied-container",
                C::Deletion,
                "containers lost their last element",
            ),
            Self::PastTtlExpire => (
                "past-ttl-expire",
                C::Deletion,
                "EXPIRE with a time in the past",
            ),
            Self::Failover => ("failover", C::Replication, "a replica took over"),
            Self::Promotion => (
                "promotion",
                C::Replication,
                "a replica was promoted with its link down",
            ),
            Self::FullResync => (
                "full-resync",
                C::Replication,
                "the data was replaced by another server's",
            ),
            Self::Replicaof => ("replicaof", C::Replication, "REPLICAOF on a primary"),
            Self::StaleReads => ("stale-reads", C::Replication, "the link is down"),
            Self::ReplicaBehind => ("replica-behind", C::Replication, "a replica lags"),
            Self::ResyncLoop => (
                "resync-loop",
                C::Replication,
                "full synchronisations over and over",
            ),
            Self::WritableReplica => (
                "writable-replica",
                C::Replication,
                "the replica accepts writes",
            ),
            Self::Flushall => ("flushall", C::Flush, "FLUSHALL"),
            Self::Flushdb => ("flushdb", C::Flush, "FLUSHDB"),
            Self::ScriptedFlush => ("scripted-flush", C::Flush, "a flush in a script"),
            Self::TransactionFlush => ("transaction-flush", C::Flush, "a flush in a transaction"),
            Self::SlotFlush => ("slot-flush", C::Flush, "slots were flushed"),
            Self::ControlPlaneFlush => (
                "control-plane-flush",
                C::Flush,
                "the control plane: flush or import",
            ),
            Self::RestartEmpty => (
                "restart-empty",
                C::InstanceFailure,
                "restarted without data",
            ),
            Self::RestartStaleRdb => (
                "restart-stale-rdb",
                C::InstanceFailure,
                "restarted with an old RDB",
            ),
            Self::RestartTruncatedAof => (
                "restart-truncated-aof",
                C::InstanceFailure,
                "restarted with an incomplete AOF",
            ),
            Self::OutOfMemoryKill => (
                "out-of-memory-kill",
                C::InstanceFailure,
                "ended with the machine's memory used up",
            ),
            Self::ServerReplaced => (
                "server-replaced",
                C::InstanceFailure,
                "another server answers here",
            ),
            Self::DebugReload => ("debug-reload", C::InstanceFailure, "DEBUG RELOAD"),
            Self::Unreachable => ("unreachable", C::InstanceFailure, "no answer"),
            Self::Loading => ("loading", C::InstanceFailure, "a data set is being loaded"),
            Self::SaveFailing => ("save-failing", C::InstanceFailure, "saving to disk fails"),
            Self::Unsaved => ("unsaved", C::InstanceFailure, "writes are on no disk"),
            Self::NoEviction => (
                "no-eviction",
                C::RejectedWrites,
                "memory full under noeviction",
            ),
            Self::NothingEvictable => (
                "nothing-evictable",
                C::RejectedWrites,
                "memory full and no key has a TTL",
            ),
            Self::SaveErrorRefusal => (
                "save-error-refusal",
                C::RejectedWrites,
                "saving to disk fails",
            ),
            Self::ReadOnlyReplica => (
                "read-only-replica",
                C::RejectedWrites,
                "writes sent to a replica",
            ),
            Self::TooFewReplicas => ("too-few-replicas", C::RejectedWrites, "too few replicas"),
            Self::PermissionDenied => (
                "permission-denied",
                C::RejectedWrites,
                "the user may not write",
            ),
            Self::ClusterDown => ("cluster-down", C::RejectedWrites, "the cluster is down"),
            Self::Swapdb => ("swapdb", C::Relocation, "SWAPDB"),
            Self::Move => ("move", C::Relocation, "MOVE"),
            Self::Migrate => ("migrate", C::Relocation, "MIGRATE"),
            Self::SlotMigration => ("slot-migration", C::Relocation, "slots moved"),
            Self::Rename => ("rename", C::Overwrite, "RENAME onto a key"),
            Self::Restore => ("restore", C::Overwrite, "RESTORE with REPLACE"),
            Self::Copy => ("copy", C::Overwrite, "COPY with REPLACE"),
            Self::EmptyStore => ("empty-store", C::Overwrite, "a *STORE with an empty result"),
            Self::EvidenceReset => (
                "evidence-reset",
                C::Unexplained,
                "the statistics were reset",
            ),
            Self::ReplicationStream => (
                "replication-stream",
                C::Unexplained,
                "removed by the replication stream",
            ),
            Self::NoTrace => ("no-trace", C::Unexplained, "no counter moved"),
        }
    }
}

impl Serialize for Mechanism {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}
