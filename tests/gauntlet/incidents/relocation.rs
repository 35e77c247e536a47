//! Keys that are elsewhere.

use amr_top::diagnosis::Mechanism;

use super::Plays;
use crate::commands::{each, fill, names, run};
use crate::expected::Expected;
use crate::stage::Stage;

pub(super) const ALL: Plays = &[("swapdb", swapdb), ("move", r#move), ("migrate", migrate)];

fn swapdb(stage: &mut Stage) {
    let (_server, mut redis) = stage.scene(&[], |redis| fill(redis, "k", 1_500, ""));
    let least = 1_500 + stage.created();
    run(&mut redis, "SWAPDB 0 1");
    let most = 1_500 + stage.created();
    stage.expect(Expected::new(Mechanism::Swapdb, least..=most));
}

fn r#move(stage: &mut Stage) {
    let (_server, mut redis) = stage.scene(&[], |redis| fill(redis, "k", 1_500, ""));
    each(&mut redis, "MOVE 1", "k", 600);
    stage.expect(Expected::new(Mechanism::Move, 600..=600));
}

fn migrate(stage: &mut Stage) {
    let target = stage.server(&[]);
    let (_server, mut redis) = stage.scene(&[], |redis| fill(redis, "k", 1_500, ""));
    redis::cmd("MIGRATE")
        .arg("127.0.0.1")
        .arg(target.port())
        .arg("")
        .arg(0)
        .arg(10_000)
        .arg("KEYS")
        .arg(names("k", 600))
        .exec(&mut redis)
        .expect("MIGRATE runs");
    stage.expect(Expected::new(Mechanism::Migrate, 600..=600));
}
