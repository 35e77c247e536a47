//! The event loop: one `select!`.
//!
//! ```text
//!  observations ─┐
//!  keys, resize ─┤   wake up ─► drain what is ready ─► App::observe_all, App::act ─► draw once
//!  1 Hz tick    ─┤                                              │
//!  signals      ─┤                                              ▼ Effect
//!  export done  ─┘                            Outside: poll interval, snapshot export
//! ```
//!
//! There is no frame rate: the screen is drawn when something changed, once for everything that
//! had piled up. Where many nodes answer at all times, what they say is gathered for `GATHER`; keys
//! and pushes are answered at once. Nothing here waits for a disk or a server, so keys always work.

mod dashboard;
pub mod terminal;

use std::io;
use std::time::Duration;

use color_eyre::eyre::{Result, WrapErr as _};
use crossterm::event::{Event, KeyEvent, KeyEventKind};
use ratatui::Terminal;
use ratatui::backend::Backend;
use ratatui::layout::Rect;
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior, sleep_until};

pub use dashboard::{Options, dashboard, replay};

use crate::app::{App, Effect};
use crate::model::{Moment, NodeId, Observation, Told, Watch};
use crate::{keymap, ui};

/// Ages and countdowns move this often.
const TICK: Duration = Duration::from_secs(1);
/// The most that is taken in of one kind before the screen is drawn.
const BATCH: usize = 256;
/// From so many nodes on, answers are gathered before they are shown,
const MANY: usize = 9;
/// for so long.
const GATHER: Duration = Duration::from_millis(100);
/// How long the program stays for a snapshot that is being written when the user leaves.
const FAREWELL: Duration = Duration::from_secs(2);

/// Work to be done off the loop: writes a snapshot, returns what to say about it.
pub type ExportJob = Box<dyn FnOnce() -> Exported + Send>;

/// What the loop needs of the world besides its [`Inputs`].
pub trait Outside {
    /// The present.
    fn now(&self) -> Moment;
    /// Polls at this interval from now on, or says why not.
    fn set_interval(&self, interval: Duration) -> Result<(), String>;
    /// Watches a key besides, or says why not.
    fn watch(&self, _: Watch) -> Result<(), String> {
        Err("this is a recording: no key can be asked for".to_owned())
    }
    /// Runs `MONITOR` on a node for some seconds, or says why not.
    fn monitor(&self, _: NodeId) -> Result<(), String> {
        Err("there is no server to run MONITOR on".to_owned())
    }
    /// Takes what has to be exported; the job itself runs on a thread of its own.
    fn export(&self, app: &App) -> ExportJob;
    /// The screen has been drawn.
    fn drawn(&self) {}
}

/// What wakes the loop up.
#[derive(Debug)]
pub struct Inputs {
    /// Keys and resizes. The loop ends with an error on an error, and when the sender is gone.
    pub events: mpsc::Receiver<io::Result<Event>>,
    /// What the servers said. May end before the loop does.
    pub observations: mpsc::Receiver<Told>,
    /// Reasons to leave that are not keys.
    pub ends: mpsc::Receiver<End>,
}

/// Why the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The user asked for it.
    Quit,
    /// A signal, by its number.
    Signal(u8),
    /// The terminal went away.
    TerminalGone,
}

impl End {
    /// Exit code: 0 when asked for, else the customary 128 + signal.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Quit => 0,
            Self::Signal(number) => 128_u8.saturating_add(number),
            Self::TerminalGone => 129,
        }
    }
}

/// Runs the dashboard until something ends it.
pub async fn run<B, O>(
    terminal: &mut Terminal<B>,
    app: &mut App,
    outside: &O,
    inputs: Inputs,
) -> Result<End>
where
    B: Backend,
    B::Error: Send + Sync + 'static,
    O: Outside,
{
    let mut session = Session::new(app, outside, inputs);
    loop {
        session.draw(terminal)?;
        if let Some(end) = session.end {
            session.farewell().await;
            return Ok(end);
        }
        session.wake_up().await?;
        session.drain()?;
    }
}

struct Session<'a, O> {
    app: &'a mut App,
    outside: &'a O,
    inputs: Inputs,
    tick: Interval,
    exports: (mpsc::Sender<Exported>, mpsc::Receiver<Exported>),
    exporting: bool,
    observing: bool,
    batch: Vec<Told>,
    /// When what was gathered is to be shown.
    due: Option<Instant>,
    redraw: Redraw,
    end: Option<End>,
}

/// What to say about a snapshot: that it is written, or why not.
type Exported = Result<String, String>;

/// What the screen needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Redraw {
    Nothing,
    /// Only the cells that changed.
    Changes,
    /// Every cell: the terminal was resized.
    All,
}

impl<'a, O: Outside> Session<'a, O> {
    fn new(app: &'a mut App, outside: &'a O, inputs: Inputs) -> Self {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick is due at once and would only draw the first screen again.
        tick.reset();
        Self {
            app,
            outside,
            inputs,
            tick,
            exports: mpsc::channel(1),
            exporting: false,
            observing: true,
            batch: Vec::new(),
            due: None,
            redraw: Redraw::Changes,
            end: None,
        }
    }

    /// Waits until something happens and takes it in.
    async fn wake_up(&mut self) -> Result<()> {
        tokio::select! {
            observation = self.inputs.observations.recv(), if self.observing => match observation {
                Some(told) => self.take(told),
                None => self.observing = false,
            },
            () = sleep_until(self.due.unwrap_or_else(Instant::now)), if self.due.is_some() => {
                self.due = Some(Instant::now());
            }
            event = self.inputs.events.recv() => self.event(event)?,
            Some(end) = self.inputs.ends.recv() => self.end = Some(end),
            _ = self.tick.tick() => self.changed(),
            Some(outcome) = self.exports.1.recv() => self.exported(outcome),
        }
        Ok(())
    }

    /// Something was said. Of many nodes, only pushes are worth a screen of their own.
    fn take(&mut self, told: Told) {
        let is_many = self.app.deployment().members().len() >= MANY;
        let is_urgent = match &told {
            Told::Node(_, said) => {
                matches!(said, Observation::Emptied { .. } | Observation::Keys { .. })
            }
            _ => false,
        };
        self.batch.push(told);
        let due = if is_many && !is_urgent {
            GATHER
        } else {
            Duration::ZERO
        };
        let due = Instant::now() + due;
        self.due = Some(self.due.map_or(due, |known| known.min(due)));
    }

    /// Takes in what else is ready.
    fn drain(&mut self) -> Result<()> {
        self.app.tick(self.outside.now());
        while self.batch.len() < BATCH {
            match self.inputs.observations.try_recv() {
                Ok(told) => self.take(told),
                Err(_) => break,
            }
        }
        let is_due = self.due.is_some_and(|due| due <= Instant::now());
        if is_due || self.batch.len() >= BATCH {
            self.due = None;
            self.app.observe_all(self.batch.drain(..));
            self.changed();
        }
        for _ in 0..BATCH {
            if self.end.is_some() {
                break;
            }
            match self.inputs.events.try_recv() {
                Ok(event) => self.event(Some(event))?,
                Err(_) => break,
            }
        }
        Ok(())
    }

    fn event(&mut self, event: Option<io::Result<Event>>) -> Result<()> {
        match event {
            None => self.end = Some(End::TerminalGone),
            Some(event) => match event.wrap_err("cannot read keys from the terminal")? {
                Event::Key(key) if key.kind == KeyEventKind::Press => self.key(key),
                Event::Resize(..) => self.redraw = Redraw::All,
                _ => {}
            },
        }
        Ok(())
    }

    fn key(&mut self, key: KeyEvent) {
        let screen = self.app.screen();
        let Some(action) = keymap::action(key, screen.mode, screen.view, screen.focus) else {
            return;
        };
        self.changed();
        self.app.tick(self.outside.now());
        match self.app.act(action) {
            None => {}
            Some(Effect::Quit) => self.end = Some(End::Quit),
            Some(Effect::SetInterval(interval)) => {
                let set = self.outside.set_interval(interval);
                self.complain(set);
            }
            Some(Effect::Monitor(node)) => {
                let begun = self.outside.monitor(node);
                self.complain(begun);
            }
            Some(Effect::Watch(watch)) => {
                if let Err(why) = self.outside.watch(watch) {
                    self.app.say(why, true);
                }
            }
            Some(Effect::Export) => self.export(),
        }
    }

    fn complain(&mut self, done: Result<(), String>) {
        if let Err(why) = done {
            self.app.say(why, true);
        }
    }

    /// Writes a snapshot on a thread of its own: a slow disk must not freeze the screen, and a
    /// stuck one must not keep the program from ending, as a task of the runtime would.
    fn export(&mut self) {
        if self.exporting {
            self.app
                .say("the last snapshot is still being written", false);
            return;
        }
        let job = self.outside.export(self.app);
        let done = self.exports.0.clone();
        let thread = std::thread::Builder::new()
            .name("export".to_owned())
            .spawn(move || done.blocking_send(job()));
        match thread {
            Ok(_) => {
                self.exporting = true;
                self.app.say("writing a snapshot", false);
            }
            Err(error) => self
                .app
                .say(format!("cannot write a snapshot: {error}"), true),
        }
    }

    fn changed(&mut self) {
        self.redraw = self.redraw.max(Redraw::Changes);
    }

    fn exported(&mut self, outcome: Exported) {
        self.exporting = false;
        self.changed();
        self.app.tick(self.outside.now());
        match outcome {
            Ok(said) => self.app.say(said, false),
            Err(trouble) => self.app.say(trouble, true),
        }
    }

    fn draw<B>(&mut self, terminal: &mut Terminal<B>) -> Result<()>
    where
        B: Backend,
        B::Error: Send + Sync + 'static,
    {
        const TROUBLE: &str = "cannot draw on the terminal";
        if self.redraw == Redraw::Nothing {
            return Ok(());
        }
        let size = terminal.size().wrap_err(TROUBLE)?;
        if self.redraw == Redraw::All {
            // Terminals rearrange what they hold, also when the size is the old one again.
            // `Terminal::clear` would ask the terminal for its cursor and wait for the answer.
            terminal.resize(size.into()).wrap_err(TROUBLE)?;
        }
        ui::settle(self.app, Rect::from(size));
        terminal
            .draw(|frame| ui::draw(frame, self.app))
            .wrap_err(TROUBLE)?;
        self.redraw = Redraw::Nothing;
        self.outside.drawn();
        Ok(())
    }

    /// Lets a snapshot that is being written come to its end, within reason.
    async fn farewell(&mut self) {
        if self.exporting {
            let _ = tokio::time::timeout(FAREWELL, self.exports.1.recv()).await;
        }
    }
}

#[cfg(test)]
mod tests;
