//! A primary that was told to follow another server: until it synchronises, everything can be saved.

use super::court::Court;
use super::handover::Handover;
use crate::diagnosis::{Cause, Evidence, Level, Mechanism, Verdict, words};
use crate::model::{Role, SlotMove};

/// Fewer keys are not worth an alarm.
const LEAST: u64 = 10;

/// What is said of primaries that were told to follow another server, and have not begun yet: they
/// drop their keys for that one's.
pub(super) fn verdicts(court: &Court<'_>) -> Vec<Verdict> {
    let told = court.members().filter_map(|member| verdict(court, member));
    told.collect()
}

fn verdict(court: &Court<'_>, member: usize) -> Option<Verdict> {
    let node = court.node(member);
    let mut roles = court.deployment.members()[member].roles(court.end).rev();
    let (told, is) = roles.next()?;
    let (_, was) = roles.next()?;
    let took_part = |h: &Handover| h.new == member || h.old == member;
    // What it holds still moved away with its last slots, where it gave those.
    let gave = |moved: &SlotMove| moved.from == *node;
    if (was, is) != (Role::Primary, Role::Replica)
        || court.handovers.iter().any(took_part)
        || court.slot_moves.iter().any(gave)
    {
        return None;
    }
    let window = &court.windows[member];
    let last = window.last().filter(|_| window.open_gap().is_none())?;
    let keys = last.keys().filter(|keys| *keys >= LEAST)?;
    let state = last.replication();
    let of = state.primary.filter(|_| state.link_up == Some(false))?;
    let keys = words::keys(keys);
    let summary = format!(
        "{node} was told to follow {of} and still holds {keys}, which it drops when it synchronises"
    );
    let mut verdict = Verdict::new(Cause::Replication, Level::AtRisk, summary);
    verdict.mechanism = Some(Mechanism::Replicaof);
    verdict.first_seen = Some(told.at);
    verdict.last_seen = Some(told.at);
    verdict.evidence.push(Evidence {
        node: node.clone(),
        field: "role".into(),
        before: was.id().into(),
        after: is.id().into(),
        note: format!("follows {of}, link down"),
        at: Some(told.at),
    });
    verdict.next_steps = vec![
        format!(
            "if that was not meant, at once: REPLICAOF NO ONE on {node}; then its own replicas, which drop their keys too"
        ),
        format!(
            "save what it has first if you are not sure: redis-cli -u redis://{node} --rdb saved.rdb"
        ),
    ];
    Some(verdict)
}
