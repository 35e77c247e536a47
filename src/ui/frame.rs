//! The frame around a panel: border, title, a remark on the right, the focus.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Block, BorderType, Borders, Padding, Widget};

use super::text::span;
use super::theme::{Role, Theme};

/// A border with a title.
#[derive(Clone, Debug)]
pub(crate) struct Frame<'a> {
    /// The key that focuses the panel, if one does.
    pub key: Option<char>,
    /// The title.
    pub title: &'a str,
    /// A few words on the right.
    pub remark: &'a str,
    /// Whether the panel has the focus.
    pub focused: bool,
    /// Colours.
    pub theme: Theme,
}

impl Frame<'_> {
    /// Draws the frame and returns what is inside.
    pub(crate) fn draw(&self, area: Rect, buf: &mut Buffer) -> Rect {
        let theme = self.theme;
        let border = if self.focused {
            Role::FocusBorder
        } else {
            Role::Border
        };
        let heading = self.heading();
        let mut block = Block::bordered()
            .border_type(BorderType::Rounded)
            .border_style(theme.style(border))
            .padding(Padding::horizontal(1))
            .title_top(heading);
        let room = usize::from(area.width).saturating_sub(self.title.len() + 8);
        if !self.remark.is_empty() && room > super::text::width(self.remark) {
            let remark = span(theme, Role::Dim, format!(" {} ", self.remark));
            block = block.title_top(Line::from(remark).right_aligned());
        }
        let inner = block.inner(area);
        block.render(area, buf);
        inner
    }

    /// Draws the heading alone, for a panel that has no room; the key opens it.
    pub(crate) fn draw_closed(&self, area: Rect, buf: &mut Buffer) {
        Block::new()
            .borders(Borders::TOP)
            .border_style(self.theme.style(Role::Border))
            .title_top(self.heading())
            .render(area, buf);
    }

    fn heading(&self) -> Line<'static> {
        let title = if self.focused {
            Role::Accent
        } else {
            Role::Title
        };
        let mut heading = Line::from(span(self.theme, Role::Border, ""));
        if let Some(key) = self.key {
            heading.push_span(span(self.theme, Role::Dim, format!(" {key}")));
        }
        heading.push_span(span(self.theme, title, format!(" {} ", self.title)));
        heading
    }
}
