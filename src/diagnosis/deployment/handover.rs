//! Who took over from whom, and what the new primary does not have.
//!
//! A replica that is promoted keeps the id of the history that it followed in `master_replid2`, and
//! the first offset that is not part of it in `second_repl_offset` (replication.c,
//! `shiftReplicationId`). So what the old primary wrote and the new one lacks is the old one's
//! offset, as it was last seen, less the one before that. It is a lower bound: what was written
//! between the last poll and the end of the old primary was seen by nobody.

use std::time::Duration;

use crate::diagnosis::replication::NOISE_BYTES;
use crate::model::{
    Continuity, Deployment, Moment, Packed, Replication, Role, Takeover, Window, WritePace,
};

/// One change of the primary of a shard.
#[derive(Clone, Debug, PartialEq)]
pub struct Handover {
    /// The place of the member that took over.
    pub new: usize,
    /// The place of the member that it took over from.
    pub old: usize,
    /// The last answer of the old primary as one.
    pub from: Moment,
    /// The first answer of the new one as one.
    pub to: Moment,
    /// Bytes of the old primary's stream, at least, that the new one does not have; `None` where
    /// their histories are not linked: it had none of the data, or another server's.
    pub bytes: Option<u64>,
    /// Bytes more that the old primary may have written after its last answer.
    pub unseen_bytes: Option<u64>,
    /// About how many writes `bytes` are.
    pub operations: Option<u64>,
    /// The old primary was written to when the bytes that are missing were.
    pub has_writes: bool,
    /// Keys of the old primary at `from`.
    pub keys_old: Option<u64>,
    /// Keys of the new one of what both had: at its last answer as a replica where nothing reached it
    /// after that, else at `to`, with what was written to it since.
    pub keys_new: Option<u64>,
    /// The old primary went on answering, and became a replica of the new one.
    pub planned: bool,
    /// What has become of it since.
    pub outcome: Outcome,
    /// The old primary went on as one after the other had taken over: what is missing was written to
    /// it meanwhile.
    pub went_on: bool,
}

/// What has become of a change of the primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The old one is a primary no more, or does not answer.
    Settled,
    /// Both are primaries; whether each has been written to since.
    Open {
        /// The old one.
        old: bool,
        /// The new one.
        new: bool,
    },
    /// The new one is a replica of the old again, which never was anything else.
    Undone,
}

impl Handover {
    /// Whether something is missing on the new primary, and it is one.
    pub fn is_loss(&self) -> bool {
        self.outcome == Outcome::Settled && self.is_missing()
    }

    /// Whether both take writes that the other does not get.
    pub fn is_split(&self) -> bool {
        matches!(
            self.outcome,
            Outcome::Open {
                old: true,
                new: true
            }
        )
    }

    /// Whether the new one is the primary, as far as can be told: where both are, the one that is
    /// written to.
    pub fn takes_effect(&self) -> bool {
        matches!(
            self.outcome,
            Outcome::Settled
                | Outcome::Open {
                    old: false,
                    new: true
                }
        )
    }

    /// Without writes, the stream carries PINGs and what Sentinels publish; no more than so much of
    /// it goes by in a while.
    fn is_missing(&self) -> bool {
        match self.bytes {
            Some(bytes) => bytes > NOISE_BYTES && (self.has_writes || bytes > HEARTBEATS),
            None => self.keys() > 0,
        }
    }

    /// Keys that are missing, at least: no more than the missing bytes can have written, for keys
    /// whose time ran out meanwhile are fewer too.
    pub fn keys(&self) -> u64 {
        let fewer = self.keys_old.zip(self.keys_new);
        let fewer = fewer.map_or(0, |(old, new)| old.saturating_sub(new));
        match self.bytes {
            Some(bytes) if bytes <= NOISE_BYTES => 0,
            Some(bytes) => fewer.min(bytes / LEAST_WRITE),
            None => fewer,
        }
    }
}

/// Bytes of a stream without writes: some hundred a second where Sentinels say hello.
const HEARTBEATS: u64 = 1 << 16;
/// Who does not answer for so long is not just busy.
const SILENCE: Duration = Duration::from_secs(10);
/// The shortest command that writes a key, in the stream: `SET k v`.
const LEAST_WRITE: u64 = 27;

/// The hand-overs of one shard, the oldest first.
pub(super) fn of(
    shard: &[usize],
    deployment: &Deployment,
    end: Option<Duration>,
    windows: &[Window<'_>],
) -> Vec<Handover> {
    let mut found: Vec<Handover> = Vec::new();
    if shard.len() < 2 {
        return found;
    }
    for new in shard {
        for taken in deployment.members()[*new].takeovers(end) {
            let scene = Scene {
                deployment,
                end,
                windows,
                is: taken.after.replication(),
                taken,
            };
            let others = shard.iter().filter(|other| *other != new);
            let olds = others.filter_map(|old| scene.meter(*new, *old));
            // Linked by history before merely followed; then who was seen last.
            found.extend(olds.max_by_key(|one| (one.bytes.is_some(), one.from)));
        }
    }
    found.sort_by_key(|handover| handover.to);
    found
}

/// One node as it became a primary.
struct Scene<'a> {
    deployment: &'a Deployment,
    end: Option<Duration>,
    windows: &'a [Window<'a>],
    taken: &'a Takeover,
    is: Replication,
}

impl Scene<'_> {
    /// What `new` lacks of `old`.
    fn meter(&self, new: usize, old: usize) -> Option<Handover> {
        let Takeover { before, after } = self.taken;
        let (window, member) = (&self.windows[old], &self.deployment.members()[old]);
        let as_primary = |sample: &&Packed| sample.role() == Role::Primary;
        let linked = self.is.replid2.as_deref();
        let linked = linked.and_then(|replid| member.as_primary_of(replid, self.end));
        let (last, bytes) = if let Some(last) = linked {
            let has = self.is.second_offset?.saturating_sub(1);
            let lacks = last.replication().offset?.saturating_sub(has);
            (last, Some(lacks))
        } else {
            // It followed the old one and has none of its history.
            let followed = before.as_ref()?.replication().primary?;
            let followed = self.deployment.known_as(&followed);
            let then = |sample: &&Packed| as_primary(sample) && sample.moment <= after.moment;
            let is_kin = *window.node() == followed || self.is.replid2.is_none();
            let last = window.samples().rev().find(then).filter(|_| is_kin)?;
            (last, None)
        };
        // Of a primary that went on for itself: what it had when the other took over.
        let by_then = |sample: &&Packed| as_primary(sample) && sample.moment <= after.moment;
        let at_takeover = if last.moment <= after.moment {
            last
        } else {
            window.samples().rev().find(by_then).unwrap_or(last)
        };
        let went_on = last.moment > after.moment;
        let pace = WritePace::until(window, last.moment);
        let since = before.as_ref().map_or(after.moment, |before| before.moment);
        let written = |member: usize| self.is_written_to(&self.windows[member], Some(since));
        Some(Handover {
            new,
            old,
            from: at_takeover.moment,
            to: after.moment,
            bytes,
            unseen_bytes: unseen_s(window, last).map(|s| pace.bytes_in(s)),
            operations: bytes.and_then(|bytes| pace.writes_of(bytes)),
            has_writes: if went_on {
                // Also while it was cut off, before another was promoted.
                self.is_written_to(window, None)
            } else {
                pace.may_have_written()
            },
            keys_old: last.keys(),
            keys_new: self.common_keys().or_else(|| after.keys()),
            planned: was_handed_over(window, at_takeover, since),
            outcome: self.outcome((new, old), went_on, written)?,
            went_on,
        })
    }

    /// Keys of the new one before anybody wrote to it, where nothing was replicated to it after its last
    /// answer as a replica.
    fn common_keys(&self) -> Option<u64> {
        let before = self.taken.before.as_ref()?;
        let applied = before.replication().applied_offset?;
        let has = self.is.second_offset?.saturating_sub(1);
        let is_all = self.is.replid2.is_some() && applied.saturating_add(NOISE_BYTES) >= has;
        before.keys().filter(|_| is_all)
    }

    /// Whether a node took writes of its own after the histories had parted; none before `since`
    /// count, where that is given. A step that began before the new one was seen as the primary counts
    /// by how far its stream has gone past what is common.
    fn is_written_to(&self, window: &Window<'_>, since: Option<Moment>) -> bool {
        let parted = self.is.second_offset.filter(|_| self.is.replid2.is_some());
        let is_beyond = |moment: Moment| {
            let offset = window.sample_at(moment);
            let offset = offset.and_then(|sample| sample.replication.offset);
            let beyond = offset.zip(parted);
            beyond.is_some_and(|(is, parted)| is > parted.saturating_add(NOISE_BYTES))
        };
        let steps = window.steps().rev();
        let mut steps = steps.take_while(|step| match since {
            Some(since) => step.to > since,
            None => is_beyond(step.to),
        });
        let to = self.taken.after.moment;
        steps.any(|step| WritePace::writes(step) > 0 && (step.from >= to || is_beyond(step.to)))
    }

    /// What has become of it; `None` for a node that was taken out of its cluster, or holds nothing
    /// there, while the old one does, and for two that were taken out together.
    fn outcome(
        &self,
        (new, old): (usize, usize),
        went_on: bool,
        written: impl Fn(usize) -> bool,
    ) -> Option<Outcome> {
        if let Some(view) = self.deployment.topology(self.end) {
            let slots = |member: usize| {
                let node = view.at(self.windows[member].node());
                node.map_or(0, crate::model::ClusterNode::slot_count)
            };
            let is_out = |member: usize| {
                let last = self.windows[member].last();
                let is_node = last.is_some_and(|last| last.is_cluster() == Some(true));
                is_node && view.at(self.windows[member].node()).is_none()
            };
            if slots(old) > 0 && slots(new) == 0 || is_out(old) && is_out(new) {
                return None;
            }
        }
        let role = |member: usize| {
            let mut roles = self.deployment.members()[member].roles(self.end);
            roles.next_back().map(|(_, role)| role)
        };
        if role(old) != Some(Role::Primary) {
            return Some(Outcome::Settled);
        }
        let to = self.taken.after.moment;
        let mut later = self.deployment.members()[old].roles(self.end);
        let came_back = later.any(|(since, role)| since > to && role == Role::Replica);
        if came_back {
            return Some(Outcome::Settled);
        }
        if role(new) == Some(Role::Replica) {
            return Some(Outcome::Undone);
        }
        let is_gone = match self.windows[old].open_gap() {
            // A primary that went on beside the other may do so still, and who was detached for a
            // while takes no writes.
            Some(gap) if went_on => gap.to.since(gap.from) >= SILENCE && written(new),
            Some(_) => true,
            None => false,
        };
        if is_gone {
            return Some(Outcome::Settled);
        }
        Some(Outcome::Open {
            old: written(old),
            new: written(new),
        })
    }
}

/// Whether a primary became a replica without a break around that time.
fn was_handed_over(window: &Window<'_>, last: &Packed, taken: Moment) -> bool {
    let mut steps = window.steps().filter(|step| step.to > last.moment);
    let demoted =
        steps.find(|step| step.role_before == Role::Primary && step.role_after == Role::Replica);
    let about = last.moment.max(taken).elapsed + Duration::from_secs(60);
    demoted.is_some_and(|step| {
        step.continuity == Continuity::Same && !step.over_gap && step.to.elapsed <= about
    })
}

/// Seconds after its last answer in which a primary may have written on: until a poll failed.
fn unseen_s(window: &Window<'_>, last: &Packed) -> Option<f64> {
    let mut gaps = window.gaps();
    let gap = gaps.find(|gap| gap.from > last.moment)?;
    Some(gap.from.seconds_since(last.moment))
}
