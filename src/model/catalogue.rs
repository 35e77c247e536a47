//! The catalogue: commands that can make keys vanish, and commands that can create them.

use std::collections::HashMap;
use std::sync::LazyLock;

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
    place_of(name).map(|(class, _)| class)
}

/// The class of a command and its place in the catalogue, counted through all classes.
pub(super) fn place_of(name: &str) -> Option<(Class, usize)> {
    static PLACES: LazyLock<HashMap<&str, (Class, usize)>> = LazyLock::new(|| {
        let rows = CATALOGUE.iter();
        let rows = rows.flat_map(|(class, names)| names.iter().map(|name| (*class, *name)));
        let placed = rows.enumerate();
        placed
            .map(|(at, (class, name))| (name, (class, at)))
            .collect()
    });
    PLACES.get(name).copied()
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
/// have a dot (`JSON.MSET`), and what replaces the whole data set. What brings keys of slots
/// (`CLUSTER SYNCSLOTS`) is not among them, for the node that gives the slots away counts it too.
const CREATE_MANY: &[&str] = &["mset", "msetnx", "msetex", "debug"];

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

#[cfg(test)]
mod tests {
    use super::*;

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
