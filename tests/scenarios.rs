//! Recorded incidents, replayed: the same observations must give the same diagnosis.
//!
//! The gauntlet (`tests/gauntlet`) records them on real servers with `UPDATE_SCENARIOS=1`; with the
//! same here, the reports beside them are written anew and nothing else.

#![allow(
    clippy::expect_used,
    reason = "a scenario that cannot be read has failed"
)]

#[path = "gauntlet/expected.rs"]
mod expected;
#[path = "gauntlet/recording.rs"]
mod recording;

use std::path::{Path, PathBuf};

use amr_top::diagnosis::diagnose;
use amr_top::report::{Report, Style};
use recording::Scenario;

/// Larger files have observations that prove nothing.
const MOST_BYTES: u64 = 44_000;

fn files() -> Vec<PathBuf> {
    let folder = |path: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(path).expect("a folder of scenarios");
        let mut paths: Vec<PathBuf> = entries
            .map(|entry| entry.expect("an entry").path())
            .collect();
        paths.sort();
        paths
    };
    let servers = folder(&recording::folder());
    let all = servers.iter().flat_map(|server| folder(server));
    let is_scenario = |path: &PathBuf| {
        let name = path.to_string_lossy();
        name.ends_with(".txt") && !name.ends_with(".report.txt")
    };
    all.filter(is_scenario).collect()
}

fn read(path: &Path) -> (String, Scenario) {
    let text = std::fs::read_to_string(path).expect("a scenario");
    let scenario =
        Scenario::decode(&text).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    (text, scenario)
}

/// What is wrong with a replay, if anything.
fn replay(path: &Path) -> Result<(), String> {
    let (_, scenario) = read(path);
    let history = scenario.history();
    let diagnosis = diagnose(&history.window());
    expected::check_sound(&diagnosis)?;
    scenario.expected.check(&diagnosis)?;
    let verdict = diagnosis.of(scenario.expected.cause);
    let verdict = verdict.ok_or("every cause has a verdict")?;
    let now = (verdict.level.id(), verdict.at_least);
    let then = (scenario.level.as_str(), scenario.at_least);
    if now != then {
        return Err(format!(
            "level and 'at least' are {now:?}, live they were {then:?}"
        ));
    }
    let report = Report::of_one(&history.window(), &diagnosis, &[]).text(Style::default());
    let stored = path.with_extension("report.txt");
    if recording::is_saving() {
        return std::fs::write(stored, report).map_err(|error| error.to_string());
    }
    let before = std::fs::read_to_string(&stored)
        .map_err(|error| format!("{}: {error}", stored.display()))?;
    if before == report {
        Ok(())
    } else {
        Err(format!(
            "the report is another one ('UPDATE_SCENARIOS=1 cargo test --test scenarios' \
             stores it):\n{}",
            difference(&before, &report)
        ))
    }
}

/// Lines that are gone and lines that are new.
fn difference(before: &str, now: &str) -> String {
    let only = |sign: &str, these: &str, others: &str| -> Vec<String> {
        let others: Vec<&str> = others.lines().collect();
        let missing = these.lines().filter(|line| !others.contains(line));
        missing.map(|line| format!("{sign} {line}")).collect()
    };
    [only("-", before, now), only("+", now, before)]
        .concat()
        .join("\n")
}

#[test]
fn every_recorded_incident_is_named_again() {
    let wrong: Vec<String> = files()
        .iter()
        .filter_map(|path| {
            let why = replay(path).err()?;
            Some(format!("{}: {why}", path.display()))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn there_are_at_least_forty_and_each_is_small_and_whole() {
    let files = files();
    assert!(files.len() >= 40, "{} scenarios", files.len());
    for path in files {
        let (text, scenario) = read(&path);
        let size = text.len() as u64;
        assert!(size <= MOST_BYTES, "{}: {size} bytes", path.display());
        assert_eq!(scenario.encode(), text, "{}", path.display());
        let name = format!("{}/{}.txt", scenario.server, scenario.incident);
        assert!(path.ends_with(&name), "{}", path.display());
    }
}

#[test]
fn no_file_tells_of_the_machine_that_it_was_made_on() {
    for path in files() {
        let (text, _) = read(&path);
        for place in ["/tmp/", "/root/", "/home/"] {
            assert!(!text.contains(place), "{} holds '{place}'", path.display());
        }
    }
}
