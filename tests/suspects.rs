//! Who did it, by the slow log of real servers.

#[path = "support/report.rs"]
mod report;

use amr_top::demo::server::Server;
use predicates::prelude::*;
use report::{amr_top, assert_schema, json, list};
use serde_json::Value;

/// A server that remembers every command, and a client of it.
fn redis_that_remembers() -> (Server, redis::Connection) {
    let server = Server::start(&["--slowlog-log-slower-than", "0"]);
    let server = server.unwrap_or_else(|error| panic!("{error}"));
    let client = redis::Client::open(format!("redis://{}/", server.address()))
        .and_then(|client| client.get_connection())
        .expect("a client");
    (server, client)
}

fn run(client: &mut redis::Connection, words: &[&str]) {
    redis::cmd(words[0])
        .arg(&words[1..])
        .exec(client)
        .unwrap_or_else(|error| panic!("{words:?}: {error}"));
}

#[test]
fn who_flushed_before_we_came_is_named() {
    let (server, mut client) = redis_that_remembers();
    let address = redis::cmd("CLIENT")
        .arg("INFO")
        .query::<String>(&mut client);
    let address = address.expect("CLIENT INFO");
    let address = address
        .split(' ')
        .find_map(|word| word.strip_prefix("addr="));
    let address = address.expect("has an address").to_owned();
    run(&mut client, &["CLIENT", "SETNAME", "nightly-cleanup"]);
    run(&mut client, &["SET", "a", "1"]);
    run(&mut client, &["FLUSHALL"]);
    drop(client);
    let report = json(&format!("check --once --format json {}", server.address()));
    assert_schema(&report);
    assert_eq!(report["top_cause"], "flush");
    let flush = &report["verdicts"][0];
    assert_eq!(flush["cause"], "flush");
    let suspect = &flush["suspects"][0];
    assert_eq!(suspect["command"], "FLUSHALL");
    assert_eq!(suspect["address"], address);
    assert_eq!(suspect["name"], "nightly-cleanup");
    assert_eq!(suspect["certainty"], "possible");
    let dated = list(&flush["evidence"]).iter().find(|proof| {
        proof["field"]
            .as_str()
            .is_some_and(|f| f.starts_with("slowlog "))
    });
    let note = dated.expect("is dated")["note"].to_string();
    assert!(
        note.contains(&address) && note.contains("nightly-cleanup"),
        "{note}"
    );
    let text = amr_top(&format!("check --once --fail-on none {}", server.address()));
    let by = format!("possible  FLUSHALL by {address} (nightly-cleanup) at ");
    { text }
        .assert()
        .code(0)
        .stdout(predicate::str::contains(by));
}

/// A script that flushes is named, not the flush inside it.
#[test]
fn a_script_is_named_with_its_client() {
    let (server, mut client) = redis_that_remembers();
    run(&mut client, &["CLIENT", "SETNAME", "deploy"]);
    run(&mut client, &["EVAL", "redis.call('FLUSHALL')", "0"]);
    drop(client);
    let report = json(&format!("check --once --format json {}", server.address()));
    let suspects = list(&report["verdicts"][0]["suspects"]);
    assert_eq!(suspects.len(), 1, "{suspects:#?}");
    assert_eq!(suspects[0]["command"], "EVAL …");
    assert_eq!(suspects[0]["name"], "deploy");
}

#[test]
fn a_user_who_may_not_read_the_slow_log_is_told_once() {
    let (server, mut client) = redis_that_remembers();
    run(
        &mut client,
        &["ACL", "SETUSER", "ann", "on", ">pw", "-@all", "+info"],
    );
    let report = json(&format!(
        "check --for 500ms -i 100ms --format json redis://ann:pw@{}",
        server.address()
    ));
    let notices = list(&report["notices"]).iter().filter_map(Value::as_str);
    let told: Vec<_> = notices
        .filter(|notice| notice.contains("slow log"))
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("the slow log is not readable: NOPERM"),
        "{told:?}"
    );
    assert!(
        told[0].ends_with("ACL SETUSER ann +slowlog|get"),
        "{told:?}"
    );
    assert_eq!(report["window"]["gaps"], 0);
}
