//! Named values in as many columns as fit.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;
use ratatui::widgets::Widget;

use super::text::{pad, paint, span, trimmed, width};
use super::theme::{Role, Theme};

/// A name and its value.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    /// The name.
    pub label: &'static str,
    /// The value.
    pub value: String,
    /// What the value means.
    pub role: Role,
}

impl Field {
    /// A field in ordinary text.
    pub(crate) fn new(label: &'static str, value: impl Into<String>) -> Self {
        Self {
            label,
            value: value.into(),
            role: Role::Text,
        }
    }

    /// The same with another meaning.
    pub(crate) fn role(mut self, role: Role) -> Self {
        self.role = role;
        self
    }
}

/// Fields from left to right, row by row.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a> {
    /// The fields.
    pub all: &'a [Field],
    /// Columns at most.
    pub columns: usize,
    /// Colours.
    pub theme: Theme,
}

/// Widths of one column: names and values.
type Widths = (usize, usize);

impl Fields<'_> {
    fn widths(&self, columns: usize) -> Vec<Widths> {
        (0..columns)
            .map(|column| {
                let cells = || self.all.iter().skip(column).step_by(columns);
                let label = cells().map(|field| width(field.label)).max();
                let value = cells().map(|field| width(&field.value)).max();
                (label.unwrap_or(0), value.unwrap_or(0))
            })
            .collect()
    }

    fn lay_out(&self, room: usize) -> Vec<Widths> {
        let total = |widths: &[Widths]| {
            widths
                .iter()
                .map(|(label, value)| label + value + 2)
                .sum::<usize>()
                + 3 * widths.len().saturating_sub(1)
        };
        (1..=self.columns.clamp(1, self.all.len().max(1)))
            .rev()
            .map(|columns| self.widths(columns))
            .find(|widths| widths.len() == 1 || total(widths) <= room)
            .unwrap_or_default()
    }

    /// Rows that the fields take in this width.
    pub(crate) fn height(&self, room: u16) -> u16 {
        let columns = self.lay_out(usize::from(room)).len().max(1);
        super::text::height(self.all.len().div_ceil(columns))
    }
}

impl Widget for &Fields<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let widths = self.lay_out(usize::from(area.width));
        if widths.is_empty() {
            return;
        }
        // Columns stand on even places, so that panels with like fields line up.
        let even = usize::from(area.width) / widths.len();
        let roomy = widths
            .iter()
            .all(|(label, value)| label + value + 4 <= even);
        for (row, place) in self.all.chunks(widths.len()).zip(area.rows()) {
            let mut spans: Vec<Span<'static>> = Vec::new();
            for (field, (label, value)) in row.iter().zip(&widths) {
                let name = pad(field.label, *label, false);
                spans.push(span(self.theme, Role::Label, format!("{name}  ")));
                let room = if roomy { even - label - 2 } else { value + 3 };
                let text = if widths.len() == 1 {
                    field.value.clone()
                } else {
                    pad(&field.value, room, false)
                };
                spans.push(span(self.theme, field.role, text));
            }
            paint(buf, place, &trimmed(spans));
        }
    }
}
