//! The list of keys over everything.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Clear, Widget};

use super::frame::Frame;
use super::text::{height, pad, paint_all, span, width, wrap};
use super::theme::{Role, Theme};
use crate::diagnosis::Level;

/// The keys.
#[derive(Clone, Debug)]
pub(crate) struct Help {
    /// Group, keys, words; rows of a group follow each other.
    pub rows: Vec<(&'static str, &'static str, &'static str)>,
    /// First line to show; clamped.
    pub scroll: usize,
    /// Colours.
    pub theme: Theme,
}

const KEYS: usize = 19;
const WIDE: u16 = 92;

const LEVELS: [(Level, &str); 5] = [
    (
        Level::Confirmed,
        "a counter or event that only this cause has accounts for the loss",
    ),
    (
        Level::Suspected,
        "there is evidence, but another cause shares it, or only totals exist",
    ),
    (
        Level::AtRisk,
        "nothing is lost yet; the next failure would lose data",
    ),
    (
        Level::Unknown,
        "what would decide is not exposed by this server",
    ),
    (Level::Clear, "nothing of this kind happened"),
];

impl Help {
    fn lines(&self, room: usize) -> Vec<Line<'static>> {
        let mut lines = Vec::new();
        let mut last = "";
        for (group, keys, words) in &self.rows {
            if *group != last {
                if !lines.is_empty() {
                    lines.push(Line::default());
                }
                lines.push(Line::from(span(self.theme, Role::Title, *group)));
                last = group;
            }
            self.entry(Role::Accent, keys, words, room, &mut lines);
        }
        lines.push(Line::default());
        lines.push(Line::from(span(self.theme, Role::Title, "Verdicts")));
        for (level, words) in LEVELS {
            let mark = format!("{} {}", level.symbol(), level.word());
            self.entry(Role::Level(level), &mark, words, room, &mut lines);
        }
        lines
    }

    fn entry(
        &self,
        role: Role,
        keys: &str,
        words: &str,
        room: usize,
        lines: &mut Vec<Line<'static>>,
    ) {
        let wide = KEYS.max(width(keys) + 1);
        for (nth, text) in wrap(words, room.saturating_sub(wide + 2))
            .into_iter()
            .enumerate()
        {
            let keys = if nth == 0 { keys } else { "" };
            lines.push(Line::from(vec![
                span(self.theme, role, format!("  {}", pad(keys, wide, false))),
                span(self.theme, Role::Text, text),
            ]));
        }
    }

    /// Where the list stands on a screen.
    fn place(&self, area: Rect) -> Rect {
        let columns = area.width.min(WIDE);
        let rows =
            height(self.lines(usize::from(columns.saturating_sub(4))).len() + 2).min(area.height);
        Rect {
            x: area.x + (area.width - columns) / 2,
            y: area.y + (area.height - rows) / 2,
            width: columns,
            height: rows,
        }
    }

    /// The last useful value of `scroll`.
    pub(crate) fn last_scroll(&self, area: Rect) -> usize {
        let place = self.place(area);
        let lines = self.lines(usize::from(place.width.saturating_sub(4))).len();
        lines.saturating_sub(usize::from(place.height.saturating_sub(2)))
    }
}

impl Widget for &Help {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let place = self.place(area);
        Clear.render(place, buf);
        let first = self.scroll.min(self.last_scroll(area));
        let remark = if self.last_scroll(area) > 0 {
            "Up Down: scroll"
        } else {
            ""
        };
        let frame = Frame {
            key: None,
            title: "Keys",
            remark,
            focused: true,
            theme: self.theme,
        };
        let inner = frame.draw(place, buf);
        let lines = self.lines(usize::from(inner.width));
        paint_all(buf, inner, &lines[first.min(lines.len())..]);
    }
}
