//! Panel 2: where the keys went, a row a way.

mod row;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::frame::Frame;
use super::text::{fit, height, pad, paint, paint_all, span, width};
use super::theme::{Role, Theme};
use crate::format;
pub(crate) use row::WayRow;
use row::Words;

/// A key count and when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Count {
    /// Keys.
    pub keys: u64,
    /// Time of day.
    pub time: String,
}

/// The balance: what was there, what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Balance {
    /// At the first reading.
    pub before: Count,
    /// At the last.
    pub now: Count,
}

/// The panel.
#[derive(Clone, Debug)]
pub(crate) struct LedgerPanel<'a> {
    /// Border, title, focus.
    pub frame: Frame<'a>,
    /// Both ends; or why there are none.
    pub balance: Result<Balance, &'static str>,
    /// All ways.
    pub rows: Vec<WayRow>,
    /// Colours.
    pub theme: Theme,
}

/// Widths of the columns.
struct Columns {
    way: usize,
    number: usize,
    known: usize,
    bar: usize,
    source: usize,
    words: Words,
}

/// How much is said where room is short.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// A line under each way that moved says where its number comes from.
    Sources,
    /// A line a way.
    Ways,
    /// What is zero shares a line, and so does what is unknown.
    Folded,
}

/// A source needs so many columns to be understood, and a bar to be compared.
const SOURCE: usize = 40;
const BAR: std::ops::RangeInclusive<usize> = 4..=24;
/// A bar shorter than this is not worth words that signs can say.
const GOOD_BAR: usize = 10;

impl Columns {
    /// In words where they leave room for the bars.
    fn of(balance: &Balance, rows: &[&WayRow], room: usize) -> Self {
        let long = Self::in_words(Words::Long, balance, rows, room);
        if long.bar < GOOD_BAR {
            Self::in_words(Words::Signs, balance, rows, room)
        } else {
            long
        }
    }

    fn in_words(words: Words, balance: &Balance, rows: &[&WayRow], room: usize) -> Self {
        let most = |text: &dyn Fn(&WayRow) -> usize, least: usize| {
            rows.iter()
                .map(|row| text(row))
                .max()
                .unwrap_or(0)
                .max(least)
        };
        let ends = [&balance.before, &balance.now];
        let number = ends.map(|count| width(&format::count(count.keys)));
        let way = most(&|row| width(row.part.way.id()), 6);
        let number = most(&|row| width(&row.number()), number[0].max(number[1]));
        let known = most(&|row| width(&row.known(words)), 0);
        let rest = room.saturating_sub(2 + way + 2 + number + 2 + known + 2);
        let (least, widest) = (*BAR.start(), *BAR.end());
        let inline = rest >= SOURCE + GOOD_BAR + 2;
        Self {
            way,
            number,
            known,
            bar: match rest {
                _ if inline => GOOD_BAR,
                rest if rest >= least => rest.min(widest),
                _ => 0,
            },
            source: if inline { rest - GOOD_BAR - 2 } else { 0 },
            words,
        }
    }
}

impl LedgerPanel<'_> {
    /// Lines of the panel with its border, when every way has its own.
    pub(crate) fn full_height(&self) -> u16 {
        match self.balance {
            Ok(_) => height(self.rows.len() + 4),
            Err(_) => 3,
        }
    }

    fn end(&self, sign: &str, word: &str, count: &Count, columns: &Columns) -> Line<'static> {
        let theme = self.theme;
        Line::from(vec![
            span(theme, Role::Dim, format!("{sign} ")),
            span(theme, Role::Label, pad(word, columns.way, false)),
            Span::raw("  "),
            span(
                theme,
                Role::Strong,
                pad(&format::count(count.keys), columns.number, true),
            ),
            span(theme, Role::Dim, format!("  {}", count.time)),
        ])
    }

    fn row(&self, row: &WayRow, largest: u64, columns: &Columns) -> Line<'static> {
        let theme = self.theme;
        let role = row.role();
        let word = if role == Role::Text {
            Role::Label
        } else {
            role
        };
        let known = row.known(columns.words);
        let mut spans = vec![
            span(theme, Role::Dim, format!("{} ", row.sign())),
            span(theme, word, pad(row.part.way.id(), columns.way, false)),
            Span::raw("  "),
            span(theme, role, pad(&row.number(), columns.number, true)),
            span(theme, Role::Dim, format!("  {known}")),
        ];
        let known = columns.known.saturating_sub(width(&known));
        let gap = " ".repeat(known + 2);
        let mut bar = 0;
        if columns.bar > 0 && largest > 0 && !row.is_quiet() && !row.is_unknown() {
            spans.push(Span::raw(gap.clone()));
            for part in self.bar(row, largest, columns.bar) {
                bar += width(&part.content);
                spans.push(part);
            }
        } else if columns.source > 0 {
            spans.push(Span::raw(gap));
        }
        if columns.source > 0 {
            let gap = " ".repeat(columns.bar - bar + 2);
            let source = fit(row.part.source, columns.source).into_owned();
            spans.push(span(theme, Role::Dim, format!("{gap}{source}")));
        }
        Line::from(spans)
    }

    /// What is known to have gone, and the shade of what may have.
    fn bar(&self, row: &WayRow, largest: u64, cells: usize) -> [Span<'static>; 2] {
        let share = |keys: u64| (keys as f64 / largest as f64).min(1.0);
        let sure = super::graph::gauge(share(row.part.keys), cells);
        let most = super::graph::gauge(share(row.part.most.unwrap_or(0)), cells);
        let rest = "░".repeat(width(&most).saturating_sub(width(&sure)));
        [
            span(self.theme, row.bar_role(), sure),
            span(self.theme, Role::Rest, rest),
        ]
    }

    /// `  none  moved, replaced, lost`
    fn fold(&self, word: &str, ways: &[&WayRow], columns: &Columns, room: usize) -> Line<'static> {
        // Whether anything is unexplained is asked first.
        let names: Vec<&str> = ways.iter().rev().map(|row| row.part.way.id()).collect();
        let head = pad(word, columns.way, false);
        let text = format!("  {head}  {}", names.join(", "));
        Line::from(span(self.theme, Role::Dim, fit(&text, room).into_owned()))
    }

    /// All lines between both ends.
    fn ways(
        &self,
        balance: &Balance,
        detail: Detail,
        room: usize,
    ) -> (Vec<Line<'static>>, Columns) {
        let folds =
            |row: &&WayRow| detail == Detail::Folded && (row.is_quiet() || row.is_unknown());
        let shown: Vec<&WayRow> = self.rows.iter().filter(|row| !folds(row)).collect();
        let columns = Columns::of(balance, &shown, room);
        let largest = shown.iter().map(|row| row.part.keys).max().unwrap_or(0);
        let mut lines = Vec::new();
        for row in shown {
            lines.push(self.row(row, largest, &columns));
            if detail == Detail::Sources && columns.source == 0 && !row.is_quiet() {
                let text = format!("    {}", row.part.source);
                lines.push(Line::from(span(self.theme, Role::Dim, text)));
            }
        }
        let quiet: Vec<&WayRow> = self.rows.iter().filter(folds).collect();
        let (unknown, none): (Vec<&WayRow>, Vec<&WayRow>) =
            quiet.into_iter().partition(|row| row.is_unknown());
        for (word, ways) in [("unknown", unknown), ("none", none)] {
            if !ways.is_empty() {
                lines.push(self.fold(word, &ways, &columns, room));
            }
        }
        (lines, columns)
    }

    /// The whole balance in the richest form that fits.
    fn lines(&self, balance: &Balance, room: usize, rows: usize) -> Vec<Line<'static>> {
        let between = rows.saturating_sub(2);
        let fits = |lines: &[Line<'_>]| {
            lines.len() <= between && lines.iter().all(|line| line.width() <= room)
        };
        let forms = [Detail::Sources, Detail::Ways];
        let form = forms
            .into_iter()
            .map(|detail| self.ways(balance, detail, room))
            .find(|(lines, _)| fits(lines));
        let (mut ways, columns) = form.unwrap_or_else(|| {
            let folded = self.ways(balance, Detail::Folded, room);
            if folded.0.len() < self.rows.len() {
                folded
            } else {
                self.ways(balance, Detail::Ways, room)
            }
        });
        ways.truncate(between);
        let first = self.end(" ", "before", &balance.before, &columns);
        let last = self.end("=", "now", &balance.now, &columns);
        [first].into_iter().chain(ways).chain([last]).collect()
    }
}

impl Widget for &LedgerPanel<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let inner = self.frame.draw(area, buf);
        match &self.balance {
            Ok(balance) => {
                let (room, rows) = (usize::from(inner.width), usize::from(inner.height));
                paint_all(buf, inner, &self.lines(balance, room, rows));
            }
            Err(why) => paint(buf, inner, &Line::from(span(self.theme, Role::Dim, *why))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::{Known, Ledger, Way};

    fn panel() -> LedgerPanel<'static> {
        let mut ledger = Ledger::with(
            Some(51_417),
            Some(45),
            &[(Way::Created, 1_204), (Way::Flushed, 52_509)],
        );
        let deleted = &mut ledger.parts[Way::Deleted as usize];
        (deleted.keys, deleted.most, deleted.known) = (476, Some(61_000), Known::AtLeast);
        let evicted = &mut ledger.parts[Way::Evicted as usize];
        (evicted.most, evicted.known) = (None, Known::Unknown);
        let count = |keys: Option<u64>, time: &str| Count {
            keys: keys.expect("a count"),
            time: time.to_owned(),
        };
        LedgerPanel {
            frame: Frame {
                key: None,
                title: "t",
                remark: "",
                focused: false,
                theme: Theme::default(),
            },
            balance: Ok(Balance {
                before: count(ledger.keys_before, "13:58:12"),
                now: count(ledger.keys_after, "14:03:13"),
            }),
            rows: ledger
                .parts
                .map(|part| WayRow { part, alarm: None })
                .to_vec(),
            theme: Theme::default(),
        }
    }

    fn shown(room: usize, rows: usize) -> Vec<String> {
        let panel = panel();
        let balance = panel.balance.as_ref().expect("a balance");
        let lines = panel.lines(balance, room, rows);
        lines
            .iter()
            .map(|line| line.to_string().trim_end().to_owned())
            .collect()
    }

    #[test]
    fn every_number_says_what_it_is() {
        insta::assert_snapshot!(shown(44, 11).join("\n"), @r"
          before       51,417  13:58:12
        + created       1,204  exact     ▎
        − flushed      52,509  exact     ███████████
        − evicted           –  unknown
        − expired           0  exact
        − deleted       ≥ 476  ≤ 61.0 k  ▏░░░░░░░░░░
        − moved             0  exact
        − replaced          0  exact
        − lost              0  exact
        − unexplained       0  exact
        = now              45  14:03:13
        ");
    }

    #[test]
    fn what_is_zero_and_what_is_unknown_fold_apart() {
        insta::assert_snapshot!(shown(44, 7).join("\n"), @r"
          before   51,417  13:58:12
        + created   1,204  exact     ▍
        − flushed  52,509  exact     ███████████████
        − deleted   ≥ 476  ≤ 61.0 k  ▏░░░░░░░░░░░░░░
          unknown  evicted
          none     unexplained, lost, replaced, mov…
        = now          45  14:03:13
        ");
    }

    #[test]
    fn sources_stand_where_there_is_room() {
        let wide = shown(120, 11);
        assert!(wide[3].contains("evicted_keys"), "{wide:?}");
        let high = shown(76, 15);
        assert_eq!(high.len(), 15);
        assert!(high[2].contains("commands that create"), "{high:?}");
    }
}
