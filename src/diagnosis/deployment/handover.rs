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
    /// Up to so many bytes are no writes.
    pub noise: u64,
    /// Bytes more that the old primary may have written after its last answer.
    pub unseen_bytes: Option<u64>,
    /// About how many writes `bytes` are.
    pub operations: Option<u64>,
    /// Keys of the old primary at `from`.
    pub keys_old: Option<u64>,
    /// Keys of the new one at `to`.
    pub keys_new: Option<u64>,
    /// The old primary went on answering, and became a replica of the new one.
    pub planned: bool,
    /// The old primary still takes writes, which the new one does not get.
    pub split: bool,
    /// It went on as a primary after the other had taken over, whether it does still or not: what is
    /// missing was written to it meanwhile.
    pub went_on: bool,
}

impl Handover {
    /// Whether something is missing.
    pub fn is_loss(&self) -> bool {
        match self.bytes {
            Some(bytes) => bytes > self.noise,
            None => self.keys() > 0,
        }
    }

    /// Keys that are missing, at least: no more than the missing bytes can have written, for keys
    /// whose time ran out meanwhile are fewer too.
    pub fn keys(&self) -> u64 {
        let fewer = self.keys_old.zip(self.keys_new);
        let fewer = fewer.map_or(0, |(old, new)| old.saturating_sub(new));
        match self.bytes {
            Some(bytes) if bytes <= self.noise => 0,
            Some(bytes) => fewer.min(bytes / LEAST_WRITE),
            None => fewer,
        }
    }
}

/// The shortest command that writes a key, in the stream: `SET k v`.
const LEAST_WRITE: u64 = 27;

/// So long may an old primary take to hear that another took over.
const HEARSAY: Duration = Duration::from_secs(5);

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
        let apart = last.moment.since(after.moment);
        let noise = noise(apart);
        let wrote = bytes.is_some_and(|bytes| bytes > noise);
        let still = window.end() == Some(last.moment);
        let pace = WritePace::until(window, last.moment);
        let since = before.as_ref().map_or(after.moment, |before| before.moment);
        Some(Handover {
            new,
            old,
            from: at_takeover.moment,
            to: after.moment,
            bytes,
            noise,
            unseen_bytes: unseen_s(window, last).map(|s| pace.bytes_in(s)),
            operations: bytes.and_then(|bytes| pace.writes_of(bytes)),
            keys_old: last.keys(),
            keys_new: after.keys(),
            planned: was_handed_over(window, at_takeover, since),
            split: !apart.is_zero() && still && (wrote || apart > HEARSAY),
            went_on: !apart.is_zero(),
        })
    }
}

/// Bytes of the stream that are no writes: a primary that goes on sends its replicas a PING of 14
/// bytes every ten seconds (`repl-ping-replica-period`), and may ask them for acknowledgements.
fn noise(apart: Duration) -> u64 {
    NOISE_BYTES.saturating_add(apart.as_secs().saturating_mul(4))
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
