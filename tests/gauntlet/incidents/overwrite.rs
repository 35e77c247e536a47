//! Names that were taken over by another key.

use amr_top::diagnosis::Mechanism;

use super::Plays;
use crate::commands::{each, fill};
use crate::expected::Expected;
use crate::stage::Stage;

pub(super) const ALL: Plays = &[
    ("rename-onto-keys", rename),
    ("restore-replace", restore),
    ("copy-replace", copy),
    ("sinterstore-empty", empty_store),
];

fn rename(stage: &mut Stage) {
    let (_server, mut redis) = stage.scene(&[], |redis| {
        fill(redis, "k", 1_000, "");
        fill(redis, "target", 500, "");
    });
    let mut pipeline = redis::pipe();
    for n in 0..500 {
        let (from, to) = (format!("k:{n}"), format!("target:{n}"));
        pipeline.cmd("RENAME").arg(from).arg(to);
    }
    pipeline.exec(&mut redis).expect("the renames run");
    stage.expect(Expected::new(Mechanism::Rename, 500..=500));
}

fn restore(stage: &mut Stage) {
    let (_server, mut redis) = stage.scene(&[], |redis| fill(redis, "k", 1_500, ""));
    let dump: Vec<u8> = redis::cmd("DUMP")
        .arg("k:0")
        .query(&mut redis)
        .expect("DUMP runs");
    let mut pipeline = redis::pipe();
    for n in 0..600 {
        let key = format!("k:{n}");
        pipeline
            .cmd("RESTORE")
            .arg(key)
            .arg(0)
            .arg(&dump)
            .arg("REPLACE");
    }
    pipeline.exec(&mut redis).expect("the keys are restored");
    stage.expect(Expected::new(Mechanism::Restore, 600..=600));
}

fn copy(stage: &mut Stage) {
    let (_server, mut redis) = stage.scene(&[], |redis| {
        fill(redis, "k", 1_500, "");
        fill(redis, "source", 1, "");
    });
    if stage.lacks(&mut redis, "COPY") {
        return;
    }
    let mut pipeline = redis::pipe();
    for n in 0..600 {
        let key = format!("k:{n}");
        pipeline.cmd("COPY").arg("source:0").arg(key).arg("REPLACE");
    }
    pipeline.exec(&mut redis).expect("the keys are copied");
    stage.expect(Expected::new(Mechanism::Copy, 600..=600));
}

fn empty_store(stage: &mut Stage) {
    let (_server, mut redis) = stage.scene(&[], |redis| fill(redis, "k", 1_500, ""));
    each(&mut redis, "SINTERSTORE absent:1 absent:2", "k", 600);
    stage.expect(Expected::new(Mechanism::EmptyStore, 600..=600));
}
