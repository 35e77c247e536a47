//! Whether two samples tell of one process that counts on.

use super::counter::{Counter, Delta};
use super::node::Product;
use super::sample::Sample;

/// Whether counters before and after can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Continuity {
    /// The same process, counting on.
    Same,
    /// The same process; `CONFIG RESETSTAT` ran, or a proxy lost part of its totals.
    StatsReset,
    /// A new process that is younger than the earlier sample: the server restarted.
    Restart,
    /// Another process that was already running: the address now leads to another server.
    OtherProcess,
}

/// Whether counters of two samples can be compared. A new `run_id` is a new process; without
/// one, falling counters decide (Redis Enterprise, where `run_id` may be a proxy's).
pub(super) fn continuity(before: &Sample, after: &Sample) -> Continuity {
    const SLACK_S: u64 = 2;
    // The monotonic clock stands still while this machine sleeps; the wall clock does not.
    let wall_s = after.moment.at.as_second() - before.moment.at.as_second();
    let apart_s = after.moment.since(before.moment).as_secs();
    let apart_s = apart_s.max(u64::try_from(wall_s).unwrap_or(0));
    let uptime = (before.server.uptime_s, after.server.uptime_s);
    let started_since = uptime.1.is_none_or(|is| is <= apart_s + SLACK_S);
    let elsewhere = matches!(
        (before.server.port, after.server.port),
        (Some(was), Some(is)) if was != is
    );
    let started_since = started_since && !elsewhere;
    let younger = matches!(uptime, (Some(was), Some(is)) if is < was);
    let fell = [
        Counter::TotalCommandsProcessed,
        Counter::TotalConnectionsReceived,
        Counter::ExpiredKeys,
        Counter::EvictedKeys,
    ]
    .into_iter()
    .any(|counter| matches!((before.counter(counter), after.counter(counter)), (Some(b), Some(a)) if a < b));
    // A proxy's run_id says nothing about the shards behind it.
    let run_id = |sample: &Sample| {
        sample
            .server
            .run_id
            .clone()
            .filter(|_| !sample.product().is_enterprise())
    };
    match (run_id(before), run_id(after)) {
        (Some(was), Some(is)) if was != is && started_since => Continuity::Restart,
        (Some(was), Some(is)) if was != is => Continuity::OtherProcess,
        (Some(_), Some(_)) if fell => Continuity::StatsReset,
        (Some(_), Some(_)) => Continuity::Same,
        _ if fell && younger => Continuity::Restart,
        _ if fell => Continuity::StatsReset,
        _ => Continuity::Same,
    }
}

/// Seconds by which the server's clock moved more than ours, when more than rounding (Redis
/// Enterprise prints whole seconds) and the round trips can explain.
pub(super) fn clock_jump(before: &Sample, after: &Sample) -> Option<i64> {
    let server_us =
        i64::try_from(after.server.time_us?).ok()? - i64::try_from(before.server.time_us?).ok()?;
    let ours_us =
        i64::try_from((after.moment.elapsed.checked_sub(before.moment.elapsed)?).as_micros())
            .ok()?;
    let slack_us =
        2_000_000 + 2 * i64::try_from((before.round_trip + after.round_trip).as_micros()).ok()?;
    let apart_us = server_us - ours_us;
    (apart_us.abs() > slack_us).then_some(apart_us / 1_000_000)
}

/// How readings of two samples relate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparable {
    /// The later counts on from the earlier.
    Yes,
    /// The later counts from zero.
    FromZero,
    /// What grew has grown; what fell says nothing.
    OnlyGrowth,
    /// Not at all.
    Never,
}

impl Comparable {
    pub(super) fn of(continuity: Continuity, product: Product) -> Self {
        match continuity {
            Continuity::Same => Self::Yes,
            // A proxy that lost part of its totals still counts old things in what is left.
            Continuity::StatsReset if product.is_enterprise() => Self::OnlyGrowth,
            Continuity::StatsReset | Continuity::Restart => Self::FromZero,
            // The other process counted things that happened before, elsewhere.
            Continuity::OtherProcess => Self::Never,
        }
    }

    pub(super) fn delta(self, before: Option<u64>, after: Option<u64>) -> Delta {
        match Delta::between(before, after, self == Self::FromZero) {
            Delta::Reset(_) if self == Self::OnlyGrowth => Delta::Reset(0),
            Delta::Reset(_) | Delta::Grew(_) if self == Self::Never => Delta::Reset(0),
            delta => delta,
        }
    }

    /// The reading to count from, `None` where the later reading says nothing.
    pub(super) fn base(self, before: u64, after: u64) -> Option<u64> {
        match self {
            Self::Never => None,
            Self::OnlyGrowth if after < before => None,
            Self::Yes | Self::OnlyGrowth if after >= before => Some(before),
            _ => Some(0),
        }
    }
}
