//! Async replication: writes were not on the replica when it took over.

use super::case::{Account, Case, amount, short, with_account};
use super::ledger::is_failover;
use super::{Cause, Level, Reading, Rule, Verdict, words};
use crate::model::{Continuity, Product, ReplicaLine, Replication, Role, Sample, Step};

pub(super) const RULE: Rule = Rule {
    cause: Cause::Replication,
    explanation: "A primary answers the client before its replicas have the write. When it fails, \
what had not arrived is lost with it. The distance is master_repl_offset less the replica's \
acknowledged offset, in bytes of the replication stream; acknowledgements come once a second, so a \
second's worth of writes is noise. The lag field is seconds since the last acknowledgement, not \
seconds behind. A replica whose link is down serves old data, which looks like loss. A primary that \
restarts empty wipes its replicas by a full synchronisation, which changes none of their loss \
counters. Redis Enterprise and Azure Managed Redis hide replicas and offsets.",
    steps: &[
        "compare offsets: INFO replication on the primary and on every replica",
        "for writes that must survive: WAIT 1 100 after them, or min-replicas-to-write 1",
        "find what slows the link: SLOWLOG, the network, CONFIG GET client-output-buffer-limit; enlarge repl-backlog-size",
        "before you promote a replica by hand, make sure that its offset is the primary's",
    ],
    azure_steps: &[
        "in the portal, look for failovers and maintenance in the Activity log and Service Health at that time",
        "for writes that must survive: WAIT 1 100 after them",
        "turn on high availability, zone redundancy and data persistence; consider active geo-replication",
    ],
    risk_steps: &[],
    docs: &["https://redis.io/docs/latest/operate/oss_and_stack/management/replication/"],
    judge,
};

/// Below this, a distance is what a healthy stream has in flight.
const BEHIND_BYTES: u64 = 1 << 20;
/// A replica acknowledges every second; silence for this long is a sick link.
const SILENT_S: u64 = 10;
/// PING and REPLCONF traffic alone makes offsets differ by less than this.
const NOISE_BYTES: u64 = 100;

fn judge(case: &Case<'_>) -> Verdict {
    let Some(last) = case.last else {
        return Case::unheard(Cause::Replication);
    };
    if let Some(account) = case.account(Cause::Replication) {
        return lost(case, account);
    }
    if let Some(step) = case.window.steps().find(|step| is_handover(step)) {
        let verdict = handover(case, step);
        let now = state_now(case, last);
        // A harmless hand-over must not hide a replica that is behind now.
        return if verdict.is_loss() || now.level != Level::AtRisk {
            verdict
        } else {
            now
        };
    }
    state_now(case, last)
}

fn state_now(case: &Case<'_>, last: &Sample) -> Verdict {
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

fn lost(case: &Case<'_>, account: &Account<'_>) -> Verdict {
    let step = case.step_to(account.biggest.to);
    let bytes = step.and_then(lost_bytes);
    let summary = match step {
        Some(step) if step.role_after == Role::Replica => {
            let primary = case
                .last
                .and_then(|s| s.replication.primary.as_deref())
                .unwrap_or("another server");
            format!(
                "{} gone: the data set was replaced by that of {primary}",
                amount(account)
            )
        }
        _ => {
            let bytes =
                bytes.map_or_else(String::new, |n| format!(", {} of writes", words::bytes(n)));
            format!(
                "{} not on the replica that took over{bytes}",
                amount(account)
            )
        }
    };
    let mut verdict = with_account(
        Verdict::new(Cause::Replication, Level::Confirmed, summary),
        account,
    );
    if let Some(step) = step {
        evidence(case, step, &mut verdict);
    }
    verdict
}

fn evidence(case: &Case<'_>, step: &Step, verdict: &mut Verdict) {
    let at = Some(step.to.at);
    verdict
        .evidence
        .push(case.keys_evidence(step, "keys in all databases"));
    let Some((was, is)) = step.replication.as_deref() else {
        return;
    };
    let mut push = |field: &str, before: Reading, after: Reading, note: &str| {
        verdict
            .evidence
            .push(case.evidence(field, before, after, note, at));
    };
    let id = |id: &Option<String>| short(id.as_deref());
    push(
        "master_replid",
        id(&was.replid),
        id(&is.replid),
        "the replication history",
    );
    push(
        "master_replid2",
        id(&was.replid2),
        id(&is.replid2),
        "the history before it",
    );
    if was.role != is.role {
        push(
            "role",
            was.role.id().into(),
            is.role.id().into(),
            "changed while watching",
        );
    }
    push(
        "master_repl_offset",
        was.offset.into(),
        is.offset.into(),
        "bytes of the stream",
    );
    let (before, after) = (was.second_offset.into(), is.second_offset.into());
    push(
        "second_repl_offset",
        before,
        after,
        "where the histories part",
    );
}

/// Bytes of the old primary's stream, as far as we saw it, that the new one does not have.
/// Redis keeps the old history's id in `master_replid2` and its first missing byte in
/// `second_repl_offset` (replication.c, `shiftReplicationId`).
fn lost_bytes(step: &Step) -> Option<u64> {
    let (was, is) = step.replication.as_deref()?;
    if !is_failover(step) {
        return None;
    }
    Some(
        was.offset?
            .saturating_sub(is.second_offset?.saturating_sub(1)),
    )
}

/// Another server took over, or this replica was promoted.
fn is_handover(step: &Step) -> bool {
    let promoted = step.role_before == Role::Replica && step.role_after == Role::Primary;
    promoted || (step.continuity == Continuity::OtherProcess && is_failover(step))
}

/// A hand-over without a visible loss of keys.
fn handover(case: &Case<'_>, step: &Step) -> Verdict {
    let link_was_up = step
        .replication
        .as_deref()
        .is_some_and(|(was, _)| was.link_up == Some(true));
    let (level, summary) = match lost_bytes(step) {
        Some(bytes) if bytes > NOISE_BYTES => (
            Level::Confirmed,
            format!(
                "a replica took over without the last {} of writes",
                words::bytes(bytes)
            ),
        ),
        Some(_) => (
            Level::Clear,
            "a replica took over; no write that we saw was missing".into(),
        ),
        None if link_was_up => (
            Level::Clear,
            "this replica was promoted while its link was up".into(),
        ),
        None => (
            Level::Suspected,
            "this replica was promoted while its link was down: what it had not received is lost"
                .into(),
        ),
    };
    let mut verdict = Verdict::new(Cause::Replication, level, summary);
    verdict.first_seen = Some(step.to.at);
    verdict.last_seen = Some(step.to.at);
    evidence(case, step, &mut verdict);
    verdict
}

fn replica(case: &Case<'_>, last: &Sample) -> Verdict {
    let state = &last.replication;
    let primary = state.primary.as_deref().unwrap_or("its primary");
    let silent = state.last_io_s.filter(|s| *s >= SILENT_S);
    let (level, summary) = match (state.link_up, silent) {
        (Some(false), _) => {
            let since = state
                .link_down_s
                .map_or_else(String::new, |s| format!(" for {}", words::duration(s)));
            (
                Level::AtRisk,
                format!("the link to {primary} is down{since}: reads here are stale"),
            )
        }
        (_, Some(s)) => (
            Level::AtRisk,
            format!("nothing heard from {primary} for {}", words::duration(s)),
        ),
        _ => (Level::Clear, format!("follows {primary}, link up")),
    };
    let mut verdict = Verdict::new(Cause::Replication, level, summary);
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
        let summary = format!("{} of {before} replicas left while watching", before - now);
        let mut verdict = Verdict::new(Cause::Replication, Level::AtRisk, summary);
        let at = Some(last.moment.at);
        verdict
            .evidence
            .push(case.evidence("connected_slaves", before, now, "replicas", at));
        return verdict;
    }
    let present = if now == 0 {
        let summary = "no replica is attached; nothing can fall behind, nothing can take over";
        Verdict::new(Cause::Replication, Level::Clear, summary)
    } else {
        distance(case, state, last)
    };
    if present.level == Level::AtRisk {
        return present;
    }
    promoted_once(case, last).unwrap_or(present)
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
        (Level::AtRisk, sick_replica(line, behind(line)))
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

fn sick_replica(line: &ReplicaLine, behind: Option<u64>) -> String {
    let address = &line.address;
    if !line.is_online() {
        return format!(
            "replica {address} has no data to take over with yet ({})",
            line.state
        );
    }
    let behind = behind.map_or_else(|| "an unknown amount".into(), words::bytes);
    match line.ack_age_s.filter(|s| *s >= SILENT_S) {
        Some(s) => {
            let silent = words::duration(s);
            format!("replica {address} is {behind} behind and silent for {silent}")
        }
        None => format!("replica {address} is {behind} behind"),
    }
}

/// Before we came: this process took over another's history, or was restarted from disk (7.0+
/// keeps the history's id in the RDB).
fn promoted_once(case: &Case<'_>, last: &Sample) -> Option<Verdict> {
    let state = &last.replication;
    let (old, at) = (state.replid2.as_deref()?, state.second_offset?);
    let loaded = last.persistence.loaded_keys.is_some_and(|keys| keys > 0);
    if last.product() == Product::Unknown || loaded {
        return None;
    }
    let summary = format!(
        "this server took over from another primary at offset {}, {}; writes that had not arrived then would have been lost",
        words::count(at),
        case.since_start()
    );
    let mut verdict = Case::since_start_verdict(Cause::Replication, summary);
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
