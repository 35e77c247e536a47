//! Panel 0: keys that are watched by name, those that went first.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::frame::Frame;
use super::table::{Cell, Column, Table};
use super::text::{below, first_row, height, paint, span, top, wrap};
use super::theme::{Role, Theme};
use super::views::watched::countdown;
use crate::diagnosis::Ending;
use crate::format;

/// One key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WatchedRow {
    /// What became of it.
    pub ending: Ending,
    /// No other ending is possible.
    pub is_certain: bool,
    /// Its name, or what stands for it.
    pub name: String,
    /// Its type, as it was read last.
    pub kind: Option<String>,
    /// Time to live that is left, while it is there and has one.
    pub ttl: Option<Duration>,
    /// It has no TTL.
    pub stays: bool,
    /// Bytes that it takes.
    pub size_bytes: Option<u64>,
    /// How long ago it went or was last changed.
    pub changed: Option<Duration>,
    /// What happened, where something did.
    pub text: Option<String>,
}

impl WatchedRow {
    /// Sign and word.
    fn fate(&self) -> (String, Role) {
        let (sign, role) = match self.ending {
            Ending::Present => ("●", Role::Good),
            Ending::Missing => ("·", Role::Dim),
            Ending::Expired => ("○", Role::Text),
            Ending::Pending | Ending::Unreadable => ("?", Role::Label),
            _ => ("✖", Role::Trouble),
        };
        let doubt = if self.is_certain { "" } else { "?" };
        (format!("{sign} {}{doubt}", self.ending.id()), role)
    }

    fn cells(&self) -> Vec<Cell> {
        let (fate, role) = self.fate();
        let ttl = match self.ttl {
            Some(left) => countdown(left),
            None if self.stays && !self.ending.is_gone() => "none".to_owned(),
            None => format::UNKNOWN.to_owned(),
        };
        let kind = self.kind.clone().unwrap_or_else(|| format::UNKNOWN.into());
        let changed = self
            .changed
            .map_or_else(|| format::UNKNOWN.into(), format::ago);
        vec![
            (fate, role),
            (self.name.clone(), Role::Strong),
            (kind, Role::Text),
            (ttl, Role::Text),
            (format::bytes_or(self.size_bytes), Role::Text),
            (changed, Role::Dim),
        ]
    }
}

/// The panel.
#[derive(Clone, Debug)]
pub(crate) struct Watched<'a> {
    /// Border, title, focus.
    pub frame: Frame<'a>,
    /// Rows, those that went first.
    pub rows: Vec<WatchedRow>,
    /// Something is watched, whether or not it was read yet.
    pub waiting: bool,
    /// The name that is being typed.
    pub naming: Option<&'a str>,
    /// Selected row.
    pub selected: Option<usize>,
    /// Colours.
    pub theme: Theme,
}

/// Where the second line of a row begins.
const UNDER: usize = 2;

impl Watched<'_> {
    /// Rows with which everything is in sight.
    pub(crate) fn full_height(&self, columns: u16) -> u16 {
        let room = usize::from(columns.saturating_sub(4));
        let lines = self.lines(room).len().max(2);
        height(lines).saturating_add(2 + u16::from(self.naming.is_some()))
    }

    /// The heading, then for each row its number and its lines.
    fn lines(&self, room: usize) -> Vec<(Option<usize>, Line<'static>)> {
        let name = (room / 2).clamp(8, 65);
        let columns = [
            Column::text("fate", 12, 14, 0),
            Column::text("key", 8, name, 0),
            Column::text("type", 6, 24, 3),
            Column::number("TTL", 8, 1),
            Column::number("size", 8, 4),
            Column::number("changed", 12, 2),
        ];
        let cells: Vec<Vec<Cell>> = self.rows.iter().map(WatchedRow::cells).collect();
        let table = Table {
            columns: &columns,
            rows: &cells,
            selected: None,
            theme: self.theme,
        };
        let mut heads = table.lines(room).into_iter();
        let mut lines: Vec<(Option<usize>, Line<'static>)> =
            heads.next().map(|line| (None, line)).into_iter().collect();
        for (at, (head, row)) in heads.zip(&self.rows).enumerate() {
            lines.push((Some(at), head));
            let text = row.text.iter();
            for part in text.flat_map(|text| wrap(text, room.saturating_sub(UNDER))) {
                let part = format!("{:UNDER$}{part}", "");
                lines.push((Some(at), Line::from(span(self.theme, Role::Label, part))));
            }
        }
        lines
    }

    /// The line on which a key is named; returns what is left.
    fn name(&self, area: Rect, buf: &mut Buffer) -> Rect {
        let Some(typed) = self.naming else {
            return area;
        };
        let line = Line::from(vec![
            span(self.theme, Role::Label, "watch "),
            span(self.theme, Role::Accent, format!("{typed}▏")),
            span(
                self.theme,
                Role::Dim,
                "  a key, or a narrow prefix: session:*",
            ),
        ]);
        paint(buf, area, &line);
        below(area, 1)
    }
}

impl Widget for &Watched<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let inner = self.frame.draw(area, buf);
        let inner = self.name(inner, buf);
        if self.rows.is_empty() {
            let text = if self.waiting {
                "nothing has happened to what is watched"
            } else {
                "no key is watched; name one with 'w' or --watch"
            };
            return paint(buf, inner, &Line::from(span(self.theme, Role::Dim, text)));
        }
        let mut lines = self.lines(usize::from(inner.width));
        let (_, heading) = lines.remove(0);
        paint(buf, top(inner, 1), &heading);
        let inner = below(inner, 1);
        let selected = self.selected.map(|row| row.min(self.rows.len() - 1));
        let of_selected = |(row, _): &(Option<usize>, Line<'_>)| *row == selected;
        let at = selected.and_then(|_| lines.iter().position(of_selected));
        let first = first_row(at.unwrap_or(0), lines.len(), usize::from(inner.height));
        for ((row, line), place) in lines.iter().skip(first).zip(inner.rows()) {
            paint(buf, place, line);
            if selected.is_some() && *row == selected {
                buf.set_style(
                    place.intersection(buf.area),
                    self.theme.style(Role::Selected),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ending: Ending, name: &str, text: Option<&str>) -> WatchedRow {
        WatchedRow {
            ending,
            is_certain: true,
            name: name.into(),
            kind: Some("string".into()),
            ttl: (ending == Ending::Present).then_some(Duration::from_secs(3_412)),
            stays: false,
            size_bytes: Some(64),
            changed: Some(Duration::from_secs(4)),
            text: text.map(str::to_owned),
        }
    }

    fn panel() -> Watched<'static> {
        let text = "vanished at 14:03:07.412: deleted (DEL by 10.0.0.7:5123, worker-3), its TTL had 3,412 s to go";
        Watched {
            frame: Frame {
                key: Some('0'),
                title: "Watched keys",
                remark: "",
                focused: false,
                theme: Theme::default(),
            },
            rows: vec![
                row(Ending::Deleted, "session:42", Some(text)),
                row(Ending::Present, "session:43", None),
            ],
            waiting: true,
            naming: None,
            selected: None,
            theme: Theme::default(),
        }
    }

    fn shown(panel: &Watched<'_>, columns: u16) -> String {
        let area = Rect::new(0, 0, columns, panel.full_height(columns));
        let mut buf = Buffer::empty(area);
        panel.render(area, &mut buf);
        let line = |row: Rect| {
            let cells = row
                .columns()
                .map(|cell| buf[(cell.x, cell.y)].symbol().to_owned());
            cells.collect::<String>().trim_end().to_owned()
        };
        area.rows().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_went_says_why_under_its_name() {
        insta::assert_snapshot!(shown(&panel(), 100));
        insta::assert_snapshot!(shown(&panel(), 50));
    }

    #[test]
    fn a_name_is_typed_on_a_line_of_its_own() {
        let mut panel = panel();
        panel.rows.clear();
        panel.naming = Some("sess");
        insta::assert_snapshot!(shown(&panel, 60));
    }
}
