//! A poller and what was understood of what it told.

#![allow(
    clippy::expect_used,
    reason = "a test whose surroundings cannot be set up has failed"
)]
#![allow(
    dead_code,
    unreachable_pub,
    reason = "compiled into every test that says `mod support`, and none uses all of it"
)]

use std::path::PathBuf;
use std::time::Duration;

use amr_top::config::Settings;
use amr_top::demo::server::Server;
use amr_top::diagnosis::{Diagnosis, Fate, Verdict, diagnose};
use amr_top::model::{Assumptions, History, Observation};
use tokio::time::timeout;

use crate::support::{DEADLINE, Watch};

pub const SERVERS: [&str; 2] = ["redis-server", "valkey-server"];

/// A server of this name from `PATH`.
pub fn start(binary: &str, args: &[&str]) -> Server {
    let path = std::env::var_os("PATH").expect("a PATH");
    let mut files = std::env::split_paths(&path).map(|folder| folder.join(binary));
    let file: PathBuf = files
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("{binary} is not in PATH: tests/run.sh installs it"));
    Server::start_with(&file, args).unwrap_or_else(|error| panic!("{error}"))
}

/// A poller and what was understood of what it told.
pub struct Eye {
    pub watch: Watch,
    pub history: History,
    /// Everything that was told, in order.
    pub told: Vec<Observation>,
}

impl Eye {
    pub fn open(settings: Settings) -> Self {
        let keep = Duration::from_secs(3_600);
        Self {
            history: History::new(settings.node(), Assumptions::default(), keep),
            watch: Watch::start(settings),
            told: Vec::new(),
        }
    }

    pub async fn hear(&mut self) {
        let told = self.watch.aside(|_| true).await;
        self.history.observe(told.clone());
        self.told.push(told);
    }

    /// Listens until a condition holds of what was told so far.
    pub async fn until<T>(&mut self, what: &str, met: impl Fn(&Self) -> Option<T>) -> T {
        let all = async {
            loop {
                if let Some(met) = met(self) {
                    return met;
                }
                self.hear().await;
            }
        };
        match timeout(DEADLINE, all).await {
            Ok(met) => met,
            Err(late) => panic!(
                "{late}: no {what}: {:#?}\n{:#?}",
                self.diagnosis(),
                self.lines()
            ),
        }
    }

    /// Listens until a line stands in the timeline that holds this.
    pub async fn line(&mut self, words: &str) -> String {
        let found = |eye: &Self| eye.lines().into_iter().find(|line| line.contains(words));
        self.until(words, found).await
    }

    /// Listens until a poll was answered that began from now on.
    pub async fn poll(&mut self) {
        let now = self.watch.clock.elapsed();
        let fresh = |eye: &Self| {
            let last = eye.told.iter().rev().find_map(|told| match told {
                Observation::Answer {
                    moment, round_trip, ..
                } => Some(moment.elapsed.saturating_sub(*round_trip)),
                _ => None,
            });
            last.is_some_and(|begun| begun > now).then_some(())
        };
        self.until("answer", fresh).await;
    }

    /// Listens until a verdict on a cause is one that is wanted.
    pub async fn verdict(
        &mut self,
        cause: amr_top::diagnosis::Cause,
        is_wanted: impl Fn(&Verdict) -> bool,
    ) -> Verdict {
        let found = |eye: &Self| {
            let diagnosis = eye.diagnosis();
            let verdict = diagnosis.of(cause)?;
            is_wanted(verdict).then(|| verdict.clone())
        };
        self.until(&format!("{cause:?}"), found).await
    }

    pub fn diagnosis(&self) -> Diagnosis {
        diagnose(&self.history.window())
    }

    pub fn fate(&self, name: &str) -> Option<Fate> {
        let fates = self.diagnosis().fates;
        fates.into_iter().find(|fate| &*fate.name == name)
    }

    /// The timeline, oldest first.
    pub fn lines(&self) -> Vec<String> {
        let changes = self.history.changes();
        changes.map(|change| change.kind.sentence()).collect()
    }
}
