//! Attaching after the fact: what one reading tells of the time before we came.
//!
//! Only totals since the server's start (or the last `CONFIG RESETSTAT`) exist then, so nothing
//! here is ever more than suspected, and every sentence says since when it counts.

use jiff::Timestamp;

use super::case::{Case, effective};
use super::{Cause, Level, Mechanism, Reading, Scope, Verdict, words};
use crate::model::{Continuity, Counter, Role, Sample};

/// A start longer ago than this is not what brought somebody here, seconds.
pub(super) const RECENT_S: u64 = 6 * 3_600;
/// Memory below this share of its peak says that something large went.
const PEAK_SHARE: f64 = 0.5;
/// … and at least so many bytes: a fresh server's peak is noise.
const PEAK_BYTES: u64 = 8 << 20;
/// `rdb_last_save_time` is also set at start, to the second; starting takes a few.
const START_SLACK_S: u64 = 5;

/// How likely a cause of this kind took what is missed, when only totals are known: what takes
/// everything at once comes first, what healthy caches do all day comes last.
pub(super) fn rank(verdict: &Verdict) -> u64 {
    match verdict.cause {
        Cause::Flush => 9,
        Cause::InstanceFailure => 8,
        Cause::Replication => 7,
        Cause::Relocation => 6,
        Cause::RejectedWrites => 5,
        Cause::Eviction => 4,
        Cause::Overwrite => 3,
        Cause::Deletion => 2,
        Cause::Unexplained => 1,
        Cause::Expiration => 0,
    }
}

/// Whether healthy caches lose keys by this cause all day, so that a total alone is no news.
pub(super) fn is_everyday(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::Eviction
            | Cause::Overwrite
            | Cause::Deletion
            | Cause::Unexplained
            | Cause::Expiration
    )
}

/// Reads that miss so often, out of so many, say that keys are expected which are not there.
const MISSES_SHARE: f64 = 0.5;
const MISSES: u64 = 100;

/// From how many keys, or calls, since the start on a total is worth a suspicion.
const WORTH: u64 = 10;
const WORTH_SHARE: u64 = 500;

/// Whether a total since the start can be what somebody misses, beside the keys that are there.
pub(super) fn is_worth_a_word(last: &Sample, total: u64) -> bool {
    let keys = last.keys().unwrap_or(0);
    total >= WORTH.max(keys / WORTH_SHARE).min(keys.max(1))
}

/// The process is young and had a life before: it read keys from disk, or clients ask for keys that
/// it does not have. What it did not read is gone. A server that is simply new is no suspect.
pub(super) fn recent_start(case: &Case<'_>, last: &Sample) -> Option<Verdict> {
    let uptime = last.server.uptime_s.filter(|uptime| *uptime <= RECENT_S)?;
    let watched = case.window.steps().any(|step| {
        matches!(
            step.continuity,
            Continuity::Restart | Continuity::OtherProcess
        )
    });
    let disk = &last.persistence;
    // An append-only file brings back all but the last second.
    if watched
        || loaded_since(last)
        || disk.aof == Some(true)
        || last.product().is_enterprise()
        || last.replication.role != Role::Primary
    {
        return None;
    }
    let missed = missed(last);
    if missed.is_none() && disk.loaded_keys.is_none_or(|keys| keys == 0) {
        return None;
    }
    let (how, read) = what_was_read(last);
    let missing = missed.map_or_else(String::new, |share| {
        format!("; {} of all reads since miss", words::percent(share))
    });
    let ago = words::duration(uptime);
    let summary = format!("the server started {ago} ago {read}{missing}");
    let mut verdict = Case::since_start_verdict(Cause::InstanceFailure, summary);
    verdict.mechanism = Some(how);
    verdict.first_seen = last.moment.at.checked_sub(seconds(uptime)).ok();
    verdict.last_seen = verdict.first_seen;
    let note = "seconds since the start";
    verdict
        .evidence
        .push(case.total_evidence("uptime_in_seconds", uptime, note));
    let at = Some(last.moment.at);
    for (field, reading, note) in [
        (
            "rdb_last_load_keys_loaded",
            disk.loaded_keys,
            "keys read from an RDB",
        ),
        (
            "rdb_last_load_keys_expired",
            disk.loaded_expired_keys,
            "keys dropped at load",
        ),
        ("keys", last.keys(), "keys now"),
        (
            "keyspace_misses",
            last.counter(Counter::KeyspaceMisses),
            "reads that found nothing",
        ),
    ] {
        if reading.is_some() {
            verdict
                .evidence
                .push(case.evidence(field, Reading::None, reading, note, at));
        }
    }
    Some(verdict)
}

/// Whether DEBUG RELOAD or a full synchronisation, which set the same fields as a load at the start,
/// may have run since.
fn loaded_since(last: &Sample) -> bool {
    last.replication.replid2.is_some()
        || ["debug", "replicaof", "slaveof"]
            .iter()
            .any(|name| effective(last, name) > 0)
}

/// The share of reads since the start that found nothing, where it tells that keys are missed.
fn missed(last: &Sample) -> Option<f64> {
    let hits = last.counter(Counter::KeyspaceHits)?;
    let misses = last.counter(Counter::KeyspaceMisses)?;
    let share = misses as f64 / (hits as f64 + misses as f64).max(1.0);
    (misses >= MISSES && share >= MISSES_SHARE).then_some(share)
}

/// What a young process has read from disk, and how data went if it was there before.
fn what_was_read(last: &Sample) -> (Mechanism, String) {
    let disk = &last.persistence;
    let expired = match disk.loaded_expired_keys {
        Some(n) if n > 0 => format!(" and dropped {} whose TTL had passed", words::keys(n)),
        _ => String::new(),
    };
    match disk.loaded_keys {
        Some(0) => (
            Mechanism::RestartEmpty,
            format!("and read no key from disk{expired}: if it held keys before, they are gone"),
        ),
        Some(n) => (
            Mechanism::RestartStaleRdb,
            format!(
                "and read {} from disk{expired}: what was written after that save is gone",
                words::keys(n)
            ),
        ),
        None => (
            Mechanism::RestartEmpty,
            "and does not tell what it read from disk".to_owned(),
        ),
    }
}

fn seconds(seconds: u64) -> jiff::SignedDuration {
    jiff::SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX))
}

/// When the last FLUSHALL was, to the second. With save points, FLUSHALL writes an empty RDB and
/// sets `rdb_last_save_time` without counting a save (db.c, `flushAllDataAndResetRDB`).
pub(super) fn flushed_at(last: &Sample) -> Option<Timestamp> {
    let disk = &last.persistence;
    let saved = last.counter(Counter::RdbSaves).unwrap_or(0) > 0
        || disk.last_save_took_s.is_some()
        || ["save", "bgsave", "debug", "shutdown"]
            .iter()
            .any(|name| effective(last, name) > 0);
    let started = (last.server.time_us? / 1_000_000).saturating_sub(last.server.uptime_s?);
    let at = disk
        .last_save_s
        .filter(|at| !saved && *at > started.saturating_add(START_SLACK_S))?;
    (effective(last, "flushall") > 0)
        .then(|| Timestamp::from_second(i64::try_from(at).ok()?).ok())
        .flatten()
}

/// Memory now and at its peak, where it was so much more that something large must have gone.
pub(super) fn below_peak(last: &Sample) -> Option<(u64, u64)> {
    let (used, peak) = (last.memory.used_bytes?, last.memory.peak_bytes?);
    let share = used as f64 / peak.max(1) as f64;
    let is_far = share <= PEAK_SHARE && peak.saturating_sub(used) >= PEAK_BYTES;
    is_far.then_some((used, peak))
}

/// Memory far below its peak: something large went, whatever it was.
pub(super) fn far_below_peak(case: &Case<'_>, last: &Sample) -> Option<Verdict> {
    let (used, peak) = below_peak(last)?;
    let share = used as f64 / peak.max(1) as f64;
    let reached = last
        .memory
        .peak_at_s
        .and_then(|at| Timestamp::from_second(i64::try_from(at).ok()?).ok());
    let when = reached.map_or_else(String::new, |at| {
        format!(", reached {} UTC", at.strftime("%F %H:%M:%S"))
    });
    let summary = format!(
        "memory is at {} of its peak of {}{when}: something large went {}",
        words::percent(share),
        words::bytes(peak),
        case.since_start()
    );
    let mut verdict = Verdict::new(Cause::Unexplained, Level::Suspected, summary);
    verdict.scope = Scope::SinceStart;
    let at = Some(last.moment.at);
    let note = "bytes at the peak, bytes now";
    verdict
        .evidence
        .push(case.evidence("used_memory_peak", peak, used, note, at));
    Some(verdict)
}
