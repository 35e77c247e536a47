//! Panel 1: every cause with its verdict, what needs a human first.

mod row;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::frame::Frame;
use super::ledger_line::LedgerLine;
use super::text::{below, first_row, fit, height, pad, paint, span, top, trimmed, width, wrap};
use super::theme::{Role, Theme};
use crate::diagnosis::Level;
pub(crate) use row::CauseRow;
use row::{Columns, LEVEL};

/// The panel.
#[derive(Clone, Debug)]
pub(crate) struct Causes<'a> {
    /// Border, title, focus.
    pub frame: Frame<'a>,
    /// Verdicts, what needs a human first.
    pub rows: Vec<CauseRow>,
    /// Selected row.
    pub selected: Option<usize>,
    /// Where the keys went.
    pub ledger: LedgerLine<'a>,
    /// What happened besides.
    pub notices: Vec<String>,
    /// Said while there is no verdict.
    pub waiting: &'static str,
    /// Colours.
    pub theme: Theme,
}

/// A line of the panel.
enum Shown<'a> {
    Row(usize, &'a CauseRow),
    /// What does not fit beside the row, in so many lines.
    More(&'a CauseRow, usize),
    Folded(Level, Vec<&'a CauseRow>),
}

/// Lines below one row at most.
const MOST_BELOW: usize = 3;

impl Shown<'_> {
    fn height(&self) -> usize {
        match self {
            Self::More(_, lines) => *lines,
            _ => 1,
        }
    }
}

impl Causes<'_> {
    /// Lines of the panel with its border, when every row has its own and what is lost may take
    /// two.
    pub(crate) fn full_height(&self, columns: u16) -> u16 {
        let columns = Columns::of(&self.rows, usize::from(columns).saturating_sub(4));
        height(self.full(&columns).len().max(1) + 3)
    }

    /// The same, when what is clear shares a line.
    pub(crate) fn folded_height(&self, columns: u16) -> u16 {
        let columns = Columns::of(&self.rows, usize::from(columns).saturating_sub(4));
        height(self.folded(&columns).len().max(1) + 3)
    }

    fn full(&self, columns: &Columns) -> Vec<Shown<'_>> {
        let rows = self.rows.iter().enumerate();
        rows.flat_map(|(at, row)| {
            let more = columns.tells_below(row).then_some(Shown::More(row, 1));
            [Shown::Row(at, row)].into_iter().chain(more)
        })
        .collect()
    }

    fn folded(&self, columns: &Columns) -> Vec<Shown<'_>> {
        let folds = |line: &Shown<'_>| match line {
            Shown::Row(at, row) => row.folds() && self.selected != Some(*at),
            _ => false,
        };
        let (clear, mut lines): (Vec<_>, Vec<_>) = self.full(columns).into_iter().partition(folds);
        let clear: Vec<&CauseRow> = clear
            .iter()
            .filter_map(|line| match line {
                Shown::Row(_, row) => Some(*row),
                _ => None,
            })
            .collect();
        if !clear.is_empty() {
            lines.push(Shown::Folded(Level::Clear, clear));
        }
        lines
    }

    /// The lines for so many rows: all rows if they fit, else folded, else with fewer second
    /// lines, else around the selection.
    fn lines(&self, room: usize, columns: &Columns) -> Vec<Shown<'_>> {
        let mut lines = self.full(columns);
        if lines.len() > room {
            lines = self.squeezed(room, columns);
        }
        // What needs a human first is told in full as far as there is room.
        let mut spare = room.saturating_sub(lines.len());
        for line in &mut lines {
            if let Shown::More(row, granted) = line {
                let wanted = wrap(&below_row(row, columns), columns.room_below()).len();
                let more = wanted.saturating_sub(1).min(MOST_BELOW - 1).min(spare);
                *granted += more;
                spare -= more;
            }
        }
        lines
    }

    fn squeezed(&self, room: usize, columns: &Columns) -> Vec<Shown<'_>> {
        let mut lines = self.folded(columns);
        let second = |line: &Shown<'_>| matches!(line, Shown::More(..));
        while lines.len() > room
            && let Some(last) = lines.iter().rposition(second)
        {
            lines.remove(last);
        }
        if lines.len() > room {
            let selected = self.selected.unwrap_or(0);
            let position = lines
                .iter()
                .position(|line| matches!(line, Shown::Row(at, _) if *at == selected))
                .unwrap_or(0);
            let first = first_row(position, lines.len(), room.max(1));
            lines.drain(..first);
            lines.truncate(room);
        }
        lines
    }

    fn row(&self, row: &CauseRow, columns: &Columns, told_below: bool) -> Line<'static> {
        let theme = self.theme;
        let quiet = row.past || row.level == Level::Clear;
        let text = if quiet { Role::Dim } else { Role::Text };
        let strong = match row.level {
            _ if quiet => Role::Dim,
            Level::Unknown => Role::Text,
            _ => Role::Strong,
        };
        let title = if columns.short {
            row.short_title()
        } else {
            row.title
        };
        let mut spans = vec![
            span(
                theme,
                row.role(),
                format!("{} {}", row.level.symbol(), pad(row.level.word(), 9, false)),
            ),
            Span::raw("  "),
            span(theme, strong, pad(title, columns.title, false)),
        ];
        if columns.keys > 0 && !row.is_bare(columns.short) {
            spans.push(Span::raw("  "));
            spans.push(span(theme, strong, pad(&row.keys, columns.keys, true)));
        }
        if columns.when > 0 && !row.is_bare(columns.short) && !(told_below && columns.when_below) {
            spans.push(Span::raw("  "));
            spans.push(span(theme, text, pad(&row.when, columns.when, false)));
        }
        if told_below {
            // What is said below must not make the row look cut.
            return trimmed(spans);
        }
        spans.push(Span::raw("  "));
        spans.push(span(theme, text, row.text(columns.short)));
        Line::from(spans)
    }

    fn fold(&self, level: Level, rows: &[&CauseRow], room: usize) -> Line<'static> {
        let head = format!("{} {}", level.symbol(), pad(level.word(), 9, false));
        let mut names = String::new();
        let mut left = rows.len();
        for row in rows {
            let comma = if names.is_empty() { "" } else { ", " };
            let more = format!("{names}{comma}{}", row.short_title());
            let tail = if left > 1 { 11 } else { 0 };
            if width(&more) + width(&head) + 2 + tail > room && !names.is_empty() {
                break;
            }
            names = more;
            left -= 1;
        }
        if left > 0 {
            names = format!("{names}, {left} more");
        }
        let text = format!("{head}  {names}");
        Line::from(span(self.theme, Role::Level(level), text))
    }

    fn render_rows(&self, area: Rect, buf: &mut Buffer) {
        let room = usize::from(area.width);
        if self.rows.is_empty() {
            let text = span(self.theme, Role::Dim, self.waiting);
            return paint(buf, area, &Line::from(text));
        }
        let columns = Columns::of(&self.rows, room);
        let lines = self.lines(usize::from(area.height), &columns);
        let next = lines.iter().skip(1).map(Some).chain([None]);
        let mut places = area.rows();
        for (line, next) in lines.iter().zip(next) {
            let Some(place) = places.next() else {
                return;
            };
            match line {
                Shown::Row(at, row) => {
                    let told_below = matches!(next, Some(Shown::More(..)));
                    paint(buf, place, &self.row(row, &columns, told_below));
                    if self.selected == Some(*at) {
                        buf.set_style(
                            place.intersection(buf.area),
                            self.theme.style(Role::Selected),
                        );
                    }
                }
                Shown::More(row, granted) => {
                    let more = places.by_ref().take(granted - 1);
                    let places = std::iter::once(place).chain(more);
                    let texts = told_in(&below_row(row, &columns), *granted, &columns);
                    for (text, place) in texts.iter().zip(places) {
                        let text = format!("{}{text}", " ".repeat(LEVEL));
                        paint(buf, place, &Line::from(span(self.theme, Role::Text, text)));
                    }
                }
                Shown::Folded(level, rows) => paint(buf, place, &self.fold(*level, rows, room)),
            }
        }
    }
}

/// What is said below a row, with the time where that has no place beside it.
fn below_row(row: &CauseRow, columns: &Columns) -> String {
    match row.when.as_str() {
        when if columns.when_below && !when.is_empty() => {
            format!("{when}  {}", row.text(columns.short))
        }
        _ => row.text(columns.short),
    }
}

/// A text in so many lines; the last is cut where that is not enough.
fn told_in(text: &str, lines: usize, columns: &Columns) -> Vec<String> {
    let room = columns.room_below();
    if lines == 1 {
        return vec![fit(text, room).into_owned()];
    }
    let mut words = wrap(text, room);
    if words.len() > lines {
        let rest = words.split_off(lines - 1).join(" ");
        words.push(rest);
    }
    let fitted = words.iter().map(|line| fit(line, room).into_owned());
    fitted.collect()
}

impl Widget for &Causes<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let inner = self.frame.draw(area, buf);
        if inner.height < 2 {
            return self.render_rows(inner, buf);
        }
        let rows = usize::from(inner.height - 1);
        let columns = Columns::of(&self.rows, usize::from(inner.width));
        let lines = self.lines(rows, &columns);
        let used: usize = lines.iter().map(Shown::height).sum();
        let used = used.max(1);
        let room_for_notices = rows.saturating_sub(used + 1).min(self.notices.len());
        self.render_rows(top(inner, height(rows - room_for_notices)), buf);
        let notices = below(inner, height(rows - room_for_notices));
        for (text, place) in self
            .notices
            .iter()
            .zip(notices.rows().take(room_for_notices))
        {
            let text = format!("  note       {text}");
            paint(buf, place, &Line::from(span(self.theme, Role::Dim, text)));
        }
        let last = below(inner, inner.height - 1);
        paint(buf, last, &self.ledger.line(usize::from(last.width)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::Ledger;

    fn rows() -> Vec<CauseRow> {
        let loud = CauseRow {
            title: "Key eviction",
            level: Level::Confirmed,
            past: false,
            keys: "≥ 52,509 keys".into(),
            when: "14:03:09–now".into(),
            how: "maxmemory was lowered",
            summary: "52,509 keys evicted".into(),
        };
        let past = CauseRow {
            title: "Key flushing",
            level: Level::Suspected,
            past: true,
            keys: "9 keys".into(),
            when: "since start".into(),
            how: "",
            summary: "FLUSHALL ×1 since the start".into(),
        };
        vec![loud, past]
    }

    fn shown(columns: u16, rows: u16) -> String {
        let ledger = Ledger::default();
        let panel = Causes {
            frame: Frame {
                key: None,
                title: "t",
                remark: "",
                focused: false,
                theme: Theme::default(),
            },
            rows: self::rows(),
            selected: None,
            ledger: LedgerLine {
                ledger: &ledger,
                has_interval: false,
                answered: true,
                theme: Theme::default(),
            },
            notices: Vec::new(),
            waiting: "",
            theme: Theme::default(),
        };
        let area = Rect::new(0, 0, columns, rows);
        let mut buf = Buffer::empty(area);
        panel.render_rows(area, &mut buf);
        let lines: Vec<String> = buf
            .content
            .chunks(usize::from(columns))
            .map(|row| {
                row.iter()
                    .map(ratatui::buffer::Cell::symbol)
                    .collect::<String>()
            })
            .collect();
        let lines: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
        lines.join("\n")
    }

    #[test]
    fn how_it_happened_comes_before_the_evidence() {
        insta::assert_snapshot!(shown(120, 2), @r"
        ▲ CONFIRMED  Key eviction  ≥ 52,509 keys  14:03:09–now  maxmemory was lowered: 52,509 keys evicted
        △ suspected  Key flushing         9 keys  since start   FLUSHALL ×1 since the start
        ");
        insta::assert_snapshot!(shown(64, 3), @r"
        ▲ CONFIRMED  Key eviction  ≥ 52,509 keys  14:03:09–now
                     maxmemory was lowered: 52,509 keys evicted
        △ suspected  Key flushing  9 keys: FLUSHALL ×1 since the start
        ");
        insta::assert_snapshot!(shown(52, 3), @r"
        ▲ CONFIRMED  Key eviction  ≥ 52,509 keys
                     14:03:09–now  maxmemory was lowered: 5…
        △ suspected  Key flushing  9 keys: FLUSHALL ×1 sinc…
        ");
    }
}
