//! How many of the commands that were refused were writes.
//!
//! Errors are counted by their prefix, refusals by command, and nothing says which belong together.
//! Some errors only a write gets. Others a read gets too: of those, as many were writes as commands
//! that write keys were refused, less those that another error refused; nobody knows of the rest what
//! they were, unless as many reads were refused.

use crate::model::{Class, CommandStat, Commands, Creates, Sample, Step, creates};

/// A user without a right: every connection that may not look at something gets it, ours too. A delete
/// that is not permitted leaves no key unwritten.
pub(super) const NOPERM: &str = "NOPERM";
/// Errors that reads get as well; `MISCONF` also answers PING.
const SHARED: [&str; 3] = [NOPERM, "MISCONF", "CLUSTERDOWN"];

/// Refused writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Writes {
    /// That they were writes is known.
    pub(super) sure: u64,
    /// They may have been reads.
    pub(super) perhaps: u64,
}

impl Writes {
    /// Those that are told of: the sure ones, where there are any.
    pub(super) fn told(self) -> u64 {
        if self.sure > 0 {
            self.sure
        } else {
            self.perhaps
        }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            sure: self.sure.saturating_add(other.sure),
            perhaps: self.perhaps.saturating_add(other.perhaps),
        }
    }
}

/// Commands that were refused, by what they do.
#[derive(Clone, Copy, Debug, Default)]
struct Refused {
    creations: u64,
    removals: u64,
    unclear: u64,
    others: u64,
}

impl Refused {
    fn of<'n>(commands: impl Iterator<Item = (&'n str, Option<Class>, u64)>) -> Self {
        let mut all = Self::default();
        for (name, class, rejected) in commands {
            let kind = match kind(name, class) {
                Kind::Create => &mut all.creations,
                Kind::Remove => &mut all.removals,
                Kind::Unclear => &mut all.unclear,
                Kind::Other => &mut all.others,
            };
            *kind = kind.saturating_add(rejected);
        }
        all
    }

    /// The writes among so many errors with a prefix, beside so many with another, such as `MOVED`,
    /// which may be behind as many refusals as are left.
    fn writes(self, prefix: &str, errors: u64, beside: u64) -> Writes {
        if !SHARED.contains(&prefix) {
            return Writes {
                sure: errors,
                perhaps: 0,
            };
        }
        let all = [self.creations, self.removals, self.unclear, self.others];
        let all = all.into_iter().fold(0, u64::saturating_add);
        let foreign = beside.min(all.saturating_sub(errors));
        let own = |refused: u64| refused.saturating_sub(foreign);
        if prefix == NOPERM {
            let sure = errors.min(own(self.creations));
            let perhaps = own(self.unclear).min(errors - sure);
            return Writes { sure, perhaps };
        }
        let sure = errors.min(own(self.creations.saturating_add(self.removals)));
        let perhaps = (errors - sure).saturating_sub(own(self.others));
        Writes { sure, perhaps }
    }
}

/// What a refused command would have done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Created keys.
    Create,
    /// Taken keys away, or a part of them.
    Remove,
    /// A script or the command of a module, which may read or write.
    Unclear,
    /// Read, or administered.
    Other,
}

fn kind(name: &str, class: Option<Class>) -> Kind {
    match class {
        Some(Class::Script) => Kind::Unclear,
        _ if name.contains('.') => Kind::Unclear,
        _ if creates(name) != Creates::Nothing => Kind::Create,
        None | Some(Class::Flush | Class::Admin) => Kind::Other,
        Some(_) => Kind::Remove,
    }
}

/// Whether a refused command may have been a write.
pub(super) fn may_write(stat: &CommandStat<'_>) -> bool {
    kind(stat.name, stat.class) != Kind::Other
}

/// Writes refused in one step with one prefix.
pub(super) fn in_step(step: &Step, prefix: &str) -> Writes {
    let errors = step.errors().iter();
    let errors = errors.map(|error| (&*error.prefix, error.count()));
    let commands = step.commands.iter();
    let commands = commands.map(|command| (command.name, command.class, command.rejected));
    counted(errors, commands, prefix)
}

/// The same of totals since the start.
pub(super) fn in_total(last: &Sample, prefix: &str) -> Writes {
    let errors = last.errors.iter().flatten();
    let errors = errors.map(|(prefix, count)| (&**prefix, *count));
    let commands = last.commands.iter().flat_map(Commands::iter);
    let commands = commands.map(|stat| (stat.name, stat.class, stat.rejected));
    counted(errors, commands, prefix)
}

fn counted<'n>(
    errors: impl Iterator<Item = (&'n str, u64)>,
    commands: impl Iterator<Item = (&'n str, Option<Class>, u64)>,
    prefix: &str,
) -> Writes {
    let (mut own, mut beside) = (0u64, 0u64);
    for (known, count) in errors {
        let sum = if known == prefix {
            &mut own
        } else {
            &mut beside
        };
        *sum = sum.saturating_add(count);
    }
    if own == 0 {
        return Writes::default();
    }
    Refused::of(commands).writes(prefix, own, beside)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::only_writes_get_it("OOM", 5, 0, &[], (5, 0))]
    #[case::a_read("CLUSTERDOWN", 1, 0, &[("get", 1)], (0, 0))]
    #[case::a_ping("MISCONF", 1, 0, &[("ping", 1)], (0, 0))]
    #[case::both("CLUSTERDOWN", 5, 0, &[("get", 3), ("set", 2)], (2, 0))]
    #[case::a_delete("CLUSTERDOWN", 2, 0, &[("del", 2)], (2, 0))]
    #[case::a_delete_that_may_not("NOPERM", 2, 0, &[("del", 2)], (0, 0))]
    #[case::nobody_tells_which("CLUSTERDOWN", 5, 0, &[], (0, 5))]
    #[case::inside_a_script("CLUSTERDOWN", 5, 0, &[("get", 3)], (0, 2))]
    #[case::a_script("CLUSTERDOWN", 2, 0, &[("evalsha", 2)], (0, 2))]
    #[case::a_module("NOPERM", 2, 0, &[("json.get", 2)], (0, 2))]
    #[case::nobody_tells_who_may_not("NOPERM", 5, 0, &[], (0, 0))]
    #[case::a_write_that_may_not("NOPERM", 5, 0, &[("get", 3), ("set", 2)], (2, 0))]
    #[case::a_read_beside_redirected_writes("CLUSTERDOWN", 1, 714, &[("get", 1), ("set", 714)], (0, 1))]
    #[case::writes_beside_redirected_writes("CLUSTERDOWN", 9, 714, &[("set", 723)], (9, 0))]
    #[case::writes_beside_calls_that_failed("CLUSTERDOWN", 9, 50, &[("set", 9)], (9, 0))]
    #[case::ours_beside_redirected_writes("NOPERM", 1, 714, &[("client|list", 1), ("set", 714)], (0, 0))]
    fn writes_are_told_from_reads(
        #[case] prefix: &str,
        #[case] errors: u64,
        #[case] beside: u64,
        #[case] refused: &[(&str, u64)],
        #[case] (sure, perhaps): (u64, u64),
    ) {
        let refused = refused.iter();
        let refused = refused.map(|(name, n)| (*name, crate::model::class_of(name), *n));
        let writes = Refused::of(refused).writes(prefix, errors, beside);
        assert_eq!(writes, Writes { sure, perhaps });
    }
}
