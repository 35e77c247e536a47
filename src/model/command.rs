//! Command statistics.

use std::sync::Arc;

use super::catalogue::{Class, class_of};
use super::text::inert;
use crate::info::{Composite, Info};

/// One `cmdstat_` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandStat {
    /// The command as INFO prints it, inert, for example `config|resetstat`.
    pub name: Arc<str>,
    /// Executions, failed ones included, since start or RESETSTAT.
    pub calls: u64,
    /// How it can make keys vanish, if it can.
    pub class: Option<Class>,
    /// Microseconds spent in them.
    pub usec: u64,
    /// Refused before execution (ACL, OOM, READONLY, arity…). Zero where not exposed; see
    /// [`Commands::tells_refusals`].
    pub rejected: u64,
    /// Executions that ended in an error; contained in `calls`. Zero where not exposed.
    pub failed: u64,
}

impl CommandStat {
    /// Executions that did not fail: the only ones that can have removed anything. A line may
    /// exist with `calls=0`, when only refusals were counted (6.2+).
    pub fn effective(&self) -> u64 {
        self.calls.saturating_sub(self.failed)
    }
}

/// The commandstats section, sorted by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commands {
    stats: Vec<CommandStat>,
    refusals: bool,
}

impl Commands {
    /// Reads the section; `None` where the reply does not carry it. An empty section is known to
    /// be empty: no command has run since start or RESETSTAT.
    pub fn parse(info: &Info) -> Option<Self> {
        let mut commands = Self::default();
        for (name, value) in info.section("Commandstats") {
            let Some(name) = name.strip_prefix("cmdstat_") else {
                continue;
            };
            let value = Composite::new(value);
            let Some(calls) = value.u64("calls") else {
                continue;
            };
            commands.refusals |= value.get("rejected_calls").is_some();
            let name = inert(&name.to_ascii_lowercase(), 64);
            commands.stats.push(CommandStat {
                class: class_of(&name),
                name: name.into(),
                calls,
                usec: value.u64("usec").unwrap_or(0),
                rejected: value.u64("rejected_calls").unwrap_or(0),
                failed: value.u64("failed_calls").unwrap_or(0),
            });
        }
        commands.stats.sort_by(|a, b| a.name.cmp(&b.name));
        commands.stats.dedup_by(|a, b| a.name == b.name);
        // Lines of another kind tell nothing of commands.
        let is_foreign = commands.stats.is_empty() && info.section("Commandstats").next().is_some();
        (info.has_section("Commandstats") && !is_foreign).then_some(commands)
    }

    /// Whether the server tells rejected and failed calls (Redis 6.2+; not Redis Enterprise).
    pub fn tells_refusals(&self) -> bool {
        self.refusals
    }

    /// One command; an absent line means that it never ran since start or RESETSTAT.
    pub fn get(&self, name: &str) -> Option<&CommandStat> {
        self.stats
            .binary_search_by(|stat| (*stat.name).cmp(name))
            .ok()
            .map(|at| &self.stats[at])
    }

    /// All commands, sorted by name.
    pub fn iter(&self) -> std::slice::Iter<'_, CommandStat> {
        self.stats.iter()
    }

    /// Commands of one class.
    pub fn of(&self, class: Class) -> impl Iterator<Item = &CommandStat> {
        self.stats
            .iter()
            .filter(move |stat| stat.class == Some(class))
    }

    /// Takes the names' memory from an earlier table, so that an hour of samples holds one copy.
    pub(super) fn share_names(&mut self, earlier: &Self) {
        for stat in &mut self.stats {
            if let Some(known) = earlier.get(&stat.name) {
                stat.name = Arc::clone(&known.name);
            }
        }
        self.stats.shrink_to_fit();
    }
}

impl<'a> IntoIterator for &'a Commands {
    type Item = &'a CommandStat;
    type IntoIter = std::slice::Iter<'a, CommandStat>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
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
        assert_eq!(
            Commands::parse(&Info::parse("# Commandstats\r\n")),
            Some(Commands::default())
        );
    }
}
