//! The slow log, understood: who ran what that took long, and on Valkey who sent much at once.

use std::time::Duration;

use jiff::Timestamp;
use redis::Value;

use super::seal;
use crate::config::Auth;
use crate::model::{SLOW_LOG, SlowEntry};

/// The entries, the newest first, or why there are none.
pub(super) type Answer = Result<Vec<SlowEntry>, String>;

/// What the third cell of an entry measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Log {
    /// Microseconds.
    Slow,
    /// Bytes of the request.
    Large,
}

/// Entries that are none are left out; a reply of nothing else is an error.
pub(super) fn entries(reply: Value, log: Log, auth: &Auth) -> Answer {
    let Value::Array(rows) = reply else {
        return Err("the reply is no list".to_owned());
    };
    let given = rows.len();
    let rows = rows.into_iter().take(SLOW_LOG);
    let entries: Vec<SlowEntry> = rows.filter_map(|row| entry(row, log, auth)).collect();
    if entries.is_empty() && given > 0 {
        return Err("the reply is no list of commands".to_owned());
    }
    Ok(entries)
}

/// `[id, seconds, microseconds, [words], address, name]`; the last two since Redis 4.
fn entry(row: Value, log: Log, auth: &Auth) -> Option<SlowEntry> {
    let Value::Array(cells) = row else {
        return None;
    };
    let [id, at, size, words, who @ ..] = &*cells else {
        return None;
    };
    let (Value::Int(id), Value::Int(at), Value::Int(size), Value::Array(words)) =
        (id, at, size, words)
    else {
        return None;
    };
    let text = |value: Option<&Value>| value.map(text).unwrap_or_default();
    let words = words.iter().map(|word| text(Some(word)));
    let words: Vec<String> = words.map(|word| seal::redacted(&word, auth)).collect();
    let size = u64::try_from(*size).ok()?;
    let (took, bytes) = match log {
        Log::Slow => (Duration::from_micros(size), None),
        Log::Large => (Duration::ZERO, Some(size)),
    };
    let at = Timestamp::from_second(*at).ok()?;
    let mut entry = SlowEntry::new(u64::try_from(*id).ok()?, at, took, &words);
    entry.bytes = bytes;
    Some(entry.by(&text(who.first()), &text(who.get(1))))
}

/// A string of the protocol; empty where it is none.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => text.clone(),
        _ => String::new(),
    }
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
        entries(Value::Array(rows), Log::Slow, &Auth::default())
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
    fn large_requests_have_a_size_and_no_time() {
        let rows = Value::Array(vec![row(&["DEL", "a"], &["10.0.0.7:1", ""])]);
        let entries = entries(rows, Log::Large, &Auth::default()).expect("reads");
        assert_eq!(entries[0].bytes, Some(48_900));
        assert_eq!(entries[0].took, Duration::ZERO);
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
        assert!(entries(Value::Okay, Log::Slow, &Auth::default()).is_err());
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
        let entries = entries(rows, Log::Slow, &auth).expect("reads");
        assert_eq!(entries[0].command, "DEL …");
    }
}
