//! Panel 5: memory against the limit.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::fields::{Field, Fields};
use super::frame::Frame;
use super::graph::{Graph, Series};
use super::text::{below, paint, span, top, width};
use super::theme::{Role, Theme};
use crate::format;
use crate::model::Limit;

/// The panel.
#[derive(Clone, Debug)]
pub(crate) struct Eviction<'a> {
    /// Border, title, focus.
    pub frame: Frame<'a>,
    /// A server has answered.
    pub answered: bool,
    /// What is compared with the limit.
    pub counted_bytes: Option<u64>,
    /// Share of the limit, 1.0 = full.
    pub share: Option<f64>,
    /// The limit.
    pub limit: Limit,
    /// The eviction policy.
    pub policy: Option<String>,
    /// The policy is the user's word.
    pub policy_assumed: bool,
    /// Evictions a second.
    pub evicted_rate: Option<f64>,
    /// Evictions since start or RESETSTAT.
    pub evicted: Option<u64>,
    /// Highest use since start.
    pub peak_bytes: Option<u64>,
    /// Data.
    pub dataset_bytes: Option<u64>,
    /// Buffers.
    pub buffers_bytes: Option<u64>,
    /// Resident set.
    pub rss_bytes: Option<u64>,
    /// Used, but not compared with the limit.
    pub not_counted_bytes: Option<u64>,
    /// Memory of the machine.
    pub system_bytes: Option<u64>,
    /// Milliseconds over the limit since start.
    pub over_ms: Option<u64>,
    /// Milliseconds over the limit without a break until now.
    pub over_now_ms: Option<u64>,
    /// Counted bytes over time.
    pub series: Series,
    /// Evictions a second over time.
    pub evictions: Series,
    /// Colours.
    pub theme: Theme,
}

impl Eviction<'_> {
    fn limit(&self) -> String {
        match self.limit {
            Limit::Bytes(n) => format!("of {}", format::bytes(n)),
            Limit::Assumed(n) => format!("of {} assumed", format::bytes(n)),
            Limit::Unlimited => "no limit set (maxmemory 0)".to_owned(),
            Limit::NotExposed => "maxmemory not exposed by this server".to_owned(),
        }
    }

    /// `used  2.44 GB of 4.00 GB  ██████▌░░░  61.0 %`
    fn bar(&self, room: usize) -> Line<'static> {
        let theme = self.theme;
        let used = format::bytes_or(self.counted_bytes);
        let mut spans = vec![
            span(theme, Role::Label, "used  "),
            span(theme, Role::Strong, used),
            span(theme, Role::Text, format!(" {}", self.limit())),
        ];
        let taken: usize = spans.iter().map(|span| width(&span.content)).sum();
        let Some(share) = self.share else {
            return Line::from(spans);
        };
        let percent = format::share(share);
        let cells = room.saturating_sub(taken + 4 + width(&percent)).min(60);
        let role = match share {
            s if s >= 0.98 => Role::Trouble,
            _ => Role::Fill,
        };
        if cells >= 6 {
            let full = super::graph::gauge(share.min(1.0), cells);
            let rest = "░".repeat(cells.saturating_sub(width(&full)));
            spans.push(span(theme, Role::Text, "  "));
            spans.push(span(theme, role, full));
            spans.push(span(theme, Role::Rest, rest));
        }
        let role = if role == Role::Trouble {
            role
        } else {
            Role::Strong
        };
        spans.push(span(theme, role, format!("  {percent}")));
        Line::from(spans)
    }

    fn over(&self) -> Field {
        let ms = |ms: u64| format::duration(std::time::Duration::from_millis(ms));
        match (self.limit, self.over_now_ms, self.over_ms) {
            (limit, Some(now), _) if now > 0 && limit != Limit::Unlimited => {
                Field::new("over limit", format!("now, for {}", ms(now))).role(Role::Trouble)
            }
            (_, _, Some(0)) => Field::new("over limit", "never"),
            (_, _, Some(total)) => Field::new("over limit", format!("{} in all", ms(total))),
            (Limit::Unlimited, _, None) => Field::new("over limit", "no limit"),
            (_, _, None) => Field::new("over limit", format::UNKNOWN),
        }
    }

    fn fields(&self) -> Vec<Field> {
        let policy = match &self.policy {
            Some(policy) if self.policy_assumed => format!("{policy} (assumed)"),
            Some(policy) => policy.clone(),
            None => format::UNKNOWN.to_owned(),
        };
        let evicting = self.evicted_rate.is_some_and(|rate| rate > 0.0);
        let role = if evicting { Role::Trouble } else { Role::Text };
        let mut fields = vec![
            Field::new("policy", policy),
            Field::new("evicted", format::rate_or(self.evicted_rate)).role(role),
            self.over(),
            Field::new("since start", format::count_or(self.evicted)),
            Field::new("dataset", format::bytes_or(self.dataset_bytes)),
            Field::new("peak", format::bytes_or(self.peak_bytes)),
            Field::new("buffers", format::bytes_or(self.buffers_bytes)),
            Field::new("rss", format::bytes_or(self.rss_bytes)),
            Field::new("not counted", format::bytes_or(self.not_counted_bytes)),
        ];
        if self.system_bytes.is_some() {
            fields.push(Field::new("machine", format::bytes_or(self.system_bytes)));
        }
        fields
    }
}

impl Widget for &Eviction<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let inner = self.frame.draw(area, buf);
        if !self.answered {
            return super::notice::waiting(self.theme, inner, buf);
        }
        paint(buf, inner, &self.bar(usize::from(inner.width)));
        let rest = below(inner, 1);
        let fields = self.fields();
        let fields = Fields {
            all: &fields,
            columns: 2,
            theme: self.theme,
        };
        let rows = fields.height(rest.width);
        let graph_rows = rest.height.saturating_sub(rows + 1);
        if graph_rows < Graph::MIN_HEIGHT {
            return fields.render(rest, buf);
        }
        fields.render(top(rest, rows), buf);
        let graph = Graph {
            series: &self.series,
            ceiling: self.limit.bytes().map(|n| n as f64),
            label: format::bytes,
            theme: self.theme,
        };
        let graphs = below(rest, rest.height - graph_rows);
        let second =
            super::graph::second(graphs, "evicted a second", &self.evictions, self.theme, buf);
        graph.render(second, buf);
    }
}
