//! Keys that commands removed.

use amr_top::diagnosis::Mechanism;

use super::Plays;
use crate::commands::{each, fill, names};
use crate::expected::Expected;
use crate::stage::Stage;

pub(super) const ALL: Plays = &[
    ("del-many-in-one-call", |stage| {
        some(stage, Mechanism::Del, |redis| {
            redis::cmd("DEL")
                .arg(names("k", 600))
                .exec(redis)
                .expect("DEL runs");
        });
    }),
    ("del-burst", |stage| {
        some(stage, Mechanism::Del, |redis| each(redis, "DEL", "k", 600));
    }),
    ("unlink-burst", |stage| {
        some(stage, Mechanism::Unlink, |redis| {
            each(redis, "UNLINK", "k", 600);
        });
    }),
];

/// 600 of 1,500 keys go.
fn some(stage: &mut Stage, mechanism: Mechanism, act: fn(&mut redis::Connection)) {
    let (_server, mut redis) = stage.scene(&[], |redis| fill(redis, "k", 1_500, ""));
    act(&mut redis);
    stage.expect(Expected::new(mechanism, 600..=600));
}
