//! The first line: which server, whether it answers, what moment is shown.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::text::{fit, height, paint, span, width};
use super::theme::{Role, Theme};
use crate::format;

/// Whether what is shown is the present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing has been heard yet.
    Connecting,
    /// Polls are answered and shown.
    Live,
    /// An earlier moment is shown.
    Paused,
    /// The last poll failed.
    Lost,
}

/// The line.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    /// The server's address, or what stands in its place.
    pub target: String,
    /// Product and version.
    pub product: String,
    /// Primary or replica.
    pub role: &'static str,
    /// Whether what is shown is the present.
    pub standing: Standing,
    /// Time between polls.
    pub interval: Duration,
    /// Time of the poll that is shown.
    pub time: Option<String>,
    /// Its age.
    pub age: Option<Duration>,
    /// Seconds since the server's process started.
    pub uptime_s: Option<u64>,
    /// Colours.
    pub theme: Theme,
}

impl Header {
    fn badge(&self) -> Span<'static> {
        let (role, text) = match self.standing {
            Standing::Connecting => (Role::Trouble, "○ connecting"),
            Standing::Live => (Role::Good, "● live"),
            Standing::Paused => (Role::Banner, "‖ paused"),
            Standing::Lost => (Role::Alarm, "✖ lost"),
        };
        span(self.theme, role, text)
    }

    /// From the right: what goes last when room is short comes first.
    fn right(&self, level: usize) -> Vec<Span<'static>> {
        let theme = self.theme;
        let mut spans = vec![self.badge()];
        let mut add = |role: Role, text: String| {
            spans.push(span(theme, role, format!("  {text}")));
        };
        if level < 2 {
            add(
                Role::Label,
                format!("every {}", format::duration(self.interval)),
            );
        }
        if let Some(time) = &self.time {
            add(Role::Strong, time.clone());
            if level < 4 {
                add(Role::Label, "UTC".to_owned());
            }
        }
        if let Some(age) = self.age.filter(|_| level < 3) {
            add(Role::Label, format::ago(age));
        }
        if let Some(uptime) = self.uptime_s.filter(|_| level < 1) {
            add(Role::Label, format!("up {}", format::seconds(uptime)));
        }
        spans.push(Span::raw(" "));
        spans
    }

    fn left(&self, room: usize) -> Vec<Span<'static>> {
        let theme = self.theme;
        let name = " amr-top";
        let rest = width(name) + width(&self.product) + width(self.role) + 6;
        let target = fit(&self.target, room.saturating_sub(rest).max(12)).into_owned();
        let mut spans = vec![
            span(theme, Role::Accent, name),
            span(theme, Role::Strong, format!("  {target}")),
        ];
        if !self.product.is_empty() {
            spans.push(span(theme, Role::Text, format!("  {}", self.product)));
        }
        if !self.role.is_empty() {
            spans.push(span(theme, Role::Text, format!("  {}", self.role)));
        }
        spans
    }
}

fn total(spans: &[Span<'_>]) -> usize {
    spans.iter().map(|span| width(&span.content)).sum()
}

impl Widget for &Header {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let room = usize::from(area.width);
        // A long name may be cut, but not for the sake of the uptime.
        let name = width(&self.target).saturating_sub(12).min(18);
        let needed = total(&self.left(0)).max(30) + name;
        let right = (0..5)
            .map(|level| self.right(level))
            .find(|spans| total(spans) + needed + 2 <= room)
            .unwrap_or_else(|| self.right(5));
        let right_width = height(total(&right)).min(area.width);
        let left_area = Rect {
            width: (area.width - right_width).saturating_sub(1),
            ..area
        };
        let right_area = Rect {
            x: area.right() - right_width,
            width: right_width,
            ..area
        };
        let left = self.left(usize::from(left_area.width));
        paint(buf, left_area, &Line::from(left));
        paint(buf, right_area, &Line::from(right));
    }
}
