//! The report for people: the cause first, then when, then every verdict, then where the keys
//! went.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

use super::words::{ascii, certainty, safe, summary};
use super::{Report, Row};
use crate::diagnosis::{Level, Reading, Verdict};
use crate::format::{self, clock, count};
use crate::model::Product;

/// How text is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Columns to wrap at; `None` for a pipe, where lines are left whole.
    pub width: Option<usize>,
    /// ASCII characters only.
    pub ascii: bool,
}

/// Changes and incidents that are shown at most, the newest.
const MOST_CHANGES: usize = 12;
const MOST_INCIDENTS: usize = 6;
/// Narrower than this, wrapping helps nobody.
const NARROWEST: usize = 40;
/// What stands left of everything that explains a verdict.
const INDENT: &str = "             ";

pub(super) fn render(report: &Report<'_>, style: Style) -> String {
    let mut page = Page {
        out: String::new(),
        width: style.width.map(|width| width.max(NARROWEST)),
        ascii: style.ascii,
    };
    head(report, &mut page);
    incidents(report, &mut page);
    watched(report, &mut page);
    if let Some(forecast) = report.forecast {
        page.blank();
        page.wrapped("Forecast  ", &safe(&forecast.summary));
    }
    verdicts(report, &mut page);
    if let Some(line) = report.ledger.line() {
        page.blank();
        page.wrapped("", &line);
    }
    changes(report, &mut page);
    if report.notices_beside_changes().next().is_some() {
        page.blank();
        for notice in report.notices_beside_changes() {
            page.wrapped("note: ", notice);
        }
    }
    page.out
}

fn head(report: &Report<'_>, page: &mut Page) {
    page.wrapped("", &report.headline());
    for node in &report.nodes {
        if node.product == Product::Unknown && node.version.is_none() && node.keys.is_none() {
            page.wrapped("  ", &format!("{}  no reply read", node.id));
            continue;
        }
        let keys = node
            .keys
            .map_or_else(|| "keys unknown".into(), format::keys);
        let product = format!("{} {}", node.product, node.version.unwrap_or(""));
        let parts = [node.id.as_str(), product.trim(), node.role.id(), &keys];
        page.wrapped("  ", &parts.join("  "));
    }
    page.wrapped("  ", &report.watched());
}

/// One line an incident, and who may have done it under it.
fn incidents(report: &Report<'_>, page: &mut Page) {
    if report.incidents.is_empty() {
        return;
    }
    page.blank();
    let hidden = report.incidents.len().saturating_sub(MOST_INCIDENTS);
    if hidden > 0 {
        page.wrapped("", &format!("{hidden} earlier incidents are left out"));
    }
    for incident in &report.incidents[hidden..] {
        let (time, state, how) = (incident.time(), incident.state(), incident.how());
        let cells = [&*time, &state, &incident.keys(), how];
        let said: Vec<&str> = cells.into_iter().filter(|cell| !cell.is_empty()).collect();
        page.wrapped("Incident  ", &said.join("  "));
        for suspect in incident.suspects() {
            let first = format!("          {}  ", certainty(suspect));
            page.wrapped(&first, &safe(&suspect.sentence()));
        }
    }
}

/// Watched keys that are shown at most; those that went come first.
const MOST_KEYS: usize = 40;

/// One line a watched key.
fn watched(report: &Report<'_>, page: &mut Page) {
    if report.watched.is_empty() {
        return;
    }
    page.blank();
    let fates = report.watched.iter().map(|key| key.fate().width());
    let width = fates.max().unwrap_or(0);
    for key in report.watched.iter().take(MOST_KEYS) {
        let fate = format!("Watched   {:<width$}  ", key.fate());
        page.wrapped(
            &fate,
            &format!("'{}' {}", safe(key.name()), safe(key.summary())),
        );
    }
    let hidden = report.watched.len().saturating_sub(MOST_KEYS);
    if hidden > 0 {
        page.wrapped("", &format!("{hidden} more watched keys are left out"));
    }
}

/// Columns of the verdict rows.
struct Columns {
    title: usize,
    keys: usize,
    time: usize,
}

fn verdicts(report: &Report<'_>, page: &mut Page) {
    let widest = |cell: &dyn Fn(&Row) -> String| {
        let widths = report.verdicts.iter().map(|row| cell(row).width());
        widths.max().unwrap_or(0)
    };
    let columns = Columns {
        title: widest(&|row| row.title.to_owned()),
        keys: widest(&|row| keys(&row.verdict)),
        time: widest(&|row| time(&row.verdict)),
    };
    if !report.verdicts.is_empty() {
        page.blank();
    }
    for row in &report.verdicts {
        page.row(&first_cells(row, &columns), &summary(&row.verdict));
        details(report, &row.verdict, page);
    }
}

fn first_cells(Row { title, verdict }: &Row, columns: &Columns) -> String {
    let symbol = verdict.level.symbol();
    let mut cells = format!(
        "{symbol} {:<9}  {title:<width$}  ",
        verdict.level.word(),
        width = columns.title
    );
    for (cell, width) in [(keys(verdict), columns.keys), (time(verdict), columns.time)] {
        if width > 0 {
            let _ = write!(cells, "{cell:>width$}  ");
        }
    }
    cells
}

fn keys(verdict: &Verdict) -> String {
    match (verdict.keys_lost, verdict.at_least) {
        (Some(n), true) => format!("≥ {}", format::keys(n)),
        (None, _) | (Some(0), false) => String::new(),
        (Some(n), false) => format!("−{}", format::keys(n)),
    }
}

fn time(verdict: &Verdict) -> String {
    verdict.first_seen.map(clock).unwrap_or_default()
}

/// What backs a verdict and what to do, for those that need a human; for the rest what was
/// missing.
fn details(report: &Report<'_>, verdict: &Verdict, page: &mut Page) {
    let name_nodes = report.nodes.len() > 1;
    let needs_a_human = !matches!(verdict.level, Level::Clear | Level::Unknown);
    if needs_a_human {
        for suspect in &verdict.suspects {
            page.labelled(certainty(suspect), &safe(&suspect.sentence()));
        }
        for proof in &verdict.evidence {
            let node = if name_nodes {
                format!("{} ", proof.node)
            } else {
                String::new()
            };
            let change = match (reading(&proof.before), reading(&proof.after)) {
                (before, after) if before == after => after,
                (before, after) => format!("{before} → {after}"),
            };
            let line = format!("{node}{}  {change}  {}", proof.field, proof.note);
            page.labelled("evidence", safe(&line).trim_end());
        }
    }
    if !verdict.missing.is_empty() {
        page.labelled("not exposed", &verdict.missing.join(", "));
    }
    if needs_a_human {
        // Of what was before the watch, where to begin.
        let (steps, links) = if report.is_past(verdict) {
            (1, 0)
        } else {
            (usize::MAX, usize::MAX)
        };
        for step in verdict.next_steps.iter().take(steps) {
            page.labelled("next", &safe(step));
        }
        for link in verdict.docs.iter().take(links) {
            page.labelled("read", link);
        }
    }
}

fn reading(reading: &Reading) -> String {
    match reading {
        Reading::Number(n) => count(*n),
        other => other.to_string(),
    }
}

fn changes(report: &Report<'_>, page: &mut Page) {
    if report.changes.is_empty() {
        return;
    }
    page.blank();
    let hidden = report.changes.len().saturating_sub(MOST_CHANGES);
    if hidden > 0 {
        page.wrapped("", &format!("{hidden} earlier changes are left out"));
    }
    for change in &report.changes[hidden..] {
        page.wrapped(&format!("{}  ", clock(change.at)), &change.line());
    }
}

/// Lines on their way out.
struct Page {
    out: String,
    width: Option<usize>,
    ascii: bool,
}

impl Page {
    fn blank(&mut self) {
        self.out.push('\n');
    }

    /// A line under a verdict.
    fn labelled(&mut self, label: &str, text: &str) {
        self.wrapped(&format!("{INDENT}{label:<8}  "), text);
    }

    /// A row whose last cell wraps under itself, or under the indent where there is no room.
    fn row(&mut self, cells: &str, text: &str) {
        let roomy = self
            .width
            .is_none_or(|width| width >= cells.width() + text.width().min(30));
        if roomy {
            self.wrapped(cells, text);
        } else {
            self.wrapped(cells, "");
            self.wrapped(INDENT, text);
        }
    }

    /// `first` once, then the text, later lines indented by the width of `first`.
    fn wrapped(&mut self, first: &str, text: &str) {
        if self.ascii {
            self.wrap(&ascii(first), &ascii(text));
        } else {
            self.wrap(first, text);
        }
    }

    fn wrap(&mut self, first: &str, text: &str) {
        self.out.push_str(first);
        let indent = first.width();
        let Some(width) = self.width else {
            self.out.push_str(text);
            self.end_line();
            return;
        };
        let mut column = indent;
        for word in text.split_inclusive(' ') {
            let needed = word.trim_end().width();
            if column > indent && column + needed > width {
                self.end_line();
                self.out.push_str(&" ".repeat(indent));
                column = indent;
            }
            self.out.push_str(word);
            column += word.width();
        }
        self.end_line();
    }

    fn end_line(&mut self) {
        self.out.truncate(self.out.trim_end_matches(' ').len());
        self.out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::report::fixture;

    fn flush(style: Style) -> String {
        let (history, diagnosis) = fixture::flush();
        let notices = ["database number in the URL is ignored".to_owned()];
        Report::of_one(&history.window(), &diagnosis, &notices).text(style)
    }

    #[test]
    fn a_flush_in_a_pipe() {
        insta::assert_snapshot!(flush(Style::default()));
    }

    #[test]
    fn a_flush_on_a_narrow_terminal_in_ascii() {
        let text = flush(Style {
            width: Some(80),
            ascii: true,
        });
        assert!(text.is_ascii());
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn an_outage() {
        let (history, diagnosis) = fixture::outage();
        let report = Report::of_one(&history.window(), &diagnosis, &[]);
        insta::assert_snapshot!(report.text(Style::default()));
    }

    #[rstest]
    #[case(0)]
    #[case(40)]
    #[case(80)]
    #[case(200)]
    fn foreign_text_is_inert_at_any_width(#[case] width: usize) {
        let (history, diagnosis) = fixture::hostile();
        let style = Style {
            width: Some(width),
            ascii: false,
        };
        let text = Report::of_one(&history.window(), &diagnosis, &[]).text(style);
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text}");
    }
}
