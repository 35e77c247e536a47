//! The state of the dashboard: observations and actions in, something to draw out.
//!
//! Pure and synchronous. Live, paused and stepped-back screens are one path: the [`Cursor`] picks
//! the end of the [`Window`], the window is diagnosed, the diagnosis is drawn.

mod action;
mod monitor;
mod panel;
mod screen;
mod travel;
mod watched;

use std::time::Duration;

pub use action::{Action, Effect};
pub use panel::Panel;
pub use screen::{Mode, Privacy, Screen, Sort, Span, ThemeName, View};

use crate::diagnosis::{Cause, Diagnosis, Incident, diagnose};
use crate::model::{
    ChangeKind, CommandStat, Connection, History, INTERVAL_RANGE, Moment, Observation, Sample,
    Watch, Window,
};

/// Which moment is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cursor {
    /// The newest observation, moving on.
    #[default]
    Live,
    /// The entry made at this time on the monotonic scale; polling goes on behind it.
    At(Duration),
}

/// A message on the screen, until another one or until it is old.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The text, one line.
    pub text: String,
    /// Whether something went wrong.
    pub trouble: bool,
    /// When it was said, on the monotonic scale.
    pub said: Duration,
}

/// How long a notice stays on the screen.
const NOTICE_STAYS: Duration = Duration::from_secs(12);

/// The dashboard.
#[derive(Clone, Debug)]
pub struct App {
    history: History,
    diagnosis: Diagnosis,
    cursor: Cursor,
    screen: Screen,
    interval: Duration,
    now: Moment,
    notice: Option<Notice>,
    /// What is watched by name.
    wanted: Vec<Watch>,
    /// When the user asked for `MONITOR` and was told what it costs.
    warned: Option<Duration>,
}

impl App {
    /// A dashboard over an empty history.
    pub fn new(history: History, interval: Duration, now: Moment) -> Self {
        let diagnosis = diagnose(&history.window());
        Self {
            history,
            diagnosis,
            cursor: Cursor::Live,
            screen: Screen::default(),
            interval,
            now,
            notice: None,
            wanted: Vec::new(),
            warned: None,
        }
    }

    /// Takes an observation in. What is shown moves only while the cursor is live.
    pub fn observe(&mut self, observation: Observation) {
        self.take_in(observation);
        if self.cursor == Cursor::Live {
            self.diagnose();
        }
    }

    /// Takes several observations in and diagnoses once.
    pub fn observe_all(&mut self, observations: impl IntoIterator<Item = Observation>) {
        for observation in observations {
            self.take_in(observation);
        }
        if self.cursor == Cursor::Live {
            self.diagnose();
        }
    }

    /// Lets time pass: ages and countdowns move.
    pub fn tick(&mut self, now: Moment) {
        if now.elapsed >= self.now.elapsed {
            self.now = now;
        }
        if self
            .notice
            .as_ref()
            .is_some_and(|notice| self.now.elapsed.saturating_sub(notice.said) > NOTICE_STAYS)
        {
            self.notice = None;
        }
    }

    /// Does what the user asked for; what needs the outside world is handed back.
    pub fn act(&mut self, action: Action) -> Option<Effect> {
        let warned = self.warned.take();
        match action {
            Action::Monitor => return self.monitor(warned),
            Action::Quit => return Some(Effect::Quit),
            Action::Export => return Some(Effect::Export),
            Action::Faster => return Some(self.set_interval(self.interval / 2)),
            Action::Slower => return Some(self.set_interval(self.interval * 2)),
            Action::Pause => self.pause(),
            Action::StepBack => self.step(-1),
            Action::StepForward => self.step(1),
            Action::PreviousIncident => self.jump_to_incident(false),
            Action::NextIncident => self.jump_to_incident(true),
            Action::PreviousChange => self.jump_to_change(false),
            Action::NextChange => self.jump_to_change(true),
            Action::Up => self.move_selection(-1),
            Action::Down => self.move_selection(1),
            Action::PageUp => self.select(self.selected().saturating_sub(10)),
            Action::PageDown => self.select(self.selected() + 10),
            Action::Top => self.select(0),
            Action::Bottom => self.select(usize::MAX),
            Action::Open => self.open(),
            Action::Accept if self.screen.mode == Mode::Naming => return self.name(),
            other => self.screen.act(other),
        }
        None
    }

    /// Says something at the bottom of the screen.
    pub fn say(&mut self, text: impl Into<String>, trouble: bool) {
        self.notice = Some(Notice {
            text: text.into(),
            trouble,
            said: self.now.elapsed,
        });
    }

    fn set_interval(&mut self, interval: Duration) -> Effect {
        self.interval = interval.clamp(*INTERVAL_RANGE.start(), *INTERVAL_RANGE.end());
        self.say(
            format!("polling every {}", crate::format::duration(self.interval)),
            false,
        );
        Effect::SetInterval(self.interval)
    }

    /// Judges what is shown anew. Rows change places; the selection stays on its cause and its
    /// incident.
    fn diagnose(&mut self) {
        self.diagnosis = diagnose(&self.window());
        self.screen.watches = !self.wanted.is_empty() || !self.diagnosis.fates.is_empty();
        if let Some(cause) = self.screen.chosen
            && let Some(row) = self
                .diagnosis
                .verdicts
                .iter()
                .position(|v| v.cause == cause)
        {
            self.screen.set_row_of(Panel::Causes, row);
        }
        let incidents = &self.diagnosis.incidents;
        let chosen = self.screen.chosen_incident.and_then(|from| {
            let mut rows = incidents.iter().rev();
            rows.position(|incident| incident.from.elapsed == from)
        });
        if let Some(row) = chosen {
            self.screen.set_row_of(Panel::Incidents, row);
        }
    }

    fn open(&mut self) {
        if self.screen.focus == Panel::Incidents && !matches!(self.screen.view, View::Card(_)) {
            return self.open_incident();
        }
        let cause = self.selected_cause();
        self.screen.open(cause);
    }

    /// The cause that the selection in the causes panel stands on.
    pub fn selected_cause(&self) -> Option<Cause> {
        let row = self
            .screen
            .row(Panel::Causes)
            .min(self.diagnosis.verdicts.len().saturating_sub(1));
        self.diagnosis
            .verdicts
            .get(row)
            .map(|verdict| verdict.cause)
    }

    /// The incident that the selection in the incidents panel stands on; rows are newest first.
    pub fn selected_incident(&self) -> Option<&Incident> {
        let last = self.diagnosis.incidents.len().checked_sub(1)?;
        let row = self.screen.row(Panel::Incidents).min(last);
        self.diagnosis.incidents.get(last - row)
    }

    /// Rows that can be selected in a panel.
    pub fn rows(&self, panel: Panel) -> usize {
        match panel {
            Panel::Causes => self.diagnosis.verdicts.len(),
            Panel::Keyspace => self.sample().map_or(0, |sample| sample.keyspace.dbs.len()),
            Panel::Commands => self
                .sample()
                .map_or(0, |sample| self.command_rows(&sample).len()),
            Panel::Replication => self
                .sample()
                .map_or(0, |sample| sample.replication.replicas.len()),
            Panel::Changes => self.window().changes().count(),
            Panel::Incidents => self.diagnosis.incidents.len(),
            Panel::Watched => self.diagnosis.fates.len(),
            Panel::Ledger | Panel::Eviction | Panel::Persistence => 0,
        }
    }

    fn selected(&self) -> usize {
        if self.screen.scrolls() {
            return self.screen.scroll;
        }
        self.screen.row(self.screen.focus)
    }

    fn select(&mut self, row: usize) {
        if let View::Card(_) = self.screen.view {
            self.screen.scroll = row.min(usize::from(u16::MAX));
            return;
        }
        let focus = self.screen.focus;
        let last = self.rows(focus).saturating_sub(1);
        self.screen.set_row_of(focus, row.min(last));
        if focus == Panel::Causes {
            self.screen.chosen = self.selected_cause();
        }
        if focus == Panel::Incidents {
            self.screen.chosen_incident = self.selected_incident().map(|i| i.from.elapsed);
        }
    }

    /// Moves the selection; at the edge of a panel on the overview, the focus moves on.
    fn move_selection(&mut self, by: isize) {
        if let View::Card(_) = self.screen.view {
            self.screen.scroll = self.screen.scroll.saturating_add_signed(by);
            return;
        }
        let rows = self.rows(self.screen.focus);
        let row = self.selected().min(rows.saturating_sub(1));
        match row.checked_add_signed(by).filter(|to| *to < rows) {
            Some(to) => self.select(to),
            None if self.screen.view == View::Overview => self.screen.focus_vertically(by > 0),
            None => {}
        }
    }

    /// The window that is shown: from the beginning to the cursor.
    pub fn window(&self) -> Window<'_> {
        self.window_of(&self.history)
    }

    /// The same of another history with the same entries.
    pub fn window_of<'h>(&self, history: &'h History) -> Window<'h> {
        history.window_to(self.position())
    }

    /// The sample that is shown; during a gap, the last one before it.
    pub fn sample(&self) -> Option<Sample> {
        self.window().last_sample()
    }

    /// The commands of a sample to list: the catalogue's that have a line, or with a filter any that match it;
    /// sorted as chosen.
    pub fn command_rows<'s>(&self, sample: &'s Sample) -> Vec<CommandStat<'s>> {
        let Some(commands) = &sample.commands else {
            return Vec::new();
        };
        let filter = self.screen.filter.value().trim().to_ascii_lowercase();
        let mut rows: Vec<CommandStat<'_>> = commands
            .iter()
            .filter(|stat| {
                if filter.is_empty() {
                    stat.class.is_some()
                } else {
                    stat.name.contains(&filter)
                }
            })
            .collect();
        self.sort_commands(&mut rows);
        rows
    }

    fn sort_commands(&self, rows: &mut [CommandStat<'_>]) {
        let step = self.window().last_step();
        let moved = |stat: &CommandStat<'_>| step.map_or(0, |step| step.effective(stat.name));
        match self.screen.sort {
            // Classes are ordered by how much one call can destroy.
            Sort::Danger => rows.sort_by_key(|stat| {
                (
                    stat.calls == 0,
                    stat.class.map_or(u8::MAX, |class| class as u8),
                    u64::MAX - stat.calls,
                )
            }),
            Sort::Calls => rows.sort_by_key(|stat| u64::MAX - stat.calls),
            Sort::Rate => rows.sort_by_key(|stat| (u64::MAX - moved(stat), u64::MAX - stat.calls)),
            Sort::Refused => rows.sort_by_key(|stat| u64::MAX - (stat.rejected + stat.failed)),
            Sort::Name => rows.sort_by_key(|stat| stat.name),
        }
    }

    /// When a command was last seen to run, while watching.
    pub fn last_seen(&self, command: &str) -> Option<Moment> {
        self.window()
            .steps()
            .rev()
            .find(|step| step.effective(command) > 0)
            .map(|step| step.to)
    }

    /// Restarts seen while watching.
    pub fn restarts(&self) -> usize {
        self.window()
            .changes()
            .filter(|change| matches!(change.kind, ChangeKind::Restart { .. }))
            .count()
    }

    /// Everything that was observed.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The diagnosis of what is shown.
    pub fn diagnosis(&self) -> &Diagnosis {
        &self.diagnosis
    }

    /// What the user is looking at.
    pub fn screen(&self) -> &Screen {
        &self.screen
    }

    /// Preferences that the command line sets.
    pub fn screen_mut(&mut self) -> &mut Screen {
        &mut self.screen
    }

    /// The state of the connection, live even when the screen is paused.
    pub fn connection(&self) -> &Connection {
        self.history.connection()
    }

    /// Which moment is shown.
    pub fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// The latest moment known.
    pub fn now(&self) -> Moment {
        self.now
    }

    /// Time between polls.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// The message at the bottom.
    pub fn notice(&self) -> Option<&Notice> {
        self.notice.as_ref()
    }
}

#[cfg(test)]
mod tests;
