//! Text from a server is hostile until it has passed here.

/// Returns `text` with everything that could steer a terminal made visible and inert, cut to
/// `max_chars` characters (an ellipsis marks the cut).
///
/// Control characters (C0, DEL, C1) become the control pictures `␀`…`␟`, `␡` or `\u{FFFD}`; Unicode
/// format characters that reorder or hide text (bidirectional overrides, zero-width) become
/// `\u{FFFD}`.
pub fn inert(text: &str, max_chars: usize) -> String {
    let mut out = String::with_capacity(text.len().min(max_chars));
    for (count, c) in text.chars().enumerate() {
        if count == max_chars {
            out.push('…');
            break;
        }
        out.push(visible(c));
    }
    out
}

fn visible(c: char) -> char {
    match c {
        '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{FFFD}'),
        '\u{7f}' => '␡',
        '\u{80}'..='\u{9f}'
        | '\u{ad}'
        | '\u{61c}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}' => '\u{FFFD}',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escape_sequences_are_shown_not_obeyed() {
        assert_eq!(
            inert("\x1b]0;owned\x07\u{9b}2J", 64),
            "␛]0;owned␇\u{FFFD}2J"
        );
        assert_eq!(inert("ok\u{202e}txt", 64), "ok\u{FFFD}txt");
    }

    #[test]
    fn long_text_is_cut_with_a_mark() {
        assert_eq!(inert("abcdef", 3), "abc…");
        assert_eq!(inert("abc", 3), "abc");
    }

    proptest! {
        #[test]
        fn no_control_character_survives(text in any::<String>()) {
            prop_assert!(!inert(&text, 200).chars().any(char::is_control));
        }
    }
}
