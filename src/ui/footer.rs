//! The last line: the keys that work here; and the strip of panels on a small screen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::text::{paint, span, width};
use super::theme::{Role, Theme};
use crate::app::Panel;

/// The keys that work where the user is, most important first.
#[derive(Clone, Debug)]
pub(crate) struct Footer {
    /// Keys and what they do.
    pub hints: Vec<(&'static str, &'static str)>,
    /// Colours.
    pub theme: Theme,
}

impl Widget for &Footer {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let mut spans: Vec<Span<'static>> = Vec::new();
        let mut taken = 0;
        for (keys, what) in &self.hints {
            let wide = width(keys) + width(what) + 4;
            if taken + wide > usize::from(area.width) + 1 {
                break;
            }
            taken += wide;
            let lead = if spans.is_empty() { " " } else { "  " };
            spans.push(span(self.theme, Role::Accent, format!("{lead}{keys}")));
            spans.push(span(self.theme, Role::Label, format!(" {what}")));
        }
        paint(buf, area, &Line::from(spans));
    }
}

/// The panels that share one place on a small screen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tabs {
    /// The one that is shown.
    pub shown: Panel,
    /// Colours.
    pub theme: Theme,
}

/// The word for a panel where room is short.
pub(crate) fn short_title(panel: Panel) -> &'static str {
    match panel {
        Panel::Causes => "Causes",
        Panel::Keyspace => "Keyspace",
        Panel::Eviction => "Eviction",
        Panel::Commands => "Commands",
        Panel::Replication => "Replication",
        Panel::Persistence => "Persistence",
        Panel::Changes => "Changes",
    }
}

impl Widget for &Tabs {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let mut spans: Vec<Span<'static>> = Vec::new();
        let tabs = || Panel::ALL.into_iter().skip(1);
        let wide: usize = tabs().map(|panel| width(short_title(panel)) + 4).sum();
        let terse = wide > usize::from(area.width) + 1;
        for panel in tabs() {
            let title = if terse && panel != self.shown {
                short_title(panel).chars().take(4).collect()
            } else {
                short_title(panel).to_owned()
            };
            let (key, text) = if panel == self.shown {
                (Role::Accent, Role::Accent)
            } else {
                (Role::Dim, Role::Label)
            };
            spans.push(span(self.theme, key, format!(" {}", panel as u8 + 1)));
            spans.push(span(self.theme, text, format!(" {title} ")));
        }
        paint(buf, area, &Line::from(spans));
    }
}
