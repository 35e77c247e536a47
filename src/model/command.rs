//! Command statistics, and the catalogue of commands that can make keys vanish.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use crate::info::{Composite, Info};

use super::text::inert;

/// How a command can make keys vanish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Empties a database or all of them.
    Flush,
    /// Removes the keys it names, any number a call.
    Delete,
    /// Takes elements out of a container; the last one takes the key along, one key a call.
    Empty,
    /// Sets a time to live; in the past, the key goes at once.
    Expire,
    /// Puts keys elsewhere: another database, another node.
    Move,
    /// Replaces what stood under a name.
    Overwrite,
    /// Runs other commands, which are counted under their own names too.
    Script,
    /// Replaces or empties the whole data set by way of administration.
    Admin,
}

impl Class {
    /// The word for a table column.
    pub fn word(self) -> &'static str {
        match self {
            Self::Flush => "flush",
            Self::Delete => "delete",
            Self::Empty => "empty",
            Self::Expire => "expire",
            Self::Move => "move",
            Self::Overwrite => "replace",
            Self::Script => "script",
            Self::Admin => "admin",
        }
    }
}

/// Every command that can make keys vanish, by class; sub-commands as INFO prints them
/// (`cluster|reset`).
///
/// Derived from the key-spec flags of the servers' own command tables (Redis 6.2 to 8.6, Valkey
/// 8.0 to 9.1) and from experiments with them. `SET` and the like are left out although they can
/// overwrite: they cannot be told from ordinary writes by counting.
pub const CATALOGUE: &[(Class, &[&str])] = &[
    (
        Class::Flush,
        &["flushall", "flushdb", "sflush", "cluster|flushslot"],
    ),
    (
        Class::Delete,
        &[
            "del",
            "unlink",
            "getdel",
            "delex",
            "delifeq",
            "json.del",
            "json.forget",
            "ft.dropindex",
            "ft.drop",
            "ts.del",
        ],
    ),
    (
        Class::Empty,
        &[
            "hdel",
            "hgetdel",
            "srem",
            "spop",
            "smove",
            "lpop",
            "rpop",
            "blpop",
            "brpop",
            "lmove",
            "blmove",
            "rpoplpush",
            "brpoplpush",
            "lmpop",
            "blmpop",
            "lrem",
            "ltrim",
            "zrem",
            "zpopmin",
            "zpopmax",
            "bzpopmin",
            "bzpopmax",
            "zmpop",
            "bzmpop",
            "zremrangebyrank",
            "zremrangebyscore",
            "zremrangebylex",
            "georem",
        ],
    ),
    (
        Class::Expire,
        &[
            "expire",
            "pexpire",
            "expireat",
            "pexpireat",
            "getex",
            "setex",
            "psetex",
            "hexpire",
            "hpexpire",
            "hexpireat",
            "hpexpireat",
            "hgetex",
            "hsetex",
            "msetex",
        ],
    ),
    (
        Class::Move,
        &[
            "swapdb",
            "move",
            "migrate",
            "cluster|migration",
            "cluster|migrateslots",
            "cluster|setslot",
            "trimslots",
        ],
    ),
    (
        Class::Overwrite,
        &[
            "rename",
            "renamenx",
            "restore",
            "copy",
            "sort",
            "sinterstore",
            "sdiffstore",
            "sunionstore",
            "zinterstore",
            "zunionstore",
            "zdiffstore",
            "zrangestore",
            "geosearchstore",
            "georadius",
            "georadiusbymember",
            "bitop",
            "pfmerge",
        ],
    ),
    (Class::Script, &["eval", "evalsha", "fcall", "exec"]),
    (
        Class::Admin,
        &[
            "debug",
            "replicaof",
            "slaveof",
            "cluster|reset",
            "cluster|flushslots",
            "shutdown",
        ],
    ),
];

/// The class of a command, `None` for commands that make no key vanish. Names as INFO prints
/// them, in lower case.
pub fn class_of(name: &str) -> Option<Class> {
    static CLASSES: LazyLock<HashMap<&str, Class>> = LazyLock::new(|| {
        let rows = CATALOGUE.iter();
        rows.flat_map(|(class, names)| names.iter().map(|name| (*name, *class)))
            .collect()
    });
    CLASSES.get(name).copied()
}

/// How many keys one call of a command can create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creates {
    /// None.
    Nothing,
    /// At most one.
    OneEach,
    /// Any number.
    Many,
}

/// Commands that create at most one key a call. From the key-spec flags `INSERT` and `OW` of the
/// servers' command tables (Redis 6.2 to 8.6, Valkey 8.0 to 9.1).
const CREATE_ONE: &[&str] = &[
    "append",
    "bitfield",
    "bitop",
    "blmove",
    "brpoplpush",
    "copy",
    "decr",
    "decrby",
    "geoadd",
    "georadius",
    "georadiusbymember",
    "geosearchstore",
    "getset",
    "hincrby",
    "hincrbyfloat",
    "hmset",
    "hset",
    "hsetex",
    "hsetnx",
    "incr",
    "incrby",
    "incrbyfloat",
    "linsert",
    "lmove",
    "lpush",
    "pfadd",
    "pfmerge",
    "psetex",
    "restore",
    "restore-asking",
    "rpoplpush",
    "rpush",
    "sadd",
    "sdiffstore",
    "set",
    "setbit",
    "setex",
    "setnx",
    "setrange",
    "sinterstore",
    "smove",
    "sort",
    "sunionstore",
    "xadd",
    "xgroup",
    "xgroup|create",
    "zadd",
    "zdiffstore",
    "zincrby",
    "zinterstore",
    "zrangestore",
    "zunionstore",
];

/// Commands that create any number of keys a call; so may every command of a module, whose names
/// have a dot (`JSON.MSET`), and what replaces the whole data set.
const CREATE_MANY: &[&str] = &["mset", "msetnx", "msetex", "debug", "cluster|syncslots"];

/// How many keys a call of a command can create. Names as INFO prints them, in lower case.
pub fn creates(name: &str) -> Creates {
    if CREATE_ONE.binary_search(&name).is_ok() {
        Creates::OneEach
    } else if CREATE_MANY.contains(&name) || name.contains('.') {
        Creates::Many
    } else {
        Creates::Nothing
    }
}

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

    #[test]
    fn creators_are_sorted_and_found() {
        assert!(CREATE_ONE.is_sorted());
        assert_eq!(creates("set"), Creates::OneEach);
        assert_eq!(creates("mset"), Creates::Many);
        assert_eq!(creates("json.set"), Creates::Many);
        assert_eq!(creates("get"), Creates::Nothing);
    }

    #[test]
    fn no_command_stands_in_two_classes() {
        let mut names: Vec<_> = CATALOGUE.iter().flat_map(|(_, names)| *names).collect();
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
        assert_eq!(class_of("ft.dropindex"), Some(Class::Delete));
        assert_eq!(class_of("get"), None);
    }
}
