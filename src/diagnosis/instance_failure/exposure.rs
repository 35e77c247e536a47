//! Nothing happened yet: what would the end of this process cost now?

use crate::diagnosis::case::Case;
use crate::diagnosis::{Cause, Level, Mechanism, Reading, Verdict, words};
use crate::model::{Continuity, Sample, Step};

/// A start that long ago is worth a word, seconds.
const YOUNG_S: u64 = 3_600;

/// The verdict of a quiet window.
pub(super) fn exposure(case: &Case<'_>, last: &Sample) -> Verdict {
    let (level, at_stake) = at_stake(last);
    let up = match last.server.uptime_s {
        Some(s)
            if s < YOUNG_S
                && last.persistence.loaded_keys == Some(0)
                && last.persistence.aof != Some(true) =>
        {
            format!("up {}, started without data; ", words::duration(s))
        }
        Some(s) => format!("up {}; ", words::duration(s)),
        None => String::new(),
    };
    let same = |step: &&Step| step.over_gap && step.continuity == Continuity::Same;
    let absences = case.window.steps().filter(same).count();
    let absences = match absences {
        0 => String::new(),
        n => format!("; was out of reach {n}×, the same process came back"),
    };
    let mut verdict = Verdict::new(
        Cause::InstanceFailure,
        level,
        format!("{up}{at_stake}{absences}"),
    );
    match level {
        Level::AtRisk => verdict.mechanism = Some(how(last)),
        Level::Unknown => verdict.missing = hidden(last),
        _ => {}
    }
    let at = Some(last.moment.at);
    let fails = |ok: Option<bool>| (ok == Some(false)).then_some("err");
    for (field, status) in [
        (
            "rdb_last_bgsave_status",
            fails(last.persistence.last_save_ok),
        ),
        (
            "aof_last_write_status",
            fails(last.persistence.aof_write_ok),
        ),
    ] {
        if status.is_some() {
            let note = "writing to disk fails";
            verdict
                .evidence
                .push(case.evidence(field, Reading::None, status, note, at));
        }
    }
    if let Some(unsaved) = last.persistence.unsaved_changes {
        let note = "writes since the last save";
        verdict
            .evidence
            .push(case.total_evidence("rdb_changes_since_last_save", unsaved, note));
    }
    verdict
}

fn how(last: &Sample) -> Mechanism {
    let disk = &last.persistence;
    if disk.last_save_ok == Some(false) || disk.aof_write_ok == Some(false) {
        Mechanism::SaveFailing
    } else {
        Mechanism::Unsaved
    }
}

/// The fields that would tell of restarts and persistence and are not there.
fn hidden(last: &Sample) -> Vec<&'static str> {
    let disk = &last.persistence;
    let fields = [
        ("uptime_in_seconds", last.server.uptime_s.is_none()),
        ("rdb_last_load_keys_loaded", disk.loaded_keys.is_none()),
        (
            "rdb_changes_since_last_save",
            disk.unsaved_changes.is_none(),
        ),
    ];
    let hidden = fields.into_iter().filter(|(_, hidden)| *hidden);
    hidden.map(|(field, _)| field).collect()
}

/// What would be gone if the process ended now, as far as this server tells.
fn at_stake(last: &Sample) -> (Level, String) {
    let disk = &last.persistence;
    let aof_fails = disk.aof == Some(true) && disk.aof_write_ok == Some(false);
    if last.product().is_enterprise() {
        let product = last.product();
        (
            Level::Unknown,
            format!("restarts and persistence are not exposed by {product}"),
        )
    } else if last.keys() == Some(0) {
        (Level::Clear, "there is no key to lose now".into())
    } else if disk.last_save_ok == Some(false) || aof_fails {
        (
            Level::AtRisk,
            "writing to disk fails: a restart would lose what came since".into(),
        )
    } else if disk.aof == Some(true) {
        (
            Level::Clear,
            "append-only file on: about a second of writes at stake".into(),
        )
    } else {
        match disk.unsaved_changes {
            Some(0) => (Level::Clear, "no write since the last save".into()),
            Some(1) => (
                Level::AtRisk,
                "1 write is on no disk: a crash now would lose it".into(),
            ),
            Some(n) => {
                let n = words::count(n);
                (
                    Level::AtRisk,
                    format!("{n} writes are on no disk: a crash now would lose them"),
                )
            }
            None => (
                Level::Unknown,
                "persistence is not exposed by this server".into(),
            ),
        }
    }
}
