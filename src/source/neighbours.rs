//! Whom an answer names: the replicas of a primary, the primary of a replica, the process itself.

use crate::info::Info;
use crate::model::{NodeId, Replication};

/// Replicas that one primary may name.
const MOST_NAMED: usize = 256;

/// What one answer tells of the deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Neighbours {
    /// The process: `run_id`, where there is one.
    pub(super) process: Option<String>,
    /// Addresses that it names.
    pub(super) named: Vec<NodeId>,
    /// It is a node of a cluster.
    pub(super) is_cluster: bool,
    /// It is a primary.
    pub(super) is_primary: bool,
}

impl Neighbours {
    /// Reads an answer.
    pub(super) fn of(info: &str) -> Self {
        let info = Info::parse(info);
        let replication = Replication::parse(&info);
        let replicas = replication.replicas.iter().map(|line| &line.address);
        let named = replicas.take(MOST_NAMED).chain(&replication.primary);
        Self {
            process: info.get("Server", "run_id").map(str::to_owned),
            named: named.map(|address| NodeId::announced(address)).collect(),
            is_cluster: info.flag("Cluster", "cluster_enabled") == Some(true),
            is_primary: replication.role == crate::model::Role::Primary,
        }
    }
}
