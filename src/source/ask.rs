//! How to get everything that the rules read out of one server in one round trip.
//!
//! | way | who needs it |
//! |---|---|
//! | [`Way::Sections`] | Redis 7 and later, Valkey: only what is read, nothing costly |
//! | [`Way::All`] | Redis 6.2 and earlier: `INFO` takes one section |
//! | [`Way::Parts`] | Redis Enterprise: `INFO` is made by a proxy and leaves out `commandstats` |
//!
//! The ways are tried in this order until one works, which is kept for the connection: an error or a
//! short reply after that is told as it is. Only where they go on ([`MISSES`]), as behind a proxy that
//! leads to another version now, are the ways tried anew.

use std::time::Duration;

use redis::Value;

use super::connection::{Connection, Trouble};
use super::{Clock, commands, failure};
use crate::model::Moment;

/// So often in a row may a way that worked miss before another is looked for.
const MISSES: u32 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Sections,
    All,
    Parts,
}

impl Way {
    fn next(self) -> Option<Self> {
        match self {
            Self::Sections => Some(Self::All),
            Self::All => Some(Self::Parts),
            Self::Parts => None,
        }
    }

    /// Whether a reply got in this way carries what the rules read.
    fn suffices(self, reply: &str) -> bool {
        let wanted: &[&str] = match self {
            Self::Sections => &["Memory", "Stats", "Commandstats"],
            Self::All => &["Commandstats"],
            Self::Parts => &[],
        };
        wanted.iter().all(|section| has_section(reply, section))
    }
}

/// An answer.
pub(crate) struct Reply {
    pub(crate) moment: Moment,
    pub(crate) round_trip: Duration,
    pub(crate) info: Box<str>,
}

/// Asks for `INFO` in the way that works.
pub(crate) struct Asker {
    way: Way,
    /// How often it missed in a row; `None` before it worked.
    misses: Option<u32>,
}

impl Asker {
    pub(crate) fn new() -> Self {
        Self {
            way: Way::Sections,
            misses: None,
        }
    }

    /// The way did not bring what is read. Whether the next is worth trying at once.
    fn missed(&mut self) -> bool {
        if let Some(misses) = &mut self.misses {
            *misses += 1;
            if *misses >= MISSES {
                *self = Self::new();
            }
            return false;
        }
        let next = self.way.next();
        self.way = next.unwrap_or(Way::Sections);
        next.is_some()
    }

    /// One poll. The round trip is that of the question that was answered, without those that
    /// were tried before it.
    pub(crate) async fn info(
        &mut self,
        connection: &mut Connection,
        clock: Clock,
    ) -> Result<Reply, Trouble> {
        loop {
            let asked = clock.elapsed();
            let answer = by(self.way, connection).await;
            let moment = clock.now();
            let is_miss = match &answer {
                Ok(text) => !self.way.suffices(text),
                Err(Trouble::Error(error)) => failure::is_about_the_form(error),
                Err(_) => false,
            };
            if is_miss && self.missed() {
                continue;
            }
            let info = document(answer?)?;
            if !is_miss {
                self.misses = Some(0);
            }
            return Ok(Reply {
                moment,
                round_trip: moment.elapsed.saturating_sub(asked),
                info,
            });
        }
    }
}

async fn by(way: Way, connection: &mut Connection) -> Result<String, Trouble> {
    match way {
        Way::Sections => text(connection.ask(&commands::info_sections()).await?),
        Way::All => text(connection.ask(&commands::info_all()).await?),
        Way::Parts => {
            let mut replies = connection
                .ask_all(&commands::info_parts())
                .await?
                .into_iter();
            let first = replies
                .next()
                .ok_or_else(|| Trouble::Rubbish("no reply".to_owned()))?;
            let mut whole = text(first?)?;
            // The extras may be unknown or forbidden here: absent is unknown, not a failed poll.
            for part in replies.flatten() {
                if let Ok(part) = text(part) {
                    whole.push_str("\r\n");
                    whole.push_str(&part);
                }
            }
            Ok(whole)
        }
    }
}

fn text(value: Value) -> Result<String, Trouble> {
    match value {
        Value::BulkString(bytes) => Ok(String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())),
        Value::VerbatimString { text, .. } | Value::SimpleString(text) => Ok(text),
        Value::ServerError(error) => Err(Trouble::Error(error.into())),
        other => Err(Trouble::Rubbish(format!(
            "INFO is answered with {}",
            shape(&other)
        ))),
    }
}

fn shape(value: &Value) -> &'static str {
    match value {
        Value::Nil => "nothing ('nil')",
        Value::Int(_) => "a number",
        Value::Okay => "'OK'",
        Value::Array(_) | Value::Set(_) => "a list",
        Value::Map(_) => "a map",
        _ => "another type",
    }
}

fn document(text: String) -> Result<Box<str>, Trouble> {
    let is_field = |line: &str| {
        let line = line.trim();
        !line.starts_with('#') && line.find(':').is_some_and(|colon| colon > 0)
    };
    if text.lines().any(is_field) {
        return Ok(text.into_boxed_str());
    }
    Err(Trouble::Rubbish(if text.trim().is_empty() {
        "INFO is answered with an empty text".to_owned()
    } else {
        "INFO is answered with a text without a field".to_owned()
    }))
}

fn has_section(reply: &str, section: &str) -> bool {
    reply.lines().any(|line| {
        line.strip_prefix('#')
            .is_some_and(|name| name.trim().eq_ignore_ascii_case(section))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_suffices_by_its_headers() {
        let reply = "# Memory\r\nused_memory:1\r\n# Stats\r\n\r\n# Commandstats\r\n";
        assert!(Way::Sections.suffices(reply));
        assert!(!Way::Sections.suffices("# Memory\r\n# Stats\r\n"));
        assert!(!Way::All.suffices("# Stats\r\nnote:# Commandstats\r\n"));
        assert!(Way::Parts.suffices(""));
    }

    #[test]
    fn the_ways_are_tried_until_one_works_and_again_when_it_works_no_more() {
        let mut asker = Asker::new();
        assert!(asker.missed() && asker.missed());
        assert_eq!(asker.way, Way::Parts);
        assert!(!asker.missed(), "that was the last");
        assert_eq!(asker.way, Way::Sections, "and the next poll begins anew");
        assert!(asker.missed());
        asker.misses = Some(0);
        for _ in 0..2 {
            assert!(!asker.missed());
            assert_eq!(asker.way, Way::All);
        }
        assert!(!asker.missed());
        assert_eq!((asker.way, asker.misses), (Way::Sections, None));
    }

    #[test]
    fn invalid_text_is_replaced_and_other_shapes_are_rubbish() {
        assert_eq!(
            text(Value::BulkString(b"dir:/\xe9\r\n".to_vec()))
                .ok()
                .as_deref(),
            Some("dir:/\u{fffd}\r\n")
        );
        assert!(matches!(text(Value::Int(3)), Err(Trouble::Rubbish(_))));
        assert!(matches!(text(Value::Nil), Err(Trouble::Rubbish(_))));
    }

    #[test]
    fn a_document_has_a_field() {
        assert!(document("# Server\r\nredis_version:7\r\n".to_owned()).is_ok());
        for empty in ["", "\r\n", "# Server:\r\n", "hello\r\n", ":x"] {
            assert!(document(empty.to_owned()).is_err(), "{empty:?}");
        }
    }
}
