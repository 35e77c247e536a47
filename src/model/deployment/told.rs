//! What sources say of a deployment: the only way in which one learns.

use crate::model::node::NodeId;
use crate::model::observation::{Moment, Observation};

/// What a source says of a deployment.
#[derive(Clone, Debug)]
pub enum Told {
    /// One node said something. One that was never heard of is found by that.
    Node(NodeId, Observation),
    /// An address leads to a node that is known under another.
    Same {
        /// When that was seen.
        moment: Moment,
        /// The address that is not counted.
        alias: NodeId,
        /// The one that is.
        node: NodeId,
    },
    /// A node is not asked any more: nobody names it and it does not answer.
    Left {
        /// When it was given up.
        moment: Moment,
        /// Which.
        node: NodeId,
    },
    /// So many nodes are known of which nothing was heard yet.
    Looking {
        /// When.
        moment: Moment,
        /// How many.
        nodes: usize,
    },
    /// A Sentinel said something.
    Sentinel {
        /// When.
        moment: Moment,
        /// One line, inert.
        said: String,
    },
}

impl Told {
    /// When it was said.
    pub fn moment(&self) -> Moment {
        match self {
            Self::Node(_, observation) => observation.moment(),
            Self::Same { moment, .. }
            | Self::Left { moment, .. }
            | Self::Looking { moment, .. }
            | Self::Sentinel { moment, .. } => *moment,
        }
    }
}
