//! One verdict as a row, and the columns that rows share.

use crate::diagnosis::Level;
use crate::ui::text::width;
use crate::ui::theme::Role;

/// One verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CauseRow {
    /// The heading of the cause.
    pub title: &'static str,
    /// How sure.
    pub level: Level,
    /// It speaks of totals since start, not of what was watched.
    pub past: bool,
    /// Keys lost: `−50,213 keys`.
    pub keys: String,
    /// When.
    pub when: String,
    /// How, in a few words; empty where the summary says it or nothing tells.
    pub how: &'static str,
    /// The strongest evidence.
    pub summary: String,
}

impl CauseRow {
    /// Whether the row may share a line with others of its kind.
    pub(super) fn folds(&self) -> bool {
        self.level == Level::Clear
    }

    pub(super) fn role(&self) -> Role {
        if self.past {
            Role::Past
        } else {
            Role::Level(self.level)
        }
    }

    /// Whether the summary matters so much that it may take a line of its own.
    pub(super) fn is_loud(&self) -> bool {
        !self.past && self.level <= Level::AtRisk && !self.summary.is_empty()
    }

    /// A row without keys and time uses their room for its words; so does one that speaks of the
    /// past where room is short.
    pub(super) fn is_bare(&self, short: bool) -> bool {
        (self.past && short) || (self.keys.is_empty() && self.when.is_empty())
    }

    /// How, and the strongest evidence; with what would stand in the columns that are left out.
    pub(super) fn text(&self, short: bool) -> String {
        let text = match self.how {
            "" => self.summary.clone(),
            how => format!("{how}: {}", self.summary),
        };
        if !(self.past && short) {
            return text;
        }
        let column = |told: bool, column: &str| match column {
            column if told || column.is_empty() => String::new(),
            column => format!("{column}: "),
        };
        let when = column(text.contains("since"), &self.when);
        let keys = column(text.contains(&self.keys), &self.keys);
        format!("{when}{keys}{text}")
    }

    pub(super) fn short_title(&self) -> &'static str {
        match self.title {
            "Redis instance failure" => "Instance failure",
            title => title,
        }
    }
}

/// Widths of the columns that rows share.
pub(super) struct Columns {
    pub(super) title: usize,
    pub(super) keys: usize,
    pub(super) when: usize,
    /// In short words.
    pub(super) short: bool,
    /// All columns of the panel.
    pub(super) room: usize,
    /// There is no room for the time beside the keys.
    pub(super) when_below: bool,
    /// Some row with keys or time needs a second line for its words; then all that matter look
    /// alike.
    pub(super) below: bool,
}

impl Columns {
    /// Columns for what is said below a row.
    pub(super) fn room_below(&self) -> usize {
        self.room.saturating_sub(LEVEL)
    }

    /// For rows in so many columns.
    pub(super) fn of(rows: &[CauseRow], room: usize) -> Self {
        let short = room < 96;
        let widest = |text: &dyn Fn(&CauseRow) -> usize, bare: bool| {
            let rows = rows.iter().filter(|row| bare || !row.is_bare(short));
            rows.map(text).max().unwrap_or(0)
        };
        let mut columns = Self {
            title: if short {
                widest(&|row| width(row.short_title()), true)
            } else {
                widest(&|row| width(row.title), true)
            },
            keys: widest(&|row| width(&row.keys), false),
            when: widest(&|row| width(&row.when), false),
            short,
            room,
            when_below: false,
            below: false,
        };
        let head = LEVEL + columns.title + 2 + columns.keys + 2 + columns.when;
        columns.when_below = columns.when > 0 && head > room;
        let long =
            |row: &CauseRow| row.is_loud() && !row.is_bare(columns.short) && !columns.fits(row);
        columns.below = columns.when_below || rows.iter().any(long);
        columns
    }

    /// Where the words of a row begin.
    pub(super) fn indent(&self, row: &CauseRow) -> usize {
        let column = |wide: usize| if wide > 0 { wide + 2 } else { 0 };
        let title = LEVEL + self.title + 2;
        if row.is_bare(self.short) {
            title
        } else {
            title + column(self.keys) + column(self.when)
        }
    }

    pub(super) fn fits(&self, row: &CauseRow) -> bool {
        self.indent(row) + width(&row.text(self.short)) <= self.room
    }

    pub(super) fn tells_below(&self, row: &CauseRow) -> bool {
        let needed = if row.is_bare(self.short) {
            !self.fits(row)
        } else {
            self.below
        };
        row.is_loud() && needed
    }
}

/// Sign, word, and the blanks behind.
pub(super) const LEVEL: usize = 13;
