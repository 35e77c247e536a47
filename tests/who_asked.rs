//! What is only done on demand, and what the least of users may do: `MONITOR`, `--redact`,
//! `amr-top acl`, and the list of all commands against what a real server counted.

#[path = "support/report.rs"]
mod report;
mod support;

use std::time::Duration;

use amr_top::config::Settings;
use amr_top::demo::server::Server;
use amr_top::model::{Monitored, Observation};
use amr_top::source::{Clock, commands};
use predicates::prelude::*;
use report::{amr_top, json, list};
use support::{DEADLINE, Watch, auth, client, run, settings};

fn server(args: &[&str]) -> Server {
    Server::start(args).unwrap_or_else(|error| panic!("{error}"))
}

/// What every command was called, by the server's own count.
fn counted(redis: &mut redis::Connection) -> Vec<String> {
    let stats: String = redis::cmd("INFO")
        .arg("commandstats")
        .query(redis)
        .expect("INFO");
    let names = stats.lines().filter_map(|line| {
        let (name, _) = line.strip_prefix("cmdstat_")?.split_once(':')?;
        Some(name.to_owned())
    });
    names.collect()
}

async fn monitored(watch: &mut Watch) -> Result<Monitored, String> {
    let is_seen = |said: &Observation| matches!(said, Observation::Monitored { .. });
    match watch.aside(is_seen).await {
        Observation::Monitored { monitored, .. } => monitored,
        other => unreachable!("{other:?}"),
    }
}

/// Waits until the server has a client that monitors.
fn until_monitored(redis: &mut redis::Connection) {
    let clock = Clock::start();
    while clock.elapsed() < DEADLINE {
        let clients: String = redis::cmd("CLIENT")
            .arg("LIST")
            .query(redis)
            .expect("a list");
        if clients.contains("cmd=monitor") {
            return;
        }
    }
    panic!("nobody monitors within {DEADLINE:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn monitor_runs_on_demand_and_ends_in_time() {
    let server = server(&[]);
    let mut redis = client(&server);
    let mut watch = Watch::start(settings(server.port()));
    watch.slow_log().await.expect("is readable");
    assert!(!counted(&mut redis).contains(&"monitor".to_owned()));
    watch.control.send_modify(|control| control.monitors += 1);
    until_monitored(&mut redis);
    run(&mut redis, "SET k:1 v");
    run(&mut redis, "DEL k:1 k:2");
    run(&mut redis, "EVAL redis.call('flushall') 0");
    let seen = monitored(&mut watch).await.expect("it ran");
    assert!(seen.took <= Duration::from_secs(5), "{seen:?}");
    let commands: Vec<&str> = seen.caught.iter().map(|c| &*c.entry.command).collect();
    for expected in ["DEL k:1 k:2", "EVAL …", "flushall"] {
        assert!(commands.contains(&expected), "{commands:?}");
    }
    assert!(commands.iter().all(|command| !command.starts_with("SET")));
    let clients: String = redis::cmd("CLIENT")
        .arg("LIST")
        .query(&mut redis)
        .expect("a list");
    assert!(!clients.contains("cmd=monitor"), "{clients}");
}

#[tokio::test]
async fn monitor_needs_its_right_and_says_which() {
    let server = server(&[]);
    let mut redis = client(&server);
    run(&mut redis, "ACL SETUSER ops on >pw resetkeys -@all +info");
    let mut watch = Watch::start(Settings {
        auth: auth(Some("ops"), "pw"),
        monitor: Some(Duration::from_secs(1)),
        ..settings(server.port())
    });
    let refused = monitored(&mut watch).await.expect_err("may not");
    assert!(refused.starts_with("NOPERM"), "{refused}");
    assert!(refused.ends_with("ACL SETUSER ops +monitor"), "{refused}");
    watch.answer().await;
}

/// A check that monitors names who deleted key by key, which no other witness can.
#[test]
fn a_check_that_monitors_names_whoever_deletes_one_by_one() {
    let server = server(&["--slowlog-log-slower-than", "-1"]);
    let mut redis = client(&server);
    for n in 0..5_000 {
        run(&mut redis, &format!("SET k:{n} v"));
    }
    let line = format!(
        "check --for 2s -i 200ms --monitor 2s --format json {}",
        server.address()
    );
    let report = std::thread::scope(|scope| {
        let report = scope.spawn(|| json(&line));
        until_monitored(&mut redis);
        for n in 0..5_000 {
            run(&mut redis, &format!("DEL k:{n}"));
        }
        report.join().expect("the check ends")
    });
    assert_eq!(report["top_cause"], "deletion");
    let suspect = &report["verdicts"][0]["suspects"][0];
    assert_eq!(suspect["source"], "monitor", "{report:#}");
    assert_eq!(suspect["certainty"], "likely");
    let notices = list(&report["notices"]).iter();
    let mut notices = notices.filter_map(serde_json::Value::as_str);
    assert!(
        notices.any(|notice| notice.starts_with("MONITOR ran for 2.")),
        "{report:#}"
    );
}

#[test]
fn a_monitor_has_a_limit() {
    amr_top("check --monitor 6s 127.0.0.1:1")
        .assert()
        .code(2)
        .stderr(predicate::str::contains("choose from 100ms to 5s"));
}

#[test]
fn redacted_exports_name_nobody() {
    let server = server(&["--slowlog-log-slower-than", "0"]);
    let mut redis = client(&server);
    run(&mut redis, "CLIENT SETNAME nightly-cleanup");
    run(&mut redis, "ACL SETUSER intern on >pw ~* +@all -flushall");
    run(&mut redis, "FLUSHALL ASYNC");
    run(&mut redis, "AUTH intern pw");
    let refused = redis::cmd("FLUSHALL").exec(&mut redis);
    assert!(refused.is_err());
    let folder = tempfile::tempdir().expect("a folder");
    let whole = |line: &str| {
        let output = amr_top(&format!("{line} {}", server.address()))
            .current_dir(&folder)
            .output()
            .expect("runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    for export in [
        "check --once --format text",
        "check --once --format json",
        "check --once --format markdown",
        "snapshot -o - --format json",
        "snapshot -o - --format markdown",
    ] {
        let open = whole(export);
        assert!(open.contains("nightly-cleanup"), "{export}: {open}");
        assert!(open.contains("denied: FLUSHALL"), "{export}: {open}");
        let closed = whole(&format!("{export} --redact"));
        assert!(closed.contains("FLUSHALL"), "{export}: {closed}");
        for name in ["nightly-cleanup", "intern", "ASYNC"] {
            assert!(!closed.contains(name), "{name} in {export}: {closed}");
        }
        // Our own target is the only address that is left.
        let others = closed.replace(&*server.address(), "");
        assert!(!others.contains("127.0.0.1:"), "{export}: {others}");
    }
}

/// The rule that `amr-top acl` prints lets everything work, and nothing that writes: the server's
/// log of denied attempts stays empty, and it counted only what stands in the list.
#[tokio::test]
async fn the_printed_rule_is_enough_and_nothing_writes() {
    let server = server(&["--slowlog-log-slower-than", "0"]);
    let mut own = client(&server);
    let output = amr_top(&format!("acl {}", server.address())).output();
    let page = String::from_utf8(output.expect("runs").stdout).expect("is text");
    let rule = page.lines().next().expect("has a line");
    run(&mut own, &rule.replace(">PASSWORD", ">pw"));
    for n in 0..500 {
        run(&mut own, &format!("SET k:{n} v"));
    }
    run(&mut own, "CONFIG RESETSTAT");
    let mut watch = Watch::start(Settings {
        auth: auth(Some("amrtop"), "pw"),
        ..settings(server.port())
    });
    let stands = |said: &Observation| matches!(said, Observation::Tripwire { .. });
    let told = watch.aside(stands).await;
    assert!(
        matches!(told, Observation::Tripwire { stands: Ok(()), .. }),
        "{told:?}"
    );
    // The first round may be over already.
    if watch.slow_logs().next().is_none() {
        watch.slow_log().await.expect("is readable");
    }
    run(&mut own, "FLUSHALL");
    watch.slow_log().await.expect("is readable");
    for _ in 0..3 {
        watch.answer().await;
    }
    for told in &watch.asides {
        match told {
            Observation::Clients { clients, .. } => drop(clients.as_ref().expect("is readable")),
            Observation::Denied { denied, .. } => drop(denied.as_ref().expect("is readable")),
            _ => {}
        }
    }
    let ours = ["config|resetstat", "flushall"];
    let sent = counted(&mut own);
    for name in sent.iter().filter(|name| !ours.contains(&&***name)) {
        assert!(
            commands::ALL.iter().any(|entry| entry.name == *name),
            "'{name}' was sent and is not in the list: {sent:?}"
        );
    }
    for expected in [
        "client|list",
        "slowlog|get",
        "acl|log",
        "config|get",
        "client|tracking",
        "info",
    ] {
        assert!(
            sent.iter().any(|name| name == expected),
            "{expected}: {sent:?}"
        );
    }
    assert!(!sent.iter().any(|name| name == "monitor"));
    assert_eq!(run(&mut own, "ACL LOG"), redis::Value::Array(vec![]));
    no_command_writes(&mut own);
}

/// By the server's own word.
fn no_command_writes(redis: &mut redis::Connection) {
    for entry in commands::ALL {
        let name = entry.name.split('|').next().unwrap_or_default();
        let about = format!("{:?}", run(redis, &format!("COMMAND INFO {name}")));
        assert!(!about.contains("\"write\""), "{name}: {about}");
    }
    let about = format!("{:?}", run(redis, "COMMAND INFO flushall"));
    assert!(
        about.contains("\"write\""),
        "this is how it would look: {about}"
    );
}

#[test]
fn a_rule_is_printed_without_a_server_and_refused_for_what_is_unknown() {
    for kind in amr_top::cli::DIALECTS {
        amr_top(&format!("acl --for {kind}"))
            .assert()
            .code(0)
            .stdout(predicate::str::starts_with(
                "ACL SETUSER amrtop on >PASSWORD resetkeys",
            ));
    }
    amr_top("acl --for redis-2").assert().code(2);
    amr_top("acl 127.0.0.1:1").assert().code(1);
}
