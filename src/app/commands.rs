//! The table of commands: which are listed, and in which order.

use super::{App, Sort};
use crate::model::{CommandStat, Sample};

impl App {
    /// The commands of a sample to list: the catalogue's that have a line, or with a filter any that match it;
    /// sorted as chosen.
    pub fn command_rows<'s>(&self, sample: &'s Sample) -> Vec<CommandStat<'s>> {
        let Some(commands) = &sample.commands else {
            return Vec::new();
        };
        let filter = self.screen.filter.value().trim().to_ascii_lowercase();
        let mut rows: Vec<CommandStat<'_>> = commands
            .iter()
            .filter(|stat| {
                if filter.is_empty() {
                    stat.class.is_some()
                } else {
                    stat.name.contains(&filter)
                }
            })
            .collect();
        self.sort_commands(&mut rows);
        rows
    }

    fn sort_commands(&self, rows: &mut [CommandStat<'_>]) {
        let step = self.window().last_step();
        let moved = |stat: &CommandStat<'_>| step.map_or(0, |step| step.effective(stat.name));
        match self.screen.sort {
            // Classes are ordered by how much one call can destroy.
            Sort::Danger => rows.sort_by_key(|stat| {
                (
                    stat.calls == 0,
                    stat.class.map_or(u8::MAX, |class| class as u8),
                    u64::MAX - stat.calls,
                )
            }),
            Sort::Calls => rows.sort_by_key(|stat| u64::MAX - stat.calls),
            Sort::Rate => rows.sort_by_key(|stat| (u64::MAX - moved(stat), u64::MAX - stat.calls)),
            Sort::Refused => rows.sort_by_key(|stat| u64::MAX - (stat.rejected + stat.failed)),
            Sort::Name => rows.sort_by_key(|stat| stat.name),
        }
    }
}
