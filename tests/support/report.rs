//! The program and its reports, as a test sees them.

#![allow(
    clippy::expect_used,
    reason = "a test whose surroundings cannot be set up has failed"
)]
#![allow(
    dead_code,
    unreachable_pub,
    reason = "compiled into every test that names it, and none uses all of it"
)]

use assert_cmd::Command;
use assert_cmd::cargo::cargo_bin;
use serde_json::Value;

pub fn amr_top(line: &str) -> Command {
    let mut command = Command::new(cargo_bin("amr-top"));
    command
        .args(line.split_whitespace())
        .env_remove("AMR_TOP_PASSWORD")
        .env_remove("REDISCLI_AUTH");
    command
}

/// Standard output as JSON, whatever the exit code.
pub fn json(line: &str) -> Value {
    let output = amr_top(line).output().expect("runs");
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// The fields of schema 1; more may be added, none may go.
const FIELDS: &str = "schema window nodes top_cause verdicts incidents ledger changes notices";
const WINDOW_FIELDS: &str = "from to seconds polls gaps";
const NODE_FIELDS: &str = "id role product version keys";
const VERDICT_FIELDS: &str = "cause title verdict mechanism scope summary keys_lost at_least at_most \
                              first_seen last_seen evidence suspects missing next_steps docs";
const EVIDENCE_FIELDS: &str = "node field before after note at";
const LEDGER_FIELDS: &str = "keys_before keys_after expired evicted flushed deleted moved \
                             unexplained created replaced lost parts";
const PART_FIELDS: &str = "way keys most known source";
const INCIDENT_FIELDS: &str = "from to state keys_lost at_least causes suspects";
const SHARE_FIELDS: &str = "cause mechanism title keys_lost at_least share";
const SUSPECT_FIELDS: &str = "command address name user library at source certainty";

fn assert_has(value: &Value, names: &str) {
    for name in names.split_whitespace() {
        assert!(value.get(name).is_some(), "no {name} in {value:#}");
    }
}

pub fn list(value: &Value) -> &[Value] {
    value.as_array().expect("is a list")
}

pub fn assert_schema(report: &Value) {
    assert_eq!(report["schema"], "amr-top/report/1");
    assert_has(report, FIELDS);
    assert_has(&report["window"], WINDOW_FIELDS);
    assert_has(&report["ledger"], LEDGER_FIELDS);
    for node in list(&report["nodes"]) {
        assert_has(node, NODE_FIELDS);
    }
    for verdict in list(&report["verdicts"]) {
        assert_has(verdict, VERDICT_FIELDS);
        for evidence in list(&verdict["evidence"]) {
            assert_has(evidence, EVIDENCE_FIELDS);
        }
        for suspect in list(&verdict["suspects"]) {
            assert_has(suspect, SUSPECT_FIELDS);
        }
    }
    for part in list(&report["ledger"]["parts"]) {
        assert_has(part, PART_FIELDS);
        let total = &report["ledger"][part["way"].as_str().expect("is a word")];
        assert_eq!(*total, part["keys"]);
    }
    for incident in list(&report["incidents"]) {
        assert_has(incident, INCIDENT_FIELDS);
        for share in list(&incident["causes"]) {
            assert_has(share, SHARE_FIELDS);
        }
        for suspect in list(&incident["suspects"]) {
            assert_has(suspect, SUSPECT_FIELDS);
        }
    }
    for time in ["from", "to"] {
        let time = report["window"][time].as_str().expect("is a time");
        assert!(time.parse::<jiff::Timestamp>().is_ok(), "{time}");
    }
}
