//! Who took over from whom, and what the new primary does not have.
//!
//! A replica that is promoted keeps the id of the history that it followed in `master_replid2`, and
//! the first offset that is not part of it in `second_repl_offset` (replication.c,
//! `shiftReplicationId`). So what the old primary wrote and the new one lacks is the old one's
//! offset, as it was last seen, less the one before that. It is a lower bound: what was written
//! between the last poll and the end of the old primary was seen by nobody.

use std::time::Duration;

use crate::diagnosis::replication::NOISE_BYTES;
use crate::model::{Continuity, Member, Moment, Packed, Role, Sample, Window, WritePace};

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
            Some(bytes) => bytes > NOISE_BYTES,
            None => self.keys() > 0,
        }
    }

    /// Keys that are missing, at least.
    pub fn keys(&self) -> u64 {
        let fewer = self.keys_old.zip(self.keys_new);
        let fewer = fewer.map_or(0, |(old, new)| old.saturating_sub(new));
        match self.bytes {
            Some(bytes) if bytes <= NOISE_BYTES => 0,
            _ => fewer,
        }
    }
}

/// So long may an old primary take to hear that another took over.
const HEARSAY: Duration = Duration::from_secs(5);

/// The hand-overs of one shard, the oldest first.
pub(super) fn of(
    shard: &[usize],
    members: &[Member],
    end: Option<Duration>,
    windows: &[Window<'_>],
) -> Vec<Handover> {
    let mut found: Vec<Handover> = Vec::new();
    if shard.len() < 2 {
        return found;
    }
    for new in shard {
        for taken in takeovers(&members[*new], end, &windows[*new]) {
            let others = shard.iter().filter(|other| *other != new);
            let olds = others.filter_map(|old| meter(*new, *old, &taken, windows));
            // Linked by history before merely followed; then who was seen last.
            found.extend(olds.max_by_key(|one| (one.bytes.is_some(), one.from)));
        }
    }
    found.sort_by_key(|handover| handover.to);
    found
}

/// A member that is a primary of late.
struct Takeover {
    /// Its last answer as a replica; `None` where it was found as a primary.
    before: Option<Sample>,
    /// Its first as a primary.
    after: Sample,
}

/// When a member became a primary, or was found as one that had taken over.
fn takeovers(member: &Member, end: Option<Duration>, window: &Window<'_>) -> Vec<Takeover> {
    let roles = member.roles(end);
    let was = std::iter::once(None).chain(roles.clone().map(Some));
    let taken = roles.zip(was).filter_map(|((moment, role), was)| {
        if role != Role::Primary {
            return None;
        }
        let after = window.sample_at(moment)?;
        let before = match was {
            Some((_, Role::Replica)) => Some(window.sample_at(window.step_to(moment)?.from)?),
            // One that was found after it took over.
            None if after.replication.replid2.is_some() => None,
            _ => return None,
        };
        Some(Takeover { before, after })
    });
    taken.collect()
}

/// What `new`, as it took over, lacks of `old`.
fn meter(new: usize, old: usize, taken: &Takeover, windows: &[Window<'_>]) -> Option<Handover> {
    let Takeover { before, after } = taken;
    let window = &windows[old];
    let is = &after.replication;
    let as_primary = |sample: &&Packed| sample.role() == Role::Primary;
    let linked = |sample: &&Packed| {
        let replid = sample.replication().replid;
        as_primary(sample) && replid.is_some() && replid == is.replid2
    };
    let mut samples = window.samples().rev();
    let (last, bytes) = match is.replid2.as_ref().and_then(|_| samples.find(linked)) {
        Some(last) => {
            let has = is.second_offset?.saturating_sub(1);
            let lacks = last.replication().offset?.saturating_sub(has);
            (last, Some(lacks))
        }
        // It followed the old one and has none of its history.
        None => {
            let followed = before.as_ref()?.replication.primary.as_deref()?;
            let then = |sample: &&Packed| as_primary(sample) && sample.moment <= after.moment;
            let is_kin = window.node().as_str() == followed || is.replid2.is_none();
            let last = window.samples().rev().find(then).filter(|_| is_kin)?;
            (last, None)
        }
    };
    // Of a primary that went on for itself: what it had when the other took over.
    let by_then = |sample: &&Packed| as_primary(sample) && sample.moment <= after.moment;
    let at_takeover = window.samples().rev().find(by_then).unwrap_or(last);
    let apart = last.moment.since(after.moment);
    let went_on = !apart.is_zero();
    let wrote = bytes.is_some_and(|bytes| bytes > NOISE_BYTES);
    let still = window.end() == Some(last.moment);
    let rate = WritePace::until(window, last.moment);
    let since = before.as_ref().map_or(after.moment, |before| before.moment);
    Some(Handover {
        new,
        old,
        from: at_takeover.moment,
        to: after.moment,
        bytes,
        unseen_bytes: unseen_s(window, last).map(|s| rate.bytes_in(s)),
        operations: bytes.and_then(|bytes| rate.writes_of(bytes)),
        keys_old: last.keys(),
        keys_new: after.keys(),
        planned: was_handed_over(window, at_takeover, since),
        split: went_on && still && (wrote || apart > HEARSAY),
        went_on,
    })
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
