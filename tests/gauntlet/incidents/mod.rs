//! The incidents, by cause. Each one prepares a server, does something to it, and tells what it
//! did.

mod deletion;
mod eviction;
mod expiration;
mod flush;
mod instance;
mod mixtures;
mod overwrite;
mod rejected;
mod relocation;
mod replication;

use std::rc::Rc;

use amr_top::demo::server::Server;

use crate::Play;
use crate::commands::{fill, info, info_word};
use crate::stage::{Stage, client};

/// All incidents, in the order of the table.
pub(crate) fn all() -> Vec<Play> {
    [
        flush::ALL,
        expiration::ALL,
        eviction::ALL,
        rejected::ALL,
        deletion::ALL,
        relocation::ALL,
        overwrite::ALL,
        instance::ALL,
        replication::ALL,
        mixtures::ALL,
    ]
    .into_iter()
    .flatten()
    .map(|(name, play)| Play { name, play: *play })
    .collect()
}

/// Names and plays of one cause.
pub(crate) type Plays = &'static [(&'static str, fn(&mut Stage))];

/// A primary that gives its data to replicas at once, and leaves nothing on its disk.
pub(crate) const PRIMARY: [&str; 4] = [
    "--repl-diskless-sync",
    "yes",
    "--repl-diskless-sync-delay",
    "0",
];

/// A primary with so many keys, and a replica that has them.
pub(crate) fn pair(stage: &mut Stage, keys: u64) -> (Rc<Server>, Rc<Server>) {
    let primary = stage.server(&PRIMARY);
    let mut redis = client(&primary);
    fill(&mut redis, "k", keys, "");
    let port = primary.port().to_string();
    let replica = stage.server(&["--replicaof", "127.0.0.1", &port]);
    caught_up(stage, &mut redis, &replica);
    (primary, replica)
}

/// Waits until the replica serves everything that was written. `WAIT` would not do: Valkey 9
/// acknowledges a data set that it has received and not loaded yet.
pub(crate) fn caught_up(stage: &Stage, primary: &mut redis::Connection, replica: &Server) {
    let written = info(primary, "master_repl_offset");
    let mut redis = client(replica);
    stage.wait("the replica has every write", || {
        info_word(&mut redis, "master_link_status") == "up"
            && info(&mut redis, "slave_repl_offset") >= written
    });
}
