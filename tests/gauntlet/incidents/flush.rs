//! Flushes.

use amr_top::diagnosis::{Cause, Mechanism};

use super::Plays;
use crate::commands::{command, fill, run};
use crate::expected::Expected;
use crate::stage::{Stage, client};

pub(super) const ALL: Plays = &[
    ("flushall", |stage| {
        everything(stage, &[], Mechanism::Flushall, |redis| {
            run(redis, "FLUSHALL");
        });
    }),
    ("flushall-async", |stage| {
        everything(stage, &[], Mechanism::Flushall, |redis| {
            run(redis, "FLUSHALL ASYNC");
        });
    }),
    ("flushall-renamed", |stage| {
        let args = ["--rename-command", "FLUSHALL", "hidden"];
        everything(stage, &args, Mechanism::Flushall, |redis| {
            run(redis, "hidden");
        });
    }),
    ("flushdb", flushdb),
    ("flush-in-script", |stage| {
        everything(stage, &[], Mechanism::ScriptedFlush, |redis| {
            command("EVAL")
                .arg("return redis.call('FLUSHALL')")
                .arg(0)
                .exec(redis)
                .expect("the script runs");
        });
    }),
    ("flush-in-transaction", |stage| {
        everything(stage, &[], Mechanism::TransactionFlush, |redis| {
            redis::pipe()
                .atomic()
                .cmd("FLUSHALL")
                .exec(redis)
                .expect("the transaction runs");
        });
    }),
    ("flushall-and-refill", refill),
    ("flushall-seen-on-replica", on_replica),
];

/// Every key goes, the load's too.
fn everything(
    stage: &mut Stage,
    args: &[&str],
    mechanism: Mechanism,
    act: fn(&mut redis::Connection),
) {
    let (_server, mut redis) = stage.scene(args, |redis| fill(redis, "k", 2_000, ""));
    let least = 2_000 + stage.created();
    act(&mut redis);
    let most = 2_000 + stage.created();
    stage.expect(Expected::new(mechanism, least..=most));
}

fn flushdb(stage: &mut Stage) {
    let (_server, mut redis) = stage.scene(&[], |redis| {
        fill(redis, "k", 1_000, "");
        run(redis, "SELECT 3");
        fill(redis, "k", 1_400, "");
    });
    run(&mut redis, "FLUSHDB");
    stage.expect(Expected::new(Mechanism::Flushdb, 1_400..=1_400));
    stage.proves(Cause::Flush, "db3.keys");
}

/// The keys are written again at once: the count hardly falls.
fn refill(stage: &mut Stage) {
    let (_server, mut redis) = stage.scene(&[], |redis| fill(redis, "k", 2_000, ""));
    let least = 2_000 + stage.created();
    run(&mut redis, "FLUSHALL");
    let most = 2_000 + stage.created();
    fill(&mut redis, "k", 1_900, "");
    stage.expect(Expected::new(Mechanism::Flushall, least..=most));
}

fn on_replica(stage: &mut Stage) {
    let (primary, replica) = super::pair(stage, 1_500);
    stage.load(&primary);
    stage.watch(&replica);
    let least = 1_500 + stage.created();
    run(&mut client(&primary), "FLUSHALL");
    let most = 1_500 + stage.created();
    stage.expect(Expected::new(Mechanism::Flushall, least..=most));
}
