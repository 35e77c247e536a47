//! How much of a command is kept: its name and the keys that it names, never a value.
//!
//! Values are what people store, sessions and tokens among it. So a command that is not listed here
//! is kept with its first argument, which is a key or the name of a subcommand.

/// Commands whose arguments are secrets or values from the first on, or may hold a password.
const NAME_ONLY: &[&str] = &["auth", "echo", "hello", "migrate", "ping"];

/// Commands whose arguments are keys, numbers and options, and nothing else.
const NO_VALUES: &[&str] = &[
    "del",
    "unlink",
    "flushall",
    "flushdb",
    "sflush",
    "ft.dropindex",
    "ft.drop",
    "rename",
    "renamenx",
    "copy",
    "move",
    "swapdb",
    "trimslots",
    "expire",
    "pexpire",
    "expireat",
    "pexpireat",
    "getex",
    "spop",
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
    "ltrim",
    "zpopmin",
    "zpopmax",
    "bzpopmin",
    "bzpopmax",
    "zmpop",
    "bzmpop",
    "zremrangebyrank",
    "sinterstore",
    "sdiffstore",
    "sunionstore",
    "zinterstore",
    "zunionstore",
    "zdiffstore",
    "sort",
    "bitop",
    "pfmerge",
    "replicaof",
    "slaveof",
    "shutdown",
];

/// Commands that begin with two keys and go on with values.
const TWO_KEYS: &[&str] = &["smove", "zrangestore", "geosearchstore"];

/// The words of a command that are kept. `name` is the first of them in lower case.
pub(super) fn spoken(name: &str, words: &[String]) -> String {
    let first = |most: usize| words[..most.min(words.len())].join(" ");
    match name {
        "eval" | "eval_ro" => script(words, "…"),
        "evalsha" | "evalsha_ro" | "fcall" | "fcall_ro" => {
            script(words, words.get(1).map_or("", String::as_str))
        }
        _ if NAME_ONLY.contains(&name) => first(1),
        _ if NO_VALUES.contains(&name) => words.join(" "),
        _ if TWO_KEYS.contains(&name) => first(3),
        _ => first(2),
    }
}

/// A call of a script: what it goes by, and the keys, of which the third word says how many.
fn script(words: &[String], called: &str) -> String {
    let keys = words.get(2).and_then(|count| count.parse().ok());
    let keys = words.iter().skip(3).take(keys.unwrap_or(0));
    let known = words.iter().take(1).map(String::as_str);
    let known = known.chain([called]).chain(keys.map(String::as_str));
    known.collect::<Vec<_>>().join(" ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::catalogue::CATALOGUE;
    use super::*;

    #[rstest]
    #[case::keys_only("DEL a b c", "DEL a b c")]
    #[case::options("FLUSHALL ASYNC", "FLUSHALL ASYNC")]
    #[case::two_names("RENAME a b", "RENAME a b")]
    #[case::a_time("EXPIRE a 0", "EXPIRE a 0")]
    #[case::auth("AUTH ann secret", "AUTH")]
    #[case::hello("hello 3 AUTH ann secret", "hello")]
    #[case::config("CONFIG SET requirepass secret", "CONFIG SET")]
    #[case::acl("ACL SETUSER ann >secret", "ACL SETUSER")]
    #[case::migrate("MIGRATE h 6379 k 0 5000 AUTH secret", "MIGRATE")]
    #[case::set("SET session:1 secret", "SET session:1")]
    #[case::setex("SETEX session:1 3600 secret", "SETEX session:1")]
    #[case::psetex("PSETEX session:1 3600 secret", "PSETEX session:1")]
    #[case::msetex("MSETEX 1 session:1 secret EX 9", "MSETEX 1")]
    #[case::hsetex("HSETEX h EX 9 FIELDS 1 f secret", "HSETEX h")]
    #[case::restore("RESTORE k 0 secret REPLACE", "RESTORE k")]
    #[case::delifeq("DELIFEQ lock secret", "DELIFEQ lock")]
    #[case::delex("DELEX lock IFEQ secret", "DELEX lock")]
    #[case::lrem("LREM l 0 secret", "LREM l")]
    #[case::srem("SREM s secret", "SREM s")]
    #[case::zrem("ZREM z secret", "ZREM z")]
    #[case::hdel("HDEL h secret", "HDEL h")]
    #[case::smove("SMOVE a b secret", "SMOVE a b")]
    #[case::by_lex("ZREMRANGEBYLEX z [secret [secret2", "ZREMRANGEBYLEX z")]
    #[case::echo("ECHO secret", "ECHO")]
    #[case::eval("EVAL return'secret' 2 k:1 k:2 secret", "EVAL … k:1 k:2")]
    #[case::eval_no_keys("EVAL return'secret' 0 secret", "EVAL …")]
    #[case::eval_odd("EVAL return'secret' -1 secret", "EVAL …")]
    #[case::eval_huge("EVAL secret 18446744073709551615 k", "EVAL … k")]
    #[case::eval_ro("EVAL_RO return'secret' 1 k secret", "EVAL_RO … k")]
    #[case::evalsha("evalsha 3c6f 1 k secret", "evalsha 3c6f k")]
    #[case::fcall("FCALL cleanup 1 k secret", "FCALL cleanup k")]
    #[case::nothing_but_a_name("FCALL", "FCALL")]
    #[case::nothing("", "")]
    fn values_are_left_out(#[case] sent: &str, #[case] kept: &str) {
        let words: Vec<String> = sent.split_whitespace().map(str::to_owned).collect();
        let name = words.first().map(|name| name.to_ascii_lowercase());
        assert_eq!(spoken(&name.unwrap_or_default(), &words), kept);
    }

    /// Whatever is added to the catalogue keeps no value before somebody has looked at it.
    #[test]
    fn of_a_command_that_nobody_looked_at_the_first_argument_is_kept() {
        let listed = [NAME_ONLY, NO_VALUES, TWO_KEYS].concat();
        let known = |name: &&str| !listed.contains(name);
        let scripts = ["eval", "evalsha", "fcall"];
        let names = CATALOGUE.iter().flat_map(|(_, names)| *names).copied();
        for name in names.filter(known).filter(|name| !scripts.contains(name)) {
            let words = [name, "a", "secret", "secret"].map(str::to_owned);
            assert_eq!(spoken(name, &words), format!("{name} a"));
        }
    }
}
