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
use crate::commands::{fill, run};
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
    caught_up(&mut redis, &replica);
    (primary, replica)
}

/// Waits until the replica has everything that was written.
pub(crate) fn caught_up(primary: &mut redis::Connection, replica: &Server) {
    // WAIT speaks of the writes of its own connection: one must have been made.
    run(primary, "SET caught-up x");
    run(primary, "DEL caught-up");
    let acknowledged = run(primary, "WAIT 1 15000");
    assert_eq!(
        acknowledged,
        redis::Value::Int(1),
        "the replica's log:\n{}",
        replica.log()
    );
}
