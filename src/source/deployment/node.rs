//! One node as the task that watches all of them knows it.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::task::AbortOnDropHandle;

use crate::config::Settings;
use crate::model::{NodeId, Watch};
use crate::source::Control;

/// One node.
pub(super) struct Node {
    pub(super) id: NodeId,
    pub(super) settings: Settings,
    pub(super) task: Option<Task>,
    /// The user named it.
    pub(super) is_target: bool,
    pub(super) state: State,
    pub(super) process: Option<String>,
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
    /// It refuses to, or knows of itself alone.
    Mute,
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
