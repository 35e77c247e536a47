//! One node as the task that watches all of them knows it.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::task::AbortOnDropHandle;

use crate::config::Settings;
use crate::model::{NodeId, Watch};
use crate::source::Control;
use crate::source::neighbours::{Neighbours, Totals};

/// One node.
pub(super) struct Node {
    pub(super) id: NodeId,
    pub(super) settings: Settings,
    pub(super) task: Option<Task>,
    /// The user named it.
    pub(super) is_target: bool,
    pub(super) state: State,
    pub(super) process: Option<String>,
    /// What a proxy had counted, and when.
    pub(super) totals: Option<(Duration, Totals)>,
    pub(super) is_primary: bool,
    pub(super) cluster: Cluster,
    /// When somebody last named it, or it answered.
    pub(super) named: Duration,
    /// Which name its certificate must carry.
    pub(super) name: Name,
}

/// A poller that runs.
pub(super) struct Task {
    pub(super) control: watch::Sender<Control>,
    pub(super) wishes: mpsc::Sender<Watch>,
    pub(super) _handle: AbortOnDropHandle<()>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing was heard yet.
    Unheard,
    /// The last poll failed.
    Silent,
    /// The last poll was answered.
    Answers,
}

/// Whether a node can tell who belongs to its cluster.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cluster {
    /// It is a node of none.
    None,
    /// It tells.
    Tells,
    /// It could not, or knew of itself alone: it is not asked before then.
    Later(Duration),
    /// It refuses to, for as long as it runs.
    Mute,
}

impl Cluster {
    /// After an answer of the node. Another process may tell what the one before would not.
    pub(super) fn answered(self, is_cluster: bool, is_other_process: bool) -> Self {
        match self {
            _ if !is_cluster => Self::None,
            Self::Later(_) | Self::Mute if !is_other_process => self,
            _ => Self::Tells,
        }
    }

    /// Whether the node is worth asking.
    pub(super) fn may_tell(self, now: Duration) -> bool {
        match self {
            Self::Tells => true,
            Self::Later(then) => now >= then,
            Self::None | Self::Mute => false,
        }
    }
}

/// Which name a certificate is held against.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    /// That of the endpoint that the user named.
    Endpoint,
    /// The node's own.
    Own,
}

/// A second address of a node.
pub(super) struct Alias {
    pub(super) place: usize,
    pub(super) process: Option<String>,
}

impl Node {
    /// Whether this answer leads to a process that it did not lead to before.
    pub(super) fn is_moved_to(&self, neighbours: &Neighbours) -> bool {
        self.process != neighbours.process
    }

    /// Whether another, of the same `run_id`, is what has just answered here. Proxies are compared
    /// by what the other told since the answer before.
    pub(super) fn is_one_with(&self, other: &Self, neighbours: &Neighbours) -> bool {
        let Some(after) = &neighbours.totals else {
            return self.is_moved_to(neighbours);
        };
        let (Some((then, before)), Some((at, its))) = (&self.totals, &other.totals) else {
            return false;
        };
        at >= then && its.lie_between(before, after)
    }

    pub(super) fn is_keeper(&self) -> bool {
        self.is_primary
    }

    pub(super) fn watch(&self, watch: Watch) {
        if let Some(task) = &self.task {
            // A poller that takes no more names watches as many as it can.
            let _ = task.wishes.try_send(watch);
        }
    }
}

/// Whether somebody can be there: servers announce nothing as port 0, or as `0.0.0.0`, which would be
/// our own host.
pub(super) fn is_place(node: &NodeId) -> bool {
    let Some((host, port)) = node.host_and_port() else {
        return false;
    };
    let address = host.parse::<std::net::IpAddr>();
    port > 0 && !address.is_ok_and(|address| address.is_unspecified())
}

pub(in crate::source) fn is_loopback(host: &str) -> bool {
    let address = host.parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// Fractions that lie apart, however many there are.
pub(super) fn golden(n: usize) -> f64 {
    const RATIO: f64 = 0.618_033_988_749_894_9;
    (n as f64 * RATIO).fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_could_not_tell_is_asked_later_and_who_refuses_never() {
        let s = Duration::from_secs;
        let later = Cluster::Later(s(5)).answered(true, false);
        assert!(!later.may_tell(s(4)));
        assert!(later.may_tell(s(5)));
        let mute = Cluster::Mute.answered(true, false);
        assert!(!mute.may_tell(Duration::MAX));
        for another in [later, mute] {
            assert!(another.answered(true, true).may_tell(s(0)));
            assert!(!another.answered(false, false).may_tell(s(9)));
        }
    }
}
