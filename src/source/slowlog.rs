//! The slow log, asked for once: who ran what before we came.
//!
//! It is asked beside the polls and never holds one up. A server that refuses, hangs up or talks
//! nonsense costs one notice.

use std::pin::Pin;
use std::time::Duration;

use jiff::Timestamp;
use redis::{ErrorKind, Value};

use super::connection::{Connection, Trouble};
use super::{commands, seal};
use crate::config::Auth;
use crate::model::{SLOW_LOG, SlowEntry};

/// A question on its way.
pub(super) type Asking = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// The entries, the newest first, or why there are none: inert and without the password.
pub(super) type Answer = Result<Vec<SlowEntry>, String>;

/// Asks over a connection without holding it.
pub(super) fn ask(connection: &Connection, auth: Auth) -> Asking {
    let reply = connection.aside(commands::slow_log());
    Box::pin(async move {
        let entries = match reply.await {
            Ok(value) => entries(value, &auth),
            Err(trouble) => Err(why(&trouble, &auth)),
        };
        entries.map_err(|words| seal::words(&words, &auth))
    })
}

fn why(trouble: &Trouble, auth: &Auth) -> String {
    let error = match trouble {
        Trouble::Timeout => return "no reply in time".to_owned(),
        Trouble::Rubbish(words) => return words.clone(),
        Trouble::Error(error) => error,
    };
    match error.kind() {
        ErrorKind::Server(_) | ErrorKind::Extension => {}
        ErrorKind::Parse => return "the reply makes no sense".to_owned(),
        _ => return "the connection ended before the reply".to_owned(),
    }
    let (code, detail) = (error.code(), error.detail());
    refused(code.unwrap_or_default(), detail.unwrap_or_default(), auth)
}

fn refused(code: &str, detail: &str, auth: &Auth) -> String {
    let words = format!("{code} {detail}");
    let words = words.trim();
    if code == "NOPERM" {
        let user = auth.user.as_deref().unwrap_or("default");
        return format!("{words}; grant it: ACL SETUSER {user} +slowlog|get");
    }
    words.to_owned()
}

/// Entries that are none are left out; a reply of nothing else is an error.
fn entries(reply: Value, auth: &Auth) -> Answer {
    let Value::Array(rows) = reply else {
        return Err("the reply is no list".to_owned());
    };
    let given = rows.len();
    let rows = rows.into_iter().take(SLOW_LOG);
    let entries: Vec<SlowEntry> = rows.filter_map(|row| entry(row, auth)).collect();
    if entries.is_empty() && given > 0 {
        return Err("the reply is no list of commands".to_owned());
    }
    Ok(entries)
}

/// `[id, seconds, microseconds, [words], address, name]`; the last two since Redis 4.
fn entry(row: Value, auth: &Auth) -> Option<SlowEntry> {
    let Value::Array(cells) = row else {
        return None;
    };
    let [id, at, took, words, who @ ..] = &*cells else {
        return None;
    };
    let (Value::Int(id), Value::Int(at), Value::Int(took), Value::Array(words)) =
        (id, at, took, words)
    else {
        return None;
    };
    let text = |value: Option<&Value>| match value {
        Some(Value::BulkString(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        Some(Value::SimpleString(text)) => text.clone(),
        _ => String::new(),
    };
    let words = words.iter().map(|word| text(Some(word)));
    let words: Vec<String> = words.map(|word| seal::redacted(&word, auth)).collect();
    let took = Duration::from_micros(u64::try_from(*took).ok()?);
    let at = Timestamp::from_second(*at).ok()?;
    let entry = SlowEntry::new(u64::try_from(*id).ok()?, at, took, &words);
    Some(entry.by(&text(who.first()), &text(who.get(1))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn row(words: &[&str], who: &[&str]) -> Value {
        let words = words.iter().map(|word| bulk(word)).collect();
        let mut cells = vec![
            Value::Int(17),
            Value::Int(1_700_000_000),
            Value::Int(48_900),
            Value::Array(words),
        ];
        cells.extend(who.iter().map(|text| bulk(text)));
        Value::Array(cells)
    }

    fn read(rows: Vec<Value>) -> Answer {
        entries(Value::Array(rows), &Auth::default())
    }

    #[test]
    fn entries_are_read_with_and_without_a_client() {
        let rows = vec![
            row(&["FLUSHALL"], &["10.0.0.7:51234", "job"]),
            row(&["DEL", "a"], &["", ""]),
            row(&["KEYS", "*"], &[]),
        ];
        let entries = read(rows).expect("reads");
        assert_eq!(entries[0].id, 17);
        assert_eq!(entries[0].took, Duration::from_micros(48_900));
        assert_eq!(entries[0].address.as_deref(), Some("10.0.0.7:51234"));
        assert_eq!(entries[0].name.as_deref(), Some("job"));
        assert!(
            entries[1..]
                .iter()
                .all(|e| e.address.is_none() && e.name.is_none())
        );
        assert_eq!(read(vec![]), Ok(vec![]));
    }

    #[test]
    fn nonsense_is_no_entry() {
        let odd = [
            Value::Nil,
            Value::Array(vec![]),
            Value::Array(vec![Value::Int(-1); 6]),
            bulk("hello"),
        ];
        for value in odd.clone() {
            assert!(read(vec![value]).is_err());
        }
        assert!(entries(Value::Okay, &Auth::default()).is_err());
        let mut rows = odd.to_vec();
        rows.push(row(&["FLUSHALL"], &[]));
        assert_eq!(read(rows).map(|entries| entries.len()), Ok(1));
    }

    #[test]
    fn our_own_password_is_not_kept() {
        let auth = Auth {
            user: None,
            password: Some("hunter22".to_owned()),
        };
        let rows = Value::Array(vec![row(&["DEL", "hunter22"], &[])]);
        let entries = entries(rows, &auth).expect("reads");
        assert_eq!(entries[0].command, "DEL …");
    }

    #[test]
    fn a_refusal_names_the_rule() {
        let words = refused("NOPERM", "no permissions", &Auth::default());
        assert_eq!(
            words,
            "NOPERM no permissions; grant it: ACL SETUSER default +slowlog|get"
        );
    }
}
