//! What changed between two samples of one node that follow each other.

use super::catalogue::Class;
use super::continuity::{Comparable, Continuity, clock_jump, continuity};
use super::counter::{Counter, Delta};
use super::node::Role;
use super::observation::Moment;
use super::ran::{CommandDelta, Ran};
use super::sample::{Persistence, Replication, Sample};

/// The movement between two samples. Holds only what moved.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// When the earlier sample was taken.
    pub from: Moment,
    /// When the later sample was taken.
    pub to: Moment,
    /// Polls failed in between.
    pub over_gap: bool,
    /// Whether counters can be compared.
    pub continuity: Continuity,
    /// Role before.
    pub role_before: Role,
    /// Role after.
    pub role_after: Role,
    /// Keys before; `None` where the keyspace is not exposed.
    pub keys_before: Option<u64>,
    /// Keys after.
    pub keys_after: Option<u64>,
    /// The later sample was taken while a data set was being loaded: its key counts are partial.
    pub loading: bool,
    /// Databases whose key count changed.
    pub dbs: Box<[DbDelta]>,
    /// Commands that were called or refused.
    pub commands: Ran,
    counters: Box<[CounterRow]>,
    unexposed: u32,
    /// What hardly any step has; none for most.
    rare: Option<Box<Rare>>,
}

/// What hardly any step has.
#[derive(Clone, Debug, Default, PartialEq)]
struct Rare {
    clock_jump_s: Option<i64>,
    emptied: Option<Moment>,
    errors: Box<[ErrorDelta]>,
    replication: Option<(Replication, Replication)>,
    persistence: Option<(Persistence, Persistence)>,
}

impl Rare {
    fn bytes(&self) -> usize {
        let text = |error: &ErrorDelta| error.prefix.len();
        let prefixes: usize = self.errors.iter().map(text).sum();
        let replicas = self.replication.iter().flat_map(|(was, is)| [was, is]);
        let replicas: usize = replicas.map(Replication::bytes).sum();
        size_of::<Self>() + size_of_val(&*self.errors) + prefixes + replicas
    }
}

/// One counter that moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CounterDelta {
    /// Which.
    pub counter: Counter,
    /// Reading before.
    pub before: u64,
    /// Reading after.
    pub after: u64,
    /// The movement.
    pub delta: Delta,
}

/// The same, small: an hour holds many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct CounterRow {
    before: u64,
    after: u64,
    counter: Counter,
    way: Way,
}

/// How a counter came from one reading to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Grew,
    /// Counted from zero.
    Reset,
    /// Fell, and what it says now tells nothing.
    Lost,
}

impl CounterRow {
    fn new(counter: Counter, before: u64, after: u64, delta: Delta) -> Self {
        let way = match delta {
            Delta::Reset(0) => Way::Lost,
            Delta::Reset(_) => Way::Reset,
            Delta::Grew(_) | Delta::Unknown => Way::Grew,
        };
        Self {
            before,
            after,
            counter,
            way,
        }
    }

    fn delta(self) -> Delta {
        match self.way {
            Way::Grew => Delta::Grew(self.after.saturating_sub(self.before)),
            Way::Reset => Delta::Reset(self.after),
            Way::Lost => Delta::Reset(0),
        }
    }
}

/// One database whose key count changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DbDelta {
    /// Its number.
    pub index: u32,
    /// Keys before.
    pub before: u64,
    /// Keys after.
    pub after: u64,
}

impl DbDelta {
    /// Keys that it has fewer.
    pub fn fall(&self) -> u64 {
        self.before.saturating_sub(self.after)
    }

    /// Keys that it has more.
    pub fn rise(&self) -> u64 {
        self.after.saturating_sub(self.before)
    }
}

/// One error prefix that was counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorDelta {
    /// The prefix, for example `OOM`.
    pub prefix: String,
    /// Its count before; 0 after a reset.
    pub before: u64,
    /// Its count after.
    pub after: u64,
}

impl ErrorDelta {
    /// How many more.
    pub fn count(&self) -> u64 {
        self.after.saturating_sub(self.before)
    }
}

impl Step {
    /// Compares two samples of one node.
    pub fn between(before: &Sample, after: &Sample, over_gap: bool) -> Self {
        let continuity = continuity(before, after);
        let comparable = Comparable::of(continuity, after.product());
        let (counters, unexposed) = counters(before, after, comparable);
        let history = before.replication.replid != after.replication.replid
            || before.replication.role != after.replication.role
            || before.replication.primary != after.replication.primary
            || continuity == Continuity::OtherProcess;
        let process = matches!(continuity, Continuity::Restart | Continuity::OtherProcess);
        let rare = Rare {
            clock_jump_s: (continuity == Continuity::Same)
                .then(|| clock_jump(before, after))
                .flatten(),
            emptied: None,
            errors: match (&before.errors, &after.errors) {
                (Some(before), Some(after)) => errors(before, after, comparable),
                _ => Box::default(),
            },
            replication: (history || process)
                .then(|| (before.replication.clone(), after.replication.clone())),
            persistence: process.then(|| (before.persistence.clone(), after.persistence.clone())),
        };
        Self {
            from: before.moment,
            to: after.moment,
            over_gap,
            continuity,
            role_before: before.replication.role,
            role_after: after.replication.role,
            keys_before: before.keys(),
            keys_after: after.keys(),
            loading: after.is_loading(),
            dbs: dbs(before, after),
            commands: match (&before.commands, &after.commands) {
                (Some(before), Some(after)) => Ran::between(before, after, comparable),
                _ => Ran::default(),
            },
            counters,
            unexposed,
            rare: (rare != Rare::default()).then(|| Box::new(rare)),
        }
    }

    /// What it takes of the memory beside itself, about.
    pub(super) fn bytes(&self) -> usize {
        let rare = self.rare.as_ref().map_or(0, |rare| rare.bytes());
        size_of_val(&*self.dbs) + size_of_val(&*self.counters) + self.commands.bytes() + rare
    }

    /// Adds that the server pushed meanwhile that a database was emptied.
    pub(super) fn push(&mut self, emptied: Moment) {
        self.rare.get_or_insert_default().emptied = Some(emptied);
    }

    /// Seconds by which the server's clock moved more than ours, where that is too much for
    /// rounding and the network; positive is forward.
    pub fn clock_jump_s(&self) -> Option<i64> {
        self.rare.as_ref()?.clock_jump_s
    }

    /// When the server pushed that a database was emptied, where it did.
    pub fn emptied(&self) -> Option<Moment> {
        self.rare.as_ref()?.emptied
    }

    /// Error prefixes that were counted.
    pub fn errors(&self) -> &[ErrorDelta] {
        self.rare.as_ref().map_or(&[], |rare| &rare.errors)
    }

    /// Replication before and after, when its history, role or primary changed.
    pub fn replication(&self) -> Option<&(Replication, Replication)> {
        self.rare.as_ref()?.replication.as_ref()
    }

    /// Persistence before and after, when the process changed.
    pub fn persistence(&self) -> Option<&(Persistence, Persistence)> {
        self.rare.as_ref()?.persistence.as_ref()
    }

    /// Seconds between the two samples.
    pub fn seconds(&self) -> f64 {
        self.to.seconds_since(self.from)
    }

    /// How one counter moved.
    pub fn counter(&self, counter: Counter) -> Delta {
        match self.row(counter) {
            Some(row) => row.delta(),
            None if self.unexposed & (1 << counter as u32) != 0 => Delta::Unknown,
            None => Delta::Grew(0),
        }
    }

    /// The readings of one counter, when it moved.
    pub fn moved(&self, counter: Counter) -> Option<CounterDelta> {
        self.row(counter).map(|row| CounterDelta {
            counter,
            before: row.before,
            after: row.after,
            delta: row.delta(),
        })
    }

    fn row(&self, counter: Counter) -> Option<CounterRow> {
        let mut rows = self.counters.iter();
        rows.find(|row| row.counter == counter).copied()
    }

    /// Keys fewer in total; 0 when there are more, or when either count is unknown.
    pub fn fall(&self) -> u64 {
        match (self.keys_before, self.keys_after) {
            (Some(before), Some(after)) => before.saturating_sub(after),
            _ => 0,
        }
    }

    /// Keys that expired or were evicted, at least.
    pub fn counted_removals(&self) -> u64 {
        let counted = [Counter::ExpiredKeys, Counter::EvictedKeys];
        let counted = counted.map(|counter| self.counter(counter).at_least());
        counted.into_iter().fold(0, u64::saturating_add)
    }

    /// Effective calls of one command.
    pub fn effective(&self, name: &str) -> u64 {
        self.command(name).map_or(0, |command| command.effective)
    }

    /// One command, when it was called or refused.
    pub fn command(&self, name: &str) -> Option<CommandDelta<'_>> {
        self.commands.get(name)
    }

    /// Commands of one class that were called or refused.
    pub fn of(&self, class: Class) -> impl Iterator<Item = CommandDelta<'_>> {
        self.commands
            .classed()
            .filter(move |command| command.class == Some(class))
    }

    /// Effective calls of one class.
    pub fn effective_of(&self, class: Class) -> u64 {
        let calls = self.of(class).map(|command| command.effective);
        calls.fold(0, u64::saturating_add)
    }
}

fn counters(before: &Sample, after: &Sample, comparable: Comparable) -> (Box<[CounterRow]>, u32) {
    let mut moved = Vec::new();
    let mut unexposed = 0;
    for counter in Counter::ALL {
        let (was, is) = (before.counter(counter), after.counter(counter));
        match (comparable.delta(was, is), is) {
            (Delta::Grew(0), _) => {}
            (Delta::Unknown, _) | (_, None) => unexposed |= 1 << counter as u32,
            (delta, Some(after)) => {
                moved.push(CounterRow::new(counter, was.unwrap_or(0), after, delta));
            }
        }
    }
    (moved.into(), unexposed)
}

fn dbs(before: &Sample, after: &Sample) -> Box<[DbDelta]> {
    if !before.keyspace.exposed || !after.keyspace.exposed {
        return Box::default();
    }
    let mut indexes: Vec<u32> = before
        .keyspace
        .dbs
        .iter()
        .chain(&after.keyspace.dbs)
        .map(|db| db.index)
        .collect();
    indexes.sort_unstable();
    indexes.dedup();
    indexes
        .into_iter()
        .map(|index| DbDelta {
            index,
            before: before.keyspace.keys_of(index),
            after: after.keyspace.keys_of(index),
        })
        .filter(|db| db.before != db.after)
        .collect()
}

fn errors(
    before: &[(String, u64)],
    after: &[(String, u64)],
    comparable: Comparable,
) -> Box<[ErrorDelta]> {
    after
        .iter()
        .filter_map(|(prefix, count)| {
            let place = before.binary_search_by(|(known, _)| known.cmp(prefix));
            let was = place.map_or(0, |place| before[place].1);
            let before = comparable.base(was, *count)?;
            (*count > before).then(|| ErrorDelta {
                prefix: prefix.clone(),
                before,
                after: *count,
            })
        })
        .collect()
}
