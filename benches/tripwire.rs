//! From `FLUSHALL` to its cause and to whoever did it: `cargo bench --bench tripwire`.
//!
//! Prints figures, judges nothing. Needs a `redis-server` on `PATH`.

use std::io::Write as _;
use std::time::Duration;

use amr_top::config::{Auth, Endpoint, Settings};
use amr_top::demo::server::Server;
use amr_top::diagnosis::{Cause, diagnose};
use amr_top::model::{Assumptions, History, Observation};
use amr_top::source::{Clock, Control, poll};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

const ROUNDS: usize = 200;
/// A suspect costs a question, which is asked once a second at most: fewer rounds.
const NAMED: usize = 20;
/// So long between polls that only the tripwire can bring one.
const NEVER: Duration = Duration::from_secs(3_600);

#[tokio::main]
async fn main() {
    let server = Server::start(&["--slowlog-log-slower-than", "-1"]).expect("a server");
    let client = redis::Client::open(format!("redis://{}/", server.address())).expect("a client");
    let mut redis = client.get_connection().expect("a connection");
    let mut out = std::io::stdout();
    let mut say = |what: &str, times: Vec<Duration>| {
        // A figure that nobody reads is no reason to fail.
        let _ = writeln!(out, "{what:<48} {}", figures(times));
    };
    let mut causes = Vec::new();
    let mut names = Vec::new();
    let mut eye = Eye::open(&server).await;
    for _ in 0..ROUNDS {
        causes.push(eye.flushed(&mut redis, false).await);
    }
    say("FLUSHALL to the cause, 200 rounds", causes);
    for _ in 0..NAMED {
        // A watch of its own each: the rounds of witnesses are a second apart.
        let mut eye = Eye::open(&server).await;
        names.push(eye.flushed(&mut redis, true).await);
    }
    say("FLUSHALL to the cause and a suspect, 20 rounds", names);
}

/// Median and the 99th of a hundred.
fn figures(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let ms = |part: usize| {
        let at = (times.len() * part / 100).min(times.len() - 1);
        times[at].as_secs_f64() * 1_000.0
    };
    format!("median {:.1} ms, p99 {:.1} ms", ms(50), ms(99))
}

/// A poller and what it told.
struct Eye {
    clock: Clock,
    history: History,
    heard: mpsc::Receiver<Observation>,
    stop: CancellationToken,
    control: watch::Sender<Control>,
}

impl Eye {
    /// Watches until the tripwire stands and the first questions are answered.
    async fn open(server: &Server) -> Self {
        let settings = Settings {
            endpoint: Endpoint::Tcp {
                host: "127.0.0.1".to_owned(),
                port: server.port(),
            },
            auth: Auth::default(),
            tls: None,
            interval: NEVER,
            connect_timeout: Duration::from_secs(2),
            timeout: Duration::from_secs(5),
            assumptions: Assumptions::default(),
            watch: Vec::new(),
            sample: None,
            tripwire: true,
            monitor: None,
        };
        let clock = Clock::start();
        let (control, changes) = watch::channel(Control::every(NEVER));
        let (out, heard) = mpsc::channel(64);
        let stop = CancellationToken::new();
        let history = History::new(settings.node(), Assumptions::default(), NEVER);
        tokio::spawn(poll(settings, clock, changes, out, stop.clone()));
        let mut eye = Self {
            clock,
            history,
            heard,
            stop,
            control,
        };
        let (mut stands, mut answered) = (false, false);
        while !(stands && answered) {
            let told = eye.hear().await;
            stands |= matches!(told, Observation::Tripwire { .. });
            answered |= matches!(told, Observation::SlowLog { .. });
        }
        eye
    }

    async fn hear(&mut self) -> Observation {
        let told = self.heard.recv().await.expect("the poller goes on");
        self.history.observe(told.clone());
        told
    }

    /// Fills, has it seen, flushes; the time until the cause, or a suspect too, is known.
    async fn flushed(&mut self, redis: &mut redis::Connection, named: bool) -> Duration {
        let mut fill = redis::pipe();
        for n in 0..1_000 {
            fill.cmd("SET").arg(format!("k:{n}")).arg("v");
        }
        fill.exec(redis).expect("is filled");
        self.polled_full().await;
        let before = self.lost();
        let begun = self.clock.elapsed();
        redis::cmd("FLUSHALL").exec(redis).expect("is flushed");
        loop {
            self.hear().await;
            let diagnosis = diagnose(&self.history.window());
            let flush = diagnosis.of(Cause::Flush);
            let flush = flush.filter(|flush| flush.is_loss_in_window());
            let is_named = flush.is_some_and(|flush| !named || !flush.suspects.is_empty());
            if is_named && self.lost() > before {
                return self.clock.elapsed().saturating_sub(begun);
            }
        }
    }

    /// Keys that flushes took so far.
    fn lost(&self) -> u64 {
        let diagnosis = diagnose(&self.history.window());
        let flush = diagnosis.of(Cause::Flush);
        flush.and_then(|flush| flush.keys_lost).unwrap_or(0)
    }

    /// Polls until the keys are seen.
    async fn polled_full(&mut self) {
        let often = Duration::from_millis(100);
        self.control.send_modify(|control| control.interval = often);
        let is_full = |eye: &Self| {
            let keys = eye
                .history
                .last_sample()
                .and_then(amr_top::model::Sample::keys);
            keys == Some(1_000)
        };
        while !is_full(self) {
            self.hear().await;
        }
        self.control.send_modify(|control| control.interval = NEVER);
    }
}

impl Drop for Eye {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
