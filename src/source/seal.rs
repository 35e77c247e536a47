//! What every word of a server passes on its way out: the password is cut out of it, and it is made
//! inert.

use crate::config::Auth;
use crate::model::{Failure, inert};

/// The longest text, in characters.
const LONGEST: usize = 240;

/// Makes a failure fit to be shown, recorded and exported.
pub(crate) fn failure(failure: &Failure, auth: &Auth) -> Failure {
    Failure {
        kind: failure.kind,
        detail: words(&failure.detail, auth),
    }
}

/// Makes words fit to be shown, recorded and exported.
pub(crate) fn words(text: &str, auth: &Auth) -> String {
    inert(&redacted(text, auth), LONGEST)
}

/// A part of the password as short as this, from its beginning, is cut out too: servers cut what
/// they quote.
const TELLING: usize = 6;

/// The text without the password.
pub(crate) fn redacted(text: &str, auth: &Auth) -> String {
    let Some(password) = auth.password.as_deref() else {
        return text.to_owned();
    };
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let same: usize = rest
            .chars()
            .zip(password.chars())
            .take_while(|(a, b)| a == b)
            .map(|(a, _)| a.len_utf8())
            .sum();
        if same > 0 && (same == password.len() || same >= TELLING) {
            out.push('…');
            rest = &rest[same..];
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::model::FailureKind;

    fn auth(password: &str) -> Auth {
        Auth {
            user: None,
            password: Some(password.to_owned()),
        }
    }

    #[rstest]
    #[case::whole("ERR no 'hunter22' here", "ERR no '…' here")]
    #[case::twice("hunter22hunter22", "……")]
    #[case::cut_by_the_server("with 'hunter2' and", "with '…' and")]
    #[case::innocent("hunting is hard", "hunting is hard")]
    fn no_password_survives(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(redacted(text, &auth("hunter22")), expected);
        assert_eq!(redacted(text, &Auth::default()), text);
    }

    #[test]
    fn a_sealed_detail_is_inert_and_short() {
        let sealed = failure(
            &Failure {
                kind: FailureKind::Rubbish,
                detail: format!("\u{1b}[2J\u{1b}x{}", "y".repeat(500)),
            },
            &auth("\u{1b}x"),
        );
        assert!(sealed.detail.starts_with("␛[2J…y"));
        assert!(sealed.detail.chars().count() <= LONGEST + 1);
    }
}
