//! Panel 1: every cause with its verdict, what needs a human first.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::frame::Frame;
use super::ledger_line::LedgerLine;
use super::text::{below, first_row, fit, height, pad, paint, span, top, trimmed, width};
use super::theme::{Role, Theme};
use crate::diagnosis::Level;

/// One verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CauseRow {
    /// The heading of the cause.
    pub title: &'static str,
    /// How sure.
    pub level: Level,
    /// It speaks of totals since start, not of what was watched.
    pub past: bool,
    /// Keys lost: `−50,213 keys`.
    pub keys: String,
    /// When.
    pub when: String,
    /// How, in a few words; empty where the summary says it or nothing tells.
    pub how: &'static str,
    /// The strongest evidence.
    pub summary: String,
}

impl CauseRow {
    /// Whether the row may share a line with others of its kind.
    fn folds(&self) -> bool {
        self.level == Level::Clear
    }

    fn role(&self) -> Role {
        if self.past {
            Role::Past
        } else {
            Role::Level(self.level)
        }
    }

    /// Whether the summary matters so much that it may take a line of its own.
    fn is_loud(&self) -> bool {
        !self.past && self.level <= Level::AtRisk && !self.text().is_empty()
    }

    /// A row without keys and time uses their room for its words.
    fn is_bare(&self) -> bool {
        self.keys.is_empty() && self.when.is_empty()
    }

    /// How, and the strongest evidence.
    fn text(&self) -> String {
        match self.how {
            "" => self.summary.clone(),
            how => format!("{how}: {}", self.summary),
        }
    }

    fn short_title(&self) -> &'static str {
        match self.title {
            "Redis instance failure" => "Instance failure",
            title => title,
        }
    }
}

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
    More(&'a CauseRow),
    Folded(Level, Vec<&'a CauseRow>),
}

/// Widths of the columns that rows share.
struct Columns {
    title: usize,
    keys: usize,
    when: usize,
    /// In short words.
    short: bool,
    /// All columns of the panel.
    room: usize,
    /// What matters may take two lines.
    two: bool,
    /// There is no room for the time beside the keys.
    when_below: bool,
    /// Some row with keys or time needs the second one; then all such rows look alike.
    below: bool,
}

impl Columns {
    /// Where the words of a row begin.
    fn indent(&self, row: &CauseRow) -> usize {
        let column = |wide: usize| if wide > 0 { wide + 2 } else { 0 };
        let title = LEVEL + self.title + 2;
        if row.is_bare() {
            title
        } else {
            title + column(self.keys) + column(self.when)
        }
    }

    fn fits(&self, row: &CauseRow) -> bool {
        self.indent(row) + width(&row.text()) <= self.room
    }

    fn tells_below(&self, row: &CauseRow) -> bool {
        let needed = if row.is_bare() {
            !self.fits(row)
        } else {
            self.below
        };
        self.two && row.is_loud() && needed
    }
}

/// Sign, word, and the blanks behind.
const LEVEL: usize = 13;

impl Causes<'_> {
    /// Lines of the panel with its border, when every row has its own and what is lost may take
    /// two.
    pub(crate) fn full_height(&self, columns: u16) -> u16 {
        let columns = self.columns(usize::from(columns).saturating_sub(4));
        height(self.full(&columns).len().max(1) + 3)
    }

    /// The same, when what is clear shares a line.
    pub(crate) fn folded_height(&self, columns: u16) -> u16 {
        let columns = self.columns(usize::from(columns).saturating_sub(4));
        height(self.folded(&columns).len().max(1) + 3)
    }

    fn full(&self, columns: &Columns) -> Vec<Shown<'_>> {
        let rows = self.rows.iter().enumerate();
        rows.flat_map(|(at, row)| {
            let more = columns.tells_below(row).then_some(Shown::More(row));
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

    /// The lines for so many rows: all rows if they fit, else folded, else around the selection.
    fn lines(&self, room: usize, columns: &mut Columns) -> Vec<Shown<'_>> {
        for lines in [self.full(columns), self.folded(columns)] {
            if lines.len() <= room {
                return lines;
            }
        }
        columns.two = false;
        let mut plain = self.folded(columns);
        let selected = self.selected.unwrap_or(0);
        let position = plain
            .iter()
            .position(|line| matches!(line, Shown::Row(at, _) if *at == selected))
            .unwrap_or(0);
        let first = first_row(position, plain.len(), room.max(1));
        plain.drain(..first);
        plain.truncate(room);
        plain
    }

    fn columns(&self, room: usize) -> Columns {
        let widest =
            |text: &dyn Fn(&CauseRow) -> usize| self.rows.iter().map(text).max().unwrap_or(0);
        let short = room < 96;
        let mut columns = Columns {
            title: if short {
                widest(&|row| width(row.short_title()))
            } else {
                widest(&|row| width(row.title))
            },
            keys: widest(&|row| width(&row.keys)),
            when: widest(&|row| width(&row.when)),
            short,
            room,
            two: true,
            when_below: false,
            below: false,
        };
        let head = LEVEL + columns.title + 2 + columns.keys + 2 + columns.when;
        columns.when_below = columns.when > 0 && head > room;
        let long = |row: &CauseRow| row.is_loud() && !row.is_bare() && !columns.fits(row);
        columns.below = columns.when_below || self.rows.iter().any(long);
        columns
    }

    fn row(&self, row: &CauseRow, columns: &Columns) -> Line<'static> {
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
        if columns.keys > 0 && !row.is_bare() {
            spans.push(Span::raw("  "));
            spans.push(span(theme, strong, pad(&row.keys, columns.keys, true)));
        }
        if columns.when > 0 && !row.is_bare() && !columns.when_below {
            spans.push(Span::raw("  "));
            spans.push(span(theme, text, pad(&row.when, columns.when, false)));
        }
        if columns.tells_below(row) {
            // What is said below must not make the row look cut.
            return trimmed(spans);
        }
        spans.push(Span::raw("  "));
        spans.push(span(theme, text, row.text()));
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
        let mut columns = self.columns(room);
        let lines = self.lines(usize::from(area.height), &mut columns);
        for (line, place) in lines.iter().zip(area.rows()) {
            match line {
                Shown::Row(at, row) => {
                    paint(buf, place, &self.row(row, &columns));
                    if self.selected == Some(*at) {
                        buf.set_style(
                            place.intersection(buf.area),
                            self.theme.style(Role::Selected),
                        );
                    }
                }
                Shown::More(row) => {
                    let text = match row.when.as_str() {
                        when if columns.when_below && !when.is_empty() => {
                            format!("{when}  {}", row.text())
                        }
                        _ => row.text(),
                    };
                    let text = fit(&text, room.saturating_sub(LEVEL));
                    let text = format!("{}{text}", " ".repeat(LEVEL));
                    paint(buf, place, &Line::from(span(self.theme, Role::Text, text)));
                }
                Shown::Folded(level, rows) => paint(buf, place, &self.fold(*level, rows, room)),
            }
        }
    }
}

impl Widget for &Causes<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let inner = self.frame.draw(area, buf);
        if inner.height < 2 {
            return self.render_rows(inner, buf);
        }
        let rows = usize::from(inner.height - 1);
        let mut columns = self.columns(usize::from(inner.width));
        let used = self.lines(rows, &mut columns).len().max(1);
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
