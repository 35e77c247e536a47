//! How the TTLs that ran out came about.

use std::time::Duration;

use crate::diagnosis::mechanism::Mechanism;
use crate::model::{Class, Counter, Moment, Packed, Step};

/// A clock that moves this far ahead of ours takes TTLs along, seconds.
const JUMP_S: i64 = 2;
/// Expiration catches up with a jumped clock for as long as this.
const JUMP_LASTS: Duration = Duration::from_secs(5);
/// So many keys, and this share of all, must have been given a TTL to be told.
const ADDED_KEYS: u64 = 10;
const ADDED_SHARE: f64 = 0.01;
/// Where so much can only have been given to keys that were there, all of it was.
const MOSTLY: f64 = 0.9;

/// What was seen of clocks and TTLs so far.
#[derive(Default)]
pub(super) struct Expiry {
    jumped: Option<Moment>,
    /// Keys that existed without a TTL and were given one, and have not expired yet.
    added: u64,
}

impl Expiry {
    pub(super) fn observe(&mut self, before: &Packed, step: &Step, after: &Packed) {
        if step.clock_jump_s().is_some_and(|seconds| seconds >= JUMP_S) {
            self.jumped = Some(step.to);
        }
        let setters = step.effective_of(Class::Expire);
        if setters == 0 && self.added == 0 {
            return;
        }
        let (Some(was), Some(is), Some(keys)) =
            (before.expires(), after.expires(), step.keys_after)
        else {
            return;
        };
        let Some(created) = step.commands.creations() else {
            return;
        };
        // A new key may have come with its TTL; the rest was given to keys that were there. Valkey
        // 9 counts an EXPIRE with a time in the past as an expiration at once.
        let expired = step.counter(Counter::ExpiredKeys).at_least();
        let given = is.saturating_add(expired).saturating_sub(was);
        let certain = given.saturating_sub(created).min(setters);
        // A few keys that were created beside so many are not why.
        let added = if certain as f64 >= given as f64 * MOSTLY {
            given.min(setters)
        } else {
            certain
        };
        if added >= ADDED_KEYS && added as f64 >= keys as f64 * ADDED_SHARE {
            self.added = self.added.saturating_add(added);
        }
        // Keys of these that were deleted or made to stay are not waited for.
        self.added = self.added.min(was.saturating_add(added).max(is));
    }

    /// The ways in which so many keys expired in an interval.
    pub(super) fn split(&mut self, expired: u64, to: Moment) -> [(Mechanism, u64); 2] {
        let added = self.added.min(expired);
        self.added -= added;
        let jumped = self
            .jumped
            .is_some_and(|jumped| to.since(jumped) <= JUMP_LASTS);
        if jumped {
            [(Mechanism::ClockJump, expired), (Mechanism::TtlAdded, 0)]
        } else {
            [
                (Mechanism::TtlAdded, added),
                (Mechanism::TtlRanOut, expired - added),
            ]
        }
    }
}
