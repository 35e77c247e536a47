//! Panel 5: replicas, link, offsets, backlog.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::fields::{Field, Fields};
use super::format;
use super::frame::Frame;
use super::graph::{Graph, Series};
use super::table::{Cell, Column, Table};
use super::text::{below, height, paint, span, top};
use super::theme::{Role, Theme};

/// One replica as its primary sees it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ReplicaRow {
    /// Its address, or a number in its place.
    pub address: String,
    /// `online`, `send_bulk`, …
    pub state: String,
    /// Whether it receives the stream.
    pub online: bool,
    /// Last acknowledged offset.
    pub offset: Option<u64>,
    /// Bytes of the stream that it has not acknowledged.
    pub behind_bytes: Option<u64>,
    /// The same as seconds of writes at the present rate.
    pub behind_s: Option<f64>,
    /// Seconds since its last acknowledgement.
    pub ack_age_s: Option<u64>,
    /// The backlog holds what it lacks: it can catch up without a full synchronisation.
    pub covered: Option<bool>,
}

/// What a replica knows of its link.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Link {
    /// Its primary's address.
    pub primary: Option<String>,
    /// The link is up.
    pub up: Option<bool>,
    /// Seconds since it went down.
    pub down_s: Option<u64>,
    /// Seconds since the primary was heard.
    pub heard_s: Option<u64>,
    /// A full synchronisation runs.
    pub syncing: Option<bool>,
    /// Bytes of the stream received.
    pub received: Option<u64>,
    /// Bytes of the stream applied.
    pub applied: Option<u64>,
    /// Writes are refused.
    pub read_only: Option<bool>,
}

/// The panel.
#[derive(Clone, Debug)]
pub(crate) struct Replication<'a> {
    /// Border, title, focus.
    pub frame: Frame<'a>,
    /// A server has answered.
    pub answered: bool,
    /// A proxy answers, which hides replication.
    pub hidden: bool,
    /// Primary, replica, unknown.
    pub role: &'static str,
    /// On a replica: its link.
    pub link: Option<Link>,
    /// Replicas connected.
    pub connected: Option<u64>,
    /// Bytes of the stream so far.
    pub offset: Option<u64>,
    /// Bytes of the stream that the backlog holds.
    pub backlog_bytes: Option<u64>,
    /// Seconds of writes that a full backlog covers at the present rate.
    pub backlog_s: Option<f64>,
    /// Full resynchronisations served.
    pub full_syncs: Option<u64>,
    /// Partial resynchronisations served and refused.
    pub partial_syncs: (Option<u64>, Option<u64>),
    /// A failover is under way.
    pub failover: Option<String>,
    /// Replicas.
    pub replicas: Vec<ReplicaRow>,
    /// Selected row.
    pub selected: Option<usize>,
    /// Bytes that the last replica is behind, over time.
    pub series: Series,
    /// Colours.
    pub theme: Theme,
}

const COLUMNS: [Column; 7] = [
    Column::text("replica", 10, 40, 0),
    Column::text("state", 6, 12, 1),
    Column::number("offset", 11, 6),
    Column::number("behind", 8, 0),
    Column::number("lag", 6, 3),
    Column::number("heard", 7, 2),
    Column::text("backlog", 7, 16, 4),
];

impl Replication<'_> {
    fn fields(&self) -> Vec<Field> {
        let syncs = format!(
            "{} full, {} partial, {} refused",
            format::count_or(self.full_syncs),
            format::count_or(self.partial_syncs.0),
            format::count_or(self.partial_syncs.1)
        );
        let mut fields = match &self.link {
            Some(link) => link_fields(link),
            None => vec![
                Field::new("replicas", format::count_or(self.connected)).role(Role::Strong),
                Field::new("offset", format::count_or(self.offset)),
                Field::new("backlog", self.backlog()),
            ],
        };
        fields.push(Field::new("syncs", syncs));
        if let Some(state) = &self.failover {
            fields.push(Field::new("failover", state.clone()).role(Role::Trouble));
        }
        fields
    }

    fn backlog(&self) -> String {
        let size = format::bytes_or(self.backlog_bytes);
        match self.backlog_s {
            Some(s) => format!(
                "{size}, about {} of writes",
                format::seconds(s.round() as u64)
            ),
            None => size,
        }
    }

    fn rows(&self) -> Vec<Vec<Cell>> {
        let known = |text: Option<String>| text.unwrap_or_else(|| format::UNKNOWN.to_owned());
        self.replicas
            .iter()
            .map(|row| {
                let state = if row.online {
                    Role::Good
                } else {
                    Role::Trouble
                };
                let late = row.ack_age_s.is_some_and(|s| s >= 10);
                let covered = match row.covered {
                    Some(true) => ("enough", Role::Text),
                    Some(false) => ("too short", Role::Trouble),
                    None => (format::UNKNOWN, Role::Dim),
                };
                vec![
                    (row.address.clone(), Role::Text),
                    (row.state.clone(), state),
                    (format::count_or(row.offset), Role::Text),
                    (format::bytes_or(row.behind_bytes), Role::Strong),
                    (
                        known(row.behind_s.map(|s| match s {
                            s if s < 0.5 => "0 s".to_owned(),
                            s => format!("{} s", format::count(s.round() as u64)),
                        })),
                        Role::Text,
                    ),
                    (
                        known(row.ack_age_s.map(format::seconds)),
                        if late { Role::Trouble } else { Role::Text },
                    ),
                    (covered.0.to_owned(), covered.1),
                ]
            })
            .collect()
    }
}

fn link_fields(link: &Link) -> Vec<Field> {
    let state = match (link.up, link.syncing, link.down_s) {
        (_, Some(true), _) => Field::new("link", "full synchronisation").role(Role::Trouble),
        (Some(true), _, _) => Field::new("link", "up").role(Role::Good),
        (Some(false), _, Some(s)) => {
            Field::new("link", format!("DOWN for {}", format::seconds(s))).role(Role::Trouble)
        }
        (Some(false), _, None) => Field::new("link", "DOWN").role(Role::Trouble),
        (None, ..) => Field::new("link", format::UNKNOWN),
    };
    let heard = link.heard_s.map_or_else(
        || format::UNKNOWN.to_owned(),
        |s| format!("{} ago", format::seconds(s)),
    );
    let writes = match link.read_only {
        Some(true) => "refused (read-only)",
        Some(false) => "accepted",
        None => format::UNKNOWN,
    };
    let waiting = match (link.received, link.applied) {
        (Some(received), Some(applied)) => format::bytes(received.saturating_sub(applied)),
        _ => format::UNKNOWN.to_owned(),
    };
    vec![
        Field::new(
            "primary",
            link.primary
                .clone()
                .unwrap_or_else(|| format::UNKNOWN.to_owned()),
        )
        .role(Role::Strong),
        state,
        Field::new("heard", heard),
        Field::new("received", format::count_or(link.received)),
        Field::new("applied", format::count_or(link.applied)),
        Field::new("not applied", waiting),
        Field::new("writes", writes),
    ]
}

impl Widget for &Replication<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let inner = self.frame.draw(area, buf);
        let say = |area: Rect, buf: &mut Buffer, text: String| {
            paint(buf, area, &Line::from(span(self.theme, Role::Dim, text)));
        };
        if !self.answered {
            return super::notice::waiting(self.theme, inner, buf);
        }
        if self.hidden {
            say(
                inner,
                buf,
                format!("replicas, offsets, links: {}", format::NOT_EXPOSED),
            );
            let advice = "the service replicates behind its proxy; see its own metrics";
            return say(below(inner, 1), buf, advice.to_owned());
        }
        let fields = self.fields();
        let fields = Fields {
            fields: &fields,
            columns: 2,
            theme: self.theme,
        };
        let rows = fields.height(inner.width);
        fields.render(top(inner, rows), buf);
        let rest = below(inner, rows);
        if self.replicas.is_empty() {
            if self.link.is_none() {
                let text = "no replica is connected: if this node dies, only its disk has a copy";
                say(rest, buf, text.to_owned());
            }
            return;
        }
        let cells = self.rows();
        let table = Table {
            columns: &COLUMNS,
            rows: &cells,
            selected: self.selected,
            theme: self.theme,
        };
        let wanted = height(table.height());
        let spare = rest.height.saturating_sub(wanted + 1);
        table.render(rest, buf);
        if spare >= Graph::MIN_HEIGHT + 1 {
            let under = below(rest, wanted + 1);
            say(
                under,
                buf,
                "bytes that the slowest replica is behind".to_owned(),
            );
            let graph = Graph {
                series: &self.series,
                ceiling: None,
                label: format::bytes,
                theme: self.theme,
            };
            graph.render(below(under, 1), buf);
        }
    }
}
