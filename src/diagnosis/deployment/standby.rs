//! Copies that would have to stand in: which has the most of a primary that does not answer, and which
//! lacks keys although it is not behind.

use super::court::Court;
use crate::diagnosis::replication::NOISE_BYTES;
use crate::diagnosis::{Cause, Evidence, Level, Mechanism, Verdict, words};
use crate::model::{NodeId, Packed, WritePace};

/// Answers of a copy that must agree before it is said to lack keys: the counts of two nodes are never
/// of the same moment.
const ANSWERS: usize = 3;
/// A copy lacks keys from so many on …
const FEW: u64 = 10;
/// … and from this part of all.
const PART: u64 = 20;

/// A copy of a primary that does not answer.
struct Standby<'a> {
    node: &'a NodeId,
    /// Bytes of its stream that it has applied.
    applied: u64,
    /// Bytes that it lacks of what was seen of the primary.
    lacks: u64,
}

/// What is said of the copies of a primary that does not answer; `None` where it does, or none of them
/// tells.
pub(super) fn of_silent(court: &Court<'_>, primary: usize) -> Option<Verdict> {
    let window = &court.windows[primary];
    let gap = window.open_gap().filter(|_| court.is_reigning(primary))?;
    // A primary that only refuses to be asked serves others still, as the links of its copies show.
    let has_link = |copy: usize| {
        court.windows[copy]
            .last()
            .and_then(|last| last.replication().link_up)
    };
    let lives = copies(court, primary).any(|copy| has_link(copy) == Some(true));
    if lives || !gap.failure.kind.is_outage() {
        return None;
    }
    let last = window.last_sample()?;
    let offset = last.replication.offset?;
    let mut standbys: Vec<Standby<'_>> = copies(court, primary)
        .filter_map(|member| {
            let state = court.windows[member].last_sample()?.replication;
            let is_same = state.replid.is_some() && state.replid == last.replication.replid;
            let applied = state.applied_offset.filter(|_| is_same)?;
            Some(Standby {
                node: court.node(member),
                applied,
                lacks: offset.saturating_sub(applied),
            })
        })
        .collect();
    standbys.sort_by_key(|standby| standby.lacks);
    let best = standbys.first()?.node;
    let pace = WritePace::until(window, last.moment);
    let node = court.node(primary);
    let summary = compared(node, &standbys, &pace)?;
    let mut verdict = Verdict::new(Cause::Replication, Level::AtRisk, summary);
    let is_behind = standbys.iter().any(|one| one.lacks > NOISE_BYTES);
    verdict.mechanism = is_behind.then_some(Mechanism::ReplicaBehind);
    verdict.evidence = standbys
        .iter()
        .take(4)
        .map(|standby| Evidence {
            node: standby.node.clone(),
            field: "slave_repl_offset".into(),
            before: offset.into(),
            after: standby.applied.into(),
            note: format!("written by {node} when it was last seen, applied"),
            at: Some(last.moment.at),
        })
        .collect();
    verdict.next_steps = vec![
        format!(
            "see whether {node} can come back with its data: what it wrote last is on its disk or nowhere"
        ),
        format!(
            "if it does not, promote {best}, which has the most, and no other: REPLICAOF NO ONE, in a cluster CLUSTER FAILOVER TAKEOVER; with Sentinels see first whether they do it"
        ),
    ];
    Some(verdict)
}

/// What each has of a primary that does not answer, the fullest first.
fn compared(node: &NodeId, standbys: &[Standby<'_>], pace: &WritePace) -> Option<String> {
    let (best, others) = standbys.split_first()?;
    let lacks = |bytes: u64| {
        let writes = pace.writes_of(bytes).filter(|n| *n > 0);
        let about = writes.map(|n| format!(" (about {})", words::plural(n, "write")));
        format!("{}{}", words::bytes(bytes), about.unwrap_or_default())
    };
    let has = match best.lacks {
        0..=NOISE_BYTES => format!("has all that was seen of {node}, which does not answer"),
        bytes => format!(
            "has the most of {node}, which does not answer, and lacks {}",
            lacks(bytes)
        ),
    };
    let first = format!("{} {has}", best.node);
    let behind = others
        .iter()
        .filter(|one| one.lacks > best.lacks.saturating_add(NOISE_BYTES));
    let behind = behind
        .take(2)
        .map(|one| format!("{} lacks {}", one.node, lacks(one.lacks)));
    let told: Vec<String> = std::iter::once(first).chain(behind).collect();
    Some(told.join("; "))
}

/// What is said of copies that follow, are not behind, and hold fewer keys.
pub(super) fn lacking(court: &Court<'_>) -> Vec<Verdict> {
    let primaries = court.primaries().filter(|primary| {
        court.is_reigning(*primary) && court.windows[*primary].open_gap().is_none()
    });
    let copies = primaries.flat_map(|primary| {
        copies(court, primary).filter_map(move |copy| lacks(court, primary, copy))
    });
    copies.collect()
}

fn lacks(court: &Court<'_>, primary: usize, copy: usize) -> Option<Verdict> {
    let newest = |member: usize, count: usize| -> Vec<&Packed> {
        court.windows[member].samples().rev().take(count).collect()
    };
    // One answer more of the primary: the oldest of the copy's may be older than all of those.
    let (of, is) = (newest(primary, ANSWERS + 1), newest(copy, ANSWERS));
    let held = of.iter().map(|sample| sample.keys()).min()??;
    let holds = is.iter().map(|sample| sample.keys()).max()??;
    let fewer = held.checked_sub(holds)?;
    if fewer < FEW.max(held / PART) {
        return None;
    }
    let (earliest, last) = (of.last()?.replication(), is.first()?);
    let follows = |sample: &&Packed| {
        let state = sample.replication();
        let is_same = state.replid.is_some() && state.replid == earliest.replid;
        state.link_up == Some(true) && is_same && !sample.is_loading()
    };
    let applied = last.replication().applied_offset?;
    let is_with_it = applied.saturating_add(NOISE_BYTES) >= earliest.offset?;
    if is.len() < ANSWERS || of.len() <= ANSWERS || !is.iter().all(follows) || !is_with_it {
        return None;
    }
    let (node, at) = (court.node(copy), court.node(primary));
    let summary = format!(
        "replica {node} is not behind and holds {} fewer than {at}: promoted, it would lose them",
        words::keys(fewer)
    );
    let mut verdict = Verdict::new(Cause::Replication, Level::AtRisk, summary);
    verdict.mechanism = Some(Mechanism::ReplicaDiverged);
    verdict.evidence.push(Evidence {
        node: node.clone(),
        field: "keys".into(),
        before: held.into(),
        after: holds.into(),
        note: format!("on {at}, on the replica"),
        at: Some(last.moment.at),
    });
    verdict.next_steps = vec![
        format!(
            "keep {node} from being promoted meanwhile: CONFIG SET replica-priority 0 (Sentinel), CONFIG SET cluster-replica-no-failover yes (cluster)"
        ),
        format!(
            "find who writes to {node}: CLIENT LIST, SLOWLOG GET there; then CONFIG SET replica-read-only yes"
        ),
        format!(
            "let it synchronise in full: a partial synchronisation does not bring the keys back; restart {node} without its data files, or add another replica in its place"
        ),
    ];
    Some(verdict)
}

/// The copies in the shard of a primary that answer.
fn copies<'c>(court: &'c Court<'_>, primary: usize) -> impl Iterator<Item = usize> + use<'c> {
    let shard = court.deployment.shard_of(primary).iter().copied();
    shard.filter(move |member| {
        *member != primary
            && court.seat(*member).is_copy()
            && court.windows[*member].open_gap().is_none()
    })
}
