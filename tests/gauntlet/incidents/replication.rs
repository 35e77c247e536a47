//! What replication took.

use std::rc::Rc;
use std::time::Duration;

use amr_top::demo::server::{Server, Signal};
use amr_top::diagnosis::{Cause, Level, Mechanism};
use amr_top::model::Sample;

use super::Plays;
use crate::commands::{each, fill, info, info_word, run, size};
use crate::expected::Expected;
use crate::proxy::Proxy;
use crate::stage::{DEADLINE, Stage, client};

pub(super) const ALL: Plays = &[
    ("expiry-seen-on-replica", expiry_on_replica),
    ("empty-primary-wipes-replica", wiped),
    ("replicaof-on-a-primary", replicaof),
    ("promotion-with-the-link-down", promotion),
    ("failover-behind-one-address", failover),
];

/// A replica sees deletes where its primary expired; it must not call them deletions.
fn expiry_on_replica(stage: &mut Stage) {
    let (primary, replica) = super::pair(stage, 1_500);
    stage.load(&primary);
    stage.watch(&replica);
    let mut redis = client(&primary);
    // Long enough that none is over when its command runs: that would be a DEL, not an expiry.
    each(&mut redis, "PEXPIRE 200", "k", 600);
    stage.until("all have expired", |_| {
        info(&mut redis, "expired_keys") == 600
    });
    stage.expect(Expected::new(Mechanism::ReplicationStream, 600..=600));
    let diagnosis = stage.diagnosis();
    let deletion = diagnosis.of(Cause::Deletion).map(|verdict| verdict.level);
    assert_eq!(deletion, Some(Level::Unknown), "{:#?}", diagnosis.verdicts);
}

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
    let other = stage.server(&super::PRIMARY);
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

/// The replica is cut off, the primary takes more writes, and the replica is promoted.
fn promotion(stage: &mut Stage) {
    let (primary, replica, link) = behind_a_link(stage);
    stage.load(&primary);
    stage.watch(&replica);
    link.lead_to(None);
    fill(&mut client(&primary), "late", 500, "");
    stage.until("the link is down for a while", |stage| {
        let last = stage.history().last_sample();
        let down = last.and_then(|sample| sample.replication.link_down_s);
        down >= Some(2)
    });
    run(&mut client(&replica), "REPLICAOF NO ONE");
    stage.expect(Expected::new(Mechanism::Promotion, None));
}

/// The same behind one address that leads to whoever is primary, and the primary is gone.
fn failover(stage: &mut Stage) {
    let (primary, replica, link) = behind_a_link(stage);
    stage.load(&primary);
    let address = stage.proxy(&primary, Duration::ZERO);
    // A replica that takes over has been there for a while.
    let mut redis = client(&replica);
    stage.wait("the replica is older", || {
        info(&mut redis, "uptime_in_seconds") >= 4
    });
    stage.watch_port(address.port());
    link.lead_to(None);
    let before = stage.created();
    fill(&mut client(&primary), "late", 800, "");
    stage.until("the late keys are seen", |stage| {
        let keys = stage.history().last_sample().and_then(Sample::keys);
        keys >= Some(2_300)
    });
    let least = 800 + stage.created() - before;
    primary.signal(Signal::Kill).expect("a signal");
    primary.wait_exit(DEADLINE).expect("it ends");
    let most = 800 + stage.created() - before + 1;
    run(&mut redis, "REPLICAOF NO ONE");
    address.lead_to(Some(replica.port()));
    stage.expect(Expected::new(Mechanism::Failover, least..=most));
}

/// A primary and a replica that has caught up, and the link between them.
fn behind_a_link(stage: &mut Stage) -> (Rc<Server>, Rc<Server>, Proxy) {
    let primary = stage.server(&super::PRIMARY);
    let mut redis = client(&primary);
    fill(&mut redis, "k", 1_500, "");
    let link = stage.proxy(&primary, Duration::ZERO);
    let port = link.port().to_string();
    let replica = stage.server(&["--replicaof", "127.0.0.1", &port]);
    super::caught_up(stage, &mut redis, &replica);
    (primary, replica, link)
}
