//! What a server remembers of slow commands.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::catalogue::{Class, class_of};
use super::spoken::spoken;
use super::text::inert;

/// Entries that are asked for at first contact: as many as servers keep unless told otherwise.
pub const SLOW_LOG: usize = 128;

/// The longest command, in characters, the mark of a cut included.
const LONGEST: usize = 64;

/// One entry of the slow log (`SLOWLOG GET`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SlowEntry {
    /// Its number; grows by one an entry, from 0 at the server's start.
    pub id: u64,
    /// When the command ran, by the server's clock, whole seconds.
    pub at: Timestamp,
    /// How long it ran; waiting and the network not included. Microseconds on the wire.
    #[serde(rename = "took_us", serialize_with = "microseconds")]
    pub took: Duration,
    /// The size of the request where it is known from the log of large ones (Valkey 8.1+), which
    /// does not tell how long it ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// The command and the keys that it names, inert, at most 64 characters; no values.
    pub command: String,
    /// `ip:port` of the client, inert; `None` before Redis 4 and, on Redis, inside scripts.
    pub address: Option<String>,
    /// The name that the client gave itself, inert; `None` where it gave none.
    pub name: Option<String>,
    /// How it can make keys vanish: its class, or what the text of a script mentions. Scripts are
    /// kept to their first 128 bytes by the server.
    #[serde(skip)]
    pub classes: Vec<Class>,
    /// Arguments after the command's name; the log itself keeps at most 31 of them.
    #[serde(skip)]
    pub arguments: usize,
}

fn microseconds<S: serde::Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(took.as_micros()).unwrap_or(u64::MAX))
}

impl SlowEntry {
    /// Understands an entry. `words` are the command as the client sent it, cut by the server:
    /// 32 words at most, the last of them `... (9 more arguments)`.
    pub fn new(id: u64, at: Timestamp, took: Duration, words: &[String]) -> Self {
        let name = words.first().map(|name| name.to_ascii_lowercase());
        let name = name.unwrap_or_default();
        Self {
            id,
            at,
            took,
            bytes: None,
            command: inert(&spoken(&name, words), LONGEST - 1),
            address: None,
            name: None,
            classes: classes(&name, words),
            arguments: arguments(words),
        }
    }

    /// Says who sent it; empty is unknown, and so is `?:0`, which Redis prints for what a script
    /// ran.
    #[must_use]
    pub fn by(mut self, address: &str, name: &str) -> Self {
        let known = |text: &str| {
            let is_known = !text.is_empty() && text != "?:0";
            is_known.then(|| inert(text, LONGEST))
        };
        (self.address, self.name) = (known(address), known(name));
        self
    }

    /// The same without what may name people, keys or places: the command's name is left.
    #[must_use]
    pub fn without_names(&self) -> Self {
        let command = self.command.split(' ').next().unwrap_or_default();
        Self {
            command: command.to_owned(),
            address: None,
            name: None,
            ..self.clone()
        }
    }

    /// The command's name as it was sent, in lower case: `flushall`.
    pub fn command_name(&self) -> String {
        let name = self.command.split(' ').next().unwrap_or_default();
        name.to_ascii_lowercase()
    }
}

fn classes(name: &str, words: &[String]) -> Vec<Class> {
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    let whole = format!("{name}|{}", word(1).to_ascii_lowercase());
    match class_of(&whole).or_else(|| class_of(name)) {
        Some(Class::Script) => mentioned(word(1)),
        class => class.into_iter().collect(),
    }
}

/// What a script, or a function by its name, says that it does.
fn mentioned(script: &str) -> Vec<Class> {
    let script = script.to_ascii_lowercase();
    let words = || script.split(|c: char| !c.is_alphanumeric());
    let flushes = words().any(|word| word.starts_with("flush"));
    let deletes = words().any(|word| matches!(word, "del" | "unlink"));
    let found = [(Class::Flush, flushes), (Class::Delete, deletes)];
    let found = found.into_iter().filter(|(_, found)| *found);
    found.map(|(class, _)| class).collect()
}

fn arguments(words: &[String]) -> usize {
    let listed = words.len().saturating_sub(1);
    let more = words
        .last()
        .and_then(|last| last.strip_prefix("... (")?.strip_suffix(" more arguments)"))
        .and_then(|n| n.parse::<usize>().ok());
    more.map_or(listed, |more| (listed - 1).saturating_add(more))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn entry(words: &[&str]) -> SlowEntry {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        SlowEntry::new(17, Timestamp::UNIX_EPOCH, Duration::ZERO, &words)
    }

    #[rstest]
    #[case(&["FLUSHALL", "ASYNC"], "FLUSHALL ASYNC")]
    #[case(&["MIGRATE", "h", "6379", "", "0", "5000", "AUTH", "secret"], "MIGRATE")]
    #[case(&["SETEX", "session:1", "3600", "secret"], "SETEX session:1")]
    #[case(&["EVAL", "return redis.call('DEL', 'secret')", "1", "k:1", "secret"], "EVAL … k:1")]
    #[case(&["DEL", "a\u{1b}[2J", "b"], "DEL a␛[2J b")]
    #[case(&[], "")]
    fn only_what_is_no_secret_is_kept(#[case] words: &[&str], #[case] shown: &str) {
        assert_eq!(entry(words).command, shown);
    }

    #[rstest]
    #[case(&["flushall"], &[Class::Flush])]
    #[case(&["CLUSTER", "RESET", "HARD"], &[Class::Admin])]
    #[case(&["cluster", "info"], &[])]
    #[case(&["EVAL", "redis.call('FLUSHDB')", "0"], &[Class::Flush])]
    #[case(&["EVAL", "redis.call('unlink', KEYS[1])", "1", "k"], &[Class::Delete])]
    #[case(&["EVAL", "return model", "0"], &[])]
    #[case(&["FCALL", "flush_cache_and_del", "0"], &[Class::Flush, Class::Delete])]
    #[case(&["GET", "flushall"], &[])]
    fn it_is_known_what_it_can_do(#[case] words: &[&str], #[case] classes: &[Class]) {
        assert_eq!(entry(words).classes, classes);
    }

    #[test]
    fn arguments_that_the_log_left_out_are_counted() {
        let mut words = vec!["DEL"; 31];
        words.push("... (970 more arguments)");
        assert_eq!(entry(&words).arguments, 1_000);
        assert_eq!(entry(&["DEL", "a", "b"]).arguments, 2);
        assert_eq!(entry(&[]).arguments, 0);
    }

    #[test]
    fn a_long_command_is_cut() {
        let long = entry(&["DEL", &"k".repeat(500)]).command;
        assert_eq!(long.chars().count(), LONGEST);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn who_it_was_is_inert_and_nobody_is_unknown() {
        let who = entry(&["DEL", "a"]).by("10.0.0.7:51234", "\u{1b}job");
        assert_eq!(who.address.as_deref(), Some("10.0.0.7:51234"));
        assert_eq!(who.name.as_deref(), Some("␛job"));
        for address in ["", "?:0"] {
            let nobody = entry(&["DEL", "a"]).by(address, "");
            assert_eq!((nobody.address, nobody.name), (None, None));
        }
    }
}
