//! What changed between two samples of one node that follow each other.

use std::sync::Arc;

use super::catalogue::{Class, Creates, creates};
use super::command::{CommandStat, Commands};
use super::continuity::{Comparable, Continuity, clock_jump, continuity};
use super::counter::{Counter, Delta};
use super::node::Role;
use super::observation::Moment;
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
    /// Seconds by which the server's clock moved more than ours, where that is too much for
    /// rounding and the network; positive is forward.
    pub clock_jump_s: Option<i64>,
    /// When the server pushed that a database was emptied, where it did.
    pub emptied: Option<Moment>,
    /// Databases whose key count changed.
    pub dbs: Vec<DbDelta>,
    /// Commands that were called or refused.
    pub commands: Vec<CommandDelta>,
    /// Error prefixes that were counted.
    pub errors: Vec<ErrorDelta>,
    /// Replication before and after, when its history, role or primary changed.
    pub replication: Option<Box<(Replication, Replication)>>,
    /// Persistence before and after, when the process changed.
    pub persistence: Option<Box<(Persistence, Persistence)>>,
    counters: Vec<CounterDelta>,
    unexposed: u32,
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

/// One command that was called or refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandDelta {
    /// The command as INFO prints it.
    pub name: Arc<str>,
    /// How it can make keys vanish, if it can.
    pub class: Option<Class>,
    /// How many keys a call of it can create.
    pub creates: Creates,
    /// Its calls before; 0 after a reset.
    pub calls_before: u64,
    /// Its calls after.
    pub calls_after: u64,
    /// Calls that did not fail.
    pub effective: u64,
    /// Calls that failed while executing.
    pub failed: u64,
    /// Calls refused before execution.
    pub rejected: u64,
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
            clock_jump_s: (continuity == Continuity::Same)
                .then(|| clock_jump(before, after))
                .flatten(),
            emptied: None,
            dbs: dbs(before, after),
            commands: match (&before.commands, &after.commands) {
                (Some(before), Some(after)) => commands(before, after, comparable),
                _ => Vec::new(),
            },
            errors: match (&before.errors, &after.errors) {
                (Some(before), Some(after)) => errors(before, after, comparable),
                _ => Vec::new(),
            },
            replication: (history || process)
                .then(|| Box::new((before.replication.clone(), after.replication.clone()))),
            persistence: process
                .then(|| Box::new((before.persistence.clone(), after.persistence.clone()))),
            counters,
            unexposed,
        }
    }

    /// Seconds between the two samples.
    pub fn seconds(&self) -> f64 {
        self.to.seconds_since(self.from)
    }

    /// How one counter moved.
    pub fn counter(&self, counter: Counter) -> Delta {
        match self.moved(counter) {
            Some(moved) => moved.delta,
            None if self.unexposed & (1 << counter as u32) != 0 => Delta::Unknown,
            None => Delta::Grew(0),
        }
    }

    /// The readings of one counter, when it moved.
    pub fn moved(&self, counter: Counter) -> Option<&CounterDelta> {
        self.counters.iter().find(|moved| moved.counter == counter)
    }

    /// Keys fewer in total; 0 when there are more, or when either count is unknown.
    pub fn fall(&self) -> u64 {
        match (self.keys_before, self.keys_after) {
            (Some(before), Some(after)) => before.saturating_sub(after),
            _ => 0,
        }
    }

    /// Effective calls of one command.
    pub fn effective(&self, name: &str) -> u64 {
        self.command(name).map_or(0, |command| command.effective)
    }

    /// One command, when it was called or refused.
    pub fn command(&self, name: &str) -> Option<&CommandDelta> {
        self.commands.iter().find(|command| &*command.name == name)
    }

    /// Commands of one class that were called or refused.
    pub fn of(&self, class: Class) -> impl Iterator<Item = &CommandDelta> {
        self.commands
            .iter()
            .filter(move |command| command.class == Some(class))
    }

    /// Effective calls of one class.
    pub fn effective_of(&self, class: Class) -> u64 {
        self.of(class).map(|command| command.effective).sum()
    }
}

fn counters(before: &Sample, after: &Sample, comparable: Comparable) -> (Vec<CounterDelta>, u32) {
    let mut moved = Vec::new();
    let mut unexposed = 0;
    for counter in Counter::ALL {
        let (was, is) = (before.counter(counter), after.counter(counter));
        match (comparable.delta(was, is), is) {
            (Delta::Grew(0), _) => {}
            (Delta::Unknown, _) | (_, None) => unexposed |= 1 << counter as u32,
            (delta, Some(after)) => {
                moved.push(CounterDelta {
                    counter,
                    before: was.unwrap_or(0),
                    after,
                    delta,
                });
            }
        }
    }
    moved.shrink_to_fit();
    (moved, unexposed)
}

fn dbs(before: &Sample, after: &Sample) -> Vec<DbDelta> {
    if !before.keyspace.exposed || !after.keyspace.exposed {
        return Vec::new();
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

fn commands(before: &Commands, after: &Commands, comparable: Comparable) -> Vec<CommandDelta> {
    let mut moved: Vec<CommandDelta> = after
        .iter()
        .filter_map(|is| {
            let was = before.get(&is.name);
            let base = comparable.base(was.map_or(0, |was| was.calls), is.calls)?;
            // A line that fell is new: everything on it counts from zero.
            let was = was.filter(|was| was.calls == base);
            let delta = CommandDelta {
                name: Arc::clone(&is.name),
                class: is.class,
                creates: creates(&is.name),
                calls_before: base,
                calls_after: is.calls,
                effective: is
                    .effective()
                    .saturating_sub(was.map_or(0, CommandStat::effective)),
                failed: is.failed.saturating_sub(was.map_or(0, |was| was.failed)),
                rejected: is
                    .rejected
                    .saturating_sub(was.map_or(0, |was| was.rejected)),
            };
            (delta.effective > 0 || delta.failed > 0 || delta.rejected > 0).then_some(delta)
        })
        .collect();
    moved.shrink_to_fit();
    moved
}

fn errors(
    before: &[(String, u64)],
    after: &[(String, u64)],
    comparable: Comparable,
) -> Vec<ErrorDelta> {
    after
        .iter()
        .filter_map(|(prefix, count)| {
            let was = before
                .iter()
                .find(|(known, _)| known == prefix)
                .map_or(0, |(_, was)| *was);
            let before = comparable.base(was, *count)?;
            (*count > before).then(|| ErrorDelta {
                prefix: prefix.clone(),
                before,
                after: *count,
            })
        })
        .collect()
}
