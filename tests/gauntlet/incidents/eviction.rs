//! Keys that were removed for memory. How many, the server says; the trial asks it itself.

use std::io::Write as _;
use std::net::TcpStream;

use amr_top::diagnosis::Mechanism;

use super::Plays;
use crate::commands::{command, fill_bytes, info, run, size};
use crate::expected::Expected;
use crate::stage::{Stage, client};

pub(super) const ALL: Plays = &[
    ("evicted-by-data", by_data),
    ("evicted-by-client-buffers", by_client_buffers),
    ("evicted-by-the-backlog", by_backlog),
    ("evicted-by-lowered-maxmemory", by_lowered_limit),
    ("evicted-by-changed-policy", by_policy),
];

const LRU: [&str; 2] = ["--maxmemory-policy", "allkeys-lru"];

/// Sets the limit to what is used and some room.
pub(super) fn limit(redis: &mut redis::Connection, room: u64) {
    // A busy machine must not make the server give up evicting and refuse the write.
    run(redis, "CONFIG SET maxmemory-eviction-tenacity 100");
    let limit = info(redis, "used_memory") + room;
    run(redis, &format!("CONFIG SET maxmemory {limit}"));
}

/// From now on it counts what the server evicts; it may go on.
fn expect_evicted(stage: &mut Stage, redis: &mut redis::Connection, mechanism: Mechanism) {
    let evicted = info(redis, "evicted_keys");
    assert!(evicted >= 300, "the server evicted {evicted} only");
    let expected = Expected::new(mechanism, evicted..=evicted);
    stage.expect_growing(expected, || info(redis, "evicted_keys"));
}

fn by_data(stage: &mut Stage) {
    let (_server, mut redis) = stage.scene(&LRU, |redis| {
        fill_bytes(redis, "k", 1_500, 1_000);
        limit(redis, 500_000);
    });
    fill_bytes(&mut redis, "new", 1_500, 1_000);
    expect_evicted(stage, &mut redis, Mechanism::MemoryFull);
}

/// A client asks for large replies and does not read them.
fn by_client_buffers(stage: &mut Stage) {
    let (server, mut redis) = stage.scene(&LRU, |redis| {
        fill_bytes(redis, "k", 3_000, 1_000);
        let mut big = redis::cmd("RPUSH");
        big.arg("big");
        (0..500).for_each(|n| {
            big.arg(format!("{n:0>500}"));
        });
        big.exec(redis).expect("a list");
        limit(redis, 2_000_000);
    });
    // The kernel takes the first replies off the server's hands, on some machines more than 30 MB of one
    // client's. One client that goes on asking fills that up, however much it is.
    let mut greedy = TcpStream::connect(server.address()).expect("a client");
    let ask = "LRANGE big 0 -1\r\n".repeat(4);
    stage.until("enough is evicted", |_| {
        greedy.write_all(ask.as_bytes()).expect("it asks");
        info(&mut redis, "evicted_keys") >= 500
    });
    // The server counts buffers by a timer, once a second: before that nobody can know of them.
    stage.until("the server has counted the buffers", |_| {
        info(&mut redis, "mem_clients_normal") >= info(&mut redis, "maxmemory") / 10
    });
    expect_evicted(stage, &mut redis, Mechanism::ClientBuffers);
}

/// The replication backlog is made larger, and fills.
fn by_backlog(stage: &mut Stage) {
    let (primary, _replica) = super::pair(stage, 100);
    let mut redis = client(&primary);
    run(&mut redis, "CONFIG SET maxmemory-policy allkeys-lru");
    fill_bytes(&mut redis, "data", 4_000, 1_000);
    // What waits for the replica is used memory too, and not for long.
    stage.wait("the replica has everything", || {
        info(&mut redis, "mem_clients_slaves") < 100_000
    });
    limit(&mut redis, 500_000);
    stage.load(&primary);
    stage.watch(&primary);
    // Before Redis 7 all of it is allocated at once.
    let larger = if stage.binary.is_since(7, 0) { 8 } else { 3 };
    let larger = format!("CONFIG SET repl-backlog-size {larger}mb");
    run(&mut redis, &larger);
    stage.until("enough is evicted", |_| {
        fill_bytes(&mut redis, "same", 100, 10_000);
        info(&mut redis, "evicted_keys") >= 500
    });
    expect_evicted(stage, &mut redis, Mechanism::ReplicaBuffers);
}

fn by_lowered_limit(stage: &mut Stage) {
    let (_server, mut redis) = stage.scene(&LRU, |redis| {
        fill_bytes(redis, "k", 3_000, 1_000);
        limit(redis, 5_000_000);
    });
    let lower = info(&mut redis, "used_memory") - 1_500_000;
    run(&mut redis, &format!("CONFIG SET maxmemory {lower}"));
    stage.until("enough is evicted", |_| {
        info(&mut redis, "evicted_keys") >= 500
    });
    expect_evicted(stage, &mut redis, Mechanism::MaxmemoryLowered);
}

/// Writes until a write is refused.
fn fill_is_taken(redis: &mut redis::Connection) -> bool {
    let size = size(redis);
    let value = "x".repeat(10_000);
    command(&format!("SET filler:{size} {value}"))
        .exec(redis)
        .is_ok()
}

/// Memory is full and writes are refused; then the policy is changed to one that evicts.
fn by_policy(stage: &mut Stage) {
    let args = ["--maxmemory-policy", "noeviction"];
    let (_server, mut redis) = stage.scene(&args, |redis| {
        fill_bytes(redis, "k", 3_000, 1_000);
        limit(redis, 1_000_000);
    });
    while fill_is_taken(&mut redis) {}
    run(&mut redis, "CONFIG SET maxmemory-policy allkeys-lru");
    stage.until("enough is evicted", |_| {
        fill_bytes(&mut redis, "more", 600, 1_000);
        info(&mut redis, "evicted_keys") >= 300
    });
    expect_evicted(stage, &mut redis, Mechanism::PolicyChanged);
}
