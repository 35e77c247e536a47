//! Keyspace events: the server publishes each removal under the name of the key, where it is set to.
//!
//! No event exists for `FLUSHALL`, `FLUSHDB`, `SWAPDB` or a resynchronisation, on any version, and
//! what `DEL`, `UNLINK`, `GETDEL`, a taken last element or a TTL in the past removes is `del` alike
//! (Valkey 9 publishes the last as `expired`).

mod gathering;

use std::sync::Arc;

use super::observation::Moment;
use super::text::inert;
pub use gathering::Gathering;

/// Groups of names that are told of one kind of event at most, the largest.
const TOLD: usize = 8;

/// Databases whose events are heard, from 0 on: as many as a server has by default.
pub const HEARD_DATABASES: u32 = 16;

/// A way for a key to leave its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// A command removed it.
    Deleted,
    /// Its TTL ran out.
    Expired,
    /// The server removed it for memory.
    Evicted,
    /// It has another name now.
    Renamed,
    /// It is in another database now.
    Moved,
}

impl EventKind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Deleted,
        Self::Expired,
        Self::Evicted,
        Self::Renamed,
        Self::Moved,
    ];

    /// The server's word, the last part of the channel.
    pub fn id(self) -> &'static str {
        match self {
            Self::Deleted => "del",
            Self::Expired => "expired",
            Self::Evicted => "evicted",
            Self::Renamed => "rename_from",
            Self::Moved => "move_from",
        }
    }

    /// The kind with this word.
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.id() == id)
    }

    /// The letter in `notify-keyspace-events` that publishes it.
    fn class(self) -> char {
        match self {
            Self::Expired => 'x',
            Self::Evicted => 'e',
            Self::Deleted | Self::Renamed | Self::Moved => 'g',
        }
    }
}

/// The setting `notify-keyspace-events`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published(String);

impl Published {
    /// Takes the server's word, letters in any order; made inert.
    pub fn new(flags: &str) -> Self {
        Self(inert(flags, 32))
    }

    /// The letters.
    pub fn flags(&self) -> &str {
        &self.0
    }

    /// What is published by kind of event (`E`) and tells of removals: `A` stands for all classes.
    pub fn kinds(&self) -> impl Iterator<Item = EventKind> + use<> {
        let flags = self.0.clone();
        let is_on = flags.contains('E');
        let kinds = EventKind::ALL.into_iter();
        kinds.filter(move |kind| is_on && (flags.contains('A') || flags.contains(kind.class())))
    }

    /// Whether any removal is published in a way that can be heard.
    pub fn tells_removals(&self) -> bool {
        self.kinds().next().is_some()
    }
}

/// What the ear for events has to say of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listening {
    /// What the server is set to publish, asked once per server process.
    Setting(Published),
    /// What it publishes is not known: its refusal, inert.
    Unknown(String),
    /// Events are heard from now on.
    On(Published),
    /// The connection ended; it is tried again.
    Lost,
    /// Events are not heard any more in this process of the server, and why: inert.
    Off(String),
}

impl Listening {
    /// One line for people.
    pub fn sentence(&self) -> String {
        let not_heard = "keyspace events are not heard";
        match self {
            Self::Setting(published) => {
                format!(
                    "keyspace events of removals are off (notify-keyspace-events is '{}')",
                    published.flags()
                )
            }
            Self::Unknown(why) => format!("whether keyspace events are on is not known: {why}"),
            Self::On(published) => {
                let kinds: Vec<&str> = published.kinds().map(EventKind::id).collect();
                format!(
                    "keyspace events are on ({}) and heard one by one: {}; FLUSHALL, FLUSHDB, \
                     SWAPDB and a resync never appear among them",
                    published.flags(),
                    kinds.join(", ")
                )
            }
            Self::Lost => format!("{not_heard}: the connection ended, trying again"),
            Self::Off(why) => format!("{not_heard}: {why}"),
        }
    }
}

/// Names that begin alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// How they begin, with a star: `session:*`; a name without parts is its own group. Inert.
    pub pattern: Arc<str>,
    /// One of the names, inert, at most 64 characters.
    pub example: Arc<str>,
    /// Events.
    pub count: u64,
}

impl Group {
    /// The name where it was one event, else the pattern.
    pub fn name(&self) -> &str {
        if self.count == 1 {
            &self.example
        } else {
            &self.pattern
        }
    }
}

/// Events of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// Which.
    pub kind: EventKind,
    /// How many.
    pub count: u64,
    /// Of which keys, the most first; empty where names are left out.
    pub groups: Vec<Group>,
}

impl Removed {
    /// Nothing heard yet.
    pub fn new(kind: EventKind) -> Self {
        Self {
            kind,
            count: 0,
            groups: Vec::new(),
        }
    }

    /// Adds what another sum of the same kind has counted.
    pub fn add(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        for group in &other.groups {
            let known = |known: &&mut Group| known.pattern == group.pattern;
            match self.groups.iter_mut().find(known) {
                Some(known) => known.count = known.count.saturating_add(group.count),
                None => self.groups.push(group.clone()),
            }
        }
        self.order();
    }

    /// Events of keys that no group names.
    pub fn others(&self) -> u64 {
        let named = self.groups.iter().map(|group| group.count);
        self.count
            .saturating_sub(named.fold(0, u64::saturating_add))
    }

    fn order(&mut self) {
        self.groups
            .sort_by(|a, b| b.count.cmp(&a.count).then(a.pattern.cmp(&b.pattern)));
        self.groups.truncate(TOLD);
    }
}

/// What was heard between two moments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The first event.
    pub from: Moment,
    /// The last event.
    pub to: Moment,
    /// One sum for each kind that was heard.
    pub removed: Vec<Removed>,
    /// Events on keys that are watched by their full names.
    pub watched: Vec<OnWatched>,
    /// More came than may be heard, and was not.
    pub is_cut: bool,
}

/// An event on a watched key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnWatched {
    /// The key's number, as in [`KeyRead::id`](super::KeyRead::id).
    pub id: u64,
    /// What happened to it.
    pub kind: EventKind,
    /// When it was heard.
    pub moment: Moment,
}

impl Heard {
    /// The sum of one kind.
    pub fn of(&self, kind: EventKind) -> Option<&Removed> {
        self.removed.iter().find(|sum| sum.kind == kind)
    }

    /// Passes every name through `change`.
    pub fn change_names(&mut self, change: impl Fn(&str) -> String) {
        let groups = self.removed.iter_mut().flat_map(|sum| &mut sum.groups);
        for group in groups {
            group.pattern = change(&group.pattern).into();
            group.example = change(&group.example).into();
        }
    }

    pub(super) fn leave_out_names(&mut self) {
        for sum in &mut self.removed {
            sum.groups.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// The letters as redis.conf explains them.
    #[rstest]
    #[case("", &[])]
    #[case("Kg", &[])]
    #[case("KA", &[])]
    #[case("E$lsh", &[])]
    #[case("Ex", &[EventKind::Expired])]
    #[case("gxeE", &EventKind::ALL)]
    #[case("AKE", &EventKind::ALL)]
    fn the_setting_is_understood(#[case] flags: &str, #[case] kinds: &[EventKind]) {
        let published = Published::new(flags);
        assert_eq!(published.kinds().collect::<Vec<_>>(), kinds);
        assert_eq!(published.tells_removals(), !kinds.is_empty());
    }
}
