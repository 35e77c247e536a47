//! Processes that ended, and what the next one brought back.

use std::path::{Path, PathBuf};
use std::time::Duration;

use amr_top::demo::server::{Server, Signal};
use amr_top::diagnosis::Mechanism;

use super::Plays;
use crate::commands::{fill, info, run};
use crate::expected::Expected;
use crate::stage::{DEADLINE, Stage, client};

pub(super) const ALL: Plays = &[
    ("killed-without-persistence", killed_empty),
    ("killed-with-an-old-rdb", killed_stale),
    ("killed-with-a-truncated-aof", killed_truncated),
    ("debug-reload", debug_reload),
    ("another-server-at-the-address", replaced),
    ("killed-and-stays-down", stays_down),
    ("hangs-and-goes-on", hangs),
];

fn kill(server: &Server) {
    server.signal(Signal::Kill).expect("a signal");
    server.wait_exit(DEADLINE).expect("it ends");
}

fn killed_empty(stage: &mut Stage) {
    let (server, _redis) = stage.scene(&[], |redis| fill(redis, "k", 1_500, ""));
    let least = 1_500 + stage.created();
    kill(&server);
    let most = 1_500 + stage.created();
    server.restart().expect("it starts again");
    stage.expect(Expected::new(Mechanism::RestartEmpty, least..=most));
}

fn killed_stale(stage: &mut Stage) {
    let (server, mut redis) = stage.scene(&[], |redis| {
        fill(redis, "k", 1_000, "");
        run(redis, "SAVE");
        fill(redis, "late", 800, "");
    });
    let least = 800 + stage.created();
    run(&mut redis, "PING");
    kill(&server);
    let most = 800 + stage.created();
    server.restart().expect("it starts again");
    stage.expect(Expected::new(Mechanism::RestartStaleRdb, least..=most));
}

fn killed_truncated(stage: &mut Stage) {
    let args = ["--appendonly", "yes", "--appendfsync", "always"];
    let (server, mut redis) = stage.scene(&args, |redis| fill(redis, "k", 1_000, ""));
    let file = newest_aof(server.dir());
    let length = || std::fs::metadata(&file).expect("the file").len();
    let before = stage.created();
    let kept = length();
    fill(&mut redis, "late", 800, "");
    stage.until("the late keys are seen", |stage| {
        let keys = stage
            .history()
            .last_sample()
            .and_then(amr_top::model::Sample::keys);
        keys >= Some(1_800)
    });
    let least = 800 + stage.created() - before;
    kill(&server);
    let most = 800 + stage.created() - before + 1;
    let cut = std::fs::OpenOptions::new().write(true).open(&file);
    let cut = cut.and_then(|file| file.set_len(kept + 7));
    cut.expect("the file is cut in the middle of a command");
    server.restart().expect("it starts again");
    stage.expect(Expected::new(Mechanism::RestartTruncatedAof, least..=most));
}

/// The file to which commands are appended: one in its own folder since Redis 7, else the only
/// one.
fn newest_aof(dir: &Path) -> PathBuf {
    let folder = dir.join("appendonlydir");
    let Ok(files) = std::fs::read_dir(folder) else {
        return dir.join("appendonly.aof");
    };
    let names = files.filter_map(|file| Some(file.ok()?.path()));
    let incr = names.filter(|path| path.to_string_lossy().contains(".incr."));
    incr.max().expect("an incremental file")
}

fn debug_reload(stage: &mut Stage) {
    // Older servers do not know the setting and need none.
    let args: &[&str] = if stage.binary.is_since(7, 0) {
        &["--enable-debug-command", "yes"]
    } else {
        &[]
    };
    let (_server, mut redis) = stage.scene(args, |redis| {
        fill(redis, "k", 1_000, "");
        run(redis, "SAVE");
        fill(redis, "late", 800, "");
    });
    let least = 800 + stage.created();
    run(&mut redis, "DEBUG RELOAD NOSAVE");
    let most = 800 + stage.created();
    stage.expect(Expected::new(Mechanism::DebugReload, least..=most));
}

/// The address leads to another server, which has 100 keys.
fn replaced(stage: &mut Stage) {
    let other = stage.server(&[]);
    let mut redis = client(&other);
    fill(&mut redis, "other", 100, "");
    let server = stage.server(&[]);
    fill(&mut client(&server), "k", 1_500, "");
    stage.wait("the other server is older", || {
        info(&mut redis, "uptime_in_seconds") >= 4
    });
    stage.load(&server);
    let address = stage.proxy(&server, Duration::ZERO);
    stage.watch_port(address.port());
    let least = 1_400 + stage.created();
    address.lead_to(Some(other.port()));
    let most = 1_400 + stage.created();
    stage.expect(Expected::new(Mechanism::ServerReplaced, least..=most));
}

fn stays_down(stage: &mut Stage) {
    let (server, _redis) = stage.scene(&[], |redis| fill(redis, "k", 1_500, ""));
    kill(&server);
    stage.expect(Expected::new(Mechanism::Unreachable, None));
}

/// It keeps its connections and answers nothing; once it goes on, nothing was lost.
fn hangs(stage: &mut Stage) {
    stage.impatient();
    let (server, _redis) = stage.scene(&[], |redis| fill(redis, "k", 1_500, ""));
    server.signal(Signal::Stop).expect("a signal");
    stage.expect(Expected::new(Mechanism::Unreachable, None));
    server.signal(Signal::Cont).expect("a signal");
    stage.until("it answers again", |stage| {
        stage.history().window().open_gap().is_none()
    });
    let diagnosis = stage.diagnosis();
    assert_eq!(diagnosis.top_cause, None, "{:#?}", diagnosis.verdicts);
}
