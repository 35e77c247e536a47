//! The program as scripts see it: words in, text and exit codes out.

#[path = "support/report.rs"]
mod report;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command as Process, Stdio};

use assert_cmd::cargo::cargo_bin;
use predicates::prelude::*;
use report::{amr_top, assert_schema, json, list};
use rstest::rstest;
use serde_json::Value;

const PRIMARY: &str = "tests/fixtures/info/redis-7.0.15-primary.txt";
const FLUSHED: &str = "tests/fixtures/info/redis-7.0.15-primary-after-flushall.txt";
const ENTERPRISE: &str = "tests/fixtures/info/synthetic-redis-enterprise-default.txt";
/// A password that must not be seen anywhere.
const SECRET: &str = "hunter2-in-plain-sight";

/// A port on which nothing listens.
fn refusing_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    listener.local_addr().expect("is bound").port()
}

/// A server that answers every request with the same words.
fn server(answer: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let port = listener.local_addr().expect("is bound").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream, answer));
        }
    });
    port
}

fn serve(mut stream: TcpStream, answer: &str) {
    let mut request = [0; 4096];
    while stream.read(&mut request).is_ok_and(|n| n > 0) {
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

#[rstest]
#[case("--help", "Exit codes:")]
#[case("-h", "--password-file")]
#[case("check --help", "--fail-on")]
#[case("snapshot --help", "--output")]
#[case("demo --help", "--incident")]
#[case("--version", "amr-top ")]
#[case("completions bash", "complete -F")]
#[case("completions zsh", "#compdef amr-top")]
#[case("completions fish", "amr-top")]
#[case("man", ".TH amr-top")]
fn pages_go_to_standard_output(#[case] line: &str, #[case] says: &'static str) {
    amr_top(line)
        .assert()
        .success()
        .stdout(predicate::str::contains(says))
        .stderr("");
}

#[rstest]
#[case("--nonsense")]
#[case("check --format yaml")]
#[case("check --fail-on rust")]
#[case("check --for 10")]
#[case("check --interval 1ms")]
#[case("check host:port")]
#[case("check http://host")]
#[case("check --user ann")]
#[case("a check b")]
#[case("completions")]
#[case("snapshot -o file.pdf")]
fn usage_errors_exit_2(#[case] line: &str) {
    amr_top(line)
        .assert()
        .code(2)
        .stdout("")
        .stderr(predicate::str::is_empty().not());
}

#[test]
fn a_missing_file_is_named_in_one_line() {
    for line in [
        "check --info /nonexistent",
        "check --password-file /nonexistent",
    ] {
        amr_top(line).assert().code(1).stdout("").stderr(
            predicate::str::starts_with("amr-top: cannot read '/nonexistent'")
                .and(predicate::str::contains("\n").count(1)),
        );
    }
    amr_top("check --info Cargo.toml")
        .assert()
        .code(1)
        .stderr(predicate::str::contains("not an INFO reply"));
}

#[test]
fn one_saved_reply_is_a_first_look() {
    let report = json(&format!("check --info {PRIMARY} --format json"));
    assert_schema(&report);
    assert_eq!(report["window"]["polls"], 1);
    assert_eq!(report["nodes"][0]["version"], "7.0.15");
    assert_eq!(report["nodes"][0]["role"], "primary");
    assert_eq!(report["nodes"][0]["keys"], 5_136);
    let parts = list(&report["ledger"]["parts"]);
    assert!(parts.iter().all(|part| part["known"] == "unknown"));
}

#[test]
fn two_saved_replies_are_a_window() {
    let report = json(&format!(
        "check --info {PRIMARY} --info {FLUSHED} --format json"
    ));
    assert_schema(&report);
    assert_eq!(report["window"]["polls"], 2);
    assert_eq!(report["nodes"][0]["keys"], 0);
    let changes = report["changes"].as_array().expect("is a list");
    let flushed = |change: &Value| {
        change["what"]
            .as_str()
            .is_some_and(|w| w.contains("FLUSHALL"))
    };
    assert!(changes.iter().any(flushed), "{changes:#?}");
    assert_eq!(report["top_cause"], "flush");
    assert_eq!(report["verdicts"][0]["cause"], "flush");
    assert_eq!(report["verdicts"][0]["verdict"], "confirmed");
    assert_eq!(report["verdicts"][0]["mechanism"], "flushall");
    let incident = &report["incidents"][0];
    assert_eq!(incident["causes"][0]["mechanism"], "flushall");
    assert_eq!(incident["from"], report["window"]["from"]);
    assert!(
        !report["verdicts"][0]["evidence"]
            .as_array()
            .expect("is a list")
            .is_empty()
    );
}

#[rstest]
#[case("any", 3)]
#[case("flush", 3)]
#[case("instance-failure,flush", 3)]
#[case("instance-failure", 0)]
#[case("none", 0)]
fn the_exit_code_tells_a_named_cause(#[case] fail_on: &str, #[case] code: i32) {
    amr_top(&format!(
        "check --info {PRIMARY} --info {FLUSHED} --fail-on {fail_on}"
    ))
    .assert()
    .code(code);
}

#[test]
fn a_reduced_reply_is_read() {
    let report = json(&format!("check --info {ENTERPRISE} --format json"));
    assert_schema(&report);
    assert_eq!(report["nodes"][0]["product"], "redis-enterprise");
}

#[rstest]
#[case("redis-2.8.24", "redis")]
#[case("keydb-6.3.4", "keydb")]
#[case("dragonfly-1.23.0", "dragonfly")]
#[case("elasticache-6.2.6", "elasticache")]
#[case("memorydb-6.2.6", "memorydb")]
fn other_products_are_read_too(#[case] name: &str, #[case] product: &str) {
    let file = format!("tests/fixtures/info/synthetic-{name}-primary.txt");
    let report = json(&format!("check --info {file} --format json"));
    assert_schema(&report);
    assert_eq!(report["nodes"][0]["product"], product);
    assert_eq!(report["nodes"][0]["keys"], 2_608);
}

#[test]
fn what_is_not_understood_is_a_notice() {
    let mut reply = b"\x1b[2J welcome to the proxy: hello\n\0\xff\xfe\r\n".to_vec();
    reply.extend(fs::read(PRIMARY).expect("is there"));
    amr_top("check --info - --fail-on none")
        .write_stdin(reply)
        .assert()
        .code(0)
        .stdout(
            predicate::str::contains("note: 2 lines of the reply were not understood: '␛[2J")
                .and(predicate::str::contains("5,136 keys"))
                .and(predicate::str::contains("\x1b").not()),
        );
}

#[test]
fn a_saved_reply_comes_through_standard_input_too() {
    amr_top("check --info - --fail-on none")
        .write_stdin(fs::read(PRIMARY).expect("is there"))
        .assert()
        .code(0)
        .stdout(predicate::str::contains("standard input"));
}

#[test]
fn every_form_is_written_and_ascii_is_ascii() {
    for (form, says) in [("text", "Redis 7.0.15"), ("markdown", "# Redis data loss")] {
        amr_top(&format!(
            "check --fail-on none --info {PRIMARY} --format {form}"
        ))
        .assert()
        .code(0)
        .stdout(predicate::str::contains(says));
    }
    let line = format!("check --ascii --info {PRIMARY} --info {FLUSHED}");
    let output = amr_top(&line).output().expect("runs");
    assert!(output.stdout.is_ascii() && !output.stdout.is_empty());
}

#[test]
fn a_port_that_refuses_is_reported() {
    let port = refusing_port();
    let line = format!("check --for 400ms -i 100ms 127.0.0.1:{port} --format json");
    let output = amr_top(&line).output().expect("runs");
    let report: Value = serde_json::from_slice(&output.stdout).expect("is JSON");
    assert_schema(&report);
    let node = &report["nodes"][0];
    assert_eq!(node["id"], format!("127.0.0.1:{port}"));
    assert_eq!(
        (&node["role"], &node["product"]),
        (&"unknown".into(), &"unknown".into())
    );
    assert!(node["version"].is_null() && node["keys"].is_null());
    assert_eq!(report["window"]["gaps"], 1);
    assert_eq!(report["verdicts"][0]["cause"], "instance-failure");
    assert!(report["verdicts"][0]["keys_lost"].is_null());
    assert_eq!(output.status.code(), Some(3));
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("connection refused"), "{words}");
}

#[rstest]
#[case("-NOAUTH Authentication required.\r\n", "wants a password")]
#[case(
    "-NOPERM this user has no permissions to run the 'info' command\r\n",
    "ACL SETUSER"
)]
#[case("HTTP/1.1 400 Bad Request\r\n\r\n", "not that of a Redis server")]
fn a_server_that_refuses_us_is_a_failure_with_a_report(
    #[case] answer: &'static str,
    #[case] says: &str,
) {
    let port = server(answer);
    for line in ["--for 5s", "--once", "--fail-on none"] {
        let output = amr_top(&format!("check {line} 127.0.0.1:{port} --format json"))
            .output()
            .expect("runs");
        assert_eq!(output.status.code(), Some(1));
        assert_schema(&serde_json::from_slice(&output.stdout).expect("is JSON"));
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(words.contains(says), "{words}");
    }
}

#[test]
fn a_sentinel_is_told_from_a_server() {
    let reply = "# Server\r\nredis_version:7.0.15\r\nredis_mode:sentinel\r\n# Memory\r\n# Stats\r\n\
                 # Commandstats\r\n# Sentinel\r\nmaster0:name=mymaster,status=ok\r\n";
    let answer = format!("${}\r\n{reply}\r\n", reply.len());
    let port = server(answer.leak());
    for line in ["--for 5s", "--once"] {
        let output = amr_top(&format!("check {line} 127.0.0.1:{port}"))
            .output()
            .expect("runs");
        assert_eq!(output.status.code(), Some(1));
        let words = String::from_utf8_lossy(&output.stderr);
        let told = format!(
            "amr-top: 127.0.0.1:{port}: this is a Sentinel, which holds no keys; \
             give redis-sentinel://127.0.0.1:{port}/mymaster\n"
        );
        assert_eq!(words, told);
    }
}

#[test]
fn a_password_is_never_told() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let port = server("-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    let refusing = refusing_port();
    let file = folder.path().join("out.json");
    let lines = [
        format!("check --once redis://ann:{SECRET}@127.0.0.1:{port}/3"),
        format!("check --once --format json redis://:{SECRET}@127.0.0.1:{refusing}"),
        format!(
            "snapshot -o {} redis://:{SECRET}@127.0.0.1:{port}",
            file.display()
        ),
        format!("check redis://:{SECRET}#@127.0.0.1:{port}"),
        format!("check redis://:{SECRET}@127.0.0.1:99999"),
        format!("check ann:{SECRET}@127.0.0.1:{port}"),
        format!("check http://ann:{SECRET}@127.0.0.1"),
        format!("redis://:{SECRET}@127.0.0.1:{port}/x"),
    ];
    for line in lines {
        let output = amr_top(&format!("--connect-timeout 300ms --timeout 300ms {line}"))
            .output()
            .expect("runs");
        for words in [output.stdout, output.stderr] {
            let words = String::from_utf8_lossy(&words);
            assert!(!words.contains(SECRET), "{line}: {words}");
        }
    }
    let text = fs::read_to_string(file).expect("was written");
    assert!(!text.contains(SECRET), "{text}");
}

#[test]
fn a_database_number_is_noticed() {
    let port = refusing_port();
    amr_top(&format!(
        "check --once --connect-timeout 100ms --timeout 100ms redis://127.0.0.1:{port}/3"
    ))
    .assert()
    .stdout(predicate::str::contains("never sends SELECT"));
}

#[test]
fn a_snapshot_is_private_and_never_overwritten() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let port = server("-NOAUTH Authentication required.\r\n");
    let file = folder.path().join("out.json");
    let line = format!("snapshot -o {} 127.0.0.1:{port}", file.display());
    amr_top(&line).assert().code(1);
    let mode = fs::metadata(&file)
        .expect("was written")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = fs::read_to_string(&file).expect("is text");
    let report: Value = serde_json::from_str(&text).expect("is JSON");
    assert!(report.get("panels").is_some() && report.get("raw").is_some());
    amr_top(&line)
        .assert()
        .code(1)
        .stderr(predicate::str::contains("exists already"));
    assert_eq!(fs::read_to_string(&file).expect("is text"), text);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    for line in [
        format!("check --info {PRIMARY} --info {FLUSHED} --format json"),
        "--help".into(),
        "man".into(),
    ] {
        let mut child = Process::new(cargo_bin("amr-top"))
            .args(line.split_whitespace())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("ends");
        assert_eq!(output.status.code(), Some(0), "{line}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{line}");
    }
}

#[test]
fn ctrl_c_ends_the_watch_and_reports() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let port = listener.local_addr().expect("is bound").port();
    let child = Process::new(cargo_bin("amr-top"))
        .args([
            "check",
            "--for",
            "10m",
            "--timeout",
            "5m",
            "--format",
            "json",
        ])
        .arg(format!("127.0.0.1:{port}"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    // It has asked: it is watching now.
    let (mut stream, _) = listener.accept().expect("is dialled");
    assert!(stream.read(&mut [0; 16]).expect("is asked") > 0);
    let interrupted = Process::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .expect("kill runs");
    assert!(interrupted.success());
    let output = child.wait_with_output().expect("ends");
    let report: Value = serde_json::from_slice(&output.stdout).expect("is JSON");
    assert_eq!(report["schema"], "amr-top/report/1");
    assert_eq!(output.status.code(), Some(1));
}
