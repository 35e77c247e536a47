//! What the witnesses are asked, one question a function: asked beside the polls, and whatever
//! comes of it is told inert and without the password.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use redis::{Cmd, ErrorKind, Value};

use super::connection::{Connection, Trouble};
use super::slowlog::{self, Log, text};
use super::{Clock, commands, seal};
use crate::config::Auth;
use crate::model::{Clients, Denied, Published, SLOW_LOG, SlowEntry};

/// Refusals for as long as something goes on, by their codes.
const PASSING: [&str; 5] = ["BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "TRYAGAIN"];

/// Why a question brought nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NoAnswer {
    /// Inert.
    pub(super) words: String,
    /// Asking again may help: the question was neither answered nor refused for good.
    pub(super) may_come: bool,
}

/// An answer, or why there is none.
pub(super) type Answer<T> = Result<T, NoAnswer>;

/// A connection to ask over without holding it.
pub(super) struct Ear<'a> {
    pub(super) connection: &'a Connection,
    pub(super) clock: Clock,
    pub(super) auth: &'a Auth,
}

impl Ear<'_> {
    /// The slow log. `seen` is the last id that is known; without one all that is kept is asked
    /// for. When the few newest do not reach back to it, all are asked for.
    pub(super) fn slow_log(
        &self,
        seen: Option<u64>,
    ) -> impl Future<Output = Answer<Vec<SlowEntry>>> + Send + use<> {
        let rule = "+slowlog|get";
        let first = match seen {
            Some(_) => commands::FEW,
            None => SLOW_LOG,
        };
        let few = self.ask(commands::slow_log(first), rule);
        let all = self.ask(commands::slow_log(SLOW_LOG), rule);
        let auth = self.auth.clone();
        async move {
            let read = |value| sealed(slowlog::entries(value, Log::Slow, &auth), &auth);
            let mut entries = read(few.await?)?;
            let Some(seen) = seen else {
                return Ok(entries);
            };
            let is_short = entries.len() == commands::FEW;
            if is_short && entries.iter().all(|entry| entry.id > seen + 1) {
                entries = read(all.await?)?;
            }
            // A log that was reset counts on; one of another process is asked for anew.
            entries.retain(|entry| entry.id > seen);
            Ok(entries)
        }
    }

    /// Who sent much at once.
    pub(super) fn large_requests(
        &self,
    ) -> impl Future<Output = Answer<Vec<SlowEntry>>> + Send + use<> {
        let reply = self.ask(commands::large_requests(), "+commandlog|get");
        let auth = self.auth.clone();
        async move { sealed(slowlog::entries(reply.await?, Log::Large, &auth), &auth) }
    }

    /// Who is connected.
    pub(super) fn clients(&self) -> impl Future<Output = Answer<Clients>> + Send + use<> {
        let reply = self.ask(commands::clients(), "+client|list");
        let (auth, clock) = (self.auth.clone(), self.clock);
        let asked = clock.elapsed();
        async move {
            let reply = text(&reply.await?);
            let took = clock.elapsed().saturating_sub(asked);
            if !reply.contains("addr=") {
                return Err(odd("the reply is no list of clients"));
            }
            Ok(Clients::parse(&seal::redacted(&reply, &auth), took))
        }
    }

    /// Whom the access rules stopped.
    pub(super) fn denied(&self) -> impl Future<Output = Answer<Vec<Denied>>> + Send + use<> {
        let reply = self.ask(commands::denied(), "+acl|log");
        let (auth, clock) = (self.auth.clone(), self.clock);
        async move {
            let reply = reply.await?;
            let now = clock.now().at;
            let Value::Array(rows) = reply else {
                return Err(odd("the reply is no list"));
            };
            let rows = rows.iter().take(commands::FEW);
            Ok(rows.filter_map(|row| denied(row, now, &auth)).collect())
        }
    }

    /// What the server publishes; nothing where it does not know the setting.
    pub(super) fn published(&self) -> impl Future<Output = Answer<Published>> + Send + use<> {
        let reply = self.ask(commands::published(), "+config|get");
        async move { published(reply.await?).ok_or_else(|| odd("the reply is no list")) }
    }

    fn ask(
        &self,
        command: Cmd,
        rule: &'static str,
    ) -> impl Future<Output = Answer<Value>> + Send + use<> {
        let reply = self.connection.aside(command);
        let auth = self.auth.clone();
        async move {
            let reply = reply.await.map_err(|trouble| why(&trouble, rule, &auth));
            reply.map_err(|no| NoAnswer {
                words: seal::words(&no.words, &auth),
                ..no
            })
        }
    }
}

/// The value of the one setting that was asked for, in a list or a map of names and values.
pub(super) fn published(reply: Value) -> Option<Published> {
    let cells = match reply {
        Value::Array(cells) => cells,
        Value::Map(pairs) => pairs.into_iter().flat_map(|(a, b)| [a, b]).collect(),
        _ => return None,
    };
    let flags = cells.get(1).map(text).unwrap_or_default();
    Some(Published::new(&flags))
}

fn sealed<T>(answer: Result<T, String>, auth: &Auth) -> Answer<T> {
    answer.map_err(|words| odd(&seal::words(&words, auth)))
}

fn odd(words: &str) -> NoAnswer {
    NoAnswer {
        words: words.to_owned(),
        may_come: false,
    }
}

fn later(words: &str) -> NoAnswer {
    NoAnswer {
        may_come: true,
        ..odd(words)
    }
}

/// A connection that ended says nothing of the questions that were on it: any of them may be the one
/// that was hung up on, or none.
fn why(trouble: &Trouble, rule: &str, auth: &Auth) -> NoAnswer {
    let error = match trouble {
        Trouble::Timeout => return later("no reply in time"),
        Trouble::Rubbish(words) => return odd(words),
        Trouble::Error(error) => error,
    };
    match error.kind() {
        ErrorKind::Server(_) | ErrorKind::Extension => {}
        ErrorKind::Parse => return odd("the reply makes no sense"),
        _ => return later("the connection ended before the reply"),
    }
    let (code, detail) = (error.code(), error.detail());
    let (code, detail) = (code.unwrap_or_default(), detail.unwrap_or_default());
    let no = odd(&refused(code, detail, rule, auth));
    NoAnswer {
        may_come: PASSING.contains(&code),
        ..no
    }
}

fn refused(code: &str, detail: &str, rule: &str, auth: &Auth) -> String {
    let words = format!("{code} {detail}");
    let words = words.trim();
    if code == "NOPERM" {
        let user = auth.user.as_deref().unwrap_or("default");
        return format!("{words}; grant it: ACL SETUSER {user} {rule}");
    }
    words.to_owned()
}

/// One entry of the log: names and values in turn, as a list or as a map.
fn denied(row: &Value, now: Timestamp, auth: &Auth) -> Option<Denied> {
    let pairs: Vec<(String, &Value)> = match row {
        Value::Array(cells) => {
            let pairs = cells.chunks_exact(2);
            pairs.map(|pair| (text(&pair[0]), &pair[1])).collect()
        }
        Value::Map(pairs) => pairs.iter().map(|(name, is)| (text(name), is)).collect(),
        _ => return None,
    };
    let value = |name: &str| pairs.iter().find(|(known, _)| known == name);
    let word = |name: &str| value(name).map(|(_, value)| seal::redacted(&text(value), auth));
    let age_s = match value("age-seconds")?.1 {
        Value::Double(seconds) => *seconds,
        value => text(value).parse().ok()?,
    };
    let count = match value("count")?.1 {
        Value::Int(count) => u64::try_from(*count).ok()?,
        _ => return None,
    };
    let age = Duration::try_from_secs_f64(age_s).ok()?;
    let at = now.checked_sub(SignedDuration::try_from(age).ok()?).ok()?;
    let (reason, object) = (word("reason")?, word("object")?);
    let (user, client) = (word("username")?, word("client-info").unwrap_or_default());
    Denied::new(at, count, (&reason, &object), &user, &client)
}

#[cfg(test)]
mod tests {
    use std::io;

    use redis::RedisError;

    use super::*;

    #[test]
    fn what_passes_may_be_asked_again() {
        let ended = io::Error::from(io::ErrorKind::ConnectionReset);
        let said = |reply: &[u8]| {
            let value = redis::parse_redis_value(reply).expect("parses");
            value.extract_error().expect_err("is an error")
        };
        let passing: [RedisError; 3] = [
            ended.into(),
            said(b"-BUSY Redis is busy running a script\r\n"),
            said(b"-LOADING Redis is loading the dataset in memory\r\n"),
        ];
        let may_come = |trouble| why(&trouble, "+acl|log", &Auth::default()).may_come;
        assert!(may_come(Trouble::Timeout));
        assert!(passing.map(Trouble::Error).into_iter().all(may_come));
        for no in ["-NOPERM no\r\n", "-ERR unknown command\r\n"] {
            assert!(!may_come(Trouble::Error(said(no.as_bytes()))), "{no}");
        }
    }

    #[test]
    fn a_refusal_names_the_rule() {
        let auth = Auth::default();
        let words = refused("NOPERM", "no permissions", "+client|list", &auth);
        assert_eq!(
            words,
            "NOPERM no permissions; grant it: ACL SETUSER default +client|list"
        );
        assert_eq!(refused("ERR", "no", "+acl|log", &auth), "ERR no");
    }

    #[test]
    fn nonsense_is_no_attempt() {
        let now = Timestamp::constant(1_700_000_000, 0);
        let odd = [
            Value::Nil,
            Value::Array(vec![]),
            Value::Array(vec![Value::Int(-1); 20]),
            Value::Map(vec![(Value::Int(1), Value::Nil)]),
        ];
        for row in odd {
            assert_eq!(denied(&row, now, &Auth::default()), None);
        }
        let bulk = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let row = |age: &str| {
            let cells = [
                ("reason", "command"),
                ("object", "flushall"),
                ("username", "ann"),
                ("age-seconds", age),
                ("client-info", "addr=h:1 cmd=flushall"),
            ];
            let cells = cells.iter().flat_map(|(a, b)| [bulk(a), bulk(b)]);
            let count = [bulk("count"), Value::Int(2)];
            Value::Array(count.into_iter().chain(cells).collect())
        };
        let attempt = denied(&row("60.5"), now, &Auth::default()).expect("reads");
        assert_eq!((attempt.count, &*attempt.command), (2, "FLUSHALL"));
        assert_eq!(now.duration_since(attempt.at).as_millis(), 60_500);
        for age in ["", "-1", "NaN", "inf", "1e300"] {
            assert_eq!(denied(&row(age), now, &Auth::default()), None, "{age}");
        }
    }
}
