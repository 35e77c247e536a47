//! Healthy workloads: nothing may be called a loss, at any poll, from the first one on.

use std::time::Duration;

use amr_top::demo::server::{Server, Signal};
use amr_top::diagnosis::{Cause, Level, Mechanism};

use crate::Play;
use crate::commands::{command, each, fill, fill_bytes, info, info_word, refused, run};
use crate::incidents::{Plays, caught_up, pair};
use crate::stage::{DEADLINE, Stage, client, client_as};

/// All healthy workloads, in the order of the table.
pub(crate) fn all() -> Vec<Play> {
    ALL.iter()
        .map(|(name, play)| Play { name, play: *play })
        .collect()
}

const ALL: Plays = &[
    ("steady-cache", |stage| workload(stage, |_| Vec::new())),
    ("short-ttls-in-balance", |stage| {
        workload(stage, |n| vec![format!("SET session:{n} x PX 400")]);
    }),
    ("queues-in-balance", |stage| workload(stage, queues)),
    ("deletes-in-balance", |stage| {
        workload(stage, write_then_delete);
    }),
    ("rename-into-place", |stage| {
        workload(stage, rename_into_place);
    }),
    ("deletes-of-missing-keys", |stage| {
        between_polls(stage, |redis| each(redis, "DEL", "absent", 500));
    }),
    ("pipelines-of-writes", |stage| {
        between_polls(stage, |redis| fill(redis, "bulk", 3_000, ""));
    }),
    ("config-resetstat", resetstat),
    ("bgsave", bgsave),
    ("a-replica-attaches", replica_attaches),
    ("slow-network", slow_network),
    ("settings-with-room", settings_with_room),
    ("denied-flush", |stage| {
        denied(stage, "FLUSHALL", "FLUSHALL refused");
    }),
    ("denied-del", |stage| denied(stage, "DEL k:1", "DEL ×5")),
    ("lru-far-below-its-limit", far_below_limit),
    ("restart-with-everything-saved", restart_whole),
    ("killed-with-everything-saved", killed_whole),
    ("a-replica-falls-behind", replica_behind),
];

/// Polls for which a workload goes on.
const POLLS: usize = 25;

fn calm(stage: &mut Stage) {
    (0..POLLS).for_each(|_| stage.next());
}

/// A workload that runs at a steady pace, since before the watch.
fn workload(stage: &mut Stage, work: fn(u64) -> Vec<String>) {
    stage.must_stay_healthy();
    let server = stage.server(&[]);
    let mut redis = client(&server);
    fill(&mut redis, "k", 1_000, "");
    work_steadily(stage, &server, work);
    stage.load(&server);
    stage.watch(&server);
    calm(stage);
}

/// Runs the n-th lines, for n = 0, 1, …, at a steady pace beside the trial.
fn work_steadily(stage: &Stage, server: &Server, work: fn(u64) -> Vec<String>) {
    let url = format!("redis://{}/", server.address());
    stage.beside(async move {
        let client = redis::Client::open(url).expect("an address");
        let connected = client.get_multiplexed_async_connection().await;
        let mut connection = connected.expect("a client");
        let mut tick = tokio::time::interval(Duration::from_millis(8));
        for n in 0.. {
            tick.tick().await;
            for line in work(n) {
                let done = command(&line).exec_async(&mut connection).await;
                // The server ends with the trial.
                if done.is_err() {
                    return;
                }
            }
        }
    });
}

/// Ten queues: what is put in is taken out some ticks later, and the key comes and goes.
fn queues(n: u64) -> Vec<String> {
    let put = format!("RPUSH queue:{} job", n % 10);
    let take = format!("LPOP queue:{}", (n + 5) % 10);
    vec![put, take]
}

/// Every key is deleted twenty ticks after it was written.
fn write_then_delete(n: u64) -> Vec<String> {
    let mut lines = vec![format!("SET job:{n} x")];
    if let Some(old) = n.checked_sub(20) {
        lines.push(format!("DEL job:{old}"));
    }
    lines
}

fn rename_into_place(n: u64) -> Vec<String> {
    let (new, place) = (format!("tmp:{n}"), format!("page:{}", n % 50));
    vec![format!("SET {new} x"), format!("RENAME {new} {place}")]
}

/// Something that is done in bulk between polls, over and over.
fn between_polls(stage: &mut Stage, act: fn(&mut redis::Connection)) {
    stage.must_stay_healthy();
    let (_server, mut redis) = stage.scene(&[], |redis| fill(redis, "k", 1_000, ""));
    for _ in 0..POLLS {
        act(&mut redis);
        stage.next();
    }
}

fn resetstat(stage: &mut Stage) {
    stage.must_stay_healthy();
    let (_server, mut redis) = stage.scene(&[], |redis| {
        fill(redis, "k", 1_000, "");
        each(redis, "DEL", "k", 20);
    });
    run(&mut redis, "CONFIG RESETSTAT");
    stage.is_told("reset");
}

fn bgsave(stage: &mut Stage) {
    stage.must_stay_healthy();
    let (_server, mut redis) = stage.scene(&[], |redis| fill(redis, "k", 5_000, ""));
    for _ in 0..3 {
        run(&mut redis, "BGSAVE");
        stage.until("the save has ended", |_| {
            info(&mut redis, "rdb_bgsave_in_progress") == 0
        });
    }
    assert_eq!(info_word(&mut redis, "rdb_last_bgsave_status"), "ok");
    calm(stage);
}

fn replica_attaches(stage: &mut Stage) {
    stage.must_stay_healthy();
    let args = ["--repl-diskless-sync-delay", "0"];
    let (server, mut redis) = stage.scene(&args, |redis| fill(redis, "k", 3_000, ""));
    let port = server.port().to_string();
    let replica = stage.server(&["--replicaof", "127.0.0.1", &port]);
    caught_up(stage, &mut redis, &replica);
    calm(stage);
}

fn slow_network(stage: &mut Stage) {
    stage.must_stay_healthy();
    let server = stage.server(&[]);
    fill(&mut client(&server), "k", 1_000, "");
    let proxy = stage.proxy(&server, Duration::from_millis(150));
    stage.load(&server);
    stage.watch_port(proxy.port());
    calm(stage);
}

fn settings_with_room(stage: &mut Stage) {
    stage.must_stay_healthy();
    let args = ["--maxmemory", "50mb", "--maxmemory-policy", "noeviction"];
    let (_server, mut redis) = stage.scene(&args, |redis| fill(redis, "k", 1_000, ""));
    for setting in [
        "maxmemory 100mb",
        "maxmemory-policy allkeys-lru",
        "maxmemory 60mb",
        "maxmemory-policy volatile-ttl",
        "appendfsync always",
    ] {
        run(&mut redis, &format!("CONFIG SET {setting}"));
        (0..3).for_each(|_| stage.next());
    }
    calm(stage);
}

/// A user without permission tries in vain.
fn denied(stage: &mut Stage, line: &str, notice: &str) {
    stage.must_stay_healthy();
    let (server, _redis) = stage.scene(&[], |redis| {
        fill(redis, "k", 1_000, "");
        run(redis, "ACL SETUSER app on >secret ~* +@all -flushall -del");
    });
    let mut app = client_as(&server, "app:secret@");
    for _ in 0..5 {
        refused(&mut app, line, "no permissions");
    }
    stage.is_told(notice);
}

fn far_below_limit(stage: &mut Stage) {
    stage.must_stay_healthy();
    let args = ["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"];
    let (_server, mut redis) = stage.scene(&args, |redis| fill_bytes(redis, "k", 5_000, 1_000));
    for n in 0..POLLS {
        fill_bytes(&mut redis, &format!("more:{n}"), 50, 1_000);
        stage.next();
    }
}

/// While the server is down that is told; once it is back, nothing is.
fn restart_whole(stage: &mut Stage) {
    stage.must_stay_healthy();
    stage.may_be_down();
    let args = ["--appendonly", "yes", "--appendfsync", "everysec"];
    let (server, mut redis) = stage.scene(&args, |redis| fill(redis, "k", 1_000, ""));
    // Nothing is answered to this.
    drop(command("SHUTDOWN").exec(&mut redis));
    server.wait_exit(DEADLINE).expect("it ends");
    server.restart().expect("it starts again");
    stage.is_told("restarted");
    calm(stage);
}

/// A crash with every write on disk loses nothing.
fn killed_whole(stage: &mut Stage) {
    stage.must_stay_healthy();
    stage.may_be_down();
    let args = ["--appendonly", "yes", "--appendfsync", "always"];
    let (server, _redis) = stage.scene(&args, |redis| fill(redis, "k", 1_000, ""));
    server.signal(Signal::Kill).expect("a signal");
    server.wait_exit(DEADLINE).expect("it ends");
    server.restart().expect("it starts again");
    stage.is_told("restarted");
    calm(stage);
}

/// A replica that does not follow is a risk and no loss.
fn replica_behind(stage: &mut Stage) {
    stage.must_stay_healthy();
    let (primary, replica) = pair(stage, 1_000);
    stage.load(&primary);
    stage.watch(&primary);
    replica.signal(Signal::Stop).expect("a signal");
    // More than the kernel's buffers hide.
    let mut redis = client(&primary);
    fill_bytes(&mut redis, "big", 24, 1 << 20);
    stage.until("the replica is far behind", |stage| {
        let last = stage.history().last_sample();
        let behind = last.and_then(|sample| {
            let replication = &sample.replication;
            let replica = replication.replicas.first()?;
            replica.behind_bytes(replication.offset)
        });
        behind >= Some(16 << 20)
    });
    let diagnosis = stage.diagnosis();
    let verdict = diagnosis.of(Cause::Replication).expect("a verdict");
    let said = (verdict.level, verdict.mechanism);
    let expected = (Level::AtRisk, Some(Mechanism::ReplicaBehind));
    assert_eq!(said, expected, "{verdict:#?}");
}
