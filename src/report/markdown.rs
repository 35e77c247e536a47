//! The report for a ticket: headings, tables, nothing that a server could use to mark up.

use std::fmt::Write as _;

use super::words::{certainty, keys_lost, safe, scope_words, summary};
use super::{Report, Row};
use crate::diagnosis::{Level, Reading, Suspect, Verdict};
use crate::format::{clock, count, date_and_clock};

pub(super) fn render(report: &Report<'_>) -> String {
    let mut out = format!(
        "# Redis data loss report: {}\n\n",
        prose(&report.headline())
    );
    head(report, &mut out);
    incidents(report, &mut out);
    watched(report, &mut out);
    if let Some(forecast) = report.forecast {
        line(
            &mut out,
            &format!("Forecast: {}.\n", prose(&forecast.summary)),
        );
    }
    ledger(report, &mut out);
    verdicts(report, &mut out);
    let notable = |row: &&Row| row.verdict.is_loss() || row.verdict.level == Level::AtRisk;
    for row in report.verdicts.iter().filter(notable) {
        card(row, &mut out);
    }
    list("Changes", &changes(report), &mut out);
    let notices: Vec<_> = report.notices_beside_changes().map(prose).collect();
    list("Notices", &notices, &mut out);
    line(
        &mut out,
        &format!(
            "_Written by amr-top {}, which only reads._",
            env!("CARGO_PKG_VERSION")
        ),
    );
    out
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

fn head(report: &Report<'_>, out: &mut String) {
    line(out, "| Node | Product | Role | Keys |\n|---|---|---|---:|");
    for node in &report.nodes {
        let product = format!("{} {}", node.product, node.version.unwrap_or(""));
        let keys = node.keys.map_or_else(|| "unknown".into(), count);
        row(
            out,
            &[
                &code(node.id.as_str()),
                &prose(product.trim()),
                node.role.id(),
                &keys,
            ],
        );
    }
    line(out, &format!("\nWatched: {}.\n", report.watched()));
}

fn incidents(report: &Report<'_>, out: &mut String) {
    if report.incidents.is_empty() {
        return;
    }
    line(
        out,
        "## Incidents\n\n| When (UTC) | State | Keys lost | How | Suspects |\n|---|---|---:|---|---|",
    );
    for incident in &report.incidents {
        row(
            out,
            &[
                &incident.time(),
                &incident.state(),
                &incident.keys(),
                incident.how(),
                &suspects(incident.suspects()),
            ],
        );
    }
    out.push('\n');
}

fn watched(report: &Report<'_>, out: &mut String) {
    if report.watched.is_empty() {
        return;
    }
    line(
        out,
        "## Watched keys\n\n| Key | Fate | What happened |\n|---|---|---|",
    );
    for key in &report.watched {
        let fate = key.fate();
        let fate = if key.is_news() {
            format!("**{fate}**")
        } else {
            fate
        };
        row(out, &[&code(key.name()), &fate, &prose(key.summary())]);
    }
    out.push('\n');
}

fn ledger(report: &Report<'_>, out: &mut String) {
    let balance = report.ledger;
    if balance.is_empty() {
        return;
    }
    let known = |keys: Option<u64>| keys.map_or_else(|| "unknown".into(), count);
    line(out, "## Where the keys went\n\n| | Keys |\n|---|---:|");
    row(out, &["before", &known(balance.0.keys_before)]);
    for (way, keys) in balance.moved() {
        row(out, &[way, &keys]);
    }
    for way in balance.untold() {
        row(out, &[way, "unknown"]);
    }
    row(out, &["now", &known(balance.0.keys_after)]);
    out.push('\n');
}

fn verdicts(report: &Report<'_>, out: &mut String) {
    if report.verdicts.is_empty() {
        return;
    }
    line(
        out,
        "## Causes\n\n| Verdict | Cause | Keys lost | First seen (UTC) | Summary |\n|---|---|---:|---|---|",
    );
    for Row { title, verdict } in &report.verdicts {
        let mut summary = prose(&summary(verdict));
        if !verdict.missing.is_empty() {
            let missing: Vec<_> = verdict.missing.iter().map(|name| code(name)).collect();
            let _ = write!(summary, " (not exposed: {})", missing.join(", "));
        }
        row(
            out,
            &[
                &loud(verdict.level),
                title,
                &keys_lost(verdict),
                &verdict.first_seen.map(clock).unwrap_or_default(),
                &summary,
            ],
        );
    }
    out.push('\n');
}

fn loud(level: Level) -> String {
    let word = level.word().to_lowercase();
    match level {
        Level::Confirmed => format!("**{word}**"),
        _ => word,
    }
}

fn card(Row { title, verdict }: &Row, out: &mut String) {
    let level = verdict.level.word().to_lowercase();
    let scope = match scope_words(verdict.scope) {
        "" => String::new(),
        scope => format!(" {scope}"),
    };
    let summary = prose(&summary(verdict));
    line(out, &format!("## {title}: {level}{scope}\n\n{summary}\n"));
    if !verdict.suspects.is_empty() {
        let suspects = suspects(&verdict.suspects);
        line(out, &format!("Suspects: {suspects}\n"));
    }
    evidence(verdict, out);
    for step in &verdict.next_steps {
        line(out, &format!("- [ ] {}", prose(step)));
    }
    for link in &verdict.docs {
        line(out, &format!("- Documentation: <{link}>"));
    }
    if !verdict.next_steps.is_empty() || !verdict.docs.is_empty() {
        out.push('\n');
    }
}

/// `likely FLUSHALL by …; possible …`.
fn suspects(suspects: &[Suspect]) -> String {
    let who = |who: &Suspect| format!("{} {}", certainty(who), prose(&who.sentence()));
    suspects.iter().map(who).collect::<Vec<_>>().join("; ")
}

fn evidence(verdict: &Verdict, out: &mut String) {
    if verdict.evidence.is_empty() {
        return;
    }
    line(
        out,
        "| Node | Field | Before | After | Meaning |\n|---|---|---:|---:|---|",
    );
    for proof in &verdict.evidence {
        row(
            out,
            &[
                &code(proof.node.as_str()),
                &code(&proof.field),
                &reading(&proof.before),
                &reading(&proof.after),
                &prose(&proof.note),
            ],
        );
    }
    out.push('\n');
}

fn changes(report: &Report<'_>) -> Vec<String> {
    report
        .changes
        .iter()
        .map(|change| {
            format!(
                "{} UTC: {}",
                date_and_clock(change.at),
                prose(&change.line())
            )
        })
        .collect()
}

fn list(title: &str, items: &[String], out: &mut String) {
    if items.is_empty() {
        return;
    }
    line(out, &format!("## {title}\n"));
    for item in items {
        line(out, &format!("- {item}"));
    }
    out.push('\n');
}

fn row(out: &mut String, cells: &[&str]) {
    line(out, &format!("| {} |", cells.join(" | ")));
}

fn reading(reading: &Reading) -> String {
    match reading {
        Reading::Number(n) => count(*n),
        Reading::None => "–".into(),
        Reading::Text(text) => prose(text),
    }
}

/// Text that shows as it is: inert, and with every sign of Markdown and HTML escaped.
pub(super) fn prose(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in safe(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// A name in a code span, also inside a table.
pub(super) fn code(text: &str) -> String {
    let text = safe(text).replace('`', "'").replace('|', "\\|");
    format!("`{text}`")
}

/// Foreign text as a block that it cannot leave.
pub(super) fn block(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let lines: Vec<String> = text.lines().map(safe).collect();
    format!("{fence}text\n{}\n{fence}\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn a_flush_for_a_ticket() {
        let (history, diagnosis) = fixture::flush();
        let markdown = Report::of_one(&history.window(), &diagnosis, &[]).markdown();
        insta::with_settings!({filters => vec![(r"amr-top \d+\.\d+\.\d+", "amr-top VERSION")]}, {
            insta::assert_snapshot!(markdown);
        });
    }

    #[test]
    fn foreign_text_cannot_mark_up() {
        assert_eq!(
            prose("a|b `c` <img> [x](y) *z* \u{1b}[2J\n# h"),
            "a\\|b \\`c\\` &lt;img&gt; \\[x\\](y) \\*z\\* ␛\\[2J␊\\# h"
        );
        assert_eq!(code("a`b|c"), "`a'b\\|c`");
    }

    #[test]
    fn a_block_cannot_be_left() {
        let text = block("x:````\r\n```\r\n");
        assert!(text.starts_with("`````text\n"), "{text}");
        assert!(text.ends_with("\n`````\n"), "{text}");
    }

    #[test]
    fn a_hostile_summary_keeps_its_row() {
        let (history, diagnosis) = fixture::hostile();
        let markdown = Report::of_one(&history.window(), &diagnosis, &[]).markdown();
        let bare = markdown.replace("\\`", "");
        // Inside a code span nothing is markup; outside of them nothing may look like it.
        let outside = bare.lines().flat_map(|line| line.split('`').step_by(2));
        assert!(outside.into_iter().all(|text| !text.contains("<script>")));
        assert!(!markdown.contains('\u{1b}'), "{markdown}");
    }
}
