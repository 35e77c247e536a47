//! What was lost and is still somewhere: copies that have not followed yet.

use super::court::{Court, Seat};
use super::takeover;
use crate::diagnosis::{Cause, Verdict, words};
use crate::model::{Moment, NodeId};

/// Losses below this are not worth a rescue.
const LEAST: u64 = 10;

/// A node that still holds keys which another of its shard has lost.
struct Holder<'a> {
    node: &'a NodeId,
    keys: u64,
}

/// Says where the keys still are that a verdict tells the loss of, and that comes before everything
/// else: a copy holds them until it synchronises.
pub(super) fn tell(court: &Court<'_>, mut verdict: Verdict) -> Verdict {
    if !verdict.is_loss_in_window() || !can_be_undone(verdict.cause) {
        return verdict;
    }
    let Some(Holder { node, keys }) = holder(court, verdict.cause) else {
        return verdict;
    };
    let keys = words::keys(keys);
    verdict.summary = format!("{node} still holds {keys}; {}", verdict.summary);
    let how = if court.deployment.topology(court.end).is_some() {
        "copy it now"
    } else {
        "REPLICAOF NO ONE on it now, or copy it"
    };
    let step = format!(
        "{node} still holds {keys}, until it synchronises: {how}: redis-cli -u redis://{node} --rdb saved.rdb"
    );
    verdict.next_steps.insert(0, step);
    verdict
}

/// What runs out or is pushed out does so on every copy.
fn can_be_undone(cause: Cause) -> bool {
    !matches!(
        cause,
        Cause::Expiration | Cause::Eviction | Cause::RejectedWrites
    )
}

fn holder<'a>(court: &Court<'a>, cause: Cause) -> Option<Holder<'a>> {
    let own = court
        .primaries()
        .filter(|member| court.seat(*member) == Seat::Primary);
    let own = own.filter_map(|member| {
        let losses = || court.losses(member, cause);
        let keys = losses().map(|loss| loss.keys).fold(0, u64::saturating_add);
        let by = losses().map(|loss| loss.to).max()?;
        Some((member, keys, by))
    });
    let handovers = court
        .handovers
        .iter()
        .filter(|_| cause == Cause::Replication);
    let handed = handovers.filter_map(|handover| {
        let loss = takeover::loss(handover)?;
        Some((handover.new, loss.keys, loss.to))
    });
    let lost = own.chain(handed).filter(|(_, keys, _)| *keys >= LEAST);
    let holders = lost.filter_map(|(member, lost, by)| most_of(court, member, lost, by));
    holders.max_by_key(|holder| holder.keys)
}

/// Who of the shard of a node holds half of what that lost more than it does, by an answer after the
/// loss.
fn most_of<'a>(court: &Court<'a>, member: usize, lost: u64, by: Moment) -> Option<Holder<'a>> {
    let now = court.windows[member].last()?.keys()?;
    let others = court.deployment.shard_of(member).iter().copied();
    let holders = others.filter(|other| *other != member).filter_map(|other| {
        let window = &court.windows[other];
        let sample = window.last().filter(|_| window.open_gap().is_none())?;
        let keys = sample.keys()?;
        let has_more = keys >= now.saturating_add(lost / 2);
        (sample.moment > by && has_more).then(|| Holder {
            node: court.node(other),
            keys,
        })
    });
    holders.max_by_key(|holder| holder.keys)
}
