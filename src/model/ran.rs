//! Commands that ran between two samples.

use std::sync::Arc;

use super::catalogue::{Class, Creates};
use super::command::{CommandStat, Commands, Named, Names, place_of};
use super::continuity::Comparable;

/// One command that was called or refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandDelta<'a> {
    /// The command as INFO prints it.
    pub name: &'a str,
    /// How it can make keys vanish, if it can.
    pub class: Option<Class>,
    /// Its place in the catalogue, counted through all classes, if it stands there.
    pub place: Option<usize>,
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

/// The commands of one step that were called or refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// The names that rows point to; none without rows.
    names: Option<Names>,
    /// Those with a class first, each part sorted by name.
    rows: Box<[Row]>,
    /// What some rows point to.
    odd: Box<[Odd]>,
    /// How many rows have a class.
    classed: u32,
    /// Keys that they can have created together.
    creations: Option<u64>,
}

/// A command of which every call took effect, as nearly all do. Small, for an hour holds many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    /// Calls before, less what is in `high`; of an odd row, its place in [`Ran::odd`].
    low: u32,
    /// Calls before, in units of 2³².
    high: u16,
    /// Its place in the names.
    at: u16,
    /// Calls since, all effective; [`ODD`] for what that does not tell.
    calls: u32,
}

/// Marks a row whose numbers stand in [`Ran::odd`].
const ODD: u32 = u32::MAX;

/// Any numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Odd {
    at: u32,
    before: u64,
    after: u64,
    effective: u64,
    failed: u64,
    rejected: u64,
}

impl Default for Ran {
    fn default() -> Self {
        Self {
            names: None,
            rows: Box::default(),
            odd: Box::default(),
            classed: 0,
            creations: Some(0),
        }
    }
}

impl Ran {
    pub(super) fn between(before: &Commands, after: &Commands, comparable: Comparable) -> Self {
        let alike = Arc::ptr_eq(before.names(), after.names());
        let mut moved: Vec<Odd> = (0u32..)
            .zip(after.iter())
            .filter_map(|(at, is)| {
                let was = if alike {
                    Some(before.at(at as usize))
                } else {
                    before.get(is.name)
                };
                Odd::between(at, was, is, comparable)
            })
            .collect();
        let names = after.names();
        let known = |moved: &Odd| &names[moved.at as usize];
        moved.sort_by_key(|moved| known(moved).class.is_none());
        let (mut odd, mut classed, mut creations) = (Vec::new(), 0, Some(0u64));
        for moved in &moved {
            let known = known(moved);
            classed += u32::from(known.class.is_some());
            creations = match known.creates {
                Creates::Nothing => creations,
                Creates::OneEach => creations.map(|n| n.saturating_add(moved.effective)),
                Creates::Many => None,
            };
        }
        let rows = moved.into_iter().map(|moved| moved.row(&mut odd));
        let rows: Box<[Row]> = rows.collect();
        Self {
            names: (!rows.is_empty()).then(|| Arc::clone(names)),
            rows,
            odd: odd.into(),
            classed,
            creations,
        }
    }

    /// One command, when it was called or refused.
    pub fn get(&self, name: &str) -> Option<CommandDelta<'_>> {
        let at = place_of(self.names.as_ref()?, name)?;
        let mut moved = self.rows.iter().map(|row| self.numbers(row));
        let moved = moved.find(|moved| moved.at as usize == at)?;
        Some(self.tell(moved))
    }

    /// All of them, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = CommandDelta<'_>> {
        let mut all: Vec<Odd> = self.rows.iter().map(|row| self.numbers(row)).collect();
        all.sort_by_key(|moved| moved.at);
        all.into_iter().map(|moved| self.tell(moved))
    }

    /// Those that can make keys vanish, sorted by name.
    pub fn classed(&self) -> impl Iterator<Item = CommandDelta<'_>> {
        let rows = self.rows[..self.classed as usize].iter();
        rows.map(|row| self.tell(self.numbers(row)))
    }

    /// What they take of the memory, about, without the names, which samples share.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.rows) + size_of_val(&*self.odd)
    }

    /// Whether any call failed or was refused.
    pub fn has_refusals(&self) -> bool {
        self.odd
            .iter()
            .any(|odd| odd.failed > 0 || odd.rejected > 0)
    }

    /// How many keys they can have created; `None` for any number.
    pub fn creations(&self) -> Option<u64> {
        self.creations
    }

    fn tell(&self, moved: Odd) -> CommandDelta<'_> {
        let names = self.names.as_deref().unwrap_or_default();
        let known = &names[moved.at as usize];
        CommandDelta {
            name: &known.name,
            class: known.class,
            place: known.place,
            creates: known.creates,
            calls_before: moved.before,
            calls_after: moved.after,
            effective: moved.effective,
            failed: moved.failed,
            rejected: moved.rejected,
        }
    }

    fn numbers(&self, row: &Row) -> Odd {
        if row.calls == ODD {
            return self.odd[row.low as usize];
        }
        let before = u64::from(row.high) << 32 | u64::from(row.low);
        Odd::plain(row.at.into(), before, row.calls.into())
    }
}

impl Odd {
    /// How a line moved; `None` where nobody called or was refused.
    fn between(
        at: u32,
        was: Option<CommandStat<'_>>,
        is: CommandStat<'_>,
        comparable: Comparable,
    ) -> Option<Self> {
        let base = comparable.base(was.map_or(0, |was| was.calls), is.calls)?;
        // A line that fell is new: everything on it counts from zero.
        let was = was.filter(|was| was.calls == base);
        let moved = Self {
            at,
            before: base,
            after: is.calls,
            effective: is
                .effective()
                .saturating_sub(was.map_or(0, CommandStat::effective)),
            failed: is.failed.saturating_sub(was.map_or(0, |was| was.failed)),
            rejected: is
                .rejected
                .saturating_sub(was.map_or(0, |was| was.rejected)),
        };
        (moved.effective > 0 || moved.failed > 0 || moved.rejected > 0).then_some(moved)
    }

    /// Every call took effect.
    fn plain(at: u32, before: u64, calls: u64) -> Self {
        Self {
            at,
            before,
            after: before.saturating_add(calls),
            effective: calls,
            failed: 0,
            rejected: 0,
        }
    }

    /// As a row; what that cannot tell goes to the odd ones.
    fn row(self, odd: &mut Vec<Self>) -> Row {
        self.plain_row().unwrap_or_else(|| {
            odd.push(self);
            Row {
                low: u32::try_from(odd.len() - 1).unwrap_or(u32::MAX),
                high: 0,
                at: 0,
                calls: ODD,
            }
        })
    }

    fn plain_row(self) -> Option<Row> {
        let is_plain = Self::plain(self.at, self.before, self.effective) == self;
        let row = Row {
            low: u32::try_from(self.before & u64::from(u32::MAX)).ok()?,
            high: u16::try_from(self.before >> 32).ok()?,
            at: u16::try_from(self.at).ok()?,
            calls: u32::try_from(self.effective).ok()?,
        };
        (is_plain && row.calls != ODD).then_some(row)
    }
}

/// Effective calls over many steps of every command that can make keys vanish.
#[derive(Default)]
pub(super) struct Tally<'a> {
    rows: Vec<(Class, &'a str, u64)>,
    /// The names that places are known for, and the row of each place.
    names: Option<&'a Names>,
    places: Vec<Option<usize>>,
}

impl<'a> Tally<'a> {
    pub(super) fn add(&mut self, ran: &'a Ran) {
        let Some(names) = &ran.names else {
            return;
        };
        if !self.names.is_some_and(|known| Arc::ptr_eq(known, names)) {
            self.names = Some(names);
            self.places = vec![None; names.len()];
        }
        for row in &ran.rows[..ran.classed as usize] {
            let moved = ran.numbers(row);
            if moved.effective > 0 {
                let at = moved.at as usize;
                let place = self.places[at].unwrap_or_else(|| self.place(&names[at]));
                self.places[at] = Some(place);
                let calls = &mut self.rows[place].2;
                *calls = calls.saturating_add(moved.effective);
            }
        }
    }

    /// By name, where the place tells nothing yet.
    fn place(&mut self, known: &'a Named) -> usize {
        let mut rows = self.rows.iter();
        rows.position(|(_, name, _)| *name == &*known.name)
            .unwrap_or_else(|| {
                let class = known.class.unwrap_or(Class::Admin);
                self.rows.push((class, &known.name, 0));
                self.rows.len() - 1
            })
    }

    /// Class, name and calls, in the order in which they were first called.
    pub(super) fn rows(self) -> Vec<(Class, &'a str, u64)> {
        self.rows
    }
}
