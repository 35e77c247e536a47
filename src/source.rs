//! What a server says, as [`Observation`]s: the only room that talks to a target, and the clock.
//!
//! Promises:
//!
//! - **Read-only.** Every command that can be sent stands in [`commands`], and nothing else is
//!   ever sent: the connection is set up by this program, not by the client library.
//! - **Every attempt is told**, as an answer or as a failure with its reason, in order. The
//!   channel is bounded; when it is full the poller waits, and polls that it then missed are
//!   not made up for.
//! - **A secret never leaves.** The server's words are told with the password cut out and control
//!   characters made inert.
//!
//! | file | what it knows |
//! |---|---|
//! | [`commands`] | what may be sent |
//! | [`acl`] | the rights that this needs |
//! | `dial` | names, sockets, TLS handshakes |
//! | [`tls`] | certificates: which to trust, which to show |
//! | `tap` | what has crossed the wire: the first bytes, how many, how it ended |
//! | `connection` | one conversation: `AUTH`, questions, answers, its end |
//! | `ask` | how to get a full `INFO` out of this server in one round trip |
//! | `tripwire` | a second connection that hears at once when a database is emptied |
//! | `watched` | more connections on which it tells at once that a watched key was changed |
//! | `events` | one more, where the server publishes removals: which keys went |
//! | `rate` | how much comes in a second, for what must not become too much |
//! | `alarm` | whether an answer is worth asking the witnesses |
//! | `witness` | when they are asked, and what that may cost |
//! | `questions` | what they are asked: slow log, client list, denied attempts, what is published |
//! | `slowlog` | the slow log, understood |
//! | `monitor` | `MONITOR`, on demand only |
//! | `topology` | who belongs to a cluster, asked of one of its nodes |
//! | `neighbours` | whom an answer names: replicas, the primary |
//! | [`sentinel`] | Sentinels: who is the primary, and what they say of it |
//! | [`deployment`] | one poller a node, for every node that can be found from the first |
//! | `schedule` | when to poll and when to try again |
//! | `failure` | from errors to [`FailureKind`](crate::model::FailureKind) |
//! | `seal` | what may leave of a server's words |
//! | `poll` | the task that puts these together |
//!

use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::watch;

use crate::model::Moment;
#[cfg(doc)]
use crate::model::Observation;

pub mod acl;
mod alarm;
mod ask;
pub mod commands;
mod connection;
pub mod deployment;
mod dial;
mod events;
mod failure;
mod link;
mod monitor;
mod neighbours;
mod poll;
mod questions;
mod rate;
mod schedule;
mod seal;
pub mod sentinel;
mod slowlog;
mod tap;
pub mod tls;
mod topology;
mod tripwire;
mod watched;
mod witness;

pub use poll::{poll, poll_asked};

/// The program's clock. Copies tell the same time.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Starts the monotonic scale at zero, now.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the program starts its clock"
    )]
    pub fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    /// The present moment, on both scales.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the program reads the wall clock"
    )]
    pub fn now(&self) -> Moment {
        Moment {
            elapsed: self.start.elapsed(),
            at: Timestamp::now(),
        }
    }

    /// Monotonic time since the start, as in [`Moment::elapsed`].
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

/// What the user may change while the poller runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Control {
    /// Time between polls; held within [`INTERVAL_RANGE`](crate::model::INTERVAL_RANGE).
    pub interval: Duration,
    /// How often the user has asked for `MONITOR`: it runs when this grows.
    pub monitors: u32,
    /// How often a cluster node was asked who belongs to its cluster: it is asked when this grows.
    pub topologies: u32,
}

impl Control {
    /// Polls at this interval, and nothing else.
    pub fn every(interval: Duration) -> Self {
        Self {
            interval,
            monitors: 0,
            topologies: 0,
        }
    }
}

/// What the user has just chosen; never returns when nobody can choose any more.
async fn chosen(control: &mut Option<watch::Receiver<Control>>) -> Control {
    loop {
        let Some(receiver) = control else {
            return std::future::pending().await;
        };
        if receiver.changed().await.is_ok() {
            return *receiver.borrow_and_update();
        }
        *control = None;
    }
}
