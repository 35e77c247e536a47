//! Names that are to be read, and why.

use std::collections::{HashMap, VecDeque};

use crate::model::{Asked, Moment};

/// Why a key is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) asked: Asked,
    pub(super) pushed: Option<Moment>,
}

impl Due {
    /// One reason more: a push is news even where the key would have been read anyway.
    pub(super) fn and(&mut self, due: Self) {
        if due.pushed.is_some() && self.pushed.is_none() {
            *self = due;
        }
    }
}

/// Names that wait, in the order in which they came; each waits once.
#[derive(Default)]
pub(super) struct Waiting {
    order: VecDeque<Vec<u8>>,
    due: HashMap<Vec<u8>, Due>,
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub(super) fn add(&mut self, name: Vec<u8>, due: Due) {
        if let Some(known) = self.due.get_mut(&name) {
            known.and(due);
        } else {
            self.due.insert(name.clone(), due);
            self.order.push_back(name);
        }
    }

    /// The first of them, no more than `most`.
    pub(super) fn take(&mut self, most: usize) -> Vec<(Vec<u8>, Due)> {
        let first = self.order.drain(..most.min(self.order.len()));
        let due = &mut self.due;
        let first = first.filter_map(|name| due.remove_entry(&name));
        first.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_name_waits_once_and_the_first_push_counts() {
        let due = |asked, pushed: Option<u64>| Due {
            asked,
            pushed: pushed.map(|s| Moment {
                elapsed: Duration::from_secs(s),
                at: Timestamp::UNIX_EPOCH,
            }),
        };
        let mut waiting = Waiting::default();
        waiting.add(b"a".to_vec(), due(Asked::Reconnected, None));
        waiting.add(b"b".to_vec(), due(Asked::Pushed, Some(1)));
        waiting.add(b"a".to_vec(), due(Asked::Emptied, Some(2)));
        waiting.add(b"b".to_vec(), due(Asked::Emptied, Some(2)));
        let first = waiting.take(1);
        assert_eq!(first, [(b"a".to_vec(), due(Asked::Emptied, Some(2)))]);
        assert_eq!(
            waiting.take(100),
            [(b"b".to_vec(), due(Asked::Pushed, Some(1)))]
        );
        assert!(waiting.is_empty() && waiting.take(1).is_empty());
    }
}
