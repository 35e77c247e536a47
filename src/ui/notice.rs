//! Lines that speak to the user: banners, notices, and the sentence on a screen that is too small.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::text::{height, paint, span, width, wrap};
use super::theme::{Role, Theme};

/// Fills a panel while no answer has come.
pub(crate) fn waiting(theme: Theme, area: Rect, buf: &mut Buffer) {
    let text = span(theme, Role::Dim, "no answer yet");
    paint(buf, area, &Line::from(text));
}

/// A line across the whole screen: what is wrong with what is shown.
#[derive(Clone, Debug)]
pub(crate) struct Banner {
    /// What must be seen at once.
    pub head: String,
    /// The sentence.
    pub text: String,
    /// What stands on the right, and is never cut.
    pub tail: String,
    /// [`Role::Banner`] or [`Role::Alarm`].
    pub role: Role,
    /// Colours.
    pub theme: Theme,
}

impl Banner {
    /// The banner on as many lines as its sentence needs, where the screen has them to spare.
    pub(crate) fn spread(self, area: Rect) -> Vec<Self> {
        let room = usize::from(area.width).saturating_sub(4);
        let whole = width(&self.head) + width(&self.text) + width(&self.tail);
        if whole <= room || area.height < 20 {
            return vec![self];
        }
        let lines: Vec<Self> = wrap(&self.text, room)
            .into_iter()
            .map(|text| Self {
                text,
                head: String::new(),
                tail: String::new(),
                ..self.clone()
            })
            .collect();
        let first = Self {
            text: String::new(),
            ..self
        };
        [first].into_iter().chain(lines).collect()
    }
}

impl Widget for &Banner {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let style = self.theme.style(self.role);
        let tail = if self.tail.is_empty() {
            String::new()
        } else {
            format!(" {} ", self.tail)
        };
        let tail_width = height(width(&tail)).min(area.width / 2);
        let left = Rect {
            width: area.width - tail_width,
            ..area
        };
        let right = Rect {
            x: left.right(),
            width: tail_width,
            ..area
        };
        buf.set_style(area.intersection(buf.area), style);
        let gap = if self.head.is_empty() { "" } else { "  " };
        let text = format!(" {}{gap}{}", self.head, self.text);
        paint(buf, left, &Line::styled(text, style));
        paint(buf, right, &Line::styled(tail, style));
    }
}

/// What the program has to say, above the footer.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    /// The text.
    pub text: String,
    /// Whether something went wrong.
    pub trouble: bool,
    /// Colours.
    pub theme: Theme,
}

impl Widget for &Said {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let (role, mark) = if self.trouble {
            (Role::Trouble, "✖")
        } else {
            (Role::Accent, "●")
        };
        let line = Line::from(vec![
            span(self.theme, role, format!(" {mark} ")),
            span(self.theme, role, &self.text),
        ]);
        paint(buf, area, &line);
    }
}

/// One polite sentence.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TooSmall {
    /// Columns and rows there are.
    pub size: (u16, u16),
    /// Colours.
    pub theme: Theme,
}

impl Widget for &TooSmall {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let (columns, rows) = self.size;
        let text =
            format!("amr-top needs a terminal of 40×10 or more; this one is {columns}×{rows}.");
        let lines = wrap(&text, usize::from(area.width));
        for (line, row) in lines.iter().zip(area.rows()) {
            paint(
                buf,
                row,
                &Line::from(span(self.theme, Role::Text, line.as_str())),
            );
        }
    }
}
