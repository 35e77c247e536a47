//! Panel 7: replicas, link, offsets, backlog.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::fields::{Field, Fields};
use super::frame::Frame;
use super::graph::{Graph, Series};
use super::table::{Cell, Column, Table};
use super::text::{below, height, paint, span, top, width};
use super::theme::{Role, Theme};
use crate::diagnosis::Level;
use crate::format;

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
    /// The same as seconds of writes at the rate of the last minute.
    pub behind_s: Option<f64>,
    /// The same as a number of writes, by what a write took lately.
    pub behind_writes: Option<u64>,
    /// The same as a number of new keys, by how many came lately.
    pub behind_keys: Option<u64>,
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
    /// On a replica: its link.
    pub link: Option<Link>,
    /// Replicas connected.
    pub connected: Option<u64>,
    /// Bytes of the stream so far.
    pub offset: Option<u64>,
    /// Bytes of the stream that the backlog holds.
    pub backlog_bytes: Option<u64>,
    /// Seconds of writes that a full backlog covers at the rate of the last minute.
    pub backlog_s: Option<f64>,
    /// Full resynchronisations served.
    pub full_syncs: Option<u64>,
    /// Partial resynchronisations served and refused.
    pub partial_syncs: (Option<u64>, Option<u64>),
    /// A failover is under way.
    pub failover: Option<String>,
    /// Replicas that `min-replicas-to-write` counts; `None` where that is off.
    pub good_replicas: Option<u64>,
    /// Replicas.
    pub replicas: Vec<ReplicaRow>,
    /// Selected row.
    pub selected: Option<usize>,
    /// Bytes that the last replica is behind, over time.
    pub series: Series,
    /// Colours.
    pub theme: Theme,
}

/// From here on it is more than what is on its way: acknowledgements come once a second.
const EXPOSED_BYTES: u64 = 1 << 20;

const COLUMNS: [Column; 9] = [
    Column::text("replica", 10, 40, 0),
    Column::text("state", 6, 12, 1),
    Column::number("offset", 11, 6),
    Column::number("behind", 8, 0),
    Column::number("≈ writes", 8, 5),
    Column::number("≈ keys", 7, 7),
    Column::number("lag", 6, 3),
    Column::number("heard", 7, 2),
    Column::text("backlog", 7, 16, 4),
];

impl Replication<'_> {
    fn fields(&self) -> Vec<Field> {
        let refused = match self.partial_syncs.1 {
            Some(n) if n > 0 => format!(", {} refused", format::count(n)),
            _ => String::new(),
        };
        let syncs = format!(
            "{} full, {} partial{refused}",
            format::count_or(self.full_syncs),
            format::count_or(self.partial_syncs.0),
        );
        let mut fields = match &self.link {
            Some(link) => link_fields(link),
            None => vec![
                Field::new("replicas", format::count_or(self.connected)).role(Role::Strong),
                Field::new("syncs", syncs.clone()),
                Field::new("offset", format::count_or(self.offset)),
                Field::new("backlog", self.backlog()),
            ],
        };
        if self.link.is_some() {
            fields.push(Field::new("syncs", syncs));
        }
        if let Some(good) = self.good_replicas {
            let few = good == 0;
            let words = format!("{} (min-replicas-to-write)", format::count(good));
            let role = if few { Role::Trouble } else { Role::Text };
            fields.push(Field::new("in sync", words).role(role));
        }
        if let Some(state) = &self.failover {
            fields.push(Field::new("failover", state.clone()).role(Role::Trouble));
        }
        fields
    }

    fn backlog(&self) -> String {
        let size = format::bytes_or(self.backlog_bytes);
        match self.backlog_s {
            Some(s) => format!("{size} ≈ {}", format::seconds(format::whole(s))),
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
                    (format::count_or(row.behind_writes), Role::Text),
                    (format::count_or(row.behind_keys), Role::Text),
                    (
                        known(row.behind_s.map(|s| match s {
                            s if s < 0.5 => "0 s".to_owned(),
                            s => format!("{} s", format::count(format::whole(s))),
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

impl Replication<'_> {
    fn say(&self, area: Rect, buf: &mut Buffer, text: &str) {
        paint(buf, area, &Line::from(span(self.theme, Role::Dim, text)));
    }

    /// What no replica has: of those that receive the stream, the one that is least behind decides.
    fn exposed(&self, room: u16) -> Option<Line<'static>> {
        let online = self.replicas.iter().filter(|row| row.online);
        let nearest = online.min_by_key(|row| row.behind_bytes.unwrap_or(u64::MAX))?;
        let bytes = nearest.behind_bytes?;
        if bytes == 0 {
            return None;
        }
        let role = if bytes >= EXPOSED_BYTES {
            Role::Level(Level::AtRisk)
        } else {
            Role::Dim
        };
        let told = |n: Option<u64>, what| {
            let n = n.filter(|n| *n > 0);
            n.map(|n| format::plural(n, what))
        };
        let counts = [
            told(nearest.behind_writes, "write"),
            told(nearest.behind_keys, "new key"),
        ];
        let counts: Vec<String> = counts.into_iter().flatten().collect();
        let bytes = format::bytes(bytes);
        let about = match counts.join(" and ") {
            about if about.is_empty() => about,
            about => format!(", about {about},"),
        };
        let long = format!("if this primary dies now, {bytes}{about} are on no replica");
        let text = if width(&long) <= usize::from(room) {
            long
        } else {
            let about = match counts.join(", ") {
                about if about.is_empty() => about,
                about => format!(" ≈ {about}"),
            };
            format!("on no replica: {bytes}{about}")
        };
        Some(Line::from(span(self.theme, role, text)))
    }

    fn replicas(&self, mut area: Rect, buf: &mut Buffer) {
        if let Some(line) = self.exposed(area.width).filter(|_| area.height > 2) {
            paint(buf, top(area, 1), &line);
            area = below(area, 1);
        }
        let cells = self.rows();
        let table = Table {
            columns: &COLUMNS,
            rows: &cells,
            selected: self.selected,
            theme: self.theme,
        };
        let wanted = height(table.height());
        table.render(area, buf);
        if area.height.saturating_sub(wanted + 1) > Graph::MIN_HEIGHT {
            let under = below(area, wanted + 1);
            self.say(under, buf, "bytes that the slowest replica is behind");
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

impl Widget for &Replication<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let inner = self.frame.draw(area, buf);
        if !self.answered {
            return super::notice::waiting(self.theme, inner, buf);
        }
        if self.hidden {
            let hidden = format!("replicas, offsets, links: {}", format::NOT_EXPOSED);
            self.say(inner, buf, &hidden);
            let advice = "the service replicates behind its proxy; see its own metrics";
            return self.say(below(inner, 1), buf, advice);
        }
        let fields = self.fields();
        let fields = Fields {
            all: &fields,
            columns: 2,
            theme: self.theme,
        };
        // Replicas come first: the fields give way to them.
        let table_rows = height(self.replicas.len() + 1).min(4);
        let spared = inner.height.saturating_sub(table_rows);
        let rows = fields.height(inner.width).min(spared);
        fields.render(top(inner, rows), buf);
        let rest = below(inner, rows);
        if !self.replicas.is_empty() {
            self.replicas(rest, buf);
        } else if self.link.is_none() {
            let text = "no replica is connected: if this node dies, only its disk has a copy";
            self.say(rest, buf, text);
        }
    }
}
