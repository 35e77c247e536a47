//! Text into cells: fitting, wrapping, and painting that never leaves its area.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::theme::{Role, Theme};

/// Columns that a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// The text cut to `columns`, an ellipsis marking the cut.
pub(crate) fn fit(text: &str, columns: usize) -> Cow<'_, str> {
    if text.width() <= columns {
        return Cow::Borrowed(text);
    }
    if columns == 0 {
        return Cow::Borrowed("");
    }
    let mut taken = 0;
    let end = text
        .char_indices()
        .find(|(_, c)| {
            taken += c.width().unwrap_or(0);
            taken >= columns
        })
        .map_or(text.len(), |(at, _)| at);
    Cow::Owned(format!("{}…", text[..end].trim_end()))
}

/// The text padded with spaces to `columns`, cut where it is longer.
pub(crate) fn pad(text: &str, columns: usize, right: bool) -> String {
    let text = fit(text, columns);
    let blank = " ".repeat(columns.saturating_sub(text.width()));
    if right {
        format!("{blank}{text}")
    } else {
        format!("{text}{blank}")
    }
}

/// The text in lines of at most `columns`, broken between words where possible.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            let mut word = word;
            let room = columns.saturating_sub(line.width() + 1);
            if !line.is_empty() && word.width() > room {
                lines.push(std::mem::take(&mut line));
            }
            while word.width() > columns {
                let at = head(word, columns);
                lines.push(word[..at].to_owned());
                word = &word[at..];
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

/// Bytes of the longest beginning that fits; at least one character.
fn head(word: &str, columns: usize) -> usize {
    let mut taken = 0;
    word.char_indices()
        .skip(1)
        .scan(
            word.chars().next().and_then(char::width).unwrap_or(0),
            |used, (at, c)| {
                taken = *used;
                *used += c.width().unwrap_or(0);
                Some((at, *used))
            },
        )
        .find(|(_, used)| *used > columns)
        .map_or(word.len(), |(at, _)| at)
}

/// A piece of text in a role.
pub(crate) fn span(theme: Theme, role: Role, text: impl Into<String>) -> Span<'static> {
    Span::styled(text.into(), theme.style(role))
}

/// Without the blank end, which would be taken for text that was cut.
pub(crate) fn trimmed(mut spans: Vec<Span<'static>>) -> Line<'static> {
    if let Some(last) = spans.last_mut() {
        last.content = last.content.trim_end().to_owned().into();
    }
    Line::from(spans)
}

/// Paints one line at the top of `area`, an ellipsis where it is cut.
pub(crate) fn paint(buf: &mut Buffer, area: Rect, line: &Line<'_>) {
    let area = area.intersection(buf.area);
    if area.is_empty() {
        return;
    }
    buf.set_line(area.x, area.y, line, area.width);
    if line.width() > usize::from(area.width) {
        let x = area.right() - 1;
        // A wide character may have been left out at the edge.
        if let Some(cell) = buf.cell_mut((x, area.y)) {
            cell.set_symbol("…");
        }
    }
}

/// Paints lines from the top of `area`; what does not fit is left out.
pub(crate) fn paint_all(buf: &mut Buffer, area: Rect, lines: &[Line<'_>]) {
    for (line, row) in lines.iter().zip(area.rows()) {
        paint(buf, row, line);
    }
}

/// What is left of `area` under its first `rows`.
pub(crate) fn below(area: Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    Rect {
        y: area.y + rows,
        height: area.height - rows,
        ..area
    }
}

/// The first `rows` of `area`.
pub(crate) fn top(area: Rect, rows: u16) -> Rect {
    Rect {
        height: rows.min(area.height),
        ..area
    }
}

/// A number of lines as a height.
pub(crate) fn height(lines: usize) -> u16 {
    u16::try_from(lines).unwrap_or(u16::MAX)
}

/// The first row to show so that `selected` is in sight, half a page above it where possible.
pub(crate) fn first_row(selected: usize, rows: usize, room: usize) -> usize {
    selected
        .saturating_sub(room / 2)
        .min(rows.saturating_sub(room))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("abcdef", 6, "abcdef")]
    #[case("abcdef", 4, "abc…")]
    #[case("ab cdef", 4, "ab…")]
    #[case("abc", 1, "…")]
    #[case("abc", 0, "")]
    #[case("漢字漢字", 4, "漢…")]
    fn cuts_are_marked(#[case] text: &str, #[case] columns: usize, #[case] cut: &str) {
        assert_eq!(fit(text, columns), cut);
    }

    #[test]
    fn words_stay_whole_where_they_can() {
        assert_eq!(wrap("aa bbb cc", 6), ["aa bbb", "cc"]);
        assert_eq!(wrap("aaaaaaaa b", 3), ["aaa", "aaa", "aa", "b"]);
        assert_eq!(wrap("a\n\nb", 9), ["a", "", "b"]);
    }

    #[rstest]
    #[case(0, 100, 10, 0)]
    #[case(50, 100, 10, 45)]
    #[case(99, 100, 10, 90)]
    #[case(3, 5, 10, 0)]
    fn the_selected_row_is_in_sight(
        #[case] selected: usize,
        #[case] rows: usize,
        #[case] room: usize,
        #[case] first: usize,
    ) {
        assert_eq!(first_row(selected, rows, room), first);
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_asked(text in any::<String>(), columns in 2..60usize) {
            prop_assert!(fit(&text, columns).width() <= columns);
            let text: String = text.chars().filter(|c| !c.is_control()).collect();
            for line in wrap(&text, columns) {
                prop_assert!(line.width() <= columns, "{line:?}");
            }
        }
    }
}
