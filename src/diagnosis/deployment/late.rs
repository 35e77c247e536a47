//! Attached after the fact: a primary that came back empty, as others of its deployment betray it.

use super::court::Court;
use crate::diagnosis::case::effective;
use crate::diagnosis::first_contact::{RECENT_S, below_peak};
use crate::diagnosis::{Cause, Evidence, Level, Mechanism, Reading, Scope, Verdict, words};
use crate::model::{Commands, Continuity, Creates, Role, Sample};

/// Who started so much earlier than another was there before it, seconds.
const OLDER_S: u64 = 5;
/// So many keys would be in its slots, if they were as full as the others', at least.
const EXPECTED: u64 = 20;

/// What is said of primaries that hold no key and are younger than what surrounds them.
pub(super) fn came_back_empty(court: &Court<'_>) -> Vec<Verdict> {
    let primaries = court
        .primaries()
        .filter(|member| court.is_reigning(*member));
    primaries
        .filter_map(|member| empty(court, member))
        .collect()
}

fn empty(court: &Court<'_>, member: usize) -> Option<Verdict> {
    let window = &court.windows[member];
    window.last()?.keys().filter(|keys| *keys == 0)?;
    let last = window.last_sample()?;
    let uptime = last.server.uptime_s.filter(|uptime| *uptime <= RECENT_S)?;
    // What was watched has a verdict of its own.
    let was_watched = window.steps().any(|step| {
        matches!(
            step.continuity,
            Continuity::Restart | Continuity::OtherProcess
        )
    });
    let mut flushes = ["flushall", "flushdb"].iter();
    let was_flushed = flushes.any(|name| effective(&last, name) > 0);
    let has_loaded = last.persistence.loaded_keys.is_some_and(|keys| keys > 0);
    if was_watched
        || was_flushed
        || has_loaded
        || last.is_loading()
        || last.product().is_enterprise()
        || last.replication.role != Role::Primary
        || window.open_gap().is_some()
    {
        return None;
    }
    let why = by_copy(court, member, uptime).or_else(|| by_slots(court, member, uptime))?;
    let node = court.node(member);
    let ago = words::duration(uptime);
    let summary = format!(
        "{node} started {ago} ago without data, and {why}: if it held keys before, they are gone"
    );
    let mut verdict = Verdict::new(Cause::InstanceFailure, Level::Suspected, summary);
    verdict.scope = Scope::SinceStart;
    verdict.mechanism = Some(Mechanism::RestartEmpty);
    let started = jiff::SignedDuration::from_secs(i64::try_from(uptime).ok()?);
    verdict.first_seen = last.moment.at.checked_sub(started).ok();
    verdict.last_seen = verdict.first_seen;
    let reading = |field: &str, after: Reading, note: &str| Evidence {
        node: node.clone(),
        field: field.into(),
        before: Reading::None,
        after,
        note: note.into(),
        at: Some(last.moment.at),
    };
    verdict.evidence = vec![
        reading(
            "uptime_in_seconds",
            uptime.into(),
            "seconds since the start",
        ),
        reading("keys", 0.into(), "keys now"),
        reading(
            "rdb_last_load_keys_loaded",
            last.persistence.loaded_keys.into(),
            "keys read from an RDB",
        ),
    ];
    Some(verdict)
}

/// A copy that is older than it and has held keys has followed the process before it.
fn by_copy(court: &Court<'_>, member: usize, uptime: u64) -> Option<String> {
    let copies = court.deployment.shard_of(member).iter();
    let copies = copies.filter(|copy| **copy != member && court.seat(**copy).is_copy());
    let older = copies.filter_map(|copy| {
        let last = court.windows[*copy].last_sample()?;
        let up = last.server.uptime_s?;
        let is_older = up > uptime.saturating_add(OLDER_S);
        (is_older && has_held_keys(&last)).then_some((up, *copy))
    });
    let (up, copy) = older.max()?;
    let (copy, up) = (court.node(copy), words::duration(up));
    Some(format!(
        "its replica {copy} held keys in the {up} that it has been up"
    ))
}

fn has_held_keys(sample: &Sample) -> bool {
    let commands = sample.commands.iter().flat_map(Commands::iter);
    let mut creating = commands.filter(|command| command.creates != Creates::Nothing);
    creating.any(|command| command.effective() > 0) || below_peak(sample).is_some()
}

/// Nodes of a cluster that are older than it hold keys in their slots, and it holds none in its own.
fn by_slots(court: &Court<'_>, member: usize, uptime: u64) -> Option<String> {
    let view = court.deployment.topology(court.end)?;
    let slots = |member: usize| {
        let node = view.at(court.node(member));
        node.map_or(0, |node| u64::from(node.slot_count()))
    };
    let own = slots(member);
    let others = court
        .all_primaries()
        .filter(|other| *other != member && court.is_reigning(*other));
    let older = others.filter_map(|other| {
        let last = court.windows[other].last_sample()?;
        let is_older = last.server.uptime_s? > uptime.saturating_add(OLDER_S);
        Some((last.keys().filter(|_| is_older)?, slots(other)))
    });
    let (keys, theirs) = older.fold((0u64, 0u64), |sum, one| {
        (sum.0.saturating_add(one.0), sum.1.saturating_add(one.1))
    });
    let expected = keys.saturating_mul(own) / theirs.max(1);
    (expected >= EXPECTED).then(|| {
        format!(
            "holds none in its {}, while older nodes hold {} in {}",
            words::plural(own, "slot"),
            words::keys(keys),
            words::count(theirs)
        )
    })
}
