//! Events are counted where they arrive: by kind and by how the names begin, within bounds.

use std::collections::HashMap;
use std::sync::Arc;

use super::{EventKind, Group, Heard, OnWatched, Removed};
use crate::model::observation::Moment;
use crate::model::watched::shown_name;

/// Groups that are kept apart until they are told; names beyond are only counted.
const GATHERED: usize = 256;
/// Events on watched keys that are kept until they are told.
const WATCHED: usize = 1_000;
/// Bytes of a name within which its group is looked for.
const LOOKED_AT: usize = 64;
/// Bytes of a name that can be needed to show 64 characters.
const SHOWN: usize = 256;
/// What ends the first part of a name.
const SEPARATORS: &[u8] = b":/|.";

/// Events that were heard and not told yet: bounded, however many come.
#[derive(Debug, Default)]
pub struct Gathering {
    span: Option<(Moment, Moment)>,
    counts: HashMap<EventKind, u64>,
    groups: HashMap<(EventKind, Vec<u8>), Group>,
    watched: Vec<OnWatched>,
}

impl Gathering {
    /// Takes in one event on the key of this name.
    pub fn add(&mut self, kind: EventKind, name: &[u8], moment: Moment) {
        self.span.get_or_insert((moment, moment)).1 = moment;
        let count = self.counts.entry(kind).or_default();
        *count = count.saturating_add(1);
        let (start, is_part) = beginning(name);
        let key = (kind, start.to_vec());
        if let Some(group) = self.groups.get_mut(&key) {
            group.count = group.count.saturating_add(1);
        } else if self.groups.len() < GATHERED {
            let example = shown_name(name.get(..SHOWN).unwrap_or(name));
            let pattern = if is_part {
                format!("{}*", shown_name(start)).into()
            } else {
                Arc::clone(&example)
            };
            let group = Group {
                pattern,
                example,
                count: 1,
            };
            self.groups.insert(key, group);
        }
    }

    /// Notes that an event was on a watched key.
    pub fn add_watched(&mut self, event: OnWatched) {
        if self.watched.len() < WATCHED {
            self.watched.push(event);
        }
    }

    /// When the first event came that was not told; `None` where there is none.
    pub fn since(&self) -> Option<Moment> {
        self.span.map(|(from, _)| from)
    }

    /// What was heard since the last time; `None` where nothing was.
    pub fn take(&mut self) -> Option<Heard> {
        let (from, to) = self.span.take()?;
        let (counts, groups) = (
            std::mem::take(&mut self.counts),
            std::mem::take(&mut self.groups),
        );
        let mut removed: Vec<Removed> = counts
            .into_iter()
            .map(|(kind, count)| Removed {
                count,
                ..Removed::new(kind)
            })
            .collect();
        removed.sort_by_key(|sum| sum.kind);
        for ((kind, _), group) in groups {
            let sum = removed.iter_mut().find(|sum| sum.kind == kind);
            if let Some(sum) = sum {
                sum.groups.push(group);
            }
        }
        removed.iter_mut().for_each(Removed::order);
        Some(Heard {
            from,
            to,
            removed,
            watched: std::mem::take(&mut self.watched),
            is_cut: false,
        })
    }
}

/// How a name begins, and whether more comes: up to its first separator, or as far as is looked.
fn beginning(name: &[u8]) -> (&[u8], bool) {
    let start = name.get(..LOOKED_AT).unwrap_or(name);
    let end = start.iter().position(|byte| SEPARATORS.contains(byte));
    let start = end.map_or(start, |end| &start[..=end]);
    (start, start.len() < name.len())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;
    use rstest::rstest;

    use super::*;
    use crate::model::events::TOLD;

    fn at(ms: u64) -> Moment {
        let elapsed = Duration::from_millis(ms);
        Moment {
            elapsed,
            at: Timestamp::constant(1_700_000_000, 0) + elapsed,
        }
    }

    #[rstest]
    #[case(b"session:42", b"session:", true)]
    #[case(b"session:", b"session:", false)]
    #[case(b"a.b:c", b"a.", true)]
    #[case(b"plain", b"plain", false)]
    #[case(b"", b"", false)]
    fn names_that_begin_alike(#[case] name: &[u8], #[case] start: &[u8], #[case] more: bool) {
        assert_eq!(beginning(name), (start, more));
    }

    #[test]
    fn events_are_counted_by_kind_and_beginning() {
        let mut gathering = Gathering::default();
        assert_eq!(gathering.take(), None);
        for n in 0..400 {
            let name = format!("session:{n}");
            gathering.add(EventKind::Deleted, name.as_bytes(), at(n));
        }
        gathering.add(EventKind::Deleted, b"user:7", at(400));
        gathering.add(EventKind::Expired, b"user:8", at(401));
        let heard = gathering.take().expect("was heard");
        assert_eq!((heard.from, heard.to), (at(0), at(401)));
        let sum = heard.of(EventKind::Deleted).expect("was heard");
        let names: Vec<_> = sum.groups.iter().map(|g| (g.name(), g.count)).collect();
        assert_eq!(sum.count, 401);
        assert_eq!(names, [("session:*", 400), ("user:7", 1)]);
        assert_eq!(sum.others(), 0);
        assert_eq!(gathering.take(), None);
        let mut twice = sum.clone();
        twice.add(sum);
        let names: Vec<_> = twice.groups.iter().map(|g| (g.name(), g.count)).collect();
        assert_eq!(names, [("session:*", 800), ("user:*", 2)]);
    }

    #[test]
    fn hostile_names_are_inert_and_bounded() {
        let mut gathering = Gathering::default();
        for n in 0..10_000 {
            let name = format!("\u{1b}[2J{n}{}", "x".repeat(10_000));
            gathering.add(EventKind::Evicted, name.as_bytes(), at(n));
        }
        assert!(gathering.groups.len() <= GATHERED);
        let heard = gathering.take().expect("was heard");
        let sum = heard.of(EventKind::Evicted).expect("was heard");
        assert_eq!((sum.count, sum.groups.len()), (10_000, TOLD));
        assert_eq!(sum.others(), 10_000 - TOLD as u64);
        for group in &sum.groups {
            assert!(!group.name().contains('\u{1b}'), "{group:?}");
            assert!(group.pattern.chars().count() <= 70, "{group:?}");
        }
    }
}
