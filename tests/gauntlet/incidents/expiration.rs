//! TTLs that ran out.

use amr_top::diagnosis::Mechanism;

use super::Plays;
use crate::commands::{each, fill, info};
use crate::expected::Expected;
use crate::stage::Stage;

pub(super) const ALL: Plays = &[("ttl-wave", ttl_wave), ("ttl-added", ttl_added)];

fn ttl_wave(stage: &mut Stage) {
    let (_server, mut redis) = stage.scene(&[], |redis| {
        fill(redis, "stays", 1_000, "");
        fill(redis, "session", 1_000, "PX 2500");
    });
    stage.until("all have expired", |_| {
        info(&mut redis, "expired_keys") == 1_000
    });
    stage.expect(Expected::new(Mechanism::TtlRanOut, 1_000..=1_000));
}

fn ttl_added(stage: &mut Stage) {
    let (_server, mut redis) = stage.scene(&[], |redis| {
        fill(redis, "stays", 1_000, "");
        fill(redis, "k", 800, "");
    });
    each(&mut redis, "PEXPIRE 700", "k", 800);
    stage.until("all have expired", |_| {
        info(&mut redis, "expired_keys") == 800
    });
    stage.expect(Expected::new(Mechanism::TtlAdded, 800..=800));
}
