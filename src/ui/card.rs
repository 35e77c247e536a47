//! The full card of one cause: what it is, what was found, what to do.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::frame::Frame;
use super::table::{Cell, Column, Table};
use super::text::{height, pad, paint_all, span, top, width, wrap};
use super::theme::{Role, Theme};
use crate::diagnosis::Level;
use crate::format;

/// One piece of evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EvidenceRow {
    /// The node.
    pub node: String,
    /// The field.
    pub field: String,
    /// The reading before.
    pub before: String,
    /// The reading after.
    pub after: String,
    /// What it means.
    pub note: String,
    /// When.
    pub when: String,
}

/// The card.
#[derive(Clone, Debug)]
pub(crate) struct Card<'a> {
    /// Border, title, focus.
    pub frame: Frame<'a>,
    /// What the cause is.
    pub explanation: &'a str,
    /// How sure; `None` while there is no verdict.
    pub level: Option<Level>,
    /// The verdict speaks of totals since start.
    pub past: bool,
    /// One sentence with numbers.
    pub summary: String,
    /// Names and values: keys, when.
    pub facts: Vec<(&'static str, String)>,
    /// Who may have done it, the likeliest first.
    pub suspects: Vec<String>,
    /// The readings, strongest first.
    pub evidence: Vec<EvidenceRow>,
    /// What to do next.
    pub steps: Vec<String>,
    /// Fields that would have been needed.
    pub missing: &'a [&'static str],
    /// Documentation.
    pub docs: &'a [&'static str],
    /// First line to show; clamped.
    pub scroll: usize,
    /// Colours.
    pub theme: Theme,
}

const COLUMNS: [Column; 5] = [
    Column::text("field", 12, 44, 0),
    Column::number("before", 8, 0),
    Column::number("after", 8, 0),
    Column::text("when", 8, 14, 1),
    Column::text("node", 8, 40, 2),
];

impl Card<'_> {
    fn heading(&self, text: &str, lines: &mut Vec<Line<'static>>) {
        if !lines.is_empty() {
            lines.push(Line::default());
        }
        lines.push(Line::from(span(self.theme, Role::Title, text)));
    }

    fn verdict(&self, room: usize, lines: &mut Vec<Line<'static>>) {
        let Some(level) = self.level else {
            lines.push(Line::from(span(self.theme, Role::Dim, "no verdict yet")));
            return;
        };
        let role = if self.past {
            Role::Past
        } else {
            Role::Level(level)
        };
        let mut first = vec![span(
            self.theme,
            role,
            format!("{} {}", level.symbol(), level.word()),
        )];
        if self.past {
            first.push(span(
                self.theme,
                Role::Label,
                "  since start: before this program watched",
            ));
        }
        self.facts(first, room, lines);
        self.suspects(room, lines);
        for line in wrap(&self.summary, room) {
            lines.push(Line::from(span(self.theme, Role::Text, line)));
        }
    }

    /// What is known in a word each, behind the level as far as there is room.
    fn facts(&self, first: Vec<Span<'static>>, room: usize, lines: &mut Vec<Line<'static>>) {
        let mut line = Line::from(first);
        for (name, value) in &self.facts {
            let label = format!("   {name} ");
            if line.width() + width(&label) + width(value) > room {
                lines.push(std::mem::take(&mut line));
            }
            line.push_span(span(self.theme, Role::Label, label));
            line.push_span(span(self.theme, Role::Strong, value.clone()));
        }
        lines.push(line);
    }

    /// Everybody in full: this is where somebody looks for an address.
    fn suspects(&self, room: usize, lines: &mut Vec<Line<'static>>) {
        let label = "   who ";
        let indent = width(label);
        for who in &self.suspects {
            for (nth, text) in wrap(who, room.saturating_sub(indent))
                .into_iter()
                .enumerate()
            {
                let label = if nth == 0 { label } else { "" };
                lines.push(Line::from(vec![
                    span(self.theme, Role::Label, pad(label, indent, false)),
                    span(self.theme, Role::Strong, text),
                ]));
            }
        }
    }

    fn evidence(&self, room: usize, lines: &mut Vec<Line<'static>>) {
        if self.evidence.is_empty() {
            return;
        }
        self.heading("Evidence", lines);
        let rows: Vec<Vec<Cell>> = self
            .evidence
            .iter()
            .map(|row| {
                vec![
                    (row.field.clone(), Role::Text),
                    (row.before.clone(), Role::Text),
                    (row.after.clone(), Role::Strong),
                    (row.when.clone(), Role::Dim),
                    (row.node.clone(), Role::Dim),
                ]
            })
            .collect();
        let table = Table {
            columns: &COLUMNS,
            rows: &rows,
            selected: None,
            theme: self.theme,
        };
        let mut table = table.lines(room).into_iter();
        lines.extend(table.next());
        for (line, row) in table.zip(&self.evidence) {
            lines.push(line);
            for text in wrap(&row.note, room.saturating_sub(2))
                .into_iter()
                .filter(|text| !text.is_empty())
            {
                lines.push(Line::from(span(
                    self.theme,
                    Role::Label,
                    format!("  {text}"),
                )));
            }
        }
    }

    fn list<'t>(
        &self,
        heading: &str,
        items: impl Iterator<Item = &'t str>,
        numbered: bool,
        room: usize,
        lines: &mut Vec<Line<'static>>,
    ) {
        let mut items = items.enumerate().peekable();
        if items.peek().is_none() {
            return;
        }
        self.heading(heading, lines);
        for (at, item) in items {
            let mark = if numbered {
                format!("{}. ", at + 1)
            } else {
                String::new()
            };
            let indent = mark.len();
            for (nth, text) in wrap(item, room.saturating_sub(indent))
                .into_iter()
                .enumerate()
            {
                let mark = if nth == 0 { mark.as_str() } else { "" };
                lines.push(Line::from(vec![
                    span(self.theme, Role::Accent, pad(mark, indent, false)),
                    span(self.theme, Role::Text, text),
                ]));
            }
        }
    }

    /// All lines for a width.
    fn lines(&self, room: usize) -> Vec<Line<'static>> {
        let mut lines = Vec::new();
        self.verdict(room, &mut lines);
        self.evidence(room, &mut lines);
        let steps = self.steps.iter().map(String::as_str);
        self.list("What to do next", steps, true, room, &mut lines);
        if !self.explanation.is_empty() {
            self.heading("What it is", &mut lines);
            for text in wrap(self.explanation, room) {
                lines.push(Line::from(span(self.theme, Role::Text, text)));
            }
        }
        if !self.missing.is_empty() {
            let heading = format!("Needed, and {}", format::NOT_EXPOSED);
            self.list(
                &heading,
                self.missing.iter().copied(),
                false,
                room,
                &mut lines,
            );
        }
        self.list(
            "Documentation",
            self.docs.iter().copied(),
            false,
            room,
            &mut lines,
        );
        lines
    }

    /// The last useful value of `scroll` when the card is drawn over `area`.
    pub(crate) fn last_scroll(&self, area: Rect) -> usize {
        let room = usize::from(area.width.saturating_sub(4)).min(WIDE);
        self.lines(room)
            .len()
            .saturating_sub(usize::from(area.height.saturating_sub(2)))
    }
}

/// Lines longer than this are hard to read.
const WIDE: usize = 110;

impl Widget for &Card<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let room = usize::from(area.width.saturating_sub(4)).min(WIDE);
        let lines = self.lines(room);
        let rows = usize::from(area.height.saturating_sub(2));
        let first = self.scroll.min(lines.len().saturating_sub(rows));
        let remark = if lines.len() > rows {
            format!(
                "lines {}–{} of {}",
                first + 1,
                (first + rows).min(lines.len()),
                lines.len()
            )
        } else {
            String::new()
        };
        let frame = Frame {
            remark: &remark,
            ..self.frame.clone()
        };
        let inner = frame.draw(area, buf);
        let inner = Rect {
            width: inner.width.min(height(WIDE)),
            ..inner
        };
        paint_all(buf, top(inner, inner.height), &lines[first..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card() -> Card<'static> {
        Card {
            frame: Frame {
                key: None,
                title: "t",
                remark: "",
                focused: true,
                theme: Theme::default(),
            },
            explanation: "",
            level: Some(Level::Clear),
            past: false,
            summary: "nothing".into(),
            facts: Vec::new(),
            suspects: Vec::new(),
            evidence: Vec::new(),
            steps: Vec::new(),
            missing: &[],
            docs: &[],
            scroll: 0,
            theme: Theme::default(),
        }
    }

    #[test]
    fn who_it_was_is_told_in_full() {
        let card = Card {
            facts: vec![("keys", "5,000 keys".into()), ("when", "14:03:07".into())],
            suspects: vec!["DEL by 127.0.0.1:55340 (cron-7) (default), slow log".into()],
            ..card()
        };
        let lines: Vec<String> = card.lines(30).iter().map(Line::to_string).collect();
        assert_eq!(
            lines,
            [
                "· clear   keys 5,000 keys",
                "   when 14:03:07",
                "   who DEL by 127.0.0.1:55340",
                "       (cron-7) (default),",
                "       slow log",
                "nothing",
            ]
        );
    }

    #[test]
    fn steps_are_numbered_and_hang() {
        let card = Card {
            steps: vec!["ask who ran it".into(), "take the rights away".into()],
            ..card()
        };
        let lines: Vec<String> = card.lines(12).iter().map(Line::to_string).collect();
        assert_eq!(
            lines[3..],
            [
                "What to do next",
                "1. ask who",
                "   ran it",
                "2. take the",
                "   rights",
                "   away"
            ]
        );
    }
}
