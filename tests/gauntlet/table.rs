//! The table that is printed after the run.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::lock;

/// What one trial expected and got.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) server: String,
    pub(crate) expected: String,
    pub(crate) got: String,
    pub(crate) polls: Option<usize>,
    pub(crate) played: bool,
    pub(crate) passed: bool,
}

impl Row {
    /// The row of a trial, to write on.
    pub(crate) fn of(row: &Mutex<Self>) -> MutexGuard<'_, Self> {
        lock(row)
    }

    fn cells(&self) -> [String; 6] {
        let polls = self.polls.map_or_else(String::new, |n| n.to_string());
        let result = if self.passed { "ok" } else { "FAILED" };
        [
            format!("{} {}", self.kind, self.name),
            self.server.clone(),
            self.expected.clone(),
            self.got.clone(),
            polls,
            result.to_owned(),
        ]
    }
}

/// All rows, in the order in which the trials were made.
#[derive(Clone, Default)]
pub(crate) struct Table(Arc<Mutex<Vec<Arc<Mutex<Row>>>>>);

impl Table {
    /// A new row.
    pub(crate) fn row(&self, kind: &str, name: &str, server: &str) -> Arc<Mutex<Row>> {
        let row = Arc::new(Mutex::new(Row {
            kind: kind.to_owned(),
            name: name.to_owned(),
            server: server.to_owned(),
            ..Row::default()
        }));
        lock(&self.0).push(Arc::clone(&row));
        row
    }

    /// Prints the rows that were played, one incident's servers below each other.
    pub(crate) fn print(&self) {
        let rows: Vec<Row> = lock(&self.0).iter().map(|row| lock(row).clone()).collect();
        let mut names: Vec<(&str, &str)> = Vec::new();
        for row in &rows {
            if !names.contains(&(row.kind.as_str(), row.name.as_str())) {
                names.push((&row.kind, &row.name));
            }
        }
        let mut lines =
            vec![["trial", "server", "expected", "got", "polls", ""].map(str::to_owned)];
        for name in names {
            let same = |row: &&Row| row.played && (row.kind.as_str(), row.name.as_str()) == name;
            lines.extend(rows.iter().filter(same).map(Row::cells));
        }
        if lines.len() > 1 {
            // Nobody is left to tell when the terminal is gone.
            let _ = std::io::stdout().write_all(text(&lines).as_bytes());
        }
    }
}

fn text(lines: &[[String; 6]]) -> String {
    let widths: [usize; 6] = std::array::from_fn(|column| {
        let widths = lines.iter().map(|line| line[column].chars().count());
        widths.max().unwrap_or(0)
    });
    let mut text = String::from("\n");
    for line in lines {
        for (cell, width) in line.iter().zip(widths) {
            let _ = write!(text, "{cell:<width$}  ");
        }
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }
    text
}
