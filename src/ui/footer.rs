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
pub(crate) struct Tabs<'a> {
    /// The one that is shown.
    pub shown: Panel,
    /// Panels that are not there.
    pub absent: &'a [Panel],
    /// Colours.
    pub theme: Theme,
}

impl Tabs<'_> {
    /// Words from the longest to the shortest form, and the blanks between them.
    fn words(self, panel: Panel) -> [&'static str; 3] {
        let (long, short) = match panel {
            Panel::Causes => ("Causes", "Causes"),
            Panel::Ledger => ("Ledger", "Ledger"),
            Panel::Incidents => ("Incidents", "Incidents"),
            Panel::Keyspace => ("Keyspace", "Keys"),
            Panel::Eviction => ("Eviction", "Eviction"),
            Panel::Commands => ("Commands", "Commands"),
            Panel::Replication => ("Replication", "Replicas"),
            Panel::Persistence => ("Persistence", "Disk"),
            Panel::Changes => ("Changes", "Changes"),
            Panel::Watched => ("Watched", "Watched"),
            Panel::Nodes => ("Nodes", "Nodes"),
        };
        [long, short, if panel == self.shown { short } else { "" }]
    }

    fn spans(self, form: usize) -> Vec<Span<'static>> {
        let blanks = if form == 0 { "  " } else { " " };
        let mut spans = Vec::new();
        let panels = Panel::ALL.into_iter().skip(1);
        for panel in panels.filter(|panel| !self.absent.contains(panel)) {
            let word = self.words(panel)[form];
            let (key, text) = if panel == self.shown {
                (Role::Accent, Role::Accent)
            } else {
                (Role::Dim, Role::Label)
            };
            let lead = if spans.is_empty() { " " } else { blanks };
            spans.push(span(self.theme, key, format!("{lead}{}", panel.key())));
            if !word.is_empty() {
                spans.push(span(self.theme, text, format!(" {word}")));
            }
        }
        spans
    }
}

impl Widget for &Tabs<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let wide = |line: &Line<'_>| line.width() <= usize::from(area.width);
        let forms = [0, 1, 2].map(|form| Line::from(self.spans(form)));
        let [.., least] = &forms;
        paint(
            buf,
            area,
            forms.iter().find(|line| wide(line)).unwrap_or(least),
        );
    }
}
