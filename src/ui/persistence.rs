//! Panel 8: the process, its files, and what would be lost if it died now.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::fields::{Field, Fields};
use super::frame::Frame;
use super::text::{below, height, paint, span, top, wrap};
use super::theme::{Role, Theme};
use crate::diagnosis::Level;
use crate::format;

/// The panel.
#[derive(Clone, Debug)]
pub(crate) struct Persistence<'a> {
    /// Border, title, focus.
    pub frame: Frame<'a>,
    /// A server has answered.
    pub answered: bool,
    /// A proxy answers: its persistence fields are not those of the shards.
    pub hidden: bool,
    /// Seconds since the process started.
    pub uptime_s: Option<u64>,
    /// Restarts seen while watching.
    pub restarts: usize,
    /// A data set is being read from disk.
    pub loading: bool,
    /// Percent of it that is done.
    pub loading_percent: Option<f64>,
    /// The last save worked.
    pub save_ok: Option<bool>,
    /// A save runs.
    pub saving: Option<bool>,
    /// Saves since start; `None` before 7.0.
    pub saves: Option<u64>,
    /// Seconds since the last save or the start.
    pub save_age_s: Option<u64>,
    /// Writes since then.
    pub unsaved: Option<u64>,
    /// AOF is on.
    pub aof: Option<bool>,
    /// AOF writes work.
    pub aof_ok: Option<bool>,
    /// Size of the AOF.
    pub aof_bytes: Option<u64>,
    /// An AOF rewrite runs.
    pub rewriting: Option<bool>,
    /// Connected replicas that are online.
    pub replicas: usize,
    /// Colours.
    pub theme: Theme,
}

impl Persistence<'_> {
    fn rdb(&self) -> Field {
        let never = self.saves == Some(0);
        match (self.save_ok, self.saving) {
            (Some(false), _) => Field::new("rdb", "FAILING").role(Role::Trouble),
            (_, Some(true)) => Field::new("rdb", "saving now"),
            (Some(true), _) if never => Field::new("rdb", "none saved since start"),
            (Some(true), _) => Field::new("rdb", "ok"),
            (None, _) => Field::new("rdb", format::UNKNOWN),
        }
    }

    fn aof(&self) -> Field {
        match (self.aof, self.aof_ok, self.aof_bytes) {
            (Some(true), Some(false), _) => Field::new("aof", "FAILING").role(Role::Trouble),
            (Some(true), _, _) if self.rewriting == Some(true) => {
                Field::new("aof", "on, rewriting")
            }
            (Some(true), _, Some(n)) => Field::new("aof", format!("on, {}", format::bytes(n))),
            (Some(true), ..) => Field::new("aof", "on"),
            (Some(false), ..) => Field::new("aof", "off"),
            (None, ..) => Field::new("aof", format::UNKNOWN),
        }
    }

    fn fields(&self) -> Vec<Field> {
        let restarts = match self.restarts {
            0 => Field::new("restarts seen", "none"),
            n => Field::new("restarts seen", n.to_string()).role(Role::Trouble),
        };
        let saved = match self.save_age_s {
            Some(s) if self.saves != Some(0) => format!("{} ago", format::seconds(s)),
            _ => format::UNKNOWN.to_owned(),
        };
        let mut fields = vec![
            Field::new("uptime", format::seconds_or(self.uptime_s)),
            restarts,
            self.rdb(),
            self.aof(),
            Field::new("unsaved", format::count_or(self.unsaved)),
            Field::new("last save", saved),
        ];
        if self.loading {
            let done = self.loading_percent.map_or_else(
                || "yes".to_owned(),
                |percent| format::share(percent / 100.0),
            );
            fields.push(Field::new("loading", done).role(Role::Trouble));
        }
        fields
    }

    /// What would be lost.
    fn if_it_died(&self) -> (String, Role) {
        if self.hidden {
            let text = format!("unknown: how the shards persist is {}", format::NOT_EXPOSED);
            return (text, Role::Dim);
        }
        let writes = |n: u64| {
            if n == 1 {
                "1 write".to_owned()
            } else {
                format!("{} writes", format::count(n))
            }
        };
        let age = self
            .save_age_s
            .map_or_else(String::new, |s| format!(" {} ago", format::seconds(s)));
        let (text, role) = match (self.aof, self.aof_ok, self.unsaved) {
            _ if self.loading => (
                "what it has not loaded yet is still on disk".to_owned(),
                Role::Text,
            ),
            (Some(true), Some(false), _) => (
                "every write since the AOF began to fail".to_owned(),
                Role::Trouble,
            ),
            (Some(true), ..) => (
                "about one second of writes (AOF is on; with appendfsync no, more)".to_owned(),
                Role::Text,
            ),
            (_, _, Some(0)) if self.saves == Some(0) && self.save_age_s.is_none() => (
                "nothing: nothing was written since it started".to_owned(),
                Role::Good,
            ),
            (_, _, Some(0)) => (
                "nothing: every write is in the last save".to_owned(),
                Role::Good,
            ),
            (_, _, Some(n)) if self.saves == Some(0) => (
                format!("{}: nothing was saved since it started", writes(n)),
                Role::Level(Level::AtRisk),
            ),
            (_, _, Some(n)) => (
                format!("{} since the last save{age}", writes(n)),
                Role::Level(Level::AtRisk),
            ),
            (_, _, None) => (format!("unknown: {}", format::NOT_EXPOSED), Role::Dim),
        };
        let copies = match self.replicas {
            0 => String::new(),
            1 => "; 1 replica has a copy".to_owned(),
            n => format!("; {n} replicas have a copy"),
        };
        (format!("{text}{copies}"), role)
    }
}

impl Widget for &Persistence<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let inner = self.frame.draw(area, buf);
        if !self.answered {
            return super::notice::waiting(self.theme, inner, buf);
        }
        let fields = self.fields();
        let fields = Fields {
            all: &fields,
            columns: 2,
            theme: self.theme,
        };
        let (text, role) = self.if_it_died();
        let lines = wrap(&format!("if it died now: {text}"), usize::from(inner.width));
        let rows = fields
            .height(inner.width)
            .min(inner.height.saturating_sub(height(lines.len())));
        fields.render(top(inner, rows), buf);
        for (line, row) in lines.iter().zip(below(inner, rows).rows()) {
            paint(buf, row, &Line::from(span(self.theme, role, line.as_str())));
        }
    }
}
