//! Healthy workloads: nothing may be called a loss, at any poll.

use crate::Play;
use crate::commands::{each, fill, run};
use crate::stage::Stage;

/// All healthy workloads, in the order of the table.
pub(crate) fn all() -> Vec<Play> {
    ALL.iter()
        .map(|(name, play)| Play { name, play: *play })
        .collect()
}

const ALL: &[(&str, fn(&mut Stage))] = &[
    ("steady-cache", steady),
    ("deletes-of-missing-keys", |stage| {
        quietly(stage, |redis| each(redis, "DEL", "absent", 500));
    }),
    ("config-resetstat", resetstat),
];

/// Polls for which a workload goes on.
const POLLS: usize = 20;

fn steady(stage: &mut Stage) {
    stage.must_stay_healthy();
    let (_server, _redis) = stage.scene(&[], |redis| fill(redis, "k", 1_000, ""));
    (0..POLLS).for_each(|_| stage.next());
}

/// Something that is done between polls, over and over.
fn quietly(stage: &mut Stage, act: fn(&mut redis::Connection)) {
    stage.must_stay_healthy();
    let (_server, mut redis) = stage.scene(&[], |redis| fill(redis, "k", 1_000, ""));
    for _ in 0..POLLS {
        act(&mut redis);
        stage.next();
    }
}

fn resetstat(stage: &mut Stage) {
    stage.must_stay_healthy();
    let (_server, mut redis) = stage.scene(&[], |redis| {
        fill(redis, "k", 1_000, "");
        each(redis, "DEL", "k", 20);
    });
    run(&mut redis, "CONFIG RESETSTAT");
    stage.is_told("reset");
}
