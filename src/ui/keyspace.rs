//! Panel 4: databases, keys with a TTL, expirations, keys over time.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::fields::{Field, Fields};
use super::frame::Frame;
use super::graph::{Graph, Series};
use super::table::{Cell, Column, Table};
use super::text::{below, paint, span, top, wrap};
use super::theme::{Role, Theme};
use crate::format;

/// One database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DbRow {
    /// Its number.
    pub index: u32,
    /// Keys now.
    pub keys: u64,
    /// Keys with a TTL.
    pub expires: u64,
    /// Average TTL; `None` where the server does not know it.
    pub avg_ttl_ms: Option<u64>,
    /// Keys more or fewer than at the left edge of the graph.
    pub change: Option<i128>,
}

/// The panel.
#[derive(Clone, Debug)]
pub(crate) struct Keyspace<'a> {
    /// Border, title, focus.
    pub frame: Frame<'a>,
    /// A server has answered.
    pub answered: bool,
    /// Keys in all databases.
    pub keys: Option<u64>,
    /// Keys with a TTL in all databases.
    pub expires: Option<u64>,
    /// Expirations a second.
    pub expired_rate: Option<f64>,
    /// Expirations since start or RESETSTAT.
    pub expired: Option<u64>,
    /// Hash fields expired since then.
    pub expired_fields: Option<u64>,
    /// A data set is being loaded: counts are partial.
    pub loading: bool,
    /// A replica does not count expirations of its own.
    pub replica: bool,
    /// What a sample of keys foretells, where one was taken.
    pub forecast: Option<String>,
    /// Databases.
    pub dbs: Vec<DbRow>,
    /// Selected row.
    pub selected: Option<usize>,
    /// Keys over time.
    pub series: Series,
    /// Expirations a second over time.
    pub expirations: Series,
    /// Colours.
    pub theme: Theme,
}

const COLUMNS: [Column; 6] = [
    Column::text("db", 4, 6, 0),
    Column::number("keys", 10, 0),
    Column::number("with TTL", 8, 3),
    Column::number("share", 6, 2),
    Column::number("avg TTL", 8, 4),
    Column::number("change", 9, 1),
];

impl Keyspace<'_> {
    fn fields(&self) -> Vec<Field> {
        let keys = match self.keys {
            None => Field::new("keys", format::NOT_EXPOSED).role(Role::Dim),
            Some(n) if self.loading => {
                Field::new("keys", format!("{}, loading", format::count(n))).role(Role::Trouble)
            }
            Some(n) => Field::new("keys", format::count(n)).role(Role::Strong),
        };
        let ttl = match (self.expires, self.keys) {
            (Some(expires), Some(keys)) => format!(
                "{}  {}",
                format::count(expires),
                format::share_of(expires, keys)
            ),
            _ => format::UNKNOWN.to_owned(),
        };
        let expired = if self.replica {
            "by its primary".to_owned()
        } else {
            format::rate_or(self.expired_rate)
        };
        let mut fields = vec![
            keys,
            Field::new("with TTL", ttl),
            Field::new("expired", expired),
            Field::new("since start", format::count_or(self.expired)),
        ];
        if let Some(n) = self.expired_fields.filter(|n| *n > 0) {
            fields.push(Field::new(
                "hash fields",
                format!("{} expired", format::count(n)),
            ));
        }
        fields
    }

    fn rows(&self) -> Vec<Vec<Cell>> {
        self.dbs
            .iter()
            .map(|db| {
                let change = db.change.unwrap_or(0);
                let change_role = if change < 0 { Role::Trouble } else { Role::Dim };
                let ttl = db.avg_ttl_ms.filter(|ms| *ms > 0 && db.expires > 0);
                vec![
                    (format!("db{}", db.index), Role::Text),
                    (format::count(db.keys), Role::Text),
                    (format::count(db.expires), Role::Text),
                    (format::share_of(db.expires, db.keys), Role::Text),
                    (
                        ttl.map_or_else(
                            || format::UNKNOWN.to_owned(),
                            |ms| format::duration(std::time::Duration::from_millis(ms)),
                        ),
                        Role::Text,
                    ),
                    (
                        db.change
                            .map_or_else(|| format::UNKNOWN.to_owned(), format::signed),
                        change_role,
                    ),
                ]
            })
            .collect()
    }
}

impl Widget for &Keyspace<'_> {
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
        let taken = fields.height(inner.width);
        fields.render(top(inner, taken), buf);
        let mut rest = below(inner, taken);
        if let Some(forecast) = &self.forecast {
            for line in wrap(forecast, usize::from(rest.width)) {
                paint(buf, rest, &Line::from(span(self.theme, Role::Text, line)));
                rest = below(rest, 1);
            }
        }
        let rows = self.rows();
        let table = Table {
            columns: &COLUMNS,
            rows: &rows,
            selected: self.selected,
            theme: self.theme,
        };
        // The table gets what it needs up to half, the graph the rest.
        let wanted = super::text::height(table.height());
        let mut table_rows = wanted.min((rest.height / 2).max(2)).min(rest.height);
        let graph_rows = rest.height - table_rows;
        if graph_rows < Graph::MIN_HEIGHT {
            // Where there is room for one of them, the shape of the loss says more at a glance.
            let graph = self.selected.is_none() && rest.height >= Graph::MIN_HEIGHT;
            table_rows = if graph { 0 } else { rest.height };
        }
        let graphs = top(rest, rest.height - table_rows);
        let second = super::graph::second(
            graphs,
            "expired a second",
            &self.expirations,
            self.theme,
            buf,
        );
        let graph = Graph {
            series: &self.series,
            ceiling: None,
            label: format::compact,
            theme: self.theme,
        };
        let table_area = below(rest, rest.height - table_rows);
        graph.render(second, buf);
        if rows.is_empty() && self.keys.is_some() {
            let text = span(self.theme, Role::Dim, "no database holds a key");
            paint(buf, table_area, &Line::from(text));
        } else if self.keys.is_some() {
            table.render(table_area, buf);
        }
    }
}
