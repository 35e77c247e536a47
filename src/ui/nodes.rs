//! Panel n: the nodes of a deployment, one a row, and a strip on which the one that is in trouble
//! stands out among a hundred.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::frame::Frame;
use super::table::{Cell, Column, Table};
use super::text::{below, height, paint, span, top};
use super::theme::{Role, Theme};
use crate::diagnosis::Level;
use crate::format;

/// How a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing was heard yet.
    Connecting,
    /// It does not answer, for so long.
    Silent(Duration),
    /// It was announced and never reached.
    Unreached,
    /// It loads a data set.
    Loading,
    /// It answers; what needs a human most there, by level and title.
    Answers(Option<(Level, &'static str)>),
}

impl State {
    /// A sign that tells them apart without colour.
    fn sign(&self) -> (&'static str, Role) {
        match self {
            Self::Connecting => ("○", Role::Dim),
            Self::Silent(_) => ("✖", Role::Trouble),
            Self::Unreached => ("?", Role::Trouble),
            Self::Loading => ("…", Role::Level(Level::AtRisk)),
            Self::Answers(Some((level, _))) => (level.symbol(), Role::Level(*level)),
            Self::Answers(None) => ("·", Role::Good),
        }
    }

    /// What needs a human first has the lowest.
    fn rank(&self) -> u8 {
        match self {
            Self::Silent(_) => 0,
            Self::Answers(Some((level, _))) => 1 + *level as u8,
            Self::Unreached => 6,
            Self::Loading => 7,
            Self::Connecting => 8,
            Self::Answers(None) => 9,
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Connecting => "connecting".into(),
            Self::Silent(since) => format!("silent {}", format::seconds(since.as_secs())),
            Self::Unreached => "never reached".into(),
            Self::Loading => "loading".into(),
            Self::Answers(Some((_, title))) => title.to_lowercase(),
            Self::Answers(None) => "well".into(),
        }
    }
}

/// One node.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NodeRow {
    /// Its address, or what stands for it.
    pub node: String,
    /// Its readings are in the other panels.
    pub is_shown: bool,
    /// Primary or replica.
    pub role: &'static str,
    /// The number of its shard, from 1.
    pub shard: usize,
    /// Slots of the cluster that it holds.
    pub slots: Option<u64>,
    /// Keys.
    pub keys: Option<u64>,
    /// Bytes that count against the limit.
    pub used_bytes: Option<u64>,
    /// Their share of the limit.
    pub share: Option<f64>,
    /// Commands a second.
    pub ops: Option<f64>,
    /// Keys a second whose TTL ran out.
    pub expired: Option<f64>,
    /// Keys a second that were evicted.
    pub evicted: Option<f64>,
    /// Of a replica: bytes behind its primary.
    pub lag_bytes: Option<u64>,
    /// Of a replica: its link is up.
    pub link: Option<bool>,
    /// Seconds since its process started.
    pub uptime_s: Option<u64>,
    /// How it is.
    pub state: State,
}

impl NodeRow {
    fn cells(&self) -> Vec<Cell> {
        let (sign, role) = self.state.sign();
        let mark = if self.is_shown { "▸" } else { " " };
        let name = if self.is_shown {
            Role::Accent
        } else {
            Role::Strong
        };
        let number = |n: Option<u64>| (format::count_or(n), Role::Text);
        let rate = |n: Option<f64>| (format::rate_or(n), Role::Text);
        let evicts = self.evicted.is_some_and(|rate| rate > 0.0);
        let used = match (self.used_bytes, self.share) {
            (Some(used), Some(share)) => {
                format!("{} {}", format::bytes(used), format::share(share))
            }
            (used, _) => format::bytes_or(used),
        };
        let link = match self.link {
            Some(true) => ("up".to_owned(), Role::Text),
            Some(false) => ("down".to_owned(), Role::Trouble),
            None => (String::new(), Role::Dim),
        };
        let lag = if self.link.is_some() {
            format::bytes_or(self.lag_bytes)
        } else {
            String::new()
        };
        vec![
            (format!("{mark}{}", self.node), name),
            (format!("{sign} {}", self.state.words()), role),
            (self.role.to_owned(), Role::Text),
            (self.shard.to_string(), Role::Dim),
            (
                self.slots.map_or_else(String::new, format::count),
                Role::Text,
            ),
            number(self.keys),
            (
                used,
                if self.share.is_some_and(|s| s > 0.95) {
                    Role::Level(Level::AtRisk)
                } else {
                    Role::Text
                },
            ),
            rate(self.ops),
            rate(self.expired),
            (
                format::rate_or(self.evicted),
                if evicts {
                    Role::Level(Level::Confirmed)
                } else {
                    Role::Text
                },
            ),
            (lag, Role::Text),
            link,
            (format::seconds_or(self.uptime_s), Role::Dim),
        ]
    }
}

const COLUMNS: [Column; 13] = [
    Column::text("node", 16, 40, 0),
    Column::text("state", 14, 22, 0),
    Column::text("role", 7, 7, 1),
    Column::number("shard", 5, 9),
    Column::number("slots", 6, 8),
    Column::number("keys", 9, 2),
    Column::number("used", 11, 3),
    Column::number("ops/s", 6, 6),
    Column::number("exp/s", 6, 7),
    Column::number("evict/s", 7, 4),
    Column::number("behind", 8, 5),
    Column::text("link", 4, 4, 10),
    Column::number("up", 7, 11),
];

/// From so many nodes on there is a strip.
const STRIP: usize = 7;

/// The panel.
#[derive(Clone, Debug)]
pub(crate) struct Nodes<'a> {
    /// Border, title, focus.
    pub frame: Frame<'a>,
    /// What all primaries have together.
    pub total: String,
    /// The filter, and whether it is being typed; `None` for none.
    pub filter: Option<(&'a str, bool)>,
    /// Rows in their order.
    pub rows: Vec<NodeRow>,
    /// Selected row.
    pub selected: Option<usize>,
    /// Colours.
    pub theme: Theme,
}

impl Nodes<'_> {
    /// Rows with which everything is in sight.
    pub(crate) fn full_height(&self) -> u16 {
        let extra = usize::from(self.has_strip()) + usize::from(self.filter.is_some());
        height(self.rows.len() + 3 + extra)
    }

    fn has_strip(&self) -> bool {
        self.rows.len() >= STRIP
    }

    /// One sign a node, in the order of the rows. Where there are more than have room, one for each
    /// few: the worst of them, so that none is overlooked.
    fn strip(&self, room: usize) -> Line<'static> {
        let each = self.rows.len().div_ceil(room.saturating_sub(5).max(1));
        let signs = self.rows.chunks(each.max(1)).filter_map(|rows| {
            let worst = rows.iter().min_by_key(|row| row.state.rank())?;
            let (sign, role) = worst.state.sign();
            Some(span(self.theme, role, sign))
        });
        let mut spans: Vec<Span<'static>> = signs.collect();
        if each > 1 {
            spans.push(span(self.theme, Role::Dim, format!(" ×{each}")));
        }
        Line::from(spans)
    }
}

impl Widget for &Nodes<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let frame = Frame {
            remark: &self.total,
            ..self.frame.clone()
        };
        let mut inner = frame.draw(area, buf);
        if let Some((filter, typing)) = self.filter {
            let cursor = if typing { "▏" } else { "" };
            let line = Line::from(vec![
                span(self.theme, Role::Accent, "/ "),
                span(self.theme, Role::Strong, format!("{filter}{cursor}")),
                span(
                    self.theme,
                    Role::Dim,
                    format!("  {} match", self.rows.len()),
                ),
            ]);
            paint(buf, inner, &line);
            inner = below(inner, 1);
        }
        if self.has_strip() && inner.height > 3 {
            paint(buf, top(inner, 1), &self.strip(usize::from(inner.width)));
            inner = below(inner, 1);
        }
        let rows: Vec<Vec<Cell>> = self.rows.iter().map(NodeRow::cells).collect();
        Table {
            columns: &COLUMNS,
            rows: &rows,
            selected: self.selected,
            theme: self.theme,
        }
        .render(inner, buf);
    }
}
