//! Whose word counts: primaries while they are that, replicas where no primary can be seen.

use std::time::Duration;

use super::handover::{self, Handover};
use crate::diagnosis::ledger::Loss;
use crate::diagnosis::{Cause, Diagnosis, Incident, Verdict};
use crate::model::{Deployment, Member, NodeId, Role, Window};

/// A deployment under judgement.
pub(super) struct Court<'a> {
    pub(super) deployment: &'a Deployment,
    pub(super) end: Option<Duration>,
    pub(super) windows: Vec<Window<'a>>,
    pub(super) parts: &'a [Diagnosis],
    pub(super) shards: Vec<Shard>,
    /// Hand-overs of all shards, the oldest first.
    pub(super) handovers: Vec<Handover>,
    /// What each member is to the whole.
    seats: Vec<Seat>,
}

/// Members that hold the same data.
pub(super) struct Shard {
    /// Who was the primary when the watch on it began; the last to say so first.
    pub(super) first: Option<usize>,
    /// Who is the primary now.
    pub(super) last: Option<usize>,
}

/// What a member is to the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seat {
    /// It was never heard.
    Unheard,
    /// It is a copy of a primary that can be seen.
    Copy,
    /// It is or was a primary, or stands for one that cannot be seen.
    Primary,
}

impl<'a> Court<'a> {
    pub(super) fn new(
        deployment: &'a Deployment,
        end: Option<Duration>,
        parts: &'a [Diagnosis],
    ) -> Self {
        let windows: Vec<Window<'a>> = deployment.windows(end).collect();
        let kin = deployment.shards();
        let mut handovers: Vec<Handover> = kin
            .iter()
            .flat_map(|members| handover::of(members, deployment.members(), end, &windows))
            .collect();
        handovers.sort_by_key(|handover| handover.to);
        let mut seats = vec![Seat::Unheard; windows.len()];
        let mut shards = Vec::new();
        for members in kin {
            seat(members, deployment.members(), end, &mut seats);
            shards.push(Shard::new(members, &windows, &handovers));
        }
        Self {
            deployment,
            end,
            windows,
            parts,
            shards,
            handovers,
            seats,
        }
    }

    pub(super) fn node(&self, member: usize) -> &'a NodeId {
        self.windows[member].node()
    }

    pub(super) fn seat(&self, member: usize) -> Seat {
        self.seats[member]
    }

    /// The members whose word counts.
    pub(super) fn primaries(&self) -> impl Iterator<Item = usize> {
        let seats = self.seats.iter().enumerate();
        seats
            .filter(|(_, seat)| **seat == Seat::Primary)
            .map(|(m, _)| m)
    }

    /// Whether a loss of a member is one of the whole: it was the primary then.
    pub(super) fn counts(&self, member: usize, loss: &Loss) -> bool {
        let is_later = |handover: &&Handover| {
            (handover.new == member && loss.to <= handover.to)
                || (handover.old == member && loss.to > handover.from)
        };
        self.seats[member] == Seat::Primary && !self.handovers.iter().any(|h| is_later(&h))
    }

    /// Losses of a member by one cause that count.
    pub(super) fn losses(&self, member: usize, cause: Cause) -> impl Iterator<Item = &'a Loss> {
        let losses = self.parts[member].ledger.losses_by(cause);
        losses.filter(move |loss| self.counts(member, loss))
    }

    /// Whether what a verdict says of a member is true of the whole.
    pub(super) fn is_heard(&self, member: usize, verdict: &Verdict) -> bool {
        if self.seats[member] != Seat::Primary {
            return false;
        }
        if !verdict.is_loss_in_window() {
            return true;
        }
        let mut losses = self.parts[member].ledger.losses_by(verdict.cause);
        let is_booked = losses.next().is_some();
        let took_part = |h: &Handover| h.new == member || h.old == member;
        match verdict.cause {
            // Told by the hand-over itself, with both sides' numbers.
            Cause::Replication if self.handovers.iter().any(took_part) => false,
            // Somebody took over from it: it is missed no more.
            Cause::InstanceFailure if self.successor(member).is_some() => {
                self.losses(member, verdict.cause).next().is_some()
            }
            cause => !is_booked || self.losses(member, cause).next().is_some(),
        }
    }

    /// Whether what an incident says of a cause is one of the whole.
    pub(super) fn is_of_the_whole(&self, member: usize, incident: &Incident, cause: Cause) -> bool {
        let within = |loss: &&Loss| loss.to >= incident.from && loss.to <= incident.to;
        let mut booked = self.parts[member].ledger.losses_by(cause).filter(within);
        if booked.next().is_some() {
            return self.losses(member, cause).any(|loss| within(&loss));
        }
        let is_told = |h: &Handover| h.new == member || h.old == member;
        let took_over = match cause {
            Cause::Replication | Cause::InstanceFailure => self.handovers.iter().any(is_told),
            _ => false,
        };
        !took_over
    }

    /// The hand-over by which another took over from a member, if it did not come back since.
    pub(super) fn successor(&self, member: usize) -> Option<&Handover> {
        let mut handovers = self.handovers.iter().rev();
        handovers
            .find(|h| h.old == member || h.new == member)
            .filter(|h| h.old == member)
    }
}

impl Shard {
    fn new(members: &[usize], windows: &[Window<'_>], handovers: &[Handover]) -> Self {
        let mut own = handovers.iter().filter(|h| members.contains(&h.new));
        let oldest = own.next();
        let newest = own.next_back().or(oldest);
        let by = |is: fn(&Window<'_>) -> bool| members.iter().copied().find(|m| is(&windows[*m]));
        let first = by(|window| window.first().is_some_and(|s| s.role() != Role::Replica));
        let last = by(|window| window.last().is_some_and(|s| s.role() != Role::Replica));
        let replica = by(|window| window.last().is_some());
        Self {
            first: oldest.map(|h| h.old).or(first).or(replica),
            last: newest.map(|h| h.new).or(last).or(replica),
        }
    }
}

/// Gives the members of one shard their seats.
fn seat(members: &[usize], all: &[Member], end: Option<Duration>, seats: &mut [Seat]) {
    let heard = |member: &&usize| all[**member].roles(end).next().is_some();
    let was_primary = |member: usize| {
        let mut roles = all[member].roles(end);
        roles.any(|(_, role)| role != Role::Replica)
    };
    let has_primary = members.iter().filter(heard).any(|m| was_primary(*m));
    // Where every one is a replica, one of them is enough.
    let mut stand_in = !has_primary;
    for member in members.iter().filter(heard) {
        seats[*member] = if was_primary(*member) || std::mem::take(&mut stand_in) {
            Seat::Primary
        } else {
            Seat::Copy
        };
    }
}
