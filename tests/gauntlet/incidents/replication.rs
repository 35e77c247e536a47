//! What replication took.

use amr_top::demo::server::Signal;
use amr_top::diagnosis::Mechanism;

use super::Plays;
use crate::commands::{fill, info_word, run, size};
use crate::expected::Expected;
use crate::stage::{DEADLINE, Stage, client};

pub(super) const ALL: Plays = &[
    ("empty-primary-wipes-replica", wiped),
    ("replicaof-on-a-primary", replicaof),
    ("promotion-with-the-link-down", promotion),
];

fn wiped(stage: &mut Stage) {
    let (primary, replica) = super::pair(stage, 1_500);
    stage.load(&primary);
    stage.watch(&replica);
    let mut redis = client(&replica);
    let least = 1_500 + stage.created();
    primary.signal(Signal::Kill).expect("a signal");
    primary.wait_exit(DEADLINE).expect("it ends");
    let most = 1_500 + stage.created();
    primary.restart().expect("it starts again, empty");
    stage.until("the replica has the empty data set", |_| {
        size(&mut redis) < 1_000 && info_word(&mut redis, "master_link_status") == "up"
    });
    stage.expect(Expected::new(Mechanism::FullResync, least..=most));
}

fn replicaof(stage: &mut Stage) {
    let other = stage.server(&["--repl-diskless-sync-delay", "0"]);
    fill(&mut client(&other), "other", 10, "");
    let (_server, mut redis) = stage.scene(&[], |redis| fill(redis, "k", 1_500, ""));
    let least = 1_500 + stage.created();
    run(&mut redis, &format!("REPLICAOF 127.0.0.1 {}", other.port()));
    let most = 1_500 + stage.created();
    stage.until("it has the other's data set", |_| {
        info_word(&mut redis, "master_link_status") == "up" && size(&mut redis) == 10
    });
    stage.expect(Expected::new(Mechanism::Replicaof, least..=most));
}

fn promotion(stage: &mut Stage) {
    let (primary, replica) = super::pair(stage, 1_500);
    stage.load(&primary);
    stage.watch(&replica);
    let mut redis = client(&replica);
    primary.signal(Signal::Kill).expect("a signal");
    primary.wait_exit(DEADLINE).expect("it ends");
    stage.until("the link is down", |stage| {
        let last = stage.history().last_sample();
        let link = last.and_then(|sample| sample.replication.link_up);
        link == Some(false)
    });
    run(&mut redis, "REPLICAOF NO ONE");
    stage.expect(Expected::new(Mechanism::Promotion, None));
}
