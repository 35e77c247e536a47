//! Whose word counts: primaries while they are that, replicas where no primary can be seen.

use std::time::Duration;

use super::handover::{self, Handover};
use super::resharding;
use crate::diagnosis::ledger::{Given, Loss};
use crate::diagnosis::{Cause, Diagnosis, Incident, Mechanism, Scope, Verdict};
use crate::model::{Deployment, Extent, Member, Moment, NodeId, Role, SlotMove, Window, WritePace};

/// A view of the cluster comes within so long.
const HEARSAY: Duration = Duration::from_secs(10);

/// A deployment under judgement.
pub(super) struct Court<'a> {
    pub(super) deployment: &'a Deployment,
    /// What is reported; all others are heard of what concerns it.
    extent: &'a Extent,
    pub(super) end: Option<Duration>,
    pub(super) windows: Vec<Window<'a>>,
    pub(super) parts: &'a [Diagnosis],
    /// Slots that nodes gave to others.
    pub(super) slot_moves: Vec<SlotMove>,
    /// What is known of the slots that each member gave away.
    pub(super) given: Vec<Given>,
    /// Hand-overs of all shards, the oldest first.
    pub(super) handovers: Vec<Handover>,
    /// What each member is to the whole.
    seats: Vec<Seat>,
    /// Replicas that stand for a primary which cannot be seen.
    stands_in: Vec<bool>,
    /// Primaries that have fallen silent and have a witness.
    spoken_for: Vec<bool>,
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
    /// It is a copy of a primary that has fallen silent, and lost keys after that one's last answer.
    Witness {
        /// That answer.
        since: Moment,
    },
}

impl Seat {
    /// Whether it holds what a primary of ours holds.
    pub(super) fn is_copy(self) -> bool {
        matches!(self, Self::Copy | Self::Witness { .. })
    }
}

impl<'a> Court<'a> {
    pub(super) fn new(
        deployment: &'a Deployment,
        extent: &'a Extent,
        end: Option<Duration>,
        parts: &'a [Diagnosis],
    ) -> Self {
        let windows: Vec<Window<'a>> = deployment.windows(end).collect();
        let kin = deployment.shards();
        let mut handovers: Vec<Handover> = kin
            .iter()
            .filter(|members| members.iter().any(|member| extent.contains(*member)))
            .flat_map(|members| handover::of(members, deployment, end, &windows))
            .collect();
        handovers.sort_by_key(|handover| handover.to);
        let mut seats = vec![Seat::Unheard; windows.len()];
        let mut stands_in = vec![false; windows.len()];
        for members in kin {
            seat(
                members,
                deployment.members(),
                end,
                (&mut seats, &mut stands_in),
            );
        }
        let start = windows.iter().filter_map(Window::start).min();
        let mut slot_moves = deployment.slot_moves(end);
        slot_moves.retain(|moved| start.is_none_or(|start| moved.last >= start));
        let given = windows.iter();
        let given =
            given.map(|window| resharding::given(deployment, &slot_moves, window.node(), end));
        let given = given.collect();
        let mut court = Self {
            deployment,
            extent,
            end,
            windows,
            parts,
            slot_moves,
            given,
            handovers,
            seats,
            stands_in,
            spoken_for: vec![false; deployment.members().len()],
        };
        for members in kin {
            if let Some((primary, member, since)) = court.witness(members) {
                court.seats[member] = Seat::Witness { since };
                court.spoken_for[primary] = true;
            }
        }
        court
    }

    /// The primary of a shard that has fallen silent, the copy that tells what befell it since, and the
    /// last answer of the primary.
    fn witness(&self, shard: &[usize]) -> Option<(usize, usize, Moment)> {
        let mut reigning = shard.iter().filter(|member| self.is_reigning(**member));
        let primary = *reigning.next().filter(|_| reigning.next().is_none())?;
        self.windows[primary].open_gap()?;
        let since = self.windows[primary].last()?.moment;
        let known = &self.parts[primary].ledger.losses;
        let is_news = |loss: &Loss| {
            let is_known = |known: &Loss| known.to > loss.from && known.cause() == loss.cause();
            loss.to > since && loss.mechanism != Mechanism::Replicaof && !known.iter().any(is_known)
        };
        let copies = shard.iter().copied().filter(|member| {
            let answers = self.windows[*member].open_gap().is_none();
            let mut losses = self.parts[*member].ledger.losses.iter();
            self.seats[*member] == Seat::Copy && answers && losses.any(is_news)
        });
        let state = |member: &usize| {
            let last = self.windows[*member].last_sample();
            let state = last.map(|last| last.replication)?;
            Some((state.link_up, state.applied_offset))
        };
        Some((primary, copies.max_by_key(state)?, since))
    }

    pub(super) fn node(&self, member: usize) -> &'a NodeId {
        self.windows[member].node()
    }

    pub(super) fn seat(&self, member: usize) -> Seat {
        self.seats[member]
    }

    /// Whether all of the deployment is reported.
    pub(super) fn is_whole(&self) -> bool {
        self.extent.is_whole()
    }

    /// Whether a member is of what is reported.
    pub(super) fn reports(&self, member: usize) -> bool {
        self.extent.contains(member)
    }

    /// The members that are reported.
    pub(super) fn members(&self) -> impl Iterator<Item = usize> {
        (0..self.windows.len()).filter(|member| self.reports(*member))
    }

    /// The reported members whose word counts.
    pub(super) fn primaries(&self) -> impl Iterator<Item = usize> {
        self.all_primaries().filter(|member| self.reports(*member))
    }

    /// The members of the whole deployment whose word counts.
    pub(super) fn all_primaries(&self) -> impl Iterator<Item = usize> {
        let seats = self.seats.iter().enumerate();
        let heard = seats.filter(|(_, seat)| matches!(seat, Seat::Primary | Seat::Witness { .. }));
        heard.map(|(member, _)| member)
    }

    fn is_primary(&self, member: usize, last: bool) -> bool {
        let mut roles = self.deployment.members()[member].roles(self.end);
        let role = if last {
            roles.next_back()
        } else {
            roles.next()
        };
        self.stands_in[member] || role.is_some_and(|(_, role)| role != Role::Replica)
    }

    /// Whether a member holds its part of the keys now: the primary of a shard, or who stands for it.
    pub(super) fn is_reigning(&self, member: usize) -> bool {
        let end = self.windows[member].end();
        let is_left = self.deployment.members()[member]
            .left()
            .is_some_and(|left| self.end.is_none_or(|end| left.elapsed <= end));
        self.seats[member] == Seat::Primary
            && self.is_primary(member, true)
            && !is_left
            && !self.is_side_branch(member)
            && end.is_some_and(|end| !self.is_deposed(member, end))
    }

    /// Whether a member's count is the newest of its part of the keys.
    pub(super) fn counts_keys(&self, member: usize) -> bool {
        matches!(self.seats[member], Seat::Witness { .. })
            || self.is_reigning(member) && !self.spoken_for[member]
    }

    /// Whether a member held its part of the keys when the watch on it began. One that was found
    /// after it had taken over holds the old one's.
    pub(super) fn was_reigning(&self, member: usize) -> bool {
        let mut own = self.handovers.iter().filter(|h| h.new == member);
        let first = self.windows[member].first().map(|sample| sample.moment);
        let was_late = own.any(|h| Some(h.to) == first);
        self.seats[member] == Seat::Primary && self.is_primary(member, false) && !was_late
    }

    /// Whether a member was promoted while the old primary went on as that: its data is a copy from
    /// which others part.
    fn is_side_branch(&self, member: usize) -> bool {
        let mut own = self.handovers.iter().rev().filter(|h| h.new == member);
        own.next().is_some_and(|h| !h.takes_effect())
    }

    /// Whether a loss of a member is one of the whole: it was the primary when that began, and no
    /// other had taken over.
    pub(super) fn counts(&self, member: usize, loss: &Loss) -> bool {
        match self.seats[member] {
            Seat::Unheard | Seat::Copy => return false,
            Seat::Witness { since } => {
                return loss.to > since && loss.mechanism != Mechanism::Replicaof;
            }
            Seat::Primary => {}
        }
        // A primary that was told to follow loses its own data a little later. What was written to a
        // copy that was promoted for a while is lost with that, and with nothing else.
        if loss.mechanism == Mechanism::Replicaof {
            return !self.is_deposed(member, loss.to) && !self.was_mere_copy(member, loss);
        }
        let is_own = self.stands_in[member]
            || self.deployment.members()[member].role_at(loss.from) != Role::Replica;
        let is_aside = self
            .handovers
            .iter()
            .any(|h| h.new == member && !h.takes_effect() && loss.to > h.to);
        is_own && !is_aside && !self.is_deposed(member, loss.to) && !self.is_handed_on(member, loss)
    }

    /// Whether a member was promoted beside its primary, nobody wrote to it, and it follows again: it
    /// dropped nothing that the primary did not have.
    fn was_mere_copy(&self, member: usize, loss: &Loss) -> bool {
        let mut own = self.handovers.iter().rev();
        let Some(taken) = own.find(|h| h.new == member && h.to <= loss.to) else {
            return false;
        };
        let since = (taken.to.elapsed, loss.from.elapsed);
        let mut steps = self.windows[member].steps_within(since);
        !taken.takes_effect() && !steps.any(|step| WritePace::writes(step) > 0)
    }

    /// Whether another had taken over from a member by then, and it had not come back.
    fn is_deposed(&self, member: usize, by: Moment) -> bool {
        let effective = self.handovers.iter().filter(|h| h.takes_effect());
        let turns = effective.filter_map(|handover| {
            let old = (handover.old == member).then_some((handover.from, true));
            let new = (handover.new == member).then_some((handover.to, false));
            old.or(new)
        });
        let turns = turns.filter(|(since, _)| by > *since);
        let last = turns.max_by_key(|(since, _)| *since);
        last.is_some_and(|(_, deposed)| deposed)
    }

    /// Whether keys may have gone with slots of which nobody has told yet: that they were given away,
    /// or that their new holder took more in.
    pub(super) fn is_handed_on(&self, member: usize, loss: &Loss) -> bool {
        let given = &self.given[member];
        let viewed = self.deployment.viewed(self.end);
        let is_new = viewed.is_some_and(|viewed| loss.to > viewed);
        loss.mechanism == Mechanism::NoTrace
            && *given != Given::Untold
            && (is_new || given.is_about(loss.to))
            && self.is_young(loss)
    }

    /// Whether the cluster may still be asked about a loss.
    fn is_young(&self, loss: &Loss) -> bool {
        let now = self.windows.iter().filter_map(Window::end).max();
        now.is_some_and(|now| now.since(loss.to) <= HEARSAY)
    }

    /// Losses of a member by one cause that count.
    pub(super) fn losses(&self, member: usize, cause: Cause) -> impl Iterator<Item = &'a Loss> {
        let losses = self.parts[member].ledger.losses_by(cause);
        losses.filter(move |loss| self.counts(member, loss))
    }

    /// Whether what a verdict says of a member is true of the whole.
    pub(super) fn is_heard(&self, member: usize, verdict: &Verdict) -> bool {
        match self.seats[member] {
            Seat::Unheard | Seat::Copy => return false,
            Seat::Witness { .. } => return self.losses(member, verdict.cause).next().is_some(),
            Seat::Primary => {}
        }
        if !verdict.is_loss_in_window() {
            // How it stands now is told by those who hold the keys now; and what happened before the
            // watch, not by one that has taken over since.
            let is_old = verdict.cause == Cause::Replication
                && verdict.scope == Scope::SinceStart
                && !self.handovers.is_empty();
            return self.is_reigning(member) && !is_old;
        }
        let mut losses = self.parts[member].ledger.losses_by(verdict.cause);
        if losses.next().is_some() {
            return self.losses(member, verdict.cause).next().is_some();
        }
        let took_part = |h: &Handover| h.new == member || h.old == member;
        match verdict.cause {
            // Told by the hand-over itself, with both sides' numbers.
            Cause::Replication => !self.handovers.iter().any(took_part),
            // Somebody took over from it, or it was taken out: it is missed no more.
            Cause::InstanceFailure => self.successor(member).is_none() && !self.is_gone(member),
            _ => true,
        }
    }

    /// Whether a node has left, or does not answer and is not of the cluster any more.
    pub(super) fn is_gone(&self, member: usize) -> bool {
        let member = &self.deployment.members()[member];
        let left = member.left().map(|moment| moment.elapsed);
        let has_left = left.is_some_and(|left| self.end.is_none_or(|end| left <= end));
        let last = member.history().window_until(self.end).last();
        let is_node = last.is_some_and(|last| last.is_cluster() == Some(true));
        let view = self.deployment.topology(self.end).filter(|_| is_node);
        has_left || view.is_some_and(|view| view.at(member.node()).is_none())
    }

    /// Whether what an incident says of a cause is one of the whole.
    pub(super) fn is_of_the_whole(&self, member: usize, incident: &Incident, cause: Cause) -> bool {
        let within = |loss: &&Loss| loss.to >= incident.from && loss.to <= incident.to;
        let mut booked = self.parts[member].ledger.losses_by(cause).filter(within);
        if booked.next().is_some() {
            return self.losses(member, cause).any(|loss| within(&loss));
        }
        if self.seats[member] != Seat::Primary {
            return false;
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
        let mut handovers = self.handovers.iter().rev().filter(|h| h.takes_effect());
        handovers
            .find(|h| h.old == member || h.new == member)
            .filter(|h| h.old == member)
    }
}

/// Gives the members of one shard their seats.
fn seat(
    members: &[usize],
    all: &[Member],
    end: Option<Duration>,
    (seats, stands_in): (&mut [Seat], &mut [bool]),
) {
    let heard = |member: &&usize| all[**member].roles(end).next().is_some();
    let was_primary = |member: usize| {
        let mut roles = all[member].roles(end);
        roles.any(|(_, role)| role != Role::Replica)
    };
    let has_primary = members.iter().filter(heard).any(|m| was_primary(*m));
    // Where every one is a replica, one of them is enough.
    let mut wanted = !has_primary;
    for member in members.iter().filter(heard) {
        stands_in[*member] = std::mem::take(&mut wanted);
        seats[*member] = if was_primary(*member) || stands_in[*member] {
            Seat::Primary
        } else {
            Seat::Copy
        };
    }
}
