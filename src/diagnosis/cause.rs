//! The closed set of causes.

use serde::Serialize;

/// Why keys can be gone. The first six are the headings of Microsoft's guide "Troubleshoot data
/// loss in Azure Managed Redis", in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// TTLs ran out.
    Expiration,
    /// Memory ran out and the policy removed keys.
    Eviction,
    /// A command removed keys.
    Deletion,
    /// Writes were not on the replica when it took over.
    Replication,
    /// FLUSHALL or FLUSHDB.
    Flush,
    /// The process, machine or data centre was lost.
    InstanceFailure,
    /// The keys were never written.
    RejectedWrites,
    /// The keys are elsewhere.
    Relocation,
    /// Something else stands under the name.
    Overwrite,
    /// Nothing above accounts for it.
    Unexplained,
}

impl Cause {
    /// All causes.
    pub const ALL: [Self; 10] = [
        Self::Expiration,
        Self::Eviction,
        Self::Deletion,
        Self::Replication,
        Self::Flush,
        Self::InstanceFailure,
        Self::RejectedWrites,
        Self::Relocation,
        Self::Overwrite,
        Self::Unexplained,
    ];

    /// The stable id of JSON, metrics and `--fail-on`.
    pub fn id(self) -> &'static str {
        match self {
            Self::Expiration => "expiration",
            Self::Eviction => "eviction",
            Self::Deletion => "deletion",
            Self::Replication => "replication",
            Self::Flush => "flush",
            Self::InstanceFailure => "instance-failure",
            Self::RejectedWrites => "rejected-writes",
            Self::Relocation => "relocation",
            Self::Overwrite => "overwrite",
            Self::Unexplained => "unexplained",
        }
    }

    /// The heading that people see.
    pub fn title(self) -> &'static str {
        match self {
            Self::Expiration => "Key expiration",
            Self::Eviction => "Key eviction",
            Self::Deletion => "Key deletion",
            Self::Replication => "Async replication",
            Self::Flush => "Key flushing",
            Self::InstanceFailure => "Redis instance failure",
            Self::RejectedWrites => "Writes rejected",
            Self::Relocation => "Keys moved",
            Self::Overwrite => "Keys replaced",
            Self::Unexplained => "Unexplained",
        }
    }

    /// The cause with this id.
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.id() == id)
    }
}
