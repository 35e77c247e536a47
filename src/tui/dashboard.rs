//! The dashboard put together: clock, poller, state, terminal, loop.

use std::process::ExitCode;
use std::time::Duration;

use color_eyre::eyre::{Result, WrapErr as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::{End, ExportJob, Inputs, Outside, run, terminal};
use crate::app::{App, Screen};
use crate::config::Plan;
use crate::model::{Assumptions, Deployment, Moment, NodeId, Observation, Told, Watch};
use crate::source::Clock;
use crate::source::deployment::{Wish, watch_deployment};
use crate::source::sentinel::settle;

/// How much is remembered.
const KEEP: Duration = Duration::from_secs(3_600);
/// Observations that wait for the screen; then the poller waits too.
const QUEUE: usize = 64;
/// Wishes of the user that wait to be granted.
const WISHES: usize = 64;
/// How long the poller is waited for at the end.
const JOIN: Duration = Duration::from_secs(1);

/// How the dashboard begins.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Theme, characters and so on, as the command line sets them.
    pub screen: Screen,
    /// What to say first, such as where the data comes from.
    pub notice: Option<String>,
}

/// Shows live servers until the user leaves.
///
/// `export` takes what a snapshot needs out of the state and returns the job that writes it.
pub async fn dashboard(
    plan: Plan,
    options: Options,
    export: impl Fn(&App) -> ExportJob,
) -> Result<ExitCode> {
    let clock = Clock::start();
    let plan = settle(plan, clock).await?;
    let ends = terminal::ends().wrap_err("cannot listen to signals")?;
    // In this order: the terminal is given back last.
    let (_taken, mut tty) = terminal::take()?;
    let events = terminal::events().wrap_err("cannot read keys")?;

    let first = &plan.targets[0];
    let interval = first.interval;
    let mut app = app(
        first.node(),
        first.assumptions.clone(),
        interval,
        clock.now(),
        options,
    );
    app.watch(first.watch.clone());
    let (out, observations) = mpsc::channel(QUEUE);
    let stop = CancellationToken::new();
    let (wishes, asked) = mpsc::channel(WISHES);
    let mut poller = tokio::spawn(watch_deployment(plan, clock, asked, out, stop.clone()));

    let live = Live {
        clock,
        wishes,
        export,
        panic: TestPanic::from_environment(),
    };
    let inputs = Inputs {
        events,
        observations,
        ends,
    };
    let end = run(&mut tty, &mut app, &live, inputs).await;

    stop.cancel();
    if timeout(JOIN, &mut poller).await.is_err() {
        poller.abort();
    }
    end.map(code)
}

/// Shows observations that were made earlier, at the pace at which they were made.
pub async fn replay(
    node: NodeId,
    assumptions: Assumptions,
    observations: Vec<Observation>,
    options: Options,
    export: impl Fn(&App) -> ExportJob,
) -> Result<ExitCode> {
    let ends = terminal::ends().wrap_err("cannot listen to signals")?;
    let (_taken, mut tty) = terminal::take()?;
    let events = terminal::events().wrap_err("cannot read keys")?;

    let clock = Clock::start();
    let start = Instant::now();
    let first = observations
        .first()
        .map_or_else(|| clock.now(), Observation::moment);
    let interval = observations.get(1).map_or(Duration::from_secs(1), |next| {
        next.moment().elapsed.saturating_sub(first.elapsed)
    });
    let mut app = app(node, assumptions, interval, first, options);
    let (out, receiver) = mpsc::channel(QUEUE);
    let told = observations
        .into_iter()
        .map(|said| Told::Node(app.history().node().clone(), said));
    let player = tokio::spawn(play(told.collect(), start, out));

    let recorded = Recorded {
        first,
        start,
        export,
    };
    let inputs = Inputs {
        events,
        observations: receiver,
        ends,
    };
    let end = run(&mut tty, &mut app, &recorded, inputs).await;
    player.abort();
    end.map(code)
}

fn app(
    node: NodeId,
    assumptions: Assumptions,
    interval: Duration,
    now: Moment,
    options: Options,
) -> App {
    let mut app = App::new(Deployment::new(node, assumptions, KEEP), interval, now);
    *app.screen_mut() = options.screen;
    if let Some(notice) = options.notice {
        app.say(notice, false);
    }
    app
}

fn code(end: End) -> ExitCode {
    ExitCode::from(end.exit_code())
}

/// Sends observations with the time between them that they were made with.
async fn play(told: Vec<Told>, start: Instant, out: mpsc::Sender<Told>) {
    let Some(first) = told.first().map(Told::moment) else {
        return;
    };
    for told in told {
        let after = told.moment().elapsed.saturating_sub(first.elapsed);
        sleep_until(start + after).await;
        if out.send(told).await.is_err() {
            return;
        }
    }
}

struct Live<E> {
    clock: Clock,
    wishes: mpsc::Sender<Wish>,
    export: E,
    panic: Option<TestPanic>,
}

impl<E> Live<E> {
    /// Tells the pollers what the user wants.
    fn wish(&self, wish: Wish) -> Result<(), String> {
        self.wishes.try_send(wish).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => "the pollers are too busy to hear it".to_owned(),
            mpsc::error::TrySendError::Closed(_) => "the pollers have ended".to_owned(),
        })
    }
}

impl<E: Fn(&App) -> ExportJob> Outside for Live<E> {
    fn now(&self) -> Moment {
        self.clock.now()
    }

    fn set_interval(&self, interval: Duration) -> Result<(), String> {
        self.wish(Wish::Interval(interval))
    }

    fn monitor(&self, node: NodeId) -> Result<(), String> {
        self.wish(Wish::Monitor(node))
    }

    fn watch(&self, watch: Watch) -> Result<(), String> {
        self.wish(Wish::Watch(watch))
    }

    fn export(&self, app: &App) -> ExportJob {
        (self.export)(app)
    }

    fn drawn(&self) {
        match self.panic {
            None => {}
            Some(TestPanic::Loop) => panic!("asked to panic in the loop"),
            Some(TestPanic::Task) => {
                tokio::spawn(async { panic!("asked to panic in a task") });
            }
        }
    }
}

struct Recorded<E> {
    first: Moment,
    start: Instant,
    export: E,
}

impl<E: Fn(&App) -> ExportJob> Outside for Recorded<E> {
    fn now(&self) -> Moment {
        let passed = self.start.elapsed();
        Moment {
            elapsed: self.first.elapsed + passed,
            at: self
                .first
                .at
                .checked_add(jiff::SignedDuration::try_from(passed).unwrap_or_default())
                .unwrap_or(self.first.at),
        }
    }

    fn set_interval(&self, _: Duration) -> Result<(), String> {
        Err("this is a recording: its interval is given".to_owned())
    }

    fn export(&self, app: &App) -> ExportJob {
        (self.export)(app)
    }
}

/// For the terminal tests alone: `AMR_TOP_TEST_PANIC=loop` or `=task` panics there after the first
/// screen, to prove that the terminal is given back. Builds without debug assertions do not look.
#[derive(Clone, Copy)]
enum TestPanic {
    Loop,
    Task,
}

impl TestPanic {
    fn from_environment() -> Option<Self> {
        if !cfg!(debug_assertions) {
            return None;
        }
        match std::env::var("AMR_TOP_TEST_PANIC").ok()?.as_str() {
            "loop" => Some(Self::Loop),
            "task" => Some(Self::Task),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn answer(elapsed: u64) -> Told {
        let said = Observation::Answer {
            moment: Moment {
                elapsed: Duration::from_secs(elapsed),
                at: Timestamp::constant(1_700_000_000, 0) + Duration::from_secs(elapsed),
            },
            round_trip: Duration::from_millis(1),
            info: "# Server\r\n".into(),
        };
        Told::Node(NodeId::new("h:1"), said)
    }

    fn nothing(_: &App) -> ExportJob {
        Box::new(|| Ok(String::new()))
    }

    #[test]
    fn a_new_interval_reaches_the_pollers() {
        let (wishes, mut asked) = mpsc::channel(4);
        let live = Live {
            clock: Clock::start(),
            wishes,
            export: nothing,
            panic: None,
        };
        let interval = Duration::from_secs(2);
        live.set_interval(interval).expect("somebody listens");
        assert_eq!(asked.try_recv(), Ok(Wish::Interval(interval)));
        let node = NodeId::new("h:1");
        live.monitor(node.clone()).expect("somebody listens");
        assert_eq!(asked.try_recv(), Ok(Wish::Monitor(node)));
        drop(asked);
        assert!(live.set_interval(Duration::from_secs(4)).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_recording_keeps_its_pace_and_its_clock() {
        let start = Instant::now();
        let first = answer(100).moment();
        let recorded = Recorded {
            first,
            start,
            export: nothing,
        };
        let (out, mut observations) = mpsc::channel(QUEUE);
        tokio::spawn(play(
            vec![answer(100), answer(101), answer(107)],
            start,
            out,
        ));
        let mut heard = Vec::new();
        while let Some(observation) = observations.recv().await {
            assert_eq!(observation.moment(), recorded.now());
            heard.push(start.elapsed().as_secs());
        }
        assert_eq!(heard, [0, 1, 7]);
        assert!(recorded.set_interval(Duration::from_secs(2)).is_err());
    }
}
