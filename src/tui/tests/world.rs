//! A scripted world around the loop: keys, observations and ends come from a script, and what the loop
//! does to the outside is counted.

use std::cell::{Cell, RefCell};
use std::future::Future;

use crossterm::event::{KeyCode, KeyModifiers};
use jiff::Timestamp;
use ratatui::backend::TestBackend;
use tokio::task::yield_now;
use tokio::time::Instant;

use super::*;
use crate::model::{Assumptions, Deployment, NodeId, Observation};

/// Longer than any chain of wake-ups in these tests.
const TURNS: usize = 10_000;

pub(super) struct World {
    pub(super) start: Instant,
    pub(super) draws: Cell<usize>,
    pub(super) intervals: RefCell<Vec<Duration>>,
    pub(super) jobs: RefCell<Vec<ExportJob>>,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            start: Instant::now(),
            draws: Cell::new(0),
            intervals: RefCell::default(),
            jobs: RefCell::default(),
        }
    }

    pub(super) async fn drawn(&self, times: usize) {
        for _ in 0..TURNS {
            if self.draws.get() >= times {
                return;
            }
            yield_now().await;
        }
        panic!("drawn {} times, not {times}", self.draws.get());
    }

    pub(super) async fn settled(&self) {
        for _ in 0..100 {
            yield_now().await;
        }
    }
}

impl Outside for World {
    fn now(&self) -> Moment {
        moment(self.start.elapsed())
    }

    fn set_interval(&self, interval: Duration) -> Result<(), String> {
        self.intervals.borrow_mut().push(interval);
        Ok(())
    }

    fn export(&self, _: &App) -> ExportJob {
        self.jobs.borrow_mut().remove(0)
    }

    fn drawn(&self) {
        self.draws.set(self.draws.get() + 1);
    }
}

pub(super) struct Script {
    pub(super) events: mpsc::Sender<io::Result<Event>>,
    pub(super) observations: mpsc::Sender<Told>,
    pub(super) ends: mpsc::Sender<End>,
}

impl Script {
    pub(super) async fn event(&self, event: Event) {
        self.events.send(Ok(event)).await.expect("the loop runs");
    }

    pub(super) async fn keys(&self, keys: &str) {
        for c in keys.chars() {
            self.event(Event::Key(KeyEvent::new(
                KeyCode::Char(c),
                KeyModifiers::NONE,
            )))
            .await;
        }
    }

    pub(super) async fn answer(&self, second: u64) {
        self.observations
            .send(answer(second))
            .await
            .expect("the loop runs");
    }
}

pub(super) fn moment(elapsed: Duration) -> Moment {
    let base = Timestamp::constant(1_700_000_000, 0);
    Moment {
        elapsed,
        at: base + elapsed,
    }
}

pub(super) fn answer(second: u64) -> Told {
    let said = Observation::Answer {
        moment: moment(Duration::from_secs(second)),
        round_trip: Duration::from_millis(1),
        info: "# Server\r\nredis_version:7.0.15\r\nrun_id:a\r\nuptime_in_seconds:9\r\n".into(),
    };
    Told::Node(NodeId::new("cache:6379"), said)
}

pub(super) fn inputs() -> (Script, Inputs) {
    let (events_in, events) = mpsc::channel(64);
    let (observations_in, observations) = mpsc::channel(64);
    let (ends_in, ends) = mpsc::channel(4);
    (
        Script {
            events: events_in,
            observations: observations_in,
            ends: ends_in,
        },
        Inputs {
            events,
            observations,
            ends,
        },
    )
}

pub(super) fn app() -> App {
    let deployment = Deployment::new(
        NodeId::new("cache:6379"),
        Assumptions::default(),
        Duration::from_secs(3_600),
    );
    App::new(deployment, Duration::from_secs(1), moment(Duration::ZERO))
}

/// Runs the loop beside a script; the script holds the other ends of the inputs.
pub(super) async fn play<F>(world: &World, script: impl FnOnce(Script) -> F) -> (Result<End>, App)
where
    F: Future<Output = Option<Script>>,
{
    let (ends, inputs) = inputs();
    let mut app = app();
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).expect("a screen in memory");
    let (end, _ends) = tokio::join!(run(&mut terminal, &mut app, world, inputs), script(ends));
    (end, app)
}
