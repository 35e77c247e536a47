//! The panels, and where each has its place.

/// The panels, in the order of their keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Panel {
    /// Verdicts.
    #[default]
    Causes,
    /// Where the keys went.
    Ledger,
    /// Losses that belong together.
    Incidents,
    /// Databases, TTLs.
    Keyspace,
    /// Memory against the limit.
    Eviction,
    /// Commands that remove keys.
    Commands,
    /// Replicas, link, offsets.
    Replication,
    /// Restart, RDB, AOF.
    Persistence,
    /// Timeline.
    Changes,
    /// Keys that are watched by name; only there when some are, or while it has the focus.
    Watched,
    /// The nodes of the deployment; only there when there are several.
    Nodes,
}

impl Panel {
    /// All panels, in the order of their keys `1` to `9`, `0` and `n`.
    pub const ALL: [Self; 11] = [
        Self::Causes,
        Self::Ledger,
        Self::Incidents,
        Self::Keyspace,
        Self::Eviction,
        Self::Commands,
        Self::Replication,
        Self::Persistence,
        Self::Changes,
        Self::Watched,
        Self::Nodes,
    ];

    /// The places on the overview: rows of panels from top to bottom. The ledger is as high as
    /// causes and incidents together; nodes and watched keys have rows of their own.
    pub const GRID: [[Self; 2]; 7] = [
        [Self::Causes, Self::Ledger],
        [Self::Incidents, Self::Ledger],
        [Self::Nodes, Self::Nodes],
        [Self::Watched, Self::Watched],
        [Self::Keyspace, Self::Eviction],
        [Self::Commands, Self::Replication],
        [Self::Persistence, Self::Changes],
    ];

    /// The heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Causes => "Causes",
            Self::Ledger => "Where did the keys go",
            Self::Incidents => "Incidents",
            Self::Keyspace => "Keyspace / TTL",
            Self::Eviction => "Eviction vs maxmemory",
            Self::Commands => "Commandstats",
            Self::Replication => "Replication",
            Self::Persistence => "Persistence and instance",
            Self::Changes => "Changes",
            Self::Watched => "Watched keys",
            Self::Nodes => "Nodes",
        }
    }

    /// The key that focuses it.
    pub fn key(self) -> char {
        match self {
            Self::Watched => '0',
            Self::Nodes => 'n',
            panel => char::from(b'1' + panel as u8),
        }
    }

    pub(super) fn place(self) -> (usize, usize) {
        for (row, panels) in Self::GRID.iter().enumerate() {
            if let Some(column) = panels.iter().position(|panel| *panel == self) {
                return (row, column);
            }
        }
        (0, 0)
    }
}
