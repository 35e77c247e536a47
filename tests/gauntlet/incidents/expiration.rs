//! TTLs that ran out.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use amr_top::diagnosis::{Cause, Mechanism};

use super::Plays;
use crate::commands::{each, fill, info, names, run};
use crate::expected::Expected;
use crate::stage::{DEADLINE, Stage, client};

pub(super) const ALL: Plays = &[
    ("ttl-wave", ttl_wave),
    ("ttl-added", ttl_added),
    ("clock-jump", clock_jump),
    ("hash-field-ttl", hash_field_ttl),
    ("expired-while-down", expired_while_down),
];

fn ttl_wave(stage: &mut Stage) {
    let (_server, mut redis) = stage.scene(&[], |redis| {
        fill(redis, "stays", 1_000, "");
        fill(redis, "session", 1_000, "PX 2500");
    });
    stage.until("all have expired", |_| {
        info(&mut redis, "expired_keys") == 1_000
    });
    stage.expect(Expected::new(Mechanism::TtlRanOut, 1_000..=1_000));
    stage.proves(Cause::Expiration, "expired_keys");
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
    stage.expect(Expected::new(Mechanism::TtlAdded, 800..=800).shares(&[Mechanism::TtlAdded]));
}

/// The wall clock of the server alone jumps two hours ahead. Keys of the load have TTLs, too.
fn clock_jump(stage: &mut Stage) {
    let folder = tempfile::tempdir().expect("a folder");
    let (wrapper, clock) = with_false_clock(&stage.binary.path, folder.path());
    let server = stage.server_of(&wrapper, &[]);
    let mut redis = client(&server);
    fill(&mut redis, "stays", 1_000, "");
    fill(&mut redis, "session", 1_000, "EX 3600");
    stage.load(&server);
    stage.watch(&server);
    set_clock(&clock, 7_200);
    stage.until("all have expired", |_| {
        info(&mut redis, "expired_keys") >= 1_000
    });
    let most = 1_000 + stage.created();
    stage.expect(Expected::new(Mechanism::ClockJump, 1_000..=most));
}

/// A script that runs the server with a wall clock of its own, and the file that sets it.
/// (libfaketime would do, but not beside the allocator that distributions link servers with.)
fn with_false_clock(server: &Path, folder: &Path) -> (PathBuf, PathBuf) {
    use std::os::unix::fs::PermissionsExt;
    let [wrapper, clock, source, library] =
        ["server", "clock", "clock.c", "clock.so"].map(|name| folder.join(name));
    std::fs::write(&source, include_str!("../clock.c")).expect("a file");
    let compiled = Command::new("cc")
        .args(["-O1", "-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .output()
        .expect("'cc' runs, as it does for cargo");
    assert!(compiled.status.success(), "{compiled:?}");
    std::fs::write(&clock, 0_i64.to_ne_bytes()).expect("a file");
    let script = format!(
        "#!/bin/sh\nexec env LD_PRELOAD='{}' CLOCK_AHEAD='{}' '{}' \"$@\"\n",
        library.display(),
        clock.display(),
        server.display()
    );
    std::fs::write(&wrapper, script).expect("a script");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&wrapper, mode).expect("it may be run");
    (wrapper, clock)
}

/// Sets such a clock, in place: the server has the file mapped.
fn set_clock(clock: &Path, seconds: i64) {
    let file = std::fs::OpenOptions::new().write(true).open(clock);
    let set = file.and_then(|mut file| file.write_all(&seconds.to_ne_bytes()));
    set.expect("the clock is set");
}

fn hash_field_ttl(stage: &mut Stage) {
    let (_server, mut redis) = stage.scene(&[], |redis| {
        fill(redis, "stays", 1_000, "");
        each(redis, "HSET item 1", "cart", 600);
    });
    if stage.lacks(&mut redis, "HPEXPIRE") {
        return;
    }
    each(&mut redis, "HPEXPIRE 700 FIELDS 1 item", "cart", 600);
    let mut exist = redis::cmd("EXISTS");
    exist.arg(names("cart", 600));
    stage.until("all have gone", |_| {
        exist.query::<u64>(&mut redis).expect("EXISTS runs") == 0
    });
    stage.expect(Expected::new(Mechanism::HashFieldTtl, 600..=600));
}

/// The keys are in the RDB, and their time is up when it is read.
fn expired_while_down(stage: &mut Stage) {
    let server = stage.server(&[]);
    let mut redis = client(&server);
    fill(&mut redis, "stays", 1_000, "");
    stage.load(&server);
    fill(&mut redis, "session", 1_000, "PX 4000");
    let written = stage.elapsed();
    stage.watch(&server);
    run(&mut redis, "SAVE");
    drop(redis::cmd("SHUTDOWN").arg("SAVE").exec(&mut redis));
    server.wait_exit(DEADLINE).expect("it ends");
    assert!(stage.elapsed() < written + Duration::from_secs(4));
    stage.until("their time is up", |stage| {
        stage.elapsed() > written + Duration::from_millis(4_200)
    });
    server.restart().expect("it starts again");
    // Before Redis 7.0 a server does not tell how many it dropped at load.
    let mechanism = if stage.binary.is_since(7, 0) {
        Mechanism::ExpiredAtLoad
    } else {
        Mechanism::RestartStaleRdb
    };
    stage.expect(Expected::new(mechanism, 1_000..=1_000));
}
