//! The gauntlet: real incidents on real servers, from the poller to the verdict.
//!
//! ```text
//!  servers ─► stage: server, load, poller ─► act ─► History ─► diagnose ─► expected? ─► table
//!                                                      └────► recording ─► tests/scenarios/
//! ```
//!
//! Every incident and every healthy workload is one trial on every server binary. What a trial
//! expects is what it did to the server itself, never what the program said. One table tells it
//! all: `cargo test --test gauntlet`.

#![allow(
    clippy::expect_used,
    reason = "a trial whose surroundings cannot be set up has failed"
)]

mod commands;
mod expected;
mod healthy;
mod incidents;
mod judge;
mod load;
mod proxy;
mod recording;
mod servers;
mod stage;
mod table;
mod words;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::{Arguments, Failed, Trial};

use crate::servers::Binary;
use crate::stage::Stage;
use crate::table::{Row, Table};

/// Trials at a time, unless `--test-threads` says otherwise: every one keeps a server, a load and
/// a poller busy.
const THREADS: usize = 3;

/// Something to play on a server, by name.
#[derive(Clone, Copy)]
pub(crate) struct Play {
    pub(crate) name: &'static str,
    pub(crate) play: fn(&mut Stage),
}

fn main() {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    let table = Table::default();
    let mut trials = Vec::new();
    let found = servers::all();
    for binary in &found.binaries {
        for (kind, plays) in [("incident", incidents::all()), ("healthy", healthy::all())] {
            for play in plays {
                trials.push(trial(kind, play, binary, &table));
            }
        }
    }
    for missing in found.missing {
        let name = "a required server is there".to_owned();
        trials.push(Trial::test(name, move || Err(Failed::from(missing))));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    table.print();
    conclusion.exit();
}

fn trial(kind: &str, play: Play, binary: &Binary, table: &Table) -> Trial {
    let name = format!("{kind}::{} on {}", play.name, binary.title());
    let (binary, row) = (binary.clone(), table.row(kind, play.name, &binary.title()));
    Trial::test(name, move || {
        Row::of(&row).played = true;
        let mut stage = Stage::new(play.name, binary, Arc::clone(&row));
        let played = catch_unwind(AssertUnwindSafe(|| (play.play)(&mut stage)));
        let verdict = played.map_err(|panic| {
            let words = words::of_panic(panic.as_ref());
            Failed::from(format!("{words}\n{}", stage.story()))
        });
        Row::of(&row).passed = verdict.is_ok();
        verdict
    })
}

/// The value behind a lock, also after a panic elsewhere.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
