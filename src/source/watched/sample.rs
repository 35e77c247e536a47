//! A sample of keys, taken slowly: how soon keys expire, and which went before their time.
//!
//! Off unless asked for (`--sample`). `SCAN` with at most [`COUNT`] goes on where the sample before
//! ended; the keys that it brings are asked for their `PTTL`. A server is asked at most once a
//! [`BETWEEN`], and a sample is taken every [`EVERY`]. Before the next, the keys of the last are looked
//! at again.

use std::time::Duration;

use redis::Value;
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::config::Settings;
use crate::model::{Observation, TtlSample};
use crate::source::connection::{Connection, Trouble};
use crate::source::tripwire::is_refusal;
use crate::source::{Clock, commands, seal};

/// Keys in one round trip.
const COUNT: usize = 100;
/// Five questions a second.
const BETWEEN: Duration = Duration::from_millis(200);
/// A sample a minute.
const EVERY: Duration = Duration::from_secs(60);
/// A sparse database brings few keys a call.
const MOST_SCANS: usize = 50;
/// Deadlines are read over a network.
const TOLERANCE: Duration = Duration::from_millis(250);

/// Takes samples of one server.
pub(super) struct Sampler {
    settings: Settings,
    clock: Clock,
    wanted: usize,
    /// Keys of the last sample, and when they expire.
    last: Vec<(Vec<u8>, Option<Duration>)>,
    cursor: Vec<u8>,
    checked: usize,
    early: usize,
    calls: usize,
    took: Duration,
}

impl Sampler {
    pub(super) fn new(settings: Settings, clock: Clock, wanted: u16) -> Self {
        Self {
            settings,
            clock,
            wanted: usize::from(wanted),
            last: Vec::new(),
            cursor: b"0".to_vec(),
            checked: 0,
            early: 0,
            calls: 0,
            took: Duration::ZERO,
        }
    }

    /// Samples until it is refused or nobody listens any more.
    pub(super) async fn run(mut self, out: mpsc::Sender<Observation>) {
        loop {
            let sampled = match Connection::open(&self.settings, self.clock, true).await {
                Ok(mut connection) => self.round(&mut connection).await,
                Err(failure) if is_refusal(failure.kind) => Err(Some(failure.detail)),
                Err(_) => Err(None),
            };
            // Without an answer there is nothing new to tell: the polls tell of an outage.
            let is_refused = matches!(sampled, Err(Some(_)));
            let told = match sampled {
                Ok(sample) => Some(Ok(sample)),
                Err(why) => why.map(|why| Err(seal::words(&why, &self.settings.auth))),
            };
            if let Some(sampled) = told {
                let moment = self.clock.now();
                let _ = out.send(Observation::Sampled { moment, sampled }).await;
            }
            if is_refused || out.is_closed() {
                return;
            }
            sleep(EVERY).await;
        }
    }

    async fn round(&mut self, connection: &mut Connection) -> Result<TtlSample, Option<String>> {
        (self.calls, self.took) = (0, Duration::ZERO);
        self.look_again(connection).await?;
        for _ in 0..MOST_SCANS {
            let names = self.scan(connection).await?;
            let room = self.wanted - self.last.len();
            let names: Vec<Vec<u8>> = names.into_iter().take(room).collect();
            for (name, ttl) in self.ttls(connection, names).await? {
                // A key that went meanwhile is none of the sample.
                if let Some(deadline) = ttl {
                    self.last.push((name, deadline));
                }
            }
            if self.last.len() >= self.wanted || self.cursor == b"0" {
                break;
            }
        }
        let mut deadlines: Vec<Duration> = self.last.iter().filter_map(|(_, at)| *at).collect();
        deadlines.sort_unstable();
        Ok(TtlSample {
            keys: self.last.len(),
            deadlines,
            checked: self.checked,
            early: self.early,
            calls: self.calls,
            took: self.took,
        })
    }

    /// Which keys of the last sample went before their time; forgets them.
    async fn look_again(&mut self, connection: &mut Connection) -> Result<(), Option<String>> {
        let known = std::mem::take(&mut self.last);
        for some in known.chunks(COUNT) {
            let names = some.iter().map(|(name, _)| name.clone()).collect();
            let states = self.ttls(connection, names).await?;
            let now = self.clock.elapsed();
            self.checked += states.len();
            let early = some.iter().zip(states).filter(|((_, deadline), (_, is))| {
                is.is_none() && deadline.is_none_or(|deadline| now + TOLERANCE < deadline)
            });
            self.early += early.count();
        }
        Ok(())
    }

    async fn scan(&mut self, connection: &mut Connection) -> Result<Vec<Vec<u8>>, Option<String>> {
        let begun = self.clock.elapsed();
        let reply = connection.ask(&commands::scan(&self.cursor)).await;
        self.note(begun, 1).await;
        let Value::Array(parts) = reply.map_err(refusal)? else {
            return Err(None);
        };
        let mut parts = parts.into_iter();
        let (Some(Value::BulkString(cursor)), Some(Value::Array(names))) =
            (parts.next(), parts.next())
        else {
            return Err(None);
        };
        self.cursor = cursor;
        let names = names.into_iter().filter_map(|name| match name {
            Value::BulkString(name) => Some(name),
            _ => None,
        });
        Ok(names.collect())
    }

    /// For each key nothing where it is not there, else when it expires, if it does.
    async fn ttls(
        &mut self,
        connection: &mut Connection,
        names: Vec<Vec<u8>>,
    ) -> Result<Vec<(Vec<u8>, Option<Option<Duration>>)>, Option<String>> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let begun = self.clock.elapsed();
        let answers = connection.ask_all(&commands::ttls(&names)).await;
        let now = self.clock.elapsed();
        self.note(begun, 1).await;
        let answers = answers.map_err(refusal)?;
        let read = |value: Value| match value {
            Value::Int(ms @ 0..) => u64::try_from(ms)
                .ok()
                .map(|ms| Some(now + Duration::from_millis(ms))),
            Value::Int(-1) => Some(None),
            _ => None,
        };
        let mut known = Vec::with_capacity(names.len());
        for (name, answer) in names.into_iter().zip(answers) {
            let answer = answer.map_err(|error| refusal(Trouble::Error(error)))?;
            known.push((name, read(answer)));
        }
        Ok(known)
    }

    /// Books what a question took, and rests.
    async fn note(&mut self, begun: Duration, calls: usize) {
        self.calls += calls;
        self.took += self.clock.elapsed().saturating_sub(begun);
        sleep(BETWEEN).await;
    }
}

/// The server's words where it refuses for good.
fn refusal(trouble: Trouble) -> Option<String> {
    match trouble {
        Trouble::Error(error) if error.code() == Some("NOPERM") => Some(format!(
            "NOPERM {}; grant +scan +pttl and the keys",
            error.detail().unwrap_or_default()
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::cli::Cli;
    use crate::config::{Environment, resolve};
    use crate::demo::server::Server;

    #[tokio::test]
    async fn keys_that_went_before_their_time_are_counted() {
        let server = Server::start(&[]).expect("a server");
        let client = redis::Client::open(format!("redis://{}/", server.address()));
        let mut redis = client.and_then(|c| c.get_connection()).expect("a client");
        let mut write = redis::pipe();
        for n in 0..40 {
            let set = write.cmd("SET").arg(n).arg("v");
            if n < 30 {
                set.arg("EX").arg(900);
            }
        }
        // Its time comes before the next sample.
        write.cmd("PEXPIRE").arg(0).arg(1_500);
        write.exec(&mut redis).expect("keys are written");
        let line = ["amr-top", &server.address()].map(OsString::from);
        let cli = Cli::read(line).expect("parses");
        let nobody = Environment::default();
        let resolved = resolve(&cli.targets, &cli.options, &nobody, |_| Ok(String::new()));
        let settings = resolved.expect("resolves").plan.targets.remove(0);
        let clock = Clock::start();
        let opened = Connection::open(&settings, clock, true).await;
        let mut connection = opened.expect("connects");
        let mut sampler = Sampler::new(settings, clock, 1_000);
        let first = sampler.round(&mut connection).await.expect("a sample");
        assert_eq!((first.keys, first.checked), (40, 0));
        let mut delete = redis::cmd("DEL");
        delete.arg(&[1, 2, 35]);
        delete.exec(&mut redis).expect("they are deleted");
        let mut exists = redis::cmd("EXISTS");
        exists.arg(0);
        while exists.query::<bool>(&mut redis).expect("an answer") {
            assert!(clock.elapsed() < Duration::from_secs(15), "it stays");
        }
        let next = sampler.round(&mut connection).await.expect("a sample");
        assert_eq!((next.keys, next.checked, next.early), (36, 40, 3));
        assert_eq!(next.deadlines.len(), 27);
    }
}
