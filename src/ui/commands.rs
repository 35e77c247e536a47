//! Panel 6: the commands that can remove keys, or any command with a filter.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::frame::Frame;
use super::table::{Cell, Column, Table};
use super::text::{below, paint, span};
use super::theme::{Role, Theme};
use crate::app::Sort;
use crate::format;

/// One command.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CommandRow {
    /// As INFO prints it.
    pub name: String,
    /// How it makes keys vanish, if it does.
    pub class: Option<&'static str>,
    /// Whether it empties whole databases.
    pub flushes: bool,
    /// Calls since start or RESETSTAT.
    pub calls: u64,
    /// Calls that did not fail, a second, over the last poll.
    pub rate: Option<f64>,
    /// Refused before execution; `None` where not exposed.
    pub rejected: Option<u64>,
    /// Failed while executing; `None` where not exposed.
    pub failed: Option<u64>,
    /// How long ago it was seen to run.
    pub seen: Option<Duration>,
}

/// The panel.
#[derive(Clone, Debug)]
pub(crate) struct Commands<'a> {
    /// Border, title, focus.
    pub frame: Frame<'a>,
    /// A server has answered.
    pub answered: bool,
    /// The rows; `None` where the section is not exposed.
    pub rows: Option<Vec<CommandRow>>,
    /// The filter.
    pub filter: &'a str,
    /// The filter is being typed.
    pub typing: bool,
    /// Order of the rows.
    pub sort: Sort,
    /// Selected row.
    pub selected: Option<usize>,
    /// Colours.
    pub theme: Theme,
}

/// The word for an order.
pub(crate) fn sort_word(sort: Sort) -> &'static str {
    match sort {
        Sort::Danger => "most destructive first",
        Sort::Calls => "most calls first",
        Sort::Rate => "most calls/s first",
        Sort::Refused => "most refused first",
        Sort::Name => "by name",
    }
}

impl Commands<'_> {
    fn columns(&self) -> [Column; 7] {
        let head = |sort: Sort, with: &'static str, without: &'static str| {
            if self.sort == sort { with } else { without }
        };
        [
            Column::text(head(Sort::Name, "command▴", "command"), 9, 26, 0),
            Column::text(head(Sort::Danger, "class▾", "class"), 7, 8, 4),
            Column::number(head(Sort::Calls, "calls▾", "calls"), 7, 0),
            Column::number(head(Sort::Rate, "rate▾", "rate"), 6, 1),
            Column::number(head(Sort::Refused, "rejected▾", "rejected"), 8, 2),
            Column::number("failed", 6, 3),
            Column::number("last seen", 9, 0),
        ]
    }

    fn cells(row: &CommandRow) -> Vec<Cell> {
        let moving = row.rate.is_some_and(|rate| rate > 0.0);
        let text = match (row.seen, row.flushes) {
            (Some(_), true) => Role::Trouble,
            (Some(_), false) => Role::Text,
            (None, _) => Role::Dim,
        };
        let refused = |n: Option<u64>| {
            let role = if n.unwrap_or(0) > 0 {
                Role::Text
            } else {
                Role::Dim
            };
            (format::count_or(n), role)
        };
        let seen = match row.seen {
            Some(age) => format::ago(age),
            None if row.calls > 0 => "earlier".to_owned(),
            None => "never".to_owned(),
        };
        vec![
            (row.name.to_ascii_uppercase(), text),
            (row.class.unwrap_or("").to_owned(), Role::Dim),
            (format::count(row.calls), text),
            (
                format::rate_or(row.rate),
                if moving { Role::Strong } else { Role::Dim },
            ),
            refused(row.rejected),
            refused(row.failed),
            (seen, text),
        ]
    }

    fn filter_line(&self, found: usize) -> Option<Line<'static>> {
        if !self.typing && self.filter.is_empty() {
            return None;
        }
        let cursor = if self.typing { "▏" } else { "" };
        Some(Line::from(vec![
            span(self.theme, Role::Accent, "/ "),
            span(self.theme, Role::Strong, format!("{}{cursor}", self.filter)),
            span(self.theme, Role::Dim, format!("  {found} match")),
        ]))
    }
}

impl Widget for &Commands<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let mut inner = self.frame.draw(area, buf);
        if !self.answered {
            return super::notice::waiting(self.theme, inner, buf);
        }
        let found = self.rows.as_ref().map_or(0, Vec::len);
        if let Some(line) = self.filter_line(found) {
            paint(buf, inner, &line);
            inner = below(inner, 1);
        }
        let dim = |text: &str| Line::from(span(self.theme, Role::Dim, text));
        match &self.rows {
            None => paint(buf, inner, &dim(format::NOT_EXPOSED)),
            Some(rows) if rows.is_empty() && self.filter.is_empty() => {
                let text = "no command that removes keys has run since start";
                paint(buf, inner, &dim(text));
            }
            Some(rows) if rows.is_empty() => paint(buf, inner, &dim("no command matches")),
            Some(rows) => {
                let rows: Vec<_> = rows.iter().map(Commands::cells).collect();
                let table = Table {
                    columns: &self.columns(),
                    rows: &rows,
                    selected: self.selected,
                    theme: self.theme,
                };
                table.render(inner, buf);
            }
        }
    }
}
