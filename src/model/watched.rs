//! Keys that somebody wants to know about by name: what was asked for, and what was read.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::observation::Moment;
use super::text::inert;
use super::watch::{MOST_WATCHED, SHOWN};

/// Vanished keys under prefixes that are remembered, the newest.
const MOST_MEMBERS: usize = 200;
/// What is remembered of one key: how often it came and went.
const MOST_FACTS: usize = 16;
/// Deadlines closer than this are the same: they are read over a network.
const SAME_DEADLINE: Duration = Duration::from_millis(250);

/// A name as it is shown: inert, at most 64 characters.
pub fn shown_name(name: &[u8]) -> Arc<str> {
    inert(&String::from_utf8_lossy(name), SHOWN).into()
}

/// What a key was found to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// It is there.
    Present {
        /// `TYPE`, inert: `string`, `list`, …
        kind: Arc<str>,
        /// Time to live when it was read; `None` for a key that stays.
        ttl: Option<Duration>,
        /// Bytes that it takes, by `MEMORY USAGE` of one sample; `None` where that is refused.
        size_bytes: Option<u64>,
    },
    /// It is not there.
    Absent,
    /// The server refuses to tell, in its words, inert: no permission, or another node has it.
    Unreadable(String),
}

impl KeyState {
    /// Whether it is there.
    pub fn is_present(&self) -> bool {
        matches!(self, Self::Present { .. })
    }
}

/// A state, and when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// When.
    pub moment: Moment,
    /// What.
    pub state: KeyState,
}

impl Seen {
    /// When its time to live runs out, on the scale of [`Moment::elapsed`].
    pub fn deadline(&self) -> Option<Duration> {
        match self.state {
            KeyState::Present { ttl: Some(ttl), .. } => Some(self.moment.elapsed + ttl),
            _ => None,
        }
    }

    /// Whether type, deadline and size are those of `other`.
    pub fn is_same(&self, other: &Self) -> bool {
        let deadlines = match (self.deadline(), other.deadline()) {
            (Some(a), Some(b)) => a.abs_diff(b) <= SAME_DEADLINE,
            (a, b) => a == b,
        };
        let rest = match (&self.state, &other.state) {
            (
                KeyState::Present {
                    kind, size_bytes, ..
                },
                KeyState::Present {
                    kind: other_kind,
                    size_bytes: other_size,
                    ..
                },
            ) => kind == other_kind && size_bytes == other_size,
            (a, b) => a == b,
        };
        deadlines && rest
    }
}

/// Why a key was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// It had just been asked for.
    First,
    /// The server pushed that it was changed.
    Pushed,
    /// The server pushed that a database was emptied.
    Emptied,
    /// It was its turn: some changes are not pushed.
    Turn,
    /// The connection had been lost.
    Reconnected,
}

/// One reading of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRead {
    /// Which of the watched keys: names that look alike have different numbers.
    pub id: u64,
    /// The name as it is shown: inert, at most 64 characters.
    pub name: Arc<str>,
    /// It was not named but begins with a watched prefix.
    pub is_member: bool,
    /// What it is now.
    pub state: KeyState,
    /// What it was at the reading before; `None` at the first.
    pub before: Option<Seen>,
    /// Why it was read.
    pub asked: Asked,
    /// When the push arrived that made us read.
    pub pushed: Option<Moment>,
}

impl KeyRead {
    /// Whether something that was there is not: the key went, or its name holds another type.
    pub fn is_loss(&self) -> bool {
        let was = self.before.as_ref().map(|seen| &seen.state);
        match (was, &self.state) {
            (Some(KeyState::Absent), KeyState::Absent) => false,
            (_, KeyState::Absent) => true,
            (Some(KeyState::Present { kind: was, .. }), KeyState::Present { kind, .. }) => {
                was != kind
            }
            _ => false,
        }
    }
}

/// What the watch on keys itself has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watching {
    /// Keys are watched, or why they cannot be: inert.
    Stands(Result<(), String>),
    /// So many changes a second that keys are read once a poll, or no longer.
    Slowed(bool),
    /// A prefix is not watched any more, and why: inert.
    PrefixOff {
        /// As it is shown.
        prefix: String,
        /// Why.
        why: String,
    },
}

impl Watching {
    pub(super) fn leave_out_names(&mut self) {
        if let Self::PrefixOff { prefix, .. } = self {
            "a prefix".clone_into(prefix);
        }
    }

    /// One line for people.
    pub fn sentence(&self) -> String {
        match self {
            Self::Stands(Ok(())) => "watched keys: each change is told at once".into(),
            Self::Stands(Err(why)) => format!("keys cannot be watched: {why}"),
            Self::Slowed(true) => {
                "watched keys change too often to read each change: read once a poll".into()
            }
            Self::Slowed(false) => "watched keys: each change is read again".into(),
            Self::PrefixOff { prefix, why } => format!("{prefix} is not watched any more: {why}"),
        }
    }
}

/// What is known of one key, from one change of its nature to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// When it was first read to be so.
    pub since: Moment,
    /// The last reading that told something.
    pub seen: Seen,
    /// What it was before that.
    pub before: Option<Seen>,
    /// Why it was first read to be so.
    pub asked: Asked,
    /// When the push arrived that told of it.
    pub pushed: Option<Moment>,
    /// When it was last written while it was so.
    pub written: Option<Moment>,
}

/// One watched key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedKey {
    /// Its number.
    pub id: u64,
    /// Its name as it is shown.
    pub name: Arc<str>,
    /// It begins with a watched prefix.
    pub is_member: bool,
    facts: VecDeque<Fact>,
}

impl WatchedKey {
    /// What was known at a time; now where none is given.
    pub fn fact_at(&self, end: Option<Duration>) -> Option<&Fact> {
        self.facts
            .iter()
            .rev()
            .find(|fact| end.is_none_or(|end| fact.since.elapsed <= end))
    }

    fn take(&mut self, moment: Moment, read: KeyRead) {
        let seen = Seen {
            moment,
            state: read.state,
        };
        let written = (read.asked == Asked::Pushed)
            .then_some(read.pushed)
            .flatten();
        if let Some(last) = self.facts.back_mut()
            && is_same_nature(&last.seen.state, &seen.state)
        {
            last.written = written.or(last.written);
            last.seen = seen;
            return;
        }
        if self.facts.len() == MOST_FACTS {
            self.facts.pop_front();
        }
        self.facts.push_back(Fact {
            since: moment,
            before: read.before,
            asked: read.asked,
            pushed: read.pushed,
            written,
            seen,
        });
    }
}

/// Whether a change between the two is an ordinary write.
fn is_same_nature(a: &KeyState, b: &KeyState) -> bool {
    match (a, b) {
        (KeyState::Present { kind: a, .. }, KeyState::Present { kind: b, .. }) => a == b,
        (a, b) => a == b,
    }
}

/// Everything that is known of watched keys.
#[derive(Clone, Debug, Default)]
pub(super) struct WatchedKeys {
    pub(super) keys: Vec<WatchedKey>,
}

impl WatchedKeys {
    pub(super) fn take(&mut self, moment: Moment, reads: Vec<KeyRead>) {
        for read in reads {
            let at = self.keys.iter().rposition(|key| key.id == read.id);
            let at = at.unwrap_or_else(|| {
                self.make_room(read.is_member);
                self.keys.push(WatchedKey {
                    id: read.id,
                    name: Arc::clone(&read.name),
                    is_member: read.is_member,
                    facts: VecDeque::new(),
                });
                self.keys.len() - 1
            });
            self.keys[at].take(moment, read);
        }
    }

    /// The oldest go, by whatever number a source may tell of.
    fn make_room(&mut self, is_member: bool) {
        let most = if is_member {
            MOST_MEMBERS
        } else {
            MOST_WATCHED
        };
        let alike = |key: &&WatchedKey| key.is_member == is_member;
        if self.keys.iter().filter(alike).count() >= most
            && let Some(oldest) = self.keys.iter().position(|key| key.is_member == is_member)
        {
            self.keys.remove(oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(id: u64, state: KeyState, is_member: bool) -> KeyRead {
        KeyRead {
            id,
            name: "k".into(),
            is_member,
            state,
            before: None,
            asked: Asked::Pushed,
            pushed: None,
        }
    }

    fn at(s: u64) -> Moment {
        Moment {
            elapsed: Duration::from_secs(s),
            at: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    fn string(size: u64) -> KeyState {
        KeyState::Present {
            kind: "string".into(),
            ttl: None,
            size_bytes: Some(size),
        }
    }

    #[test]
    fn writes_are_one_fact_and_the_past_stays() {
        let mut watched = WatchedKeys::default();
        for s in 1..90 {
            watched.take(at(s), vec![read(7, string(s), false)]);
        }
        watched.take(at(100), vec![read(7, KeyState::Absent, false)]);
        let [key] = &*watched.keys else {
            panic!("{watched:?}");
        };
        let then = key.fact_at(Some(Duration::from_secs(99)));
        assert_eq!(then.map(|fact| &fact.seen.state), Some(&string(89)));
        let now = key.fact_at(None);
        assert_eq!(now.map(|fact| &fact.seen.state), Some(&KeyState::Absent));
        assert_eq!(key.fact_at(Some(Duration::ZERO)), None);
    }

    #[test]
    fn what_vanished_under_a_prefix_is_bounded() {
        let mut watched = WatchedKeys::default();
        watched.take(at(0), vec![read(0, string(1), false)]);
        for n in 1..1_000 {
            watched.take(at(n), vec![read(n, KeyState::Absent, true)]);
        }
        assert_eq!(watched.keys.len(), MOST_MEMBERS + 1);
        assert_eq!(watched.keys.last().map(|key| key.id), Some(999));
    }
}
