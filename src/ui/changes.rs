//! Panel 9: what happened, newest first.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::frame::Frame;
use super::text::{first_row, pad, paint, span};
use super::theme::{Role, Theme};
use crate::format;

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChangeRow {
    /// Time of day.
    pub time: String,
    /// How long ago.
    pub age: Duration,
    /// The sentence.
    pub text: String,
    /// Whether it reports trouble.
    pub trouble: bool,
}

/// The panel.
#[derive(Clone, Debug)]
pub(crate) struct Changes<'a> {
    /// Border, title, focus.
    pub frame: Frame<'a>,
    /// Rows, newest first.
    pub rows: Vec<ChangeRow>,
    /// Selected row.
    pub selected: Option<usize>,
    /// Colours.
    pub theme: Theme,
}

impl Widget for &Changes<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let inner = self.frame.draw(area, buf);
        if self.rows.is_empty() {
            let text = span(self.theme, Role::Dim, "nothing has happened yet");
            return paint(buf, inner, &Line::from(text));
        }
        let room = usize::from(inner.height);
        let selected = self.selected.map(|row| row.min(self.rows.len() - 1));
        let first = first_row(selected.unwrap_or(0), self.rows.len(), room);
        let time_width = self
            .rows
            .iter()
            .map(|row| row.time.len())
            .max()
            .unwrap_or(0);
        for ((at, row), place) in self.rows.iter().enumerate().skip(first).zip(inner.rows()) {
            let role = if row.trouble {
                Role::Trouble
            } else {
                Role::Text
            };
            let mut spans = vec![span(
                self.theme,
                Role::Dim,
                pad(&row.time, time_width, false),
            )];
            if inner.width >= 70 {
                let age = pad(&format::ago(row.age), 14, true);
                spans.push(span(self.theme, Role::Dim, age));
            }
            spans.push(span(self.theme, role, format!("  {}", row.text)));
            paint(buf, place, &Line::from(spans));
            if selected == Some(at) {
                buf.set_style(
                    place.intersection(buf.area),
                    self.theme.style(Role::Selected),
                );
            }
        }
    }
}
