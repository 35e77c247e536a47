//! Command statistics.

use std::sync::Arc;

use super::catalogue::{self, Class, Creates, creates};
use super::text::inert;
use crate::info::{Composite, Info};

/// Lines that are believed in at most; servers with many modules have some hundred commands.
const MOST: usize = 4_096;

/// What is known of a command by its name alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) name: Box<str>,
    pub(super) class: Option<Class>,
    pub(super) place: Option<usize>,
    pub(super) creates: Creates,
}

/// The commands of a table, sorted by name; shared by the tables that follow each other.
pub(super) type Names = Arc<[Named]>;

/// The numbers of one `cmdstat_` line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    calls: u64,
    usec: u64,
    rejected: u64,
    failed: u64,
}

/// One `cmdstat_` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandStat<'a> {
    /// The command as INFO prints it, inert, for example `config|resetstat`.
    pub name: &'a str,
    /// Executions, failed ones included, since start or RESETSTAT.
    pub calls: u64,
    /// How it can make keys vanish, if it can.
    pub class: Option<Class>,
    /// How it can create keys, if it can.
    pub creates: Creates,
    /// Microseconds spent in them.
    pub usec: u64,
    /// Refused before execution (ACL, OOM, READONLY, arity…). Zero where not exposed; see
    /// [`Commands::tells_refusals`].
    pub rejected: u64,
    /// Executions that ended in an error; contained in `calls`. Zero where not exposed.
    pub failed: u64,
}

impl CommandStat<'_> {
    /// Executions that did not fail: the only ones that can have removed anything. A line may
    /// exist with `calls=0`, when only refusals were counted (6.2+).
    pub fn effective(self) -> u64 {
        self.calls.saturating_sub(self.failed)
    }
}

/// The commandstats section, sorted by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commands {
    names: Names,
    counts: Box<[Counts]>,
    refusals: bool,
}

impl Commands {
    /// Reads the section; `None` where the reply does not carry it. An empty section is known to
    /// be empty: no command has run since start or RESETSTAT. One of more lines than can be kept is
    /// unknown, for one that is left out would look like a command that never ran.
    pub fn parse(info: &Info) -> Option<Self> {
        let mut refusals = false;
        let mut lines: Vec<(String, Counts)> = Vec::new();
        for (name, value) in info.section("Commandstats") {
            let Some(name) = name.strip_prefix("cmdstat_") else {
                continue;
            };
            let value = Composite::new(value);
            let Some(calls) = value.u64("calls") else {
                continue;
            };
            refusals |= value.get("rejected_calls").is_some();
            let counts = Counts {
                calls,
                usec: value.u64("usec").unwrap_or(0),
                rejected: value.u64("rejected_calls").unwrap_or(0),
                failed: value.u64("failed_calls").unwrap_or(0),
            };
            lines.push((inert(&name.to_ascii_lowercase(), 64), counts));
        }
        if lines.len() > MOST {
            return None;
        }
        lines.sort_by(|a, b| a.0.cmp(&b.0));
        lines.dedup_by(|a, b| a.0 == b.0);
        // Lines of another kind tell nothing of commands.
        let is_foreign = lines.is_empty() && info.section("Commandstats").next().is_some();
        (info.has_section("Commandstats") && !is_foreign).then(|| Self {
            counts: lines.iter().map(|(_, counts)| *counts).collect(),
            names: lines
                .into_iter()
                .map(|(name, _)| Named::new(name))
                .collect(),
            refusals,
        })
    }

    /// Whether the server tells rejected and failed calls (Redis 6.2+; not Redis Enterprise).
    pub fn tells_refusals(&self) -> bool {
        self.refusals
    }

    /// One command; an absent line means that it never ran since start or RESETSTAT.
    pub fn get(&self, name: &str) -> Option<CommandStat<'_>> {
        place_of(&self.names, name).map(|at| self.at(at))
    }

    /// All commands, sorted by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = CommandStat<'_>> {
        (0..self.counts.len()).map(|at| self.at(at))
    }

    /// Commands of one class.
    pub fn of(&self, class: Class) -> impl Iterator<Item = CommandStat<'_>> {
        self.iter().filter(move |stat| stat.class == Some(class))
    }

    pub(super) fn at(&self, at: usize) -> CommandStat<'_> {
        let (known, counts) = (&self.names[at], self.counts[at]);
        CommandStat {
            name: &known.name,
            calls: counts.calls,
            class: known.class,
            creates: known.creates,
            usec: counts.usec,
            rejected: counts.rejected,
            failed: counts.failed,
        }
    }

    /// Takes the names' memory from an earlier table, so that an hour of samples holds one copy.
    pub(super) fn share_names(&mut self, earlier: &Self) {
        if self.names == earlier.names {
            self.names = Arc::clone(&earlier.names);
        }
    }

    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    /// Every number, in an order that only the names decide.
    pub(super) fn numbers(&mut self, visit: &mut dyn FnMut(&mut u64)) {
        for counts in &mut self.counts {
            visit(&mut counts.calls);
            visit(&mut counts.usec);
            visit(&mut counts.rejected);
            visit(&mut counts.failed);
        }
    }
}

/// Where a name stands.
pub(super) fn place_of(names: &Names, name: &str) -> Option<usize> {
    names.binary_search_by(|known| (*known.name).cmp(name)).ok()
}

impl Named {
    fn new(name: String) -> Self {
        let placed = catalogue::place_of(&name);
        Self {
            class: placed.map(|(class, _)| class),
            place: placed.map(|(_, place)| place),
            creates: creates(&name),
            name: name.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_lines_without_refusals_are_read() {
        let info =
            Info::parse("# Commandstats\r\ncmdstat_del:calls=2,usec=90,usec_per_call=45.00\r\n");
        let commands = Commands::parse(&info).expect("section is there");
        assert_eq!(commands.get("del").map(CommandStat::effective), Some(2));
        assert!(!commands.tells_refusals());
    }

    #[test]
    fn more_lines_than_can_be_kept_are_unknown() {
        let lines = |n: usize| {
            let lines = (0..n).map(|n| format!("cmdstat_c{n}:calls=1\r\n"));
            let text = format!("# Commandstats\r\n{}", lines.collect::<String>());
            Commands::parse(&Info::parse(text)).map(|commands| commands.iter().len())
        };
        assert_eq!(lines(MOST), Some(MOST));
        assert_eq!(lines(MOST + 1), None);
    }

    #[test]
    fn a_line_may_exist_without_a_call() {
        let info = Info::parse(
            "# Commandstats\r\ncmdstat_flushall:calls=0,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=0\r\n",
        );
        let commands = Commands::parse(&info).expect("section is there");
        let flushall = commands.get("flushall").expect("line is there");
        assert_eq!((flushall.effective(), flushall.rejected), (0, 1));
    }

    #[test]
    fn an_absent_section_is_unknown_and_an_empty_one_is_empty() {
        assert_eq!(Commands::parse(&Info::parse("# Stats\r\n")), None);
        let empty = Commands::parse(&Info::parse("# Commandstats\r\n"));
        assert_eq!(empty.map(|commands| commands.iter().len()), Some(0));
    }
}
