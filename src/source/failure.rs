//! From what went wrong to what an operator can do about it.
//!
//! The functions here know the words and numbers of Redis, of the operating system and of rustls.
//! On its way out every failure passes [`super::seal`].

use std::io;
use std::time::Duration;

use redis::{ErrorKind, RedisError};

use super::tap::{End, LONGEST_REPLY, Record};
use crate::config::Auth;
use crate::model::{Failure, FailureKind, inert};

/// What is known about a conversation beside its error.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    /// Who we said we are.
    pub(crate) auth: &'a Auth,
    /// Whether the stream is an unencrypted TCP connection.
    pub(crate) plain_tcp: bool,
    /// Whether this endpoint has answered before, spoken to in this way.
    pub(crate) proven: bool,
}

fn failure(kind: FailureKind, detail: impl Into<String>) -> Failure {
    Failure {
        kind,
        detail: detail.into(),
    }
}

/// The name resolves to nothing.
pub(crate) fn unknown_host(detail: &str) -> Failure {
    failure(FailureKind::UnknownHost, detail)
}

/// No connection within the connect timeout.
pub(crate) fn connect_timeout(after: Duration) -> Failure {
    failure(
        FailureKind::ConnectTimeout,
        format!("nothing heard for {after:?}"),
    )
}

/// A socket could not be connected.
pub(crate) fn connecting(error: &io::Error) -> Failure {
    let kind = match error.kind() {
        // For a socket in the file system, no file means that nobody listens.
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => FailureKind::Refused,
        io::ErrorKind::TimedOut => FailureKind::ConnectTimeout,
        _ => FailureKind::Network,
    };
    failure(kind, error.to_string())
}

/// The TLS handshake failed.
pub(crate) fn handshake(error: &io::Error) -> Failure {
    use rustls::{Error, InvalidMessage};
    let tls = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>());
    match tls {
        Some(Error::InvalidMessage(
            InvalidMessage::InvalidContentType
            | InvalidMessage::UnknownProtocolVersion
            | InvalidMessage::MessageTooLarge,
        )) => failure(
            FailureKind::PlainExpected,
            "the reply to the TLS greeting is not TLS",
        ),
        Some(tls) => failure(FailureKind::Tls, tls.to_string()),
        None => failure(
            FailureKind::Closed,
            format!("during the TLS handshake: {error}; a full server ('maxclients') does this"),
        ),
    }
}

/// The other side said nothing to a TLS greeting.
pub(crate) fn silent_handshake(after: Duration, proven: bool) -> Failure {
    let kind = if proven {
        FailureKind::Hanging
    } else {
        FailureKind::PlainExpected
    };
    failure(
        kind,
        format!("connected, and silent for {after:?} in the TLS handshake"),
    )
}

/// No reply in time.
pub(crate) fn hanging(after: Duration, record: &Record, in_a_row: u32) -> Failure {
    let heard = match record.received {
        0 => String::new(),
        1 => ", 1 byte of a reply".to_owned(),
        n => format!(", {n} bytes of a reply"),
    };
    let row = if in_a_row > 1 {
        format!(", {in_a_row} polls in a row")
    } else {
        String::new()
    };
    failure(
        FailureKind::Hanging,
        format!("waited {after:?}{heard}{row}"),
    )
}

/// A reply that is not an `INFO` document.
pub(crate) fn rubbish(detail: impl Into<String>) -> Failure {
    failure(FailureKind::Rubbish, detail)
}

/// The client library reported an error.
pub(crate) fn replied(error: &RedisError, record: &Record, scene: Scene<'_>) -> Failure {
    match error.kind() {
        ErrorKind::Server(_) | ErrorKind::Extension => said(
            error.code().unwrap_or_default(),
            error.detail().unwrap_or_default(),
            scene.auth,
        ),
        ErrorKind::Parse => unreadable(error, record, scene),
        _ => ended(record, scene),
    }
}

/// The stream ended.
pub(crate) fn ended(record: &Record, scene: Scene<'_>) -> Failure {
    if !record.answered
        && let Some(greeting) = greeting(record, scene.auth)
    {
        return greeting;
    }
    match &record.end {
        Some(End::TooLong) => rubbish(format!("a reply of more than {LONGEST_REPLY} bytes")),
        Some(End::Tls(words)) => failure(FailureKind::Tls, words.clone()),
        _ if looks_like_a_tls_port(record, scene) => failure(FailureKind::TlsExpected, ""),
        Some(End::Failed(kind, words)) => failure(
            match kind {
                io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable
                | io::ErrorKind::NetworkDown
                | io::ErrorKind::TimedOut => FailureKind::Network,
                _ => FailureKind::Closed,
            },
            words.clone(),
        ),
        Some(End::Closed) => failure(FailureKind::Closed, "the server hung up"),
        None => failure(FailureKind::Closed, ""),
    }
}

/// A TLS server takes a plain request for a broken record: it hangs up without a word, or sends
/// an alert (content type 21, version 3).
fn looks_like_a_tls_port(record: &Record, scene: Scene<'_>) -> bool {
    scene.plain_tcp
        && (record.first.starts_with(&[21, 3])
            || (record.first.is_empty() && !record.answered && !scene.proven))
}

/// An error that the server sent before it was asked anything.
fn greeting(record: &Record, auth: &Auth) -> Option<Failure> {
    let line = record.first.strip_prefix(b"-")?;
    let line = String::from_utf8_lossy(line.split(|byte| *byte == b'\r').next()?);
    let (code, words) = line.split_once(' ').unwrap_or((&line, ""));
    Some(said(code, words, auth))
}

fn unreadable(error: &RedisError, record: &Record, scene: Scene<'_>) -> Failure {
    if looks_like_a_tls_port(record, scene) {
        return failure(FailureKind::TlsExpected, "the answer is a TLS alert");
    }
    let speaks_redis = matches!(record.first.first(), Some(b'$' | b'+' | b'-' | b'='));
    if speaks_redis && record.end == Some(End::Closed) {
        return failure(
            FailureKind::Closed,
            format!(
                "the server hung up after {} bytes of a reply",
                record.received
            ),
        );
    }
    let start = record.first.split(|byte| *byte == b'\r' || *byte == b'\n');
    match start.into_iter().next() {
        Some(line) if !line.is_empty() && !record.answered => rubbish(format!(
            "it begins with '{}'",
            inert(&String::from_utf8_lossy(line), 60)
        )),
        _ => rubbish(error.to_string()),
    }
}

/// The server's own error, by its code.
fn said(code: &str, words: &str, auth: &Auth) -> Failure {
    let user = auth.user.as_deref().unwrap_or("default");
    let kind = match code {
        "NOAUTH" => FailureKind::PasswordNeeded,
        "WRONGPASS" => FailureKind::PasswordWrong,
        "ERR" if words.starts_with("invalid password") => FailureKind::PasswordWrong,
        // Redis refuses more than ten words from a stranger, and the list of sections has eleven.
        "ERR" if is_from_a_stranger(words) => FailureKind::PasswordNeeded,
        "NOPERM" => FailureKind::NotPermitted,
        "DENIED" => FailureKind::ProtectedMode,
        "ERR" if is_full(words) => FailureKind::TooManyClients,
        _ => FailureKind::Server,
    };
    // Servers quote arguments of commands that they do not know, and `AUTH` may be one.
    let words = words.split(", with args beginning").next().unwrap_or(words);
    let detail = match kind {
        FailureKind::NotPermitted => {
            format!("{code} {words}; missing rule: ACL SETUSER {user} +info")
        }
        _ => format!("{code} {words}"),
    };
    failure(kind, detail.trim_end())
}

fn is_from_a_stranger(words: &str) -> bool {
    words.starts_with("Protocol error: unauthenticated")
}

fn is_full(words: &str) -> bool {
    words.starts_with("max number of clients")
}

/// Whether an error says that this form of `INFO` is not known here, so that another may be.
pub(crate) fn is_about_the_form(error: &RedisError) -> bool {
    let words = error.detail().unwrap_or_default();
    error.code() == Some("ERR") && !is_full(words) && !is_from_a_stranger(words)
}

/// Whether an error to `AUTH` says that no password is needed. The one-argument form is refused
/// so where the default user has none; the connection is usable then.
pub(crate) fn needs_no_password(error: &RedisError) -> bool {
    let words = error.detail().unwrap_or_default();
    words.contains("without any password configured") || words.contains("no password is set")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const NOBODY: Auth = Auth {
        user: None,
        password: None,
    };

    #[rstest]
    #[case("NOAUTH", "Authentication required.", FailureKind::PasswordNeeded)]
    #[case(
        "WRONGPASS",
        "invalid username-password pair",
        FailureKind::PasswordWrong
    )]
    #[case("ERR", "invalid password", FailureKind::PasswordWrong)]
    #[case("NOPERM", "this user has no permissions", FailureKind::NotPermitted)]
    #[case(
        "DENIED",
        "Redis is running in protected mode",
        FailureKind::ProtectedMode
    )]
    #[case("ERR", "max number of clients reached", FailureKind::TooManyClients)]
    #[case(
        "ERR",
        "max number of clients + cluster connections reached",
        FailureKind::TooManyClients
    )]
    #[case("MISCONF", "errors writing to disk", FailureKind::Server)]
    #[case("BUSY", "Redis is busy running a script", FailureKind::Server)]
    fn server_errors_are_told_apart(
        #[case] code: &str,
        #[case] words: &str,
        #[case] kind: FailureKind,
    ) {
        assert_eq!(said(code, words, &NOBODY).kind, kind);
    }

    #[test]
    fn a_refused_info_names_the_rule_and_the_user() {
        let ann = Auth {
            user: Some("ann".to_owned()),
            password: None,
        };
        assert!(
            said("NOPERM", "no", &ann)
                .detail
                .ends_with("ACL SETUSER ann +info")
        );
    }

    #[test]
    fn a_quoted_auth_command_is_not_told() {
        let told = said(
            "ERR",
            "unknown command 'AUTH', with args beginning with: 'x' ",
            &NOBODY,
        );
        assert_eq!(told.detail, "ERR unknown command 'AUTH'");
    }

    fn record(first: &[u8], end: End) -> Record {
        Record {
            first: first.to_owned(),
            received: first.len(),
            answered: false,
            end: Some(end),
        }
    }

    #[rstest]
    #[case::greeting(b"-ERR max number of clients reached\r\n", FailureKind::TooManyClients)]
    #[case::protected(
        b"-DENIED Redis is running in protected mode\r\n",
        FailureKind::ProtectedMode
    )]
    #[case::alert(&[21, 3, 3, 0, 2], FailureKind::TlsExpected)]
    #[case::wordless(b"", FailureKind::TlsExpected)]
    fn a_hang_up_is_read_from_the_first_bytes(#[case] first: &[u8], #[case] kind: FailureKind) {
        let scene = Scene {
            auth: &NOBODY,
            plain_tcp: true,
            proven: false,
        };
        let record = record(first, End::Closed);
        assert_eq!(ended(&record, scene).kind, kind);
    }

    #[test]
    fn an_endpoint_that_has_answered_in_plain_text_is_no_tls_port() {
        let scene = Scene {
            auth: &NOBODY,
            plain_tcp: true,
            proven: true,
        };
        assert_eq!(
            ended(&record(b"", End::Closed), scene).kind,
            FailureKind::Closed
        );
    }
}
