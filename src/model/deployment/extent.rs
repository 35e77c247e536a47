//! How much of a deployment is looked at.

/// All of a deployment, or a part of it; members by their places among
/// [`Deployment::members`](super::Deployment::members).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Extent {
    /// Every node.
    #[default]
    Whole,
    /// The nodes that hold the same data.
    Shard(Vec<usize>),
    /// One node by itself.
    Node(usize),
}

impl Extent {
    /// Whether the member at a place is of it.
    pub fn contains(&self, place: usize) -> bool {
        match self {
            Self::Whole => true,
            Self::Shard(places) => places.contains(&place),
            Self::Node(only) => *only == place,
        }
    }

    /// Whether nothing is left out.
    pub fn is_whole(&self) -> bool {
        *self == Self::Whole
    }
}
