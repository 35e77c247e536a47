//! Moving through time: pausing, stepping, jumping. What is shown is always what was known then.

use std::time::Duration;

use super::{App, Cursor, View};
use crate::diagnosis::Incident;
use crate::model::Entry;

impl App {
    pub(super) fn pause(&mut self) {
        let cursor = match self.cursor {
            Cursor::Live => self
                .history()
                .window()
                .end()
                .map_or(Cursor::Live, |end| Cursor::At(end.elapsed)),
            Cursor::At(_) => Cursor::Live,
        };
        self.go_to(cursor);
    }

    /// Position of the entry under the cursor.
    pub(super) fn position(&self) -> usize {
        match self.cursor {
            Cursor::Live => self.history().len().saturating_sub(1),
            Cursor::At(elapsed) => self.position_at(elapsed),
        }
    }

    /// Position of the last entry that was made by then.
    fn position_at(&self, elapsed: Duration) -> usize {
        let later = |entry: &Entry| entry.moment().elapsed > elapsed;
        let history = self.history();
        let after = history.window().entries().position(later);
        after.unwrap_or(history.len()).saturating_sub(1)
    }

    fn go_to_position(&mut self, position: usize) {
        if let Some(entry) = self.history().entry(position) {
            let at = entry.moment().elapsed;
            self.go_to(Cursor::At(at));
        }
    }

    pub(super) fn step(&mut self, by: isize) {
        if let Some(to) = self.position().checked_add_signed(by) {
            self.go_to_position(to);
        }
    }

    pub(super) fn jump_to_change(&mut self, forward: bool) {
        let Some(here) = self.history().entry(self.position()) else {
            return;
        };
        let here = here.moment().elapsed;
        let to = {
            let mut changes = self.change_times().into_iter();
            if forward {
                changes.find(|at| *at > here)
            } else {
                changes.rfind(|at| *at < here)
            }
        };
        match to {
            Some(at) => self.go_to(Cursor::At(at)),
            None if forward => self.go_to(Cursor::Live),
            None => self.say("no earlier change", false),
        }
    }

    /// Jumps to where the incident before or after was first seen. Incidents are those that are
    /// known by now, also of what lies after the cursor.
    pub(super) fn jump_to_incident(&mut self, forward: bool) {
        let here = self.position();
        let incidents = self.incidents_at(None);
        let mut seen = incidents
            .iter()
            .map(|incident| (incident.from.elapsed, self.first_seen(incident)));
        let to = if forward {
            seen.find(|(_, position)| *position > here)
        } else {
            seen.rfind(|(_, position)| *position < here)
        };
        match to {
            Some((from, position)) => {
                self.screen.chosen_incident = Some(from);
                self.go_to_position(position);
            }
            None if incidents.is_empty() => self.say("no incident so far", false),
            None if forward => self.go_to(Cursor::Live),
            None => self.say("no earlier incident", false),
        }
    }

    /// Position of the first entry as of which an incident is in the diagnosis.
    fn first_seen(&self, incident: &Incident) -> usize {
        let from = incident.from.elapsed;
        let window = self.history().window();
        let ended = |entry: &Entry| entry.end().elapsed > from;
        let (mut first, mut last) = (
            window.entries().position(ended).unwrap_or(0),
            self.position_at(incident.to.elapsed),
        );
        // Once it is seen it stays: halve the way.
        while first < last {
            let middle = usize::midpoint(first, last);
            let Some(then) = self.history().entry(middle) else {
                break;
            };
            let then = self.incidents_at(Some(then.moment().elapsed));
            if then.iter().any(|known| known.from.elapsed >= from) {
                last = middle;
            } else {
                first = middle + 1;
            }
        }
        last
    }

    /// Shows all panels as of the end of the selected incident.
    pub(super) fn open_incident(&mut self) {
        let Some(incident) = self.selected_incident() else {
            return self.say("no incident to go to", false);
        };
        let (from, to) = (incident.from.elapsed, incident.to.elapsed);
        self.screen.chosen_incident = Some(from);
        self.screen.view = View::Overview;
        self.go_to_position(self.position_at(to));
    }

    fn go_to(&mut self, cursor: Cursor) {
        self.cursor = cursor;
        self.diagnose();
    }
}
