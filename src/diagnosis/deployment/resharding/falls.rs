//! The falls of a node's key count by which keys left with their slots.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Span, is_within};
use crate::model::{Class, Continuity, Moment, Step, Window};

/// Keys of a slot that is taken over by command leave so long before it is.
const BEFORE: Duration = Duration::from_secs(10);

/// By how much the key count of a node fell in one interval, beyond what is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fall {
    /// When it was seen.
    pub(super) to: Moment,
    /// Where keys go by command, they go so long before their slot does.
    before: Duration,
    /// Keys of which it is not known yet where they went.
    keys: u64,
    /// Calls of commands that take keys without being counted.
    calls: u64,
}

impl Fall {
    /// Those of a span.
    pub(super) fn within(window: &Window<'_>, span: Span) -> Vec<Self> {
        let early = (span.0.saturating_sub(BEFORE), span.1);
        let steps = window.steps_within(early);
        let steps = steps.filter(|step| step.continuity == Continuity::Same && !step.loading);
        let falls = steps.map(Self::of).filter(|fall| fall.keys > 0);
        falls.filter(|fall| fall.is_within(span)).collect()
    }

    fn of(step: &Step) -> Self {
        let calls = [Class::Delete, Class::Empty].map(|class| step.effective_of(class));
        Self {
            to: step.to,
            before: match step.effective("migrate") {
                0 => Duration::ZERO,
                _ => BEFORE,
            },
            keys: step.fall().saturating_sub(step.counted_removals()),
            calls: calls.into_iter().fold(0, u64::saturating_add),
        }
    }

    /// Keys that no command can have taken.
    pub(super) fn free(&self) -> u64 {
        self.keys.saturating_sub(self.calls)
    }

    fn is_within(&self, span: Span) -> bool {
        is_within(self.to, (span.0.saturating_sub(self.before), span.1))
    }
}

/// Finds the falls of a span by which so many keys left: first what no command explains, then the
/// rest; of these, the largest that is not too large before the others, and of those the smallest.
pub(super) fn allot(
    falls: &mut BTreeMap<Moment, Fall>,
    span: Span,
    mut keys: u64,
) -> BTreeMap<Moment, u64> {
    let mut allotted = BTreeMap::new();
    for is_explained in [false, true] {
        let free = |fall: &Fall| {
            if is_explained { fall.keys } else { fall.free() }
        };
        let able = falls.values_mut().filter(|fall| fall.is_within(span));
        let mut able: Vec<&mut Fall> = able.filter(|fall| free(fall) > 0).collect();
        able.sort_by_key(|fall| std::cmp::Reverse(free(fall)));
        let mut take = |fall: &mut Fall, keys: &mut u64| {
            let now = free(fall).min(*keys);
            fall.keys -= now;
            *keys -= now;
            *allotted.entry(fall.to).or_insert(0) += now;
        };
        let mut over = Vec::new();
        for fall in able {
            if free(fall) <= keys {
                take(fall, &mut keys);
            } else {
                over.push(fall);
            }
        }
        for fall in over.into_iter().rev() {
            take(fall, &mut keys);
        }
    }
    allotted.retain(|_, keys| *keys > 0);
    allotted
}
