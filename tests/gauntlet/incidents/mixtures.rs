//! Several things at once: all are named, in the order of what they took.

use amr_top::diagnosis::Mechanism as M;

use super::Plays;
use crate::commands::{each, fill, fill_bytes, info, run};
use crate::expected::Expected;
use crate::stage::{Stage, client};

pub(super) const ALL: Plays = &[
    ("expiry-and-unlink", expiry_and_unlink),
    ("del-and-spop", del_and_spop),
    ("flushdb-and-del", flushdb_and_del),
    ("rename-and-del", rename_and_del),
    ("expire-in-the-past-and-unlink", past_and_unlink),
    ("eviction-and-flushdb", eviction_and_flushdb),
];

fn expiry_and_unlink(stage: &mut Stage) {
    let (_server, mut redis) = stage.scene(&[], |redis| {
        fill(redis, "k", 1_500, "");
        fill(redis, "session", 300, "PX 2500");
    });
    stage.until("some have expired", |_| {
        info(&mut redis, "expired_keys") > 0
    });
    each(&mut redis, "UNLINK", "k", 600);
    stage.until("all have expired", |_| {
        info(&mut redis, "expired_keys") == 300
    });
    stage.expect(Expected::new(M::Unlink, 600..=600).shares(&[M::Unlink, M::TtlRanOut]));
}

fn del_and_spop(stage: &mut Stage) {
    let (_server, mut redis) = stage.scene(&[], |redis| {
        fill(redis, "k", 1_500, "");
        each(redis, "SADD item", "box", 200);
    });
    each(&mut redis, "DEL", "k", 300);
    each(&mut redis, "SPOP", "box", 200);
    stage.expect(Expected::new(M::Del, 500..=500).shares(&[M::Del, M::EmptiedContainer]));
}

fn flushdb_and_del(stage: &mut Stage) {
    let (_server, mut redis) = stage.scene(&[], |redis| {
        fill(redis, "k", 1_500, "");
        run(redis, "SELECT 3");
        fill(redis, "k", 1_000, "");
    });
    run(&mut redis, "FLUSHDB");
    run(&mut redis, "SELECT 0");
    each(&mut redis, "DEL", "k", 400);
    stage.expect(Expected::new(M::Flushdb, 1_000..=1_000).shares(&[M::Flushdb, M::Del]));
}

fn rename_and_del(stage: &mut Stage) {
    let (_server, mut redis) = stage.scene(&[], |redis| {
        fill(redis, "k", 1_500, "");
        fill(redis, "target", 200, "");
        fill(redis, "source", 200, "");
    });
    each(&mut redis, "DEL", "k", 500);
    let mut pipeline = redis::pipe();
    for n in 0..200 {
        let (from, to) = (format!("source:{n}"), format!("target:{n}"));
        pipeline.cmd("RENAME").arg(from).arg(to);
    }
    pipeline.exec(&mut redis).expect("the renames run");
    stage.expect(Expected::new(M::Del, 500..=500).shares(&[M::Del, M::Rename]));
}

fn past_and_unlink(stage: &mut Stage) {
    let (_server, mut redis) = stage.scene(&[], |redis| fill(redis, "k", 1_500, ""));
    let mut pipeline = redis::pipe();
    for n in 0..600 {
        let key = format!("k:{n}");
        if n < 200 {
            pipeline.cmd("UNLINK").arg(key);
        } else {
            pipeline.cmd("EXPIRE").arg(key).arg(-1);
        }
    }
    pipeline.exec(&mut redis).expect("the commands run");
    let expected = if stage.binary.is_valkey_since(9) {
        Expected::new(M::TtlAdded, 400..=400).shares(&[M::TtlAdded, M::Unlink])
    } else {
        Expected::new(M::PastTtlExpire, 600..=600).shares(&[M::PastTtlExpire, M::Unlink])
    };
    stage.expect(expected);
}

/// Only keys with a TTL may be evicted; the database that is flushed has none.
fn eviction_and_flushdb(stage: &mut Stage) {
    let args = ["--maxmemory-policy", "volatile-lru"];
    let (server, mut redis) = stage.scene(&args, |redis| {
        run(redis, "SELECT 3");
        fill(redis, "k", 2_000, "");
        run(redis, "SELECT 0");
        fill(redis, "k", 1_500, "EX 3600");
        super::eviction::limit(redis, 1_000_000);
    });
    let mut other = client(&server);
    run(&mut other, "SELECT 3");
    let mut n = 0;
    stage.until("enough is evicted", |_| {
        n += 1;
        // A batch must need less room than the keys with a TTL have, or the server refuses it.
        fill_bytes(&mut redis, &format!("new:{n}"), 20, 1_000);
        info(&mut redis, "evicted_keys") >= 300
    });
    run(&mut other, "FLUSHDB");
    stage.expect(Expected::new(M::Flushdb, 2_000..=2_000).shares(&[M::Flushdb, M::MemoryFull]));
}
