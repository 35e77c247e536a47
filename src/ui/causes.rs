//! Panel 1: every cause with its verdict, what needs a human first.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::frame::Frame;
use super::ledger::LedgerLine;
use super::text::{below, first_row, fit, height, pad, paint, span, top, width};
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
}

impl Causes<'_> {
    /// Lines of the panel with its border, when every row has its own.
    pub(crate) fn full_height(&self) -> u16 {
        height(self.rows.len().max(1) + 3)
    }

    /// Lines of the panel with its border, when what is clear shares a line and what is lost may
    /// take two in a narrow panel.
    pub(crate) fn folded_height(&self, columns: u16) -> u16 {
        let lines = self.folded(is_narrow(usize::from(columns).saturating_sub(4)));
        height(lines.len().max(1) + 3)
    }

    fn folded(&self, narrow: bool) -> Vec<Shown<'_>> {
        let mut lines = Vec::new();
        let mut clear = Vec::new();
        for (at, row) in self.rows.iter().enumerate() {
            if row.folds() && self.selected != Some(at) {
                clear.push(row);
                continue;
            }
            lines.push(Shown::Row(at, row));
            if narrow && !row.past && row.level <= Level::AtRisk && !row.summary.is_empty() {
                lines.push(Shown::More(row));
            }
        }
        if !clear.is_empty() {
            lines.push(Shown::Folded(Level::Clear, clear));
        }
        lines
    }

    /// The lines for so many rows: all rows if they fit, else folded, else around the selection.
    fn lines(&self, room: usize, narrow: bool) -> Vec<Shown<'_>> {
        let all = self.rows.iter().enumerate();
        if self.rows.len() <= room && !narrow {
            return all.map(|(at, row)| Shown::Row(at, row)).collect();
        }
        let folded = self.folded(narrow);
        if folded.len() <= room {
            return folded;
        }
        let mut plain = self.folded(false);
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

    fn columns(&self, narrow: bool) -> Columns {
        let widest =
            |text: &dyn Fn(&CauseRow) -> usize| self.rows.iter().map(text).max().unwrap_or(0);
        Columns {
            title: if narrow {
                widest(&|row| width(row.short_title()))
            } else {
                widest(&|row| width(row.title))
            },
            keys: widest(&|row| width(&row.keys)),
            when: widest(&|row| width(&row.when)),
        }
    }

    fn row(&self, row: &CauseRow, columns: &Columns, narrow: bool, two: bool) -> Line<'static> {
        let theme = self.theme;
        let quiet = row.past || row.level == Level::Clear;
        let text = if quiet { Role::Dim } else { Role::Text };
        let strong = match row.level {
            _ if quiet => Role::Dim,
            Level::Unknown => Role::Text,
            _ => Role::Strong,
        };
        let title = if narrow { row.short_title() } else { row.title };
        let mut spans = vec![
            span(
                theme,
                row.role(),
                format!("{} {}", row.level.symbol(), pad(row.level.word(), 9, false)),
            ),
            Span::raw("  "),
            span(theme, strong, pad(title, columns.title, false)),
        ];
        // A row without keys and time uses their room for its words.
        let bare = row.keys.is_empty() && row.when.is_empty();
        if columns.keys > 0 && !bare {
            spans.push(Span::raw("  "));
            spans.push(span(theme, strong, pad(&row.keys, columns.keys, true)));
        }
        if columns.when > 0 && !bare {
            spans.push(Span::raw("  "));
            spans.push(span(theme, text, pad(&row.when, columns.when, false)));
        }
        let told_below = two && !row.past && row.level <= Level::AtRisk;
        if !told_below {
            spans.push(Span::raw("  "));
            spans.push(span(theme, text, row.summary.clone()));
        }
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
        let narrow = is_narrow(room);
        let columns = self.columns(narrow);
        if self.rows.is_empty() {
            let text = span(self.theme, Role::Dim, self.waiting);
            return paint(buf, area, &Line::from(text));
        }
        let lines = self.lines(usize::from(area.height), narrow);
        let whole = lines.iter().any(|line| matches!(line, Shown::More(_)));
        for (line, place) in lines.iter().zip(area.rows()) {
            match line {
                Shown::Row(at, row) => {
                    paint(buf, place, &self.row(row, &columns, narrow, whole));
                    if self.selected == Some(*at) {
                        buf.set_style(
                            place.intersection(buf.area),
                            self.theme.style(Role::Selected),
                        );
                    }
                }
                Shown::More(row) => {
                    let text = format!(
                        "{}{}",
                        " ".repeat(13),
                        fit(&row.summary, room.saturating_sub(13))
                    );
                    paint(buf, place, &Line::from(span(self.theme, Role::Text, text)));
                }
                Shown::Folded(level, rows) => paint(buf, place, &self.fold(*level, rows, room)),
            }
        }
    }
}

/// Whether a summary needs a line of its own.
fn is_narrow(room: usize) -> bool {
    room < 96
}

impl Widget for &Causes<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let inner = self.frame.draw(area, buf);
        if inner.height < 2 {
            return self.render_rows(inner, buf);
        }
        let rows = usize::from(inner.height - 1);
        let narrow = is_narrow(usize::from(inner.width));
        let used = self.lines(rows, narrow).len().max(1);
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
