//! Tables whose less important columns go when room is short.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::text::{below, first_row, fit, pad, paint, span, width};
use super::theme::{Role, Theme};

/// One column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    /// Heading.
    pub head: &'static str,
    /// Numbers stand on the right.
    pub right: bool,
    /// Width at least, so that columns do not move when numbers grow.
    pub min: usize,
    /// Width at most.
    pub max: usize,
    /// Columns with the highest number go first when room is short; 0 stays.
    pub drop: u8,
}

impl Column {
    /// A column of text.
    pub(crate) const fn text(head: &'static str, min: usize, max: usize, drop: u8) -> Self {
        Self {
            head,
            right: false,
            min,
            max,
            drop,
        }
    }

    /// A column of numbers.
    pub(crate) const fn number(head: &'static str, min: usize, drop: u8) -> Self {
        Self {
            head,
            right: true,
            min,
            max: 26,
            drop,
        }
    }
}

/// One cell: its text and what it means.
pub(crate) type Cell = (String, Role);

/// A table with a heading.
#[derive(Clone, Debug)]
pub(crate) struct Table<'a> {
    /// Columns.
    pub columns: &'a [Column],
    /// Rows of as many cells.
    pub rows: &'a [Vec<Cell>],
    /// The row that is selected; kept in sight.
    pub selected: Option<usize>,
    /// Colours.
    pub theme: Theme,
}

impl Table<'_> {
    /// The heading and every row, for text that scrolls as a whole.
    pub(crate) fn lines(&self, room: usize) -> Vec<Line<'static>> {
        let (kept, gap) = self.lay_out(room);
        let rows = self.rows.iter().map(|row| self.line(&kept, gap, row));
        [self.line(&kept, gap, &self.heads())]
            .into_iter()
            .chain(rows)
            .collect()
    }

    fn heads(&self) -> Vec<Cell> {
        let head = |column: &Column| (column.head.to_owned(), Role::Label);
        self.columns.iter().map(head).collect()
    }

    /// Rows with the heading.
    pub(crate) fn height(&self) -> usize {
        self.rows.len() + 1
    }

    fn natural(&self, column: usize) -> usize {
        let Column { head, min, max, .. } = self.columns[column];
        self.rows
            .iter()
            .filter_map(|row| row.get(column))
            .map(|cell| width(&cell.0))
            .chain([width(head)])
            .max()
            .unwrap_or(0)
            .clamp(min, max.max(min))
    }

    /// Columns that have room, with their widths, and the space between them.
    fn lay_out(&self, room: usize) -> (Vec<(usize, usize)>, usize) {
        let mut kept: Vec<(usize, usize)> = (0..self.columns.len())
            .map(|column| (column, self.natural(column)))
            .collect();
        let total = |kept: &[(usize, usize)]| {
            kept.iter().map(|(_, wide)| wide).sum::<usize>() + 2 * kept.len().saturating_sub(1)
        };
        while total(&kept) > room {
            let worst = kept
                .iter()
                .enumerate()
                .max_by_key(|(_, (column, _))| self.columns[*column].drop)
                .filter(|(_, (column, _))| self.columns[*column].drop > 0);
            match worst {
                Some((at, _)) => kept.remove(at),
                None => break,
            };
        }
        let spare = room.saturating_sub(total(&kept));
        let gap = 2 + spare / kept.len().max(1) / 2;
        (kept, gap.min(4))
    }

    fn line(&self, kept: &[(usize, usize)], gap: usize, row: &[Cell]) -> Line<'static> {
        let mut spans: Vec<Span<'static>> = Vec::with_capacity(kept.len() * 2);
        for (column, wide) in kept {
            let Some((text, role)) = row.get(*column) else {
                continue;
            };
            if !spans.is_empty() {
                spans.push(Span::raw(" ".repeat(gap)));
            }
            let text = pad(&fit(text, *wide), *wide, self.columns[*column].right);
            spans.push(span(self.theme, *role, text));
        }
        Line::from(spans)
    }
}

impl Widget for &Table<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        if area.is_empty() {
            return;
        }
        let (kept, gap) = self.lay_out(usize::from(area.width));
        paint(buf, area, &self.line(&kept, gap, &self.heads()));
        let area = below(area, 1);
        let room = usize::from(area.height);
        let selected = self
            .selected
            .map(|row| row.min(self.rows.len().saturating_sub(1)));
        let first = first_row(selected.unwrap_or(0), self.rows.len(), room);
        for (at, (row, place)) in self.rows.iter().skip(first).zip(area.rows()).enumerate() {
            let last = usize::from(place.y - area.y) + 1 == room;
            let hidden = self.rows.len() - first - at - 1;
            if last && hidden > 0 && selected.is_none() && room > 1 {
                let more = format!("… {} more", hidden + 1);
                paint(buf, place, &Line::from(span(self.theme, Role::Dim, more)));
                break;
            }
            paint(buf, place, &self.line(&kept, gap, row));
            if selected == Some(first + at) {
                buf.set_style(
                    place.intersection(buf.area),
                    self.theme.style(Role::Selected),
                );
            }
        }
    }
}
