//! A sample of keys and their times to live.

use std::time::Duration;

/// Keys that a sample may hold.
pub const MOST_SAMPLED: u16 = 1_000;

/// Some keys of database 0, as `SCAN` came across them, and when each expires.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TtlSample {
    /// Keys in it.
    pub keys: usize,
    /// When those with a TTL expire, on the scale of [`Moment::elapsed`](super::Moment::elapsed),
    /// the next first.
    pub deadlines: Vec<Duration>,
    /// Keys of all earlier samples that were looked at again.
    pub checked: usize,
    /// Those of them that were gone and had no TTL, or one that had not run out.
    pub early: usize,
    /// Questions that this sample took.
    pub calls: usize,
    /// Time that was spent waiting for answers.
    pub took: Duration,
}
