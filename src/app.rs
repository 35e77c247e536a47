//! The state of the dashboard: observations and actions in, something to draw out.
//!
//! Pure and synchronous. Live, paused and stepped-back screens are one path: the [`Cursor`] picks
//! the end of the [`Window`], the window is diagnosed, the diagnosis is drawn.

mod action;
mod commands;
mod judge;
mod monitor;
mod nodes;
mod panel;
mod screen;
mod travel;
mod watched;

use std::time::Duration;

pub use action::{Action, Effect};
pub use panel::Panel;
pub use screen::{Mode, Privacy, Screen, Sort, Span, ThemeName, View};

use crate::diagnosis::{Cause, Diagnosis, Incident};
use crate::model::{
    ChangeKind, Connection, Deployment, History, INTERVAL_RANGE, Moment, Sample, Told, Watch,
    Window,
};
use judge::Judge;
use nodes::Narrow;
pub use nodes::NodeSort;

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
    deployment: Deployment,
    judge: Judge,
    narrow: Narrow,
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
    /// A dashboard over a deployment of which nothing was heard yet.
    pub fn new(deployment: Deployment, interval: Duration, now: Moment) -> Self {
        let judge = Judge::new(&deployment);
        Self {
            deployment,
            judge,
            narrow: Narrow::Not,
            cursor: Cursor::Live,
            screen: Screen::default(),
            interval,
            now,
            notice: None,
            wanted: Vec::new(),
            warned: None,
        }
    }

    /// Takes in what was said. What is shown moves only while the cursor is live.
    pub fn observe(&mut self, told: Told) {
        self.observe_all([told]);
    }

    /// Takes in several things that were said and diagnoses once.
    pub fn observe_all(&mut self, told: impl IntoIterator<Item = Told>) {
        let concerned: Vec<usize> = told
            .into_iter()
            .filter_map(|told| self.take_in(told))
            .collect();
        if self.cursor == Cursor::Live {
            let extent = self.extent();
            self.judge.again(&self.deployment, &extent, &concerned);
            self.settle_selection();
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
            Action::Back if self.screen.is_at_rest() && self.widen() => {}
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

    /// Judges what is shown anew.
    fn diagnose(&mut self) {
        let end = self.end();
        let extent = self.extent();
        self.judge.at(&self.deployment, &extent, end);
        self.settle_selection();
    }

    /// Rows change places; the selection stays on its cause and its incident.
    fn settle_selection(&mut self) {
        let diagnosis = self.judge.of(&self.extent());
        self.screen.watches = !self.wanted.is_empty() || !diagnosis.fates.is_empty();
        self.screen.several = self.deployment.is_several();
        self.screen.usual_sort = NodeSort::usual(self.deployment.members().len());
        if let Some(cause) = self.screen.chosen
            && let Some(row) = diagnosis.verdicts.iter().position(|v| v.cause == cause)
        {
            self.screen.set_row_of(Panel::Causes, row);
        }
        let chosen = self.screen.chosen_incident.and_then(|from| {
            let mut rows = diagnosis.incidents.iter().rev();
            rows.position(|incident| incident.from.elapsed == from)
        });
        if let Some(row) = chosen {
            self.screen.set_row_of(Panel::Incidents, row);
        }
        self.settle_node();
    }

    fn open(&mut self) {
        if !matches!(self.screen.view, View::Card(_)) {
            match self.screen.focus {
                Panel::Incidents => return self.open_incident(),
                Panel::Nodes => return self.open_node(),
                _ => {}
            }
        }
        let cause = self.selected_cause();
        self.screen.open(cause);
    }

    /// The cause that the selection in the causes panel stands on.
    pub fn selected_cause(&self) -> Option<Cause> {
        let row = self
            .screen
            .row(Panel::Causes)
            .min(self.diagnosis().verdicts.len().saturating_sub(1));
        self.diagnosis()
            .verdicts
            .get(row)
            .map(|verdict| verdict.cause)
    }

    /// The incident that the selection in the incidents panel stands on; rows are newest first.
    pub fn selected_incident(&self) -> Option<&Incident> {
        let last = self.diagnosis().incidents.len().checked_sub(1)?;
        let row = self.screen.row(Panel::Incidents).min(last);
        self.diagnosis().incidents.get(last - row)
    }

    /// Rows that can be selected in a panel.
    pub fn rows(&self, panel: Panel) -> usize {
        match panel {
            Panel::Causes => self.diagnosis().verdicts.len(),
            Panel::Keyspace => self.sample().map_or(0, |sample| sample.keyspace.dbs.len()),
            Panel::Commands => self
                .sample()
                .map_or(0, |sample| self.command_rows(&sample).len()),
            Panel::Replication => self
                .sample()
                .map_or(0, |sample| sample.replication.replicas.len()),
            Panel::Changes => self.changes().len(),
            Panel::Nodes => self.node_rows().len(),
            Panel::Incidents => self.diagnosis().incidents.len(),
            Panel::Watched => self.diagnosis().fates.len(),
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
        if focus == Panel::Nodes {
            self.choose_node();
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

    /// The end of what is shown, on the monotonic scale; `None` while the cursor is live.
    pub fn end(&self) -> Option<Duration> {
        match self.cursor {
            Cursor::Live => None,
            Cursor::At(elapsed) => Some(elapsed),
        }
    }

    /// The window of the node that is shown: from the beginning to the cursor.
    pub fn window(&self) -> Window<'_> {
        self.history().window_until(self.end())
    }

    /// The sample that is shown; during a gap, the last one before it.
    pub fn sample(&self) -> Option<Sample> {
        self.window().last_sample()
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
    pub fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// Everything that was observed of the node that is shown.
    pub fn history(&self) -> &History {
        self.deployment.members()[self.shown()].history()
    }

    /// The diagnosis of what is shown: of the whole, or of the node or shard that it is narrowed to.
    pub fn diagnosis(&self) -> &Diagnosis {
        self.judge.of(&self.extent())
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
        self.history().connection()
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
