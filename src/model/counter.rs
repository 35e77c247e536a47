//! Counters of the `INFO` reply that diagnosis compares between polls.

/// A number that only grows until the process restarts or `CONFIG RESETSTAT` runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Counter {
    /// Keys removed because their TTL ran out (active and lazy). On primaries only.
    ExpiredKeys,
    /// Hash fields removed because their TTL ran out: Redis 7.4+ `expired_subkeys`.
    ExpiredSubkeys,
    /// The same on Valkey 9+: `expired_fields`.
    ExpiredFields,
    /// Keys removed to stay below `maxmemory`. On primaries only.
    EvictedKeys,
    /// Objects freed in the background: moves by the number of keys flushed on Redis 7.4+ and
    /// Valkey 8+, and for `FLUSHALL ASYNC` before.
    LazyfreedObjects,
    /// Milliseconds spent over `maxmemory`, 7.0+.
    TotalEvictionExceededTime,
    /// Reads that found their key.
    KeyspaceHits,
    /// Reads that did not: what users notice of a loss.
    KeyspaceMisses,
    /// Full resynchronisations served.
    SyncFull,
    /// Partial resynchronisations served.
    SyncPartialOk,
    /// Partial resynchronisations refused.
    SyncPartialErr,
    /// Commands executed; a fall means a new counting epoch.
    TotalCommandsProcessed,
    /// Connections accepted; a fall means a new counting epoch.
    TotalConnectionsReceived,
    /// Error replies of any kind, 6.2+.
    TotalErrorReplies,
    /// Connections refused for `maxclients`.
    RejectedConnections,
    /// BGSAVEs that finished, failed ones included, 7.0+.
    RdbSaves,
}

impl Counter {
    /// Every counter, in the order of the discriminants.
    pub const ALL: [Self; 16] = [
        Self::ExpiredKeys,
        Self::ExpiredSubkeys,
        Self::ExpiredFields,
        Self::EvictedKeys,
        Self::LazyfreedObjects,
        Self::TotalEvictionExceededTime,
        Self::KeyspaceHits,
        Self::KeyspaceMisses,
        Self::SyncFull,
        Self::SyncPartialOk,
        Self::SyncPartialErr,
        Self::TotalCommandsProcessed,
        Self::TotalConnectionsReceived,
        Self::TotalErrorReplies,
        Self::RejectedConnections,
        Self::RdbSaves,
    ];

    /// The field's name on the wire.
    pub fn field(self) -> &'static str {
        match self {
            Self::ExpiredKeys => "expired_keys",
            Self::ExpiredSubkeys => "expired_subkeys",
            Self::ExpiredFields => "expired_fields",
            Self::EvictedKeys => "evicted_keys",
            Self::LazyfreedObjects => "lazyfreed_objects",
            Self::TotalEvictionExceededTime => "total_eviction_exceeded_time",
            Self::KeyspaceHits => "keyspace_hits",
            Self::KeyspaceMisses => "keyspace_misses",
            Self::SyncFull => "sync_full",
            Self::SyncPartialOk => "sync_partial_ok",
            Self::SyncPartialErr => "sync_partial_err",
            Self::TotalCommandsProcessed => "total_commands_processed",
            Self::TotalConnectionsReceived => "total_connections_received",
            Self::TotalErrorReplies => "total_error_replies",
            Self::RejectedConnections => "rejected_connections",
            Self::RdbSaves => "rdb_saves",
        }
    }

    /// The section it stands in.
    pub fn section(self) -> &'static str {
        match self {
            Self::LazyfreedObjects => "Memory",
            Self::RdbSaves => "Persistence",
            _ => "Stats",
        }
    }
}

/// How a counter moved between two readings. There is no negative movement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delta {
    /// One of the readings is missing.
    #[default]
    Unknown,
    /// It grew by so much, exactly.
    Grew(u64),
    /// It fell: counting began anew, and at least so much happened since.
    Reset(u64),
}

impl Delta {
    /// Compares two readings of one counter. `fresh` says that the process or its statistics are
    /// known to have been reset in between, so that even a larger number counts from zero.
    pub fn between(before: Option<u64>, after: Option<u64>, fresh: bool) -> Self {
        match (before, after) {
            (_, Some(after)) if fresh => Self::Reset(after),
            (Some(before), Some(after)) if after >= before => Self::Grew(after - before),
            (Some(_), Some(after)) => Self::Reset(after),
            _ => Self::Unknown,
        }
    }

    /// The number that is certain: exact after [`Delta::Grew`], a lower bound after
    /// [`Delta::Reset`], zero when unknown.
    pub fn at_least(self) -> u64 {
        match self {
            Self::Unknown => 0,
            Self::Grew(n) | Self::Reset(n) => n,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(Some(3), Some(10), false, Delta::Grew(7))]
    #[case(Some(3), Some(3), false, Delta::Grew(0))]
    #[case(Some(100), Some(4), false, Delta::Reset(4))]
    #[case(Some(1), Some(4), true, Delta::Reset(4))]
    #[case(None, Some(4), false, Delta::Unknown)]
    #[case(Some(4), None, false, Delta::Unknown)]
    #[case(Some(u64::MAX), Some(0), false, Delta::Reset(0))]
    fn movement_is_never_negative(
        #[case] before: Option<u64>,
        #[case] after: Option<u64>,
        #[case] fresh: bool,
        #[case] expected: Delta,
    ) {
        assert_eq!(Delta::between(before, after, fresh), expected);
    }

    #[test]
    fn every_counter_is_listed_at_its_place() {
        assert!(
            Counter::ALL
                .iter()
                .enumerate()
                .all(|(place, counter)| *counter as usize == place)
        );
    }
}
