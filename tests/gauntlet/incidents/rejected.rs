//! Writes that were refused.

use amr_top::diagnosis::Mechanism;

use super::Plays;
use crate::commands::{command, fill, fill_bytes, info, info_word, refused, run};
use crate::expected::Expected;
use crate::load::Mix;
use crate::stage::{Stage, client, client_as};

pub(super) const ALL: Plays = &[
    ("oom-noeviction", |stage| {
        full(stage, "noeviction", Mechanism::NoEviction);
    }),
    ("oom-nothing-evictable", |stage| {
        full(stage, "volatile-lru", Mechanism::NothingEvictable);
    }),
    ("misconf", misconf),
    ("readonly-replica", readonly),
    ("noreplicas", noreplicas),
    ("noperm", noperm),
];

/// Memory is full and nothing may be evicted. No key has a TTL.
fn full(stage: &mut Stage, policy: &str, mechanism: Mechanism) {
    let server = stage.server(&["--maxmemory-policy", policy]);
    let mut redis = client(&server);
    fill_bytes(&mut redis, "k", 1_000, 1_000);
    let limit = info(&mut redis, "used_memory") + 2_000_000;
    run(&mut redis, &format!("CONFIG SET maxmemory {limit}"));
    stage.load_of(&server, Mix::WithoutTtl);
    stage.watch(&server);
    let value = "x".repeat(10_000);
    let mut n = 0;
    let mut refusals = 0;
    while refusals < 20 {
        n += 1;
        assert!(n < 1_000, "nothing is refused");
        let reply = command(&format!("SET new:{n} {value}")).exec(&mut redis);
        refusals += u64::from(reply.is_err_and(|error| error.to_string().contains("OOM")));
    }
    stage.expect(Expected::new(mechanism, None));
}

/// A save fails, because its folder is gone.
fn misconf(stage: &mut Stage) {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().to_string_lossy().into_owned();
    let (_server, mut redis) = stage.scene(&["--dir", &dir], |redis| {
        fill(redis, "k", 1_500, "");
        let mut save = command("CONFIG SET save");
        save.arg("3600 1").exec(redis).expect("a setting");
    });
    folder.close().expect("the folder is removed");
    run(&mut redis, "BGSAVE");
    stage.until("the save has failed", |_| {
        info_word(&mut redis, "rdb_last_bgsave_status") == "err"
    });
    for n in 0..20 {
        refused(&mut redis, &format!("SET new:{n} x"), "MISCONF");
    }
    stage.expect(Expected::new(Mechanism::SaveErrorRefusal, None));
}

fn readonly(stage: &mut Stage) {
    let (primary, replica) = super::pair(stage, 1_500);
    stage.load(&primary);
    stage.watch(&replica);
    let mut redis = client(&replica);
    for n in 0..20 {
        refused(&mut redis, &format!("SET new:{n} x"), "read only");
    }
    stage.expect(Expected::new(Mechanism::ReadOnlyReplica, None));
}

fn noreplicas(stage: &mut Stage) {
    let (_server, mut redis) = stage.scene(&[], |redis| fill(redis, "k", 1_500, ""));
    run(&mut redis, "CONFIG SET min-replicas-to-write 1");
    for n in 0..20 {
        refused(&mut redis, &format!("SET new:{n} x"), "NOREPLICAS");
    }
    stage.expect(Expected::new(Mechanism::TooFewReplicas, None));
}

fn noperm(stage: &mut Stage) {
    let (server, _redis) = stage.scene(&[], |redis| {
        fill(redis, "k", 1_500, "");
        run(redis, "ACL SETUSER app on >secret ~* +@all -set");
    });
    let mut app = client_as(&server, "app:secret@");
    for n in 0..20 {
        refused(&mut app, &format!("SET new:{n} x"), "no permissions");
    }
    stage.expect(Expected::new(Mechanism::PermissionDenied, None));
}
