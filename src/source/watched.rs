//! Watched keys: a connection of its own on which the server says at once that one was changed.
//!
//! In the default mode of client-side caching (`CLIENT TRACKING ON`, RESP3) a server remembers which
//! keys a connection has read, and pushes each name once when it is changed, deleted, expired or
//! evicted. The key is then read again, which arms it anew. `PTTL`, `TYPE` and `MEMORY USAGE` of one
//! sample are read: none of them touches the LRU or LFU clock of a key, on any version, and none
//! transfers a value (tried on Redis 7.0 and Valkey 8.0; `STRLEN`, `HLEN` and the like do touch).
//! They count in `keyspace_hits` and `keyspace_misses`, and a key whose TTL has run out is reaped by
//! them, as by every read.
//!
//! | limit | number |
//! |---|---|
//! | keys in one round trip | [`BATCH`] |
//! | one key is read at most every | [`GAP`] |
//! | changed keys read in a second; beyond, once a poll | [`MOST_READS`] |
//! | keys under one prefix read in a second; beyond, in the next | [`MOST_READS`] |
//! | keys read in turn every [`TURN`], for what is not pushed (`SWAPDB`) | [`BATCH`] |
//!
//! Everything concerns database 0: this program never sends `SELECT`.

mod keeper;
mod pace;
mod prefix;
mod pushes;
mod read;
mod sample;
mod waiting;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::PushInfo;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::connection::Connection;
use super::tripwire::silent;
use super::{Clock, seal};
use crate::config::Settings;
use crate::model::{Failure, FailureKind, KeyRead, Observation, Watch};
use keeper::Keeper;
use pushes::Pushes;
use sample::Sampler;

/// Keys in one round trip.
const BATCH: usize = 100;
/// One key is not read more often.
const GAP: Duration = Duration::from_millis(100);
/// Changed keys that are read in a second.
const MOST_READS: u32 = 1_000;
/// Keys are read in turn so often.
const TURN: Duration = Duration::from_secs(1);
/// Observations that wait to be told.
const WAITING: usize = 8;
/// Keys under prefixes have numbers from here on.
const MEMBERS: u64 = 1 << 32;

/// Watches keys and prefixes. Goes when dropped.
pub(super) struct Watcher {
    settings: Settings,
    clock: Clock,
    out: mpsc::Sender<Observation>,
    told: mpsc::Receiver<Observation>,
    wanted: Vec<Watch>,
    names: watch::Sender<Vec<Vec<u8>>>,
    members: Arc<AtomicU64>,
    keys: Option<AbortOnDropHandle<()>>,
    prefixes: Vec<AbortOnDropHandle<()>>,
    sampler: Option<AbortOnDropHandle<()>>,
}

impl Watcher {
    /// Nothing is watched and no connection made yet. `names` will be those of the watched keys.
    pub(super) fn new(
        settings: Settings,
        clock: Clock,
        names: watch::Sender<Vec<Vec<u8>>>,
    ) -> Self {
        let (out, told) = mpsc::channel(WAITING);
        Self {
            settings,
            clock,
            out,
            told,
            wanted: Vec::new(),
            names,
            members: Arc::new(AtomicU64::new(MEMBERS)),
            keys: None,
            prefixes: Vec::new(),
            sampler: None,
        }
    }

    /// Samples so many keys from now on.
    pub(super) fn sample(&mut self, keys: u16) {
        let sampler = Sampler::new(self.settings.clone(), self.clock, keys);
        let task = tokio::spawn(sampler.run(self.out.clone()));
        self.sampler = Some(AbortOnDropHandle::new(task));
    }

    /// Watches one more; nothing happens to one that is watched or is one too many.
    pub(super) fn watch(&mut self, watch: Watch) {
        if self.wanted.contains(&watch) || watch.refusal(&self.wanted).is_some() {
            return;
        }
        match &watch {
            Watch::Key(name) => {
                let name = name.clone().into_bytes();
                self.names.send_modify(|names| names.push(name));
                if self.keys.is_none() {
                    let keeper = Keeper::new(self.settings.clone(), self.clock, self.out.clone());
                    let task = tokio::spawn(keeper.stand(self.names.subscribe()));
                    self.keys = Some(AbortOnDropHandle::new(task));
                }
            }
            Watch::Prefix(prefix) => {
                let keeper = prefix::Keeper::new(
                    self.settings.clone(),
                    self.clock,
                    self.out.clone(),
                    Arc::clone(&self.members),
                    prefix,
                );
                let task = tokio::spawn(keeper.stand());
                self.prefixes.push(AbortOnDropHandle::new(task));
            }
        }
        self.wanted.push(watch);
    }

    async fn next(&mut self) -> Observation {
        match self.told.recv().await {
            Some(observation) => observation,
            None => std::future::pending().await,
        }
    }
}

/// What is told next; never returns where nothing is watched.
pub(super) async fn told(watcher: &mut Option<Watcher>) -> Observation {
    match watcher {
        Some(watcher) => watcher.next().await,
        None => std::future::pending().await,
    }
}

/// What somebody wants to be watched; never returns when nobody can ask any more.
pub(super) async fn wished(wishes: &mut Option<mpsc::Receiver<Watch>>) -> Watch {
    if let Some(receiver) = wishes {
        if let Some(watch) = receiver.recv().await {
            return watch;
        }
        *wishes = None;
    }
    std::future::pending().await
}

/// When the next poll is due after keys were read: at once where one went or was overwritten, for
/// what was counted meanwhile tells why.
pub(super) fn poll_after(told: &Observation, last_poll: Duration) -> Option<Duration> {
    const BETWEEN: Duration = Duration::from_millis(100);
    match told {
        Observation::Keys { moment, read } if read.iter().any(KeyRead::is_loss) => {
            Some(moment.elapsed.max(last_poll + BETWEEN))
        }
        _ => None,
    }
}

/// A connection whose pushes are kept.
async fn open(
    settings: &Settings,
    clock: Clock,
    pushes: &Arc<Pushes>,
) -> Result<Connection, Failure> {
    let kept = Arc::clone(pushes);
    let listen = move |push: PushInfo| kept.push(push, clock.now());
    let patience = settings.connect_timeout + settings.timeout;
    let opening = Connection::open_pushed(settings, clock, listen);
    timeout(patience, opening)
        .await
        .map_err(|_| silent("no answer to HELLO"))?
}

/// Why the server refuses, without secrets.
fn words(failure: &Failure, settings: &Settings) -> String {
    let words = match failure.kind {
        FailureKind::Server => failure.detail.clone(),
        kind => format!("{} {}", kind.problem(), failure.detail),
    };
    seal::words(words.trim(), &settings.auth)
}

/// The next number for a key under a prefix.
fn number(members: &AtomicU64) -> u64 {
    members.fetch_add(1, Ordering::Relaxed)
}
