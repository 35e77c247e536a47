//! From the fates of watched keys to their panel.

use std::time::Duration;

use super::Views;
use crate::app::{Mode, Panel};
use crate::diagnosis::{Ending, Fate};
use crate::format;
use crate::model::KeyState;
use crate::ui::watched::{Watched, WatchedRow};

impl<'a> Views<'a> {
    /// Panel 0.
    pub(crate) fn watched(&self) -> Watched<'a> {
        let screen = self.app.screen();
        let fates = self.diagnosis.fates.iter();
        Watched {
            frame: self.frame(Panel::Watched, "database 0, gone first"),
            rows: fates.map(|fate| self.watched_row(fate)).collect(),
            waiting: !self.app.wanted().is_empty(),
            naming: (screen.mode == Mode::Naming).then(|| screen.naming.value()),
            selected: self.selected(Panel::Watched),
            theme: self.theme,
        }
    }

    fn watched_row(&self, fate: &Fate) -> WatchedRow {
        let is_told = !matches!(fate.ending, Ending::Present | Ending::Missing);
        let last = fate.last.as_ref();
        let (kind, size_bytes) = match last.map(|seen| &seen.state) {
            Some(KeyState::Present {
                kind, size_bytes, ..
            }) => (Some(kind.to_string()), *size_bytes),
            _ => (None, None),
        };
        let deadline = last.and_then(crate::model::Seen::deadline);
        WatchedRow {
            ending: fate.ending,
            is_certain: fate.is_certain(),
            name: if self.veil.is_drawn() {
                format!("key {}", fate.id + 1)
            } else {
                fate.name.to_string()
            },
            kind,
            ttl: deadline
                .filter(|_| !fate.ending.is_gone())
                .map(|deadline| deadline.saturating_sub(self.shown().elapsed)),
            stays: last.is_some() && deadline.is_none(),
            size_bytes,
            changed: fate.to.map(|moment| self.ago(moment)),
            text: is_told.then(|| self.fate_text(fate)),
        }
    }

    /// The sentence without what the veil hides.
    fn fate_text(&self, fate: &Fate) -> String {
        if self.veil.is_drawn() {
            self.veil.text(&fate.without_names().summary)
        } else {
            fate.summary.clone()
        }
    }
}

/// A countdown: seconds, and tenths in the last ten.
pub(crate) fn countdown(left: Duration) -> String {
    match left.as_secs() {
        0..10 => format!("{:.1}s", left.as_secs_f64()),
        s => format::seconds(s),
    }
}
