//! What was lost and is still somewhere: copies that have not followed yet.

use super::court::{Court, Seat};
use super::takeover;
use crate::diagnosis::{Cause, Verdict, words};
use crate::model::{Moment, NodeId};

/// Losses below this are not worth a rescue.
const LEAST: u64 = 10;

/// A node that still holds keys which another of its shard has lost.
pub(super) struct Holder<'a> {
    node: &'a NodeId,
    keys: u64,
}

impl Holder<'_> {
    pub(super) fn sentence(&self) -> String {
        format!("{} still holds {}", self.node, words::keys(self.keys))
    }

    /// What comes before everything else.
    pub(super) fn step(&self, court: &Court<'_>) -> String {
        let how = if court.deployment.topology(court.end).is_some() {
            "copy it now"
        } else {
            "REPLICAOF NO ONE on it now, or copy it"
        };
        format!(
            "{}, until it synchronises: {how}: redis-cli -u redis://{} --rdb saved.rdb",
            self.sentence(),
            self.node
        )
    }
}

/// The copy of an empty primary that still has most keys, if any has some.
pub(super) fn copy_with_keys<'a>(court: &Court<'a>, primary: usize) -> Option<Holder<'a>> {
    let nothing = Lost {
        on: primary,
        of: primary,
        keys: 2 * LEAST,
        by: court.windows[primary].first()?.moment,
    };
    most_of(court, &nothing)
}

/// Says where the keys still are that a verdict tells the loss of, and that comes before everything
/// else: a copy holds them until it synchronises.
pub(super) fn tell(court: &Court<'_>, mut verdict: Verdict) -> Verdict {
    if !verdict.is_loss_in_window() || !can_be_undone(verdict.cause) {
        return verdict;
    }
    let Some(holder) = holder(court, verdict.cause) else {
        return verdict;
    };
    verdict.summary = format!("{}; {}", holder.sentence(), verdict.summary);
    verdict.next_steps.insert(0, holder.step(court));
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
        Some(Lost {
            on: member,
            of: member,
            keys,
            by,
        })
    });
    let handovers = court
        .handovers
        .iter()
        .filter(|_| cause == Cause::Replication);
    let handed = handovers.filter_map(|handover| {
        let loss = takeover::loss(handover)?;
        Some(Lost {
            on: handover.new,
            of: handover.old,
            keys: loss.keys,
            by: loss.to,
        })
    });
    let lost = own.chain(handed).filter(|lost| lost.keys >= LEAST);
    let holders = lost.filter_map(|lost| most_of(court, &lost));
    holders.max_by_key(|holder| holder.keys)
}

/// Keys that a node does not have any more.
struct Lost {
    on: usize,
    /// Whose keys they were.
    of: usize,
    keys: u64,
    by: Moment,
}

/// Which copy of the node that had them holds half of what was lost more than the one that lost them,
/// by an answer after that.
fn most_of<'a>(court: &Court<'a>, lost: &Lost) -> Option<Holder<'a>> {
    let now = court.windows[lost.on].last()?.keys()?;
    let others = court.deployment.shard_of(lost.on).iter().copied();
    let others = others.filter(|other| *other != lost.on && *other != lost.of);
    let holders = others.filter_map(|other| {
        let window = &court.windows[other];
        let sample = window.last().filter(|_| window.open_gap().is_none())?;
        let follows = court.deployment.known_as(&sample.replication().primary?);
        let is_copy = [lost.on, lost.of]
            .iter()
            .any(|of| *court.node(*of) == follows);
        let keys = sample.keys()?;
        let has_more = keys >= now.saturating_add(lost.keys / 2);
        (is_copy && sample.moment > lost.by && has_more).then(|| Holder {
            node: court.node(other),
            keys,
        })
    });
    holders.max_by_key(|holder| holder.keys)
}
