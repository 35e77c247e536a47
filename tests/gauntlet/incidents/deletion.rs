//! Keys that commands removed.

use amr_top::diagnosis::Mechanism;

use super::Plays;
use crate::commands::{each, fill, names, on};
use crate::expected::Expected;
use crate::stage::Stage;

pub(super) const ALL: Plays = &[
    ("del-many-in-one-call", |stage| {
        some(stage, Mechanism::Del, |redis| many(redis, "DEL"));
    }),
    ("del-burst", |stage| {
        some(stage, Mechanism::Del, |redis| each(redis, "DEL", "k", 600));
    }),
    ("unlink-many-in-one-call", |stage| {
        some(stage, Mechanism::Unlink, |redis| many(redis, "UNLINK"));
    }),
    ("unlink-burst", |stage| {
        some(stage, Mechanism::Unlink, |redis| {
            each(redis, "UNLINK", "k", 600);
        });
    }),
    ("getdel", |stage| {
        some(stage, Mechanism::Getdel, |redis| {
            each(redis, "GETDEL", "k", 600);
        });
    }),
    ("del-in-script", |stage| {
        some(stage, Mechanism::ScriptedDelete, |redis| {
            redis::cmd("EVAL")
                .arg("for _, key in ipairs(KEYS) do redis.call('DEL', key) end")
                .arg(600)
                .arg(names("k", 600))
                .exec(redis)
                .expect("the script runs");
        });
    }),
    ("del-in-transaction", |stage| {
        some(stage, Mechanism::TransactionDelete, |redis| {
            let mut pipeline = redis::pipe();
            pipeline.atomic();
            for key in names("k", 600) {
                pipeline.add_command(on("DEL", &key));
            }
            pipeline.exec(redis).expect("the transaction runs");
        });
    }),
    ("emptied-by-hdel", |stage| {
        emptied(stage, "HSET item 1", "HDEL item");
    }),
    ("emptied-by-spop", |stage| {
        emptied(stage, "SADD item", "SPOP");
    }),
    ("emptied-by-lpop", |stage| {
        emptied(stage, "RPUSH item", "LPOP");
    }),
    ("emptied-by-zpopmin", |stage| {
        emptied(stage, "ZADD 1 item", "ZPOPMIN");
    }),
    ("expire-in-the-past", |stage| past(stage, "EXPIRE -1")),
    ("getex-in-the-past", |stage| past(stage, "GETEX PXAT 1000")),
];

fn many(redis: &mut redis::Connection, command: &str) {
    redis::cmd(command)
        .arg(names("k", 600))
        .exec(redis)
        .expect("the command runs");
}

/// 600 of 1,500 keys go.
fn some(stage: &mut Stage, mechanism: Mechanism, act: fn(&mut redis::Connection)) {
    let (_server, mut redis) = stage.scene(&[], |redis| fill(redis, "k", 1_500, ""));
    act(&mut redis);
    stage.expect(Expected::new(mechanism, 600..=600));
}

/// The last element of 600 containers is taken.
fn emptied(stage: &mut Stage, put: &str, take: &str) {
    let (_server, mut redis) = stage.scene(&[], |redis| {
        fill(redis, "stays", 1_000, "");
        each(redis, put, "box", 600);
    });
    each(&mut redis, take, "box", 600);
    stage.expect(Expected::new(Mechanism::EmptiedContainer, 600..=600));
}

/// Keys get a TTL that is over already: a delete on Redis, an expiration on Valkey 9 and later.
fn past(stage: &mut Stage, command: &str) {
    let (_server, mut redis) = stage.scene(&[], |redis| fill(redis, "k", 1_500, ""));
    each(&mut redis, command, "k", 600);
    let mechanism = if stage.binary.is_valkey_since(9) {
        Mechanism::TtlAdded
    } else {
        Mechanism::PastTtlExpire
    };
    stage.expect(Expected::new(mechanism, 600..=600));
}
