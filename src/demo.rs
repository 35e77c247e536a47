//! Throw-away servers and the incidents that are played against them.
//!
//! | part | what |
//! |---|---|
//! | [`server`] | a `redis-server` that cannot outlive us; every live test uses it too |
//! | [`Demo`] | a primary, a replica, and a player that makes things go wrong |
//! | [`Incident`] | what goes wrong |
//! | [`bundled`] | a recorded incident, for machines without a `redis-server` |
//!
//! **This is the only place of the program that writes to a server**, and only to the two that
//! [`Demo::start`] has just started itself: addresses come from [`server::Server`], never from the
//! user. The Redis client is used here for that and nothing else.

mod bundled;
mod incident;
mod keeper;
pub mod server;
mod traffic;

use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

pub use bundled::bundled;
pub use incident::{Incident, play};
use server::{Server, ServerError};

/// Why the demo did not start.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A server did not start.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// A server answered with an error while the stage was set.
    #[error("a throw-away server refused the demo: {0}")]
    Refused(#[from] redis::RedisError),
    /// The replica did not follow.
    #[error("the replica did not come online within {} s; its log:\n{log}", .after.as_secs())]
    ReplicaOffline {
        /// How long it was waited for.
        after: Duration,
        /// What it had logged.
        log: String,
    },
    /// No thread or runtime for the player.
    #[error("cannot play the incident: {0}")]
    Player(#[from] std::io::Error),
}

/// The servers of a demo.
#[derive(Debug)]
pub struct Stage {
    /// What the dashboard looks at.
    pub primary: Server,
    /// Follows it.
    pub replica: Server,
}

/// A demo that runs. Dropping it ends the player and both servers and leaves nothing behind.
#[derive(Debug)]
pub struct Demo {
    stage: Arc<Stage>,
    stop: CancellationToken,
    player: Option<JoinHandle<()>>,
}

impl Stage {
    /// Starts a primary and a replica of it; they are not in sync yet.
    ///
    /// The backlog is the smallest that Redis allows, so that a replica that hangs for a few
    /// seconds is soon out of its reach.
    pub fn set() -> Result<Self, ServerError> {
        let primary = Server::start(&[
            "--repl-diskless-sync-delay",
            "0",
            "--repl-backlog-size",
            "16384",
            "--slowlog-log-slower-than",
            "1000",
        ])?;
        let port = primary.port().to_string();
        let replica = Server::start(&["--replicaof", "127.0.0.1", &port])?;
        Ok(Self { primary, replica })
    }
}

impl Demo {
    /// Starts both servers, fills them, waits until the replica is online, and lets the incident
    /// begin. Takes well under a second. The player has a thread of its own, so this needs no
    /// runtime and a busy dashboard does not slow the incident.
    pub fn start(incident: Incident) -> Result<Self, DemoError> {
        let stage = Arc::new(Stage::set()?);
        let stop = CancellationToken::new();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (ready, is_ready) = mpsc::channel();
        let player = std::thread::Builder::new().name("demo".into()).spawn({
            let (stage, stop) = (Arc::clone(&stage), stop.clone());
            move || {
                runtime.block_on(async {
                    let set = traffic::prepare(&stage).await;
                    let go_on = set.is_ok();
                    // The receiver waits for exactly this.
                    let _ = ready.send(set);
                    if go_on {
                        play(incident, stage, stop).await;
                    }
                });
            }
        })?;
        // From here on an early return ends everything.
        let demo = Self {
            stage,
            stop,
            player: Some(player),
        };
        is_ready
            .recv()
            .unwrap_or_else(|_| Err(std::io::Error::other("the player has ended").into()))?;
        Ok(demo)
    }

    /// The primary's address, `127.0.0.1:port`: what to look at.
    pub fn address(&self) -> String {
        self.stage.primary.address()
    }

    /// The servers.
    pub fn stage(&self) -> &Stage {
        &self.stage
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(player) = self.player.take() {
            // A player that panicked has aborted the program already.
            let _ = player.join();
        }
    }
}
