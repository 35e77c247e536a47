//! Attached after the fact: a primary that came back empty, as others of its deployment betray it.

use super::court::Court;
use super::rescue;
use crate::diagnosis::case::effective;
use crate::diagnosis::first_contact::{RECENT_S, below_peak};
use crate::diagnosis::{Cause, Evidence, Level, Mechanism, Reading, Scope, Verdict, words};
use crate::model::{Commands, Continuity, Creates, Role, Sample};

/// Who started so much earlier than another was there before it, seconds.
const OLDER_S: u64 = 5;
/// So many keys would be in its slots, if they were as full as the others', at least …
const EXPECTED: u64 = 100;
/// … and so many slots it has: keys that share a hash tag leave few slots empty by chance.
const SLOTS: u64 = 100;
/// … and so many times what it has.
const MANY: u64 = 20;

/// What is said of primaries that hold nothing, or next to it, and are younger than what surrounds them.
pub(super) fn came_back_empty(court: &Court<'_>) -> Vec<Verdict> {
    let young = court
        .primaries()
        .filter(|member| court.is_reigning(*member));
    let young: Vec<Young> = young
        .filter_map(|member| young_one(court, member))
        .collect();
    if young.is_empty() {
        return Vec::new();
    }
    let shards = Shard::of_all(court);
    let empty = young.iter().filter_map(|one| empty(court, one, &shards));
    empty.collect()
}

/// A primary that started lately, was not watched then, read nothing from disk and was not flushed.
struct Young {
    member: usize,
    last: Sample,
    uptime: u64,
    keys: u64,
}

/// What a primary of a cluster holds.
struct Shard {
    member: usize,
    uptime: u64,
    keys: u64,
    slots: u64,
}

impl Shard {
    /// Of all primaries; none where there is no cluster.
    fn of_all(court: &Court<'_>) -> Vec<Self> {
        let Some(view) = court.deployment.topology(court.end) else {
            return Vec::new();
        };
        let reigning = court
            .all_primaries()
            .filter(|member| court.is_reigning(*member));
        let shards = reigning.filter_map(|member| {
            let last = court.windows[member].last_sample()?;
            let node = view.at(court.node(member))?;
            Some(Self {
                member,
                uptime: last.server.uptime_s?,
                keys: last.keys()?,
                slots: u64::from(node.slot_count()),
            })
        });
        shards.collect()
    }
}

fn young_one(court: &Court<'_>, member: usize) -> Option<Young> {
    let window = &court.windows[member];
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
    let is_out = was_watched
        || was_flushed
        || has_loaded
        || last.persistence.aof == Some(true)
        || last.is_loading()
        || last.product().is_enterprise()
        || last.replication.role != Role::Primary
        || window.open_gap().is_some();
    let keys = last.keys().filter(|_| !is_out)?;
    Some(Young {
        member,
        last,
        uptime,
        keys,
    })
}

fn empty(court: &Court<'_>, young: &Young, shards: &[Shard]) -> Option<Verdict> {
    let (member, last, uptime) = (young.member, &young.last, young.uptime);
    let why = by_copy(court, young).or_else(|| by_slots(young, shards))?;
    let node = court.node(member);
    let ago = words::duration(uptime);
    let start = format!("{node} started {ago} ago without data, and {why}");
    let holder = rescue::copy_with_keys(court, member);
    let summary = match &holder {
        Some(holder) => format!("{}; {start}", holder.sentence()),
        None => format!("{start}: if it held keys before, they are gone"),
    };
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
        reading("keys", young.keys.into(), "keys now"),
        reading(
            "rdb_last_load_keys_loaded",
            last.persistence.loaded_keys.into(),
            "keys read from an RDB",
        ),
    ];
    verdict.next_steps = holder.iter().map(|holder| holder.step(court)).collect();
    verdict.next_steps.extend([
        format!("look for its data before a save writes over it: CONFIG GET dir, dbfilename and appenddirname on {node}"),
        "a primary without persistence must not come back by itself: it empties its replicas".to_owned(),
    ]);
    Some(verdict)
}

/// A copy that is older than it and has held keys has followed the process before it.
fn by_copy(court: &Court<'_>, young: &Young) -> Option<String> {
    let copies = court.deployment.shard_of(young.member).iter();
    let copies = copies.filter(|copy| **copy != young.member && court.seat(**copy).is_copy());
    let older = copies.filter_map(|copy| {
        let last = court.windows[*copy].last_sample()?;
        let up = last.server.uptime_s?;
        let is_older = up > young.uptime.saturating_add(OLDER_S);
        // Where new keys have come since, only much memory tells of the old.
        let held = below_peak(&last).is_some() || young.keys == 0 && has_created_keys(&last);
        (is_older && held).then_some((up, *copy))
    });
    let (up, copy) = older.max()?;
    let (copy, up) = (court.node(copy), words::duration(up));
    Some(format!(
        "its replica {copy} held keys in the {up} that it has been up"
    ))
}

fn has_created_keys(sample: &Sample) -> bool {
    let commands = sample.commands.iter().flat_map(Commands::iter);
    let mut creating = commands.filter(|command| command.creates != Creates::Nothing);
    creating.any(|command| command.effective() > 0)
}

/// Nodes of a cluster that are older than it hold keys in their slots, and it next to none in its own.
fn by_slots(young: &Young, shards: &[Shard]) -> Option<String> {
    let own = shards.iter().find(|shard| shard.member == young.member)?;
    let older = shards
        .iter()
        .filter(|shard| shard.uptime > young.uptime.saturating_add(OLDER_S));
    let (held, theirs) = older.fold((0u64, 0u64), |(keys, slots), shard| {
        (
            keys.saturating_add(shard.keys),
            slots.saturating_add(shard.slots),
        )
    });
    let expected = held.saturating_mul(own.slots) / theirs.max(1);
    let is_short = expected >= EXPECTED.max(own.keys.saturating_mul(MANY));
    (is_short && own.slots >= SLOTS).then(|| {
        format!(
            "holds {} in its {}, while older nodes hold {} in {}",
            words::keys(own.keys),
            words::plural(own.slots, "slot"),
            words::keys(held),
            words::count(theirs)
        )
    })
}
