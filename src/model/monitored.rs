//! What a short `MONITOR` showed: the commands that take keys away, one line a client and command.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::catalogue::class_of;
use super::slowlog::SlowEntry;
use crate::format::plural;

/// Clients and commands that are kept apart at most.
const MOST: usize = 256;
/// Words of a command that are looked at, and characters of each, as in the slow log.
const WORDS: usize = 32;
const LONGEST: usize = 128;

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Monitored {
    /// Commands that take keys away.
    pub caught: Vec<Caught>,
    /// Commands of any kind.
    pub lines: u64,
    /// How long it ran.
    pub took: Duration,
    /// Why it stopped.
    pub end: MonitorEnd,
}

/// Why it stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MonitorEnd {
    /// The time was over.
    Time,
    /// The server said more than could be read: its buffer must not grow for us.
    Behind,
    /// The server hung up.
    Closed,
}

/// One command of one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caught {
    /// The last call; its arguments are those of all calls together.
    pub entry: SlowEntry,
    /// When the first call ran, by the server's clock.
    pub first: Timestamp,
    /// Calls.
    pub calls: u64,
}

impl Monitored {
    /// One line: how long it ran, how much it saw, who took keys away.
    pub fn sentence(&self) -> String {
        let why = match self.end {
            MonitorEnd::Time => "",
            MonitorEnd::Behind => ", stopped because its output fell behind",
            MonitorEnd::Closed => ", then the server hung up",
        };
        let clients: BTreeSet<_> = self.caught.iter().map(|c| &c.entry.address).collect();
        format!(
            "MONITOR ran for {:.1} s{why}: {} seen; commands that can take keys away: {}",
            self.took.as_secs_f64(),
            plural(self.lines, "command"),
            match clients.len() as u64 {
                0 => "none".to_owned(),
                n => format!("by {}", plural(n, "client")),
            }
        )
    }
}

/// Counts lines.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    caught: BTreeMap<(Option<String>, String), Caught>,
    lines: u64,
}

impl Tally {
    /// Takes one line in and returns its time by the server's clock: `None` for what is no line of
    /// `MONITOR`.
    pub fn line(&mut self, line: &str) -> Option<Timestamp> {
        let (time, rest) = line.split_once(' ')?;
        let at = timestamp(time)?;
        let (client, command) = rest.strip_prefix('[')?.split_once("] ")?;
        self.lines += 1;
        let name = command.strip_prefix('"')?.split('"').next()?;
        let name = name.to_ascii_lowercase();
        let is_group = matches!(&*name, "cluster" | "debug");
        if is_group || class_of(&name).is_some() {
            self.catch(at, name, client, &words(command));
        }
        Some(at)
    }

    fn catch(&mut self, at: Timestamp, name: String, client: &str, words: &[String]) {
        let address = client.split_once(' ').map_or("", |(_, address)| address);
        // Redis names what a script ran `lua`: that is nobody's address.
        let address = if address == "lua" { "" } else { address };
        let entry = SlowEntry::new(0, at, Duration::ZERO, words).by(address, "");
        let key = (entry.address.clone(), name);
        if let Some(known) = self.caught.get_mut(&key) {
            let arguments = known.entry.arguments.saturating_add(entry.arguments);
            known.entry = SlowEntry { arguments, ..entry };
            known.calls += 1;
        } else if self.caught.len() < MOST {
            let caught = Caught {
                entry,
                first: at,
                calls: 1,
            };
            self.caught.insert(key, caught);
        }
    }

    /// What was seen until now.
    pub fn end(self, took: Duration, end: MonitorEnd) -> Monitored {
        Monitored {
            caught: self.caught.into_values().collect(),
            lines: self.lines,
            took,
            end,
        }
    }
}

/// Seconds and microseconds: `1700000000.123456`.
fn timestamp(text: &str) -> Option<Timestamp> {
    let (seconds, micros) = text.split_once('.')?;
    let (seconds, micros): (i64, i32) = (seconds.parse().ok()?, micros.parse().ok()?);
    Timestamp::new(seconds, micros.checked_mul(1_000)?).ok()
}

/// The words of a line: each in quotes, with a backslash before what is special.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut chars = line.chars();
    while words.len() < WORDS && chars.by_ref().any(|c| c == '"') {
        let mut word = String::new();
        let mut length = 0;
        while let Some(c) = chars.next() {
            let c = match c {
                '"' => break,
                '\\' => chars.next().unwrap_or('\\'),
                c => c,
            };
            length += 1;
            if length <= LONGEST {
                word.push(c);
            }
        }
        words.push(word);
    }
    let more = chars.filter(|c| *c == '"').count() / 2;
    if more > 0 {
        words.push(format!("... ({more} more arguments)"));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::Class;
    use super::*;

    #[test]
    fn commands_that_take_keys_are_caught_one_line_a_client() {
        let mut tally = Tally::default();
        let lines = [
            r#"1700000000.000001 [0 10.0.0.7:1] "SET" "k" "v""#,
            r#"1700000000.100000 [0 10.0.0.7:1] "DEL" "k:1""#,
            r#"1700000000.200000 [0 10.0.0.7:1] "del" "k:\"2\"" "k:3""#,
            r#"1700000000.300000 [3 10.0.0.8:1] "FLUSHALL" "ASYNC""#,
            r#"1700000000.400000 [0 lua] "flushdb""#,
            "+OK",
            "",
            "1700000000.400000",
            "x.y [0 a] \"del\"",
        ];
        let read = lines.map(|line| tally.line(line).is_some());
        assert_eq!(read.iter().filter(|read| **read).count(), 5);
        let seen = tally.end(Duration::from_secs(3), MonitorEnd::Time);
        assert_eq!(seen.lines, 5);
        let told: Vec<_> = seen
            .caught
            .iter()
            .map(|caught| {
                let entry = &caught.entry;
                let address = entry.address.as_deref();
                (&*entry.command, address, caught.calls, entry.arguments)
            })
            .collect();
        assert_eq!(
            told,
            [
                ("flushdb", None, 1, 0),
                (r#"del k:"2" k:3"#, Some("10.0.0.7:1"), 2, 3),
                ("FLUSHALL ASYNC", Some("10.0.0.8:1"), 1, 1),
            ]
        );
        assert_eq!(seen.caught[2].entry.classes, [Class::Flush]);
        assert_eq!(seen.caught[1].first.subsec_millisecond(), 100);
    }

    #[test]
    fn what_is_long_is_cut() {
        let many = format!(r#"1700000000.1 [0 h:1] "DEL"{}"#, r#" "k""#.repeat(500));
        let long = format!(r#"1700000000.1 [0 h:2] "DEL" "{}""#, "k".repeat(500));
        let mut tally = Tally::default();
        for line in [many, long] {
            assert!(tally.line(&line).is_some());
        }
        for n in 0..500 {
            tally.line(&format!(r#"1700000000.1 [0 h:{n}] "UNLINK" "k""#));
        }
        let seen = tally.end(Duration::ZERO, MonitorEnd::Behind);
        assert_eq!(seen.caught.len(), MOST);
        assert_eq!(seen.caught[0].entry.command, "UNLINK k");
        let many = seen
            .caught
            .iter()
            .find(|c| c.entry.command.starts_with("DEL"));
        assert_eq!(many.expect("is kept").entry.arguments, 500);
    }
}
