//! Where the keys went: the balance of every interval, added up.

use crate::model::Window;

/// The balance of a window: `before + created − expired − evicted − flushed − deleted − moved −
/// replaced − lost − unexplained = after`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Keys at the first sample.
    pub keys_before: Option<u64>,
    /// Keys at the last sample.
    pub keys_after: Option<u64>,
    /// Keys that must have been created at least, for the balance to hold.
    pub created: u64,
    /// Removed because their TTL ran out; exact.
    pub expired: u64,
    /// Removed for memory; exact.
    pub evicted: u64,
    /// Removed by FLUSHALL or FLUSHDB.
    pub flushed: u64,
    /// Removed by commands; at least.
    pub deleted: u64,
    /// Gone to another database or node; at least.
    pub moved: u64,
    /// Names taken over by another key; at least.
    pub replaced: u64,
    /// Gone with a process, a failover or a resynchronisation.
    pub lost: u64,
    /// Gone without a sign; at least.
    pub unexplained: u64,
}

/// One interval in which keys were lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss;

impl Ledger {
    /// Adds up a window.
    pub fn of(_window: &Window<'_>) -> Self {
        Self::default()
    }
}
