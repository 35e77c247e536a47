//! Nothing was lost: how do the replicas stand now?

use crate::diagnosis::case::{Case, effective, short};
use crate::diagnosis::{Cause, Level, Mechanism, Reading, Verdict, words};
use crate::model::{Counter, Product, ReplicaLine, Replication, Role, Sample, WritePace};

/// Below this, a distance is what a healthy stream has in flight.
const BEHIND_BYTES: u64 = 1 << 20;
/// A replica acknowledges every second; silence for this long is a sick link.
const SILENT_S: u64 = 10;
/// A primary without writes sends a PING every ten seconds (`repl-ping-replica-period`): when two are
/// missing, it is silent.
const UNHEARD_S: u64 = 21;

pub(super) fn state_now(case: &Case<'_>, last: &Sample) -> Verdict {
    if last.replication.role == Role::Unknown || last.replication.replid.is_none() {
        let what = if last.product().is_enterprise() {
            last.product().name()
        } else {
            "this server"
        };
        let summary = format!("replicas and offsets are not exposed by {what}");
        let mut verdict = Verdict::new(Cause::Replication, Level::Unknown, summary);
        verdict.missing = vec!["master_replid", "slaveN", "master_repl_offset"];
        return verdict;
    }
    match last.replication.role {
        Role::Replica => replica(case, last),
        _ => primary(case, last),
    }
}

fn replica(case: &Case<'_>, last: &Sample) -> Verdict {
    let state = &last.replication;
    let primary = state.primary.as_deref().unwrap_or("its primary");
    let silent = state.last_io_s.filter(|s| *s >= UNHEARD_S);
    let (level, how, summary) = match (state.link_up, silent) {
        (Some(false), _) => {
            let since = state
                .link_down_s
                .map_or_else(String::new, |s| format!(" for {}", words::duration(s)));
            (
                Level::AtRisk,
                Some(Mechanism::StaleReads),
                format!(
                    "the link to {primary} is down{since}: reads here are stale, keys written since look lost"
                ),
            )
        }
        (_, Some(s)) => (
            Level::AtRisk,
            Some(Mechanism::StaleReads),
            format!("nothing heard from {primary} for {}", words::duration(s)),
        ),
        _ if state.read_only == Some(false) => (
            Level::AtRisk,
            Some(Mechanism::WritableReplica),
            format!(
                "follows {primary} and accepts writes, which the next full synchronisation discards"
            ),
        ),
        _ => (Level::Clear, None, format!("follows {primary}, link up")),
    };
    let mut verdict = Verdict::new(Cause::Replication, level, summary);
    verdict.mechanism = how;
    let at = Some(last.moment.at);
    let first = case.first.map(|sample| &sample.replication);
    let word = |state: &Replication| match state.link_up {
        Some(true) => Some("up"),
        Some(false) => Some("down"),
        None => None,
    };
    let note = "the link to the primary";
    verdict.evidence.push(case.evidence(
        "master_link_status",
        first.and_then(word),
        word(state),
        note,
        at,
    ));
    let before = first.and_then(|state| state.applied_offset);
    verdict.evidence.push(case.evidence(
        "slave_repl_offset",
        before,
        state.applied_offset,
        "bytes applied",
        at,
    ));
    verdict
}

fn primary(case: &Case<'_>, last: &Sample) -> Verdict {
    let state = &last.replication;
    let Some(now) = state.connected_replicas else {
        let summary = "the number of replicas is not exposed by this server";
        let mut verdict = Verdict::new(Cause::Replication, Level::Unknown, summary);
        verdict.missing = vec!["connected_slaves"];
        return verdict;
    };
    let before = case
        .first
        .and_then(|sample| sample.replication.connected_replicas);
    if let Some(before) = before.filter(|before| *before > now) {
        let summary = format!(
            "{} of {before} replicas went away while watching",
            before - now
        );
        let mut verdict = Verdict::new(Cause::Replication, Level::AtRisk, summary);
        let at = Some(last.moment.at);
        verdict
            .evidence
            .push(case.evidence("connected_slaves", before, now, "replicas", at));
        return verdict;
    }
    if let Some(verdict) = unsteady(case, now) {
        return verdict;
    }
    let present = if now == 0 {
        let summary = "no replica is attached; nothing can fall behind, nothing can take over";
        Verdict::new(Cause::Replication, Level::Clear, summary)
    } else if state.replicas.iter().all(|line| line.offset.is_none()) || state.offset.is_none() {
        let summary = format!(
            "{} attached; how far behind is not exposed by this server",
            words::plural(now, "replica")
        );
        let mut verdict = Verdict::new(Cause::Replication, Level::Unknown, summary);
        verdict.missing = vec!["slaveN.offset", "master_repl_offset"];
        verdict
    } else {
        distance(case, state, last)
    };
    let Some(mut promoted) = promoted_once(case, last) else {
        return present;
    };
    if present.level != Level::AtRisk {
        return promoted;
    }
    // While one watches, what gets worse now comes first. On the first reading, what happened before.
    if case.window.has_interval() {
        return present;
    }
    promoted.summary = format!("{}; now {}", promoted.summary, present.summary);
    promoted.evidence.extend(present.evidence);
    promoted
}

/// So many synchronisations of each replica in a window are not those of a restart …
const RESYNCS: u64 = 3;
/// … and of that many replicas, where there are more.
const OF_REPLICAS: u64 = 3;

/// Replicas that start over again and again, or whose link breaks and comes back as often.
fn unsteady(case: &Case<'_>, replicas: u64) -> Option<Verdict> {
    let total = |counter| case.window.total(counter).unwrap_or(0);
    let (full, partial) = (total(Counter::SyncFull), total(Counter::SyncPartialOk));
    let many = RESYNCS * replicas.clamp(1, OF_REPLICAS);
    let (mechanism, summary) = if full >= many {
        let syncs = words::plural(full, "full synchronisation");
        (
            Mechanism::ResyncLoop,
            format!(
                "{syncs} served while watching: a replica starts over again and again and has no data to take over with meanwhile"
            ),
        )
    } else if partial >= RESYNCS.saturating_mul(replicas.max(1)) {
        let breaks = words::plural(partial, "time");
        (
            Mechanism::LinkFlapping,
            format!(
                "the link of a replica broke {breaks} while watching: it caught up from the backlog each time, and has less than all until it does"
            ),
        )
    } else {
        return None;
    };
    let mut verdict = Verdict::new(Cause::Replication, Level::AtRisk, summary);
    verdict.mechanism = Some(mechanism);
    for (counter, note) in [
        (Counter::SyncFull, "whole data sets sent"),
        (
            Counter::SyncPartialOk,
            "replicas that caught up from the backlog",
        ),
        (Counter::SyncPartialErr, "partial synchronisations refused"),
    ] {
        verdict
            .evidence
            .extend(case.counter_evidence(counter, note));
    }
    Some(verdict)
}

fn distance(case: &Case<'_>, state: &Replication, last: &Sample) -> Verdict {
    let behind = |line: &ReplicaLine| line.behind_bytes(state.offset);
    let is_sick = |line: &&ReplicaLine| {
        !line.is_online()
            || behind(line).is_some_and(|n| n >= BEHIND_BYTES)
            || line.ack_age_s.is_some_and(|s| s >= SILENT_S)
    };
    let worst = state
        .replicas
        .iter()
        .filter(is_sick)
        .max_by_key(|line| behind(line));
    let (level, summary) = if let Some(line) = worst {
        let pace = WritePace::until(&case.window, last.moment);
        let about = behind(line).and_then(|bytes| about(&pace, bytes));
        (Level::AtRisk, sick_replica(line, behind(line), about))
    } else {
        let most = state.replicas.iter().filter_map(behind).max();
        let most = most.map_or_else(|| "an unknown amount".into(), words::bytes);
        (
            Level::Clear,
            format!(
                "{}, at most {most} behind",
                words::plural(state.replicas.len() as u64, "replica")
            ),
        )
    };
    let mut verdict = Verdict::new(Cause::Replication, level, summary);
    verdict.mechanism = worst.map(|_| Mechanism::ReplicaBehind);
    let at = Some(last.moment.at);
    let others = state.replicas.iter().filter(|line| Some(*line) != worst);
    for line in worst.into_iter().chain(others).take(4) {
        let note = format!(
            "replica {}: acknowledged against written, bytes",
            line.address
        );
        let evidence = case.evidence("slaveN.offset", line.offset, state.offset, note, at);
        verdict.evidence.push(evidence);
    }
    verdict
}

/// `, about 1,200 writes and 1,100 new keys`.
fn about(pace: &WritePace, bytes: u64) -> Option<String> {
    let writes = pace.writes_of(bytes).filter(|n| *n > 0)?;
    let writes = words::plural(writes, "write");
    let keys = pace.keys_of(bytes).filter(|n| *n > 0);
    let keys = keys.map_or_else(String::new, |n| {
        format!(" and {}", words::plural(n, "new key"))
    });
    Some(format!(", about {writes}{keys}"))
}

fn sick_replica(line: &ReplicaLine, behind: Option<u64>, about: Option<String>) -> String {
    let address = &line.address;
    if !line.is_online() {
        return format!(
            "replica {address} has none of the data of this primary yet ({})",
            line.state
        );
    }
    let behind = behind.map_or_else(|| "an unknown amount".into(), words::bytes);
    let about = about.unwrap_or_default();
    match line.ack_age_s.filter(|s| *s >= SILENT_S) {
        Some(s) => {
            let silent = words::duration(s);
            format!("replica {address} is {behind} behind and silent for {silent}{about}")
        }
        None => format!("replica {address} is {behind} behind{about}"),
    }
}

/// Before we came: this process took over another's history, or was restarted from disk (7.0+
/// keeps the history's id in the RDB).
fn promoted_once(case: &Case<'_>, last: &Sample) -> Option<Verdict> {
    let state = &last.replication;
    let (old, at) = (state.replid2.as_deref()?, state.second_offset?);
    let has_loaded = last.persistence.loaded_keys.is_some_and(|keys| keys > 0);
    // A full synchronisation counts as a load too; who was told whom to follow is no restart.
    let mut roles = ["replicaof", "slaveof"].iter();
    let was_told = roles.any(|name| effective(last, name) > 0);
    // A history that ends before its first byte is none: a node that came up empty in a cluster.
    if last.product() == Product::Unknown || has_loaded && !was_told || at <= 1 {
        return None;
    }
    let summary = format!(
        "this server took over from another primary at offset {}, {}; writes that had not arrived then would have been lost",
        words::count(at),
        case.since_start()
    );
    let mut verdict = Case::since_start_verdict(Cause::Replication, summary);
    verdict.mechanism = Some(Mechanism::Failover);
    let id = short(Some(old));
    verdict.evidence.push(case.evidence(
        "master_replid2",
        Reading::None,
        id,
        "the old primary's history",
        Some(last.moment.at),
    ));
    verdict.evidence.push(case.total_evidence(
        "second_repl_offset",
        at,
        "where the histories part",
    ));
    Some(verdict)
}
