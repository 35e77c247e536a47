//! The last pass over a screen for terminals that know only ASCII: one cell for one cell, so that
//! nothing moves.

use ratatui::buffer::Buffer;

/// Replaces every cell that is not ASCII.
pub(crate) fn fold(buf: &mut Buffer) {
    for at in 0..buf.content.len() {
        let symbol = buf.content[at].symbol();
        if symbol.is_ascii() {
            continue;
        }
        let folded = symbol.chars().next().map_or(' ', ascii);
        let at_least = symbol == "≥";
        buf.content[at].set_char(folded);
        // `≥ 5` has room for `>=5`.
        if at_least
            && let Some(next) = buf.content.get_mut(at + 1)
            && next.symbol() == " "
        {
            next.set_char('=');
        }
    }
}

fn ascii(c: char) -> char {
    match c {
        '▲' => '!',
        '△' | '…' | '≈' => '~',
        '◇' | '•' => '*',
        '·' | '–' | '−' | '—' | '─' | '━' | '┄' | '╌' | '‐' | '‑' => '-',
        '●' => 'o',
        '✖' | '×' => 'x',
        '‖' | '│' | '┃' => '|',
        '╭' | '╮' | '╰' | '╯' | '┌' | '┐' | '└' | '┘' | '├' | '┤' | '┬' | '┴' | '┼' | '±' => {
            '+'
        }
        '→' | '≥' | '▸' | '›' => '>',
        '←' | '‹' | '≤' => '<',
        '↑' | '▴' => '^',
        '↓' | '▾' => 'v',
        '█' | '▇' | '▉' | '▊' => '#',
        '▆' | '▅' | '▄' | '▋' | '▌' => ':',
        '▃' | '▂' | '▁' | '▍' | '▎' | '▏' | '░' | '○' => '.',
        '“' | '”' | '„' => '"',
        '‘' | '’' => '\'',
        '\u{a0}' => ' ',
        _ => '?',
    }
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    #[test]
    fn nothing_but_ascii_is_left_and_nothing_moves() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 16, 1));
        buf.set_string(0, 0, "▲ a… −5 → 漢é│█", Style::new());
        fold(&mut buf);
        let text: String = buf
            .content
            .iter()
            .map(ratatui::buffer::Cell::symbol)
            .collect();
        assert!(text.is_ascii(), "{text}");
        assert!(text.starts_with("! a~ -5 > ?"), "{text}");
    }
}
