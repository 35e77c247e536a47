//! What was observed, as plain values: no terminal, no network, no files, no clock.
//!
//! The words of this room, from small to large:
//!
//! | word | meaning |
//! |---|---|
//! | [`Moment`] | when something was observed: wall clock to show, monotonic time to compute with |
//! | [`Observation`] | what the outside world said: an `INFO` reply, or why none came |
//! | [`Sample`] | one answered poll, typed; absent fields are `None` |
//! | [`Packed`] | a sample as an hour of them is kept |
//! | [`Step`] | what changed between two samples that follow each other |
//! | [`Gap`] | polls that failed, from the first to the last |
//! | [`SlowEntry`] | what the server remembers of a slow command |
//! | [`KeyRead`] | what a key is that somebody wants to know about by name |
//! | [`Heard`] | which keys went, where the server publishes that |
//! | [`Clients`] | who is connected and may have done it |
//! | [`Monitored`] | what a short `MONITOR` showed |
//! | [`Denied`] | who tried and was refused |
//! | [`Change`] | something discrete that happened: a restart, a flush, a new policy |
//! | [`History`] | all of these for one node, bounded in time |
//! | [`Window`] | the part of a history that is diagnosed or drawn |
//! | [`Topology`] | who belongs to a cluster, as one of its nodes sees it |
//! | [`Deployment`] | the histories of all nodes that belong together |

mod catalogue;
mod change;
mod clients;
mod command;
mod continuity;
mod counter;
mod denied;
mod deployment;
mod differences;
mod entry;
mod events;
mod monitored;
mod node;
mod observation;
mod packed;
mod ran;
mod sample;
mod slowlog;
mod spoken;
mod step;
mod text;
mod timeline;
mod topology;
mod ttl_sample;
mod unread;
mod watch;
mod watched;
mod window;
mod witnesses;
mod write_pace;

pub use catalogue::{CATALOGUE, Class, Creates, class_of, creates};
pub use change::{Change, ChangeKind};
pub use clients::{Client, Clients};
pub use command::{CommandStat, Commands};
pub use continuity::Continuity;
pub use counter::{Counter, Delta};
pub use denied::Denied;
pub use deployment::{Deployment, Extent, Member, SlotMove, Takeover, Told};
pub use entry::{Entry, Gap};
pub use events::{
    EventKind, Gathering, Group, HEARD_DATABASES, Heard, Listening, OnWatched, Published, Removed,
};
pub use monitored::{Caught, MonitorEnd, Monitored, Tally};
pub use node::{NodeId, Product, Role, Version};
pub use observation::{Connection, Failure, FailureKind, INTERVAL_RANGE, Moment, Observation};
pub use packed::Packed;
pub use ran::{CommandDelta, Ran};
pub use sample::{
    Assumptions, Db, Keyspace, Limit, Memory, Persistence, ReplicaLine, Replication, Sample, Server,
};
pub use slowlog::{SLOW_LOG, SlowEntry};
pub use step::{CounterDelta, DbDelta, ErrorDelta, Step};
pub use text::inert;
pub use timeline::History;
pub use topology::{
    ClusterNode, Health, MOST_NODES, SLOTS, SlotSet, Topology, range as slot_range,
};
pub use ttl_sample::{MOST_SAMPLED, TtlSample};
pub use unread::Unread;
pub use watch::{MOST_PREFIXES, MOST_WATCHED, Watch};
pub use watched::{Asked, Fact, KeyRead, KeyState, Seen, WatchedKey, Watching, shown_name};
pub use window::Window;
pub use witnesses::Testimony;
pub use write_pace::WritePace;
