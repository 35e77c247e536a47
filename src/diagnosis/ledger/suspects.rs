//! Which commands can have taken a residual.
//!
//! Calls are not keys: `DEL` of a missing key takes nothing, one `DEL` may take a thousand, and
//! every healthy cache deletes, pops and renames all day. What tells them apart is pace. A command
//! that runs as it always does has most likely done what it always does; one that runs out of its
//! usual pace in the very interval in which keys vanish has most likely taken them. So a residual
//! is given away in this order:
//!
//! 1. to commands out of their usual pace, one key a call;
//! 2. what is left, to those of them that can take any number of keys with one call;
//! 3. what is still left, to commands at their usual pace, one key a call;
//! 4. the rest, to whatever ran and can take any number.
//!
//! Keys that go with slots to another node go without a command: when it is the turn of slots,
//! nobody later in this order gets anything.

use std::sync::LazyLock;

use crate::diagnosis::mechanism::Mechanism;
use crate::model::{CATALOGUE, Class, Sample};

use super::interval::more;
use super::slots::Turn;
use super::wrap::Wrap;

/// Suspects in the order in which they are asked, and whether one call may take any number of
/// keys.
const SUSPECTS: [(Mechanism, bool); 12] = [
    (Mechanism::DebugReload, true),
    (Mechanism::DroppedIndex, true),
    (Mechanism::Migrate, true),
    (Mechanism::Unlink, true),
    (Mechanism::Del, true),
    (Mechanism::Getdel, false),
    (Mechanism::ConditionalDelete, false),
    (Mechanism::ModuleDelete, false),
    (Mechanism::EmptiedContainer, false),
    (Mechanism::PastTtlExpire, false),
    (Mechanism::Rename, false),
    (Mechanism::EmptyStore, false),
];
/// Where the last field's TTL of a hash stands, and where scripts and transactions do.
const HASH_FIELDS: usize = SUSPECTS.len();
pub(super) const SCRIPTS: usize = SUSPECTS.len() + 1;
pub(super) const TRANSACTIONS: usize = SUSPECTS.len() + 2;
pub(super) const ROWS: usize = SUSPECTS.len() + 3;

/// Suspects that take whatever is left before anybody else is asked: they replace or move whole
/// data sets.
const TAKES_ALL: usize = 1;

/// Effective calls of one interval, by suspect.
#[derive(Clone, Copy, Default)]
pub(super) struct Calls([u64; ROWS]);

impl Calls {
    pub(super) fn add(&mut self, class: Class, name: &str, calls: u64) {
        if let Some(row) = row_of(class, name) {
            more(&mut self.0[row], calls);
        }
    }

    /// The same of the command at a place in the catalogue, without looking at its name.
    pub(super) fn add_at(&mut self, place: usize, calls: u64) {
        static ROW_OF: LazyLock<Vec<Option<usize>>> = LazyLock::new(|| {
            let rows = CATALOGUE.iter();
            rows.flat_map(|(class, names)| names.iter().map(|name| row_of(*class, name)))
                .collect()
        });
        if let Some(row) = ROW_OF.get(place).copied().flatten() {
            more(&mut self.0[row], calls);
        }
    }

    /// Hash fields whose TTL ran out.
    pub(super) fn hash_fields(&mut self, fields: u64) {
        more(&mut self.0[HASH_FIELDS], fields);
    }

    /// Whether anything ran that removes keys without being counted.
    pub(super) fn can_remove(&self) -> bool {
        self.0[..=HASH_FIELDS].iter().any(|calls| *calls > 0)
    }

    /// Whether a suspect ran.
    pub(super) fn ran(&self, mechanism: Mechanism) -> bool {
        let row = SUSPECTS.iter().position(|(known, _)| *known == mechanism);
        row.is_some_and(|row| self.0[row] > 0)
    }

    /// Calls that may have removed a key each.
    pub(super) fn removers(&self) -> u64 {
        self.0[..=HASH_FIELDS]
            .iter()
            .fold(0, |sum, calls| sum.saturating_add(*calls))
    }

    /// Removals that a replication stream carried: whatever removes a key on the primary arrives as
    /// DEL or UNLINK, and only when it hit.
    pub(super) fn replicated(&self) -> u64 {
        let is_replicated = |m: Mechanism| matches!(m, Mechanism::Del | Mechanism::Unlink);
        let rows = SUSPECTS.iter().zip(self.0);
        rows.filter(|((mechanism, _), _)| is_replicated(*mechanism))
            .fold(0, |sum, (_, calls)| sum.saturating_add(calls))
    }

    /// Keys that the ways of one cause can have taken at most.
    pub(super) fn most(&self, mechanism: Mechanism) -> Option<u64> {
        if mechanism == Mechanism::HashFieldTtl {
            return Some(self.0[HASH_FIELDS]);
        }
        let row = SUSPECTS.iter().position(|(known, _)| *known == mechanism)?;
        (!SUSPECTS[row].1).then_some(self.0[row])
    }
}

fn row_of(class: Class, name: &str) -> Option<usize> {
    match class {
        Class::Script if name == "exec" => Some(TRANSACTIONS),
        Class::Script => Some(SCRIPTS),
        _ => mechanism_of(class, name)
            .and_then(|wanted| SUSPECTS.iter().position(|(known, _)| *known == wanted)),
    }
}

/// The mechanism by which a command can take keys out of the count, if it can. SETEX and its like
/// write a key together with its TTL; RESTORE and COPY take no key out of the count.
pub(in crate::diagnosis) fn mechanism_of(class: Class, name: &str) -> Option<Mechanism> {
    Some(match (class, name) {
        (Class::Delete, "del") => Mechanism::Del,
        (Class::Delete, "unlink") => Mechanism::Unlink,
        (Class::Delete, "getdel") => Mechanism::Getdel,
        (Class::Delete, "delex" | "delifeq") => Mechanism::ConditionalDelete,
        (Class::Delete, "ft.dropindex" | "ft.drop") => Mechanism::DroppedIndex,
        (Class::Delete, _) => Mechanism::ModuleDelete,
        (Class::Empty, _) => Mechanism::EmptiedContainer,
        (Class::Expire, "setex" | "psetex" | "msetex" | "hsetex")
        | (Class::Overwrite, "renamenx" | "restore" | "copy" | "pfmerge")
        | (Class::Move, "swapdb" | "move") => return None,
        (Class::Expire, _) => Mechanism::PastTtlExpire,
        (Class::Overwrite, "rename") => Mechanism::Rename,
        (Class::Overwrite, _) => Mechanism::EmptyStore,
        (Class::Move, "migrate") => Mechanism::Migrate,
        (Class::Move, _) => Mechanism::SlotMigration,
        (Class::Admin, "debug") => Mechanism::DebugReload,
        _ => return None,
    })
}

/// The usual pace of every suspect, calls a second.
#[derive(Default)]
pub(super) struct Pace([Option<f64>; ROWS]);

/// How fast the usual pace follows: a fifth of every interval.
const FOLLOWS: f64 = 0.2;
/// A pace is out of the usual beyond half as much again and three standard deviations.
const SLACK: f64 = 1.5;
const DEVIATIONS: f64 = 3.0;

impl Pace {
    /// The average pace since the server's start, for the first interval.
    pub(super) fn since_start(first: Option<&Sample>) -> Self {
        let mut pace = Self::default();
        let uptime = first
            .and_then(|sample| sample.server.uptime_s)
            .filter(|s| *s > 0);
        let commands = first.and_then(|sample| sample.commands.as_ref());
        let (Some(uptime), Some(commands)) = (uptime, commands) else {
            return pace;
        };
        let mut calls = Calls::default();
        for stat in commands.iter() {
            if let Some(class) = stat.class {
                calls.add(class, stat.name, stat.effective());
            }
        }
        for (pace, calls) in pace.0.iter_mut().zip(calls.0) {
            *pace = (calls > 0).then_some(calls as f64 / uptime as f64);
        }
        pace
    }

    /// Calls beyond the usual pace, by suspect.
    fn excess(&self, calls: &Calls, seconds: f64) -> [u64; ROWS] {
        let mut excess = calls.0;
        for (calls, pace) in excess.iter_mut().zip(self.0) {
            if *calls == 0 {
                continue;
            }
            let usual = pace.unwrap_or(0.0) * seconds;
            let chance = usual.sqrt();
            let is_usual = *calls as f64 <= usual * SLACK + chance * DEVIATIONS;
            // What is left over by chance goes to those that have no usual pace first.
            *calls = if is_usual {
                0
            } else {
                calls.saturating_sub(whole(usual + chance))
            };
        }
        excess
    }

    /// Learns from an interval. What just took keys was not usual.
    fn learn(&mut self, calls: &Calls, seconds: f64, took: &[u64; ROWS]) {
        if seconds <= 0.0 {
            return;
        }
        for ((pace, calls), took) in self.0.iter_mut().zip(calls.0).zip(took) {
            if *took == 0 {
                // Most rows are idle, and a division takes its time.
                let now = match calls {
                    0 => 0.0,
                    calls => calls as f64 / seconds,
                };
                *pace = Some(pace.map_or(now, |pace| pace + (now - pace) * FOLLOWS));
            }
        }
    }

    /// Gives a residual away, and learns the pace of the interval.
    pub(super) fn give_away(
        &mut self,
        residual: u64,
        calls: &Calls,
        seconds: f64,
        slots: Turn,
    ) -> Division {
        if residual == 0 {
            self.learn(calls, seconds, &[0; ROWS]);
            return Division::default();
        }
        let excess = self.excess(calls, seconds);
        let mut split = Split {
            left: residual,
            took: [0; ROWS],
        };
        split.any_number(&excess, 0..TAKES_ALL);
        split.one_a_call(&excess);
        if slots != Turn::BeforeBulk {
            split.any_number(&excess, TAKES_ALL..SUSPECTS.len());
        }
        let out_of_pace = split.took;
        let rest: [u64; ROWS] =
            std::array::from_fn(|row| calls.0[row].saturating_sub(out_of_pace[row]));
        split.one_a_call(&rest);
        let usual: [u64; ROWS] = std::array::from_fn(|row| split.took[row] - out_of_pace[row]);
        let mut moved = match slots {
            Turn::BeforeBulk => split.take(u64::MAX),
            Turn::BeforeUsual(most) => split.take(most),
            Turn::Never | Turn::Last => 0,
        };
        split.any_number(&calls.0, 0..SUSPECTS.len());
        if slots == Turn::Last {
            moved = split.take(u64::MAX);
        }
        self.learn(calls, seconds, &split.took);
        let wrap = Wrap::of(&excess);
        let mut taken: Vec<Taken> = Vec::new();
        for row in 0..=HASH_FIELDS {
            let unusual = split.took[row] - usual[row];
            for (keys, usual, mechanism) in [
                (unusual, false, wrap.around(mechanism_at(row))),
                (usual[row], true, mechanism_at(row)),
            ] {
                let alike =
                    |known: &&mut Taken| (known.mechanism, known.usual) == (mechanism, usual);
                match taken.iter_mut().find(alike) {
                    _ if keys == 0 => {}
                    Some(known) => more(&mut known.keys, keys),
                    None => taken.push(Taken {
                        mechanism,
                        keys,
                        usual,
                    }),
                }
            }
        }
        Division {
            taken,
            moved,
            left: split.left,
        }
    }

    /// Whether scripts or transactions ran out of their usual pace.
    pub(super) fn wrap(&self, calls: &Calls, seconds: f64) -> Wrap {
        Wrap::of(&self.excess(calls, seconds))
    }

    /// Calls that name keys to delete, beyond their usual pace.
    pub(super) fn out_of_pace(&self, calls: &Calls, seconds: f64) -> u64 {
        let excess = self.excess(calls, seconds);
        let deletes = |m: Mechanism| {
            matches!(
                m,
                Mechanism::Del
                    | Mechanism::Unlink
                    | Mechanism::Getdel
                    | Mechanism::ConditionalDelete
            )
        };
        let rows = SUSPECTS.iter().zip(excess);
        rows.filter(|((mechanism, _), _)| deletes(*mechanism))
            .fold(0, |sum, (_, calls)| sum.saturating_add(calls))
    }

    /// Whether commands that remove keys ran out of their usual pace.
    pub(super) fn removers_stand_out(&self, calls: &Calls, seconds: f64) -> bool {
        self.excess(calls, seconds)[..=HASH_FIELDS]
            .iter()
            .any(|calls| *calls > 0)
    }
}

/// A number of calls, rounded. Calls of one interval are far below what a float holds exactly.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a pace is a finite number that is not negative; casting saturates"
)]
fn whole(calls: f64) -> u64 {
    calls.round() as u64
}

fn mechanism_at(row: usize) -> Mechanism {
    SUSPECTS
        .get(row)
        .map_or(Mechanism::HashFieldTtl, |(mechanism, _)| *mechanism)
}

/// How a residual was divided.
#[derive(Default)]
pub(super) struct Division {
    pub(super) taken: Vec<Taken>,
    /// What went with slots.
    pub(super) moved: u64,
    /// What nobody can have taken.
    pub(super) left: u64,
}

/// What one suspect took.
pub(super) struct Taken {
    pub(super) mechanism: Mechanism,
    pub(super) keys: u64,
    /// At its usual pace, no more than one key a call.
    pub(super) usual: bool,
}

/// A residual being divided.
struct Split {
    left: u64,
    took: [u64; ROWS],
}

impl Split {
    /// Takes so many of what is left off.
    fn take(&mut self, most: u64) -> u64 {
        let taken = self.left.min(most);
        self.left -= taken;
        taken
    }

    fn give(&mut self, row: usize, keys: u64) {
        let keys = keys.min(self.left);
        more(&mut self.took[row], keys);
        self.left -= keys;
    }

    fn one_a_call(&mut self, calls: &[u64; ROWS]) {
        for (row, calls) in calls.iter().enumerate().take(HASH_FIELDS + 1) {
            self.give(row, *calls);
        }
    }

    /// All that is left, to those that take any number a call, by their calls.
    fn any_number(&mut self, calls: &[u64; ROWS], rows: std::ops::Range<usize>) {
        let able = || {
            rows.clone()
                .filter(|row| SUSPECTS[*row].1 && calls[*row] > 0)
        };
        let all: u128 = able().map(|row| u128::from(calls[row])).sum();
        let whole = u128::from(self.left);
        let Some(last) = able().next_back() else {
            return;
        };
        for row in able() {
            let share = whole * u128::from(calls[row]) / all;
            self.give(row, u64::try_from(share).unwrap_or(u64::MAX));
        }
        self.give(last, u64::MAX);
    }
}
