//! A connection to the server that is polled, and what was learnt on it.
//!
//! After a failure, what happens to it:
//!
//! | failure | connection | next attempt |
//! |---|---|---|
//! | no reply in time | kept, until three in a row: then the flow is taken for dead | next poll |
//! | a server error (busy script, loading) | kept | next poll |
//! | `INFO` not permitted | kept: a grant takes effect at once | as [`BackOff`] says |
//! | anything else | dropped | as [`BackOff`] says |
//!
//! [`BackOff`]: super::schedule::BackOff

use std::time::Duration;

use super::ask::Asker;
use super::connection::{Connection, Trouble};
use super::failure::Scene;
use super::{Clock, failure};
use crate::config::Settings;
use crate::model::{Failure, FailureKind};

/// Timeouts in a row after which the flow is taken for dead. Load balancers lose flows without a
/// word; a fresh connection tells a dead flow from a hanging server.
const TIMEOUTS: u32 = 3;

/// A connection that was silent for longer than this may be closed by anybody.
const IDLE: Duration = Duration::from_secs(60);

pub(super) struct Link {
    pub(super) connection: Connection,
    pub(super) asker: Asker,
    timeouts: u32,
    /// When the last answer came; `None` before the first.
    heard: Option<Duration>,
}

/// When to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Poll,
    /// After the wait that the failure asks for.
    Wait,
}

impl Link {
    pub(super) async fn open(
        settings: &Settings,
        clock: Clock,
        proven: bool,
    ) -> Result<Self, Failure> {
        Ok(Self {
            connection: Connection::open(settings, clock, proven).await?,
            asker: Asker::new(),
            timeouts: 0,
            heard: None,
        })
    }

    /// An answer came.
    pub(super) fn answered(&mut self, at: Duration) {
        self.timeouts = 0;
        self.heard = Some(at);
    }

    /// Why a question failed, when to ask again, and whether by this connection.
    pub(super) fn failed(&mut self, trouble: &Trouble, scene: Scene<'_>) -> (Failure, Next, bool) {
        self.timeouts += u32::from(matches!(trouble, Trouble::Timeout));
        let failure = self.connection.explain(trouble, scene, self.timeouts);
        let (next, keep) = match failure.kind {
            FailureKind::Hanging => (Next::Poll, self.timeouts < TIMEOUTS),
            FailureKind::Server => (Next::Poll, true),
            FailureKind::NotPermitted => (Next::Wait, true),
            _ => (Next::Wait, false),
        };
        (failure, next, keep && !self.connection.is_over())
    }

    /// Why it ended; `None` where servers and load balancers close such connections as a rule.
    pub(super) fn end(&self, now: Duration, scene: Scene<'_>) -> Option<Failure> {
        let idle = self.heard.map(|heard| now.saturating_sub(heard));
        let is_usual = idle.is_some_and(|idle| idle > IDLE);
        (!is_usual).then(|| failure::ended(&self.connection.record(), scene))
    }
}

/// Ends with the connection; never where there is none.
pub(super) async fn ended(link: Option<&Link>) {
    match link {
        Some(link) => link.connection.over().await,
        None => std::future::pending().await,
    }
}
