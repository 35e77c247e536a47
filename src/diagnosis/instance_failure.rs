//! Redis instance failure: the process, the machine or the data centre was lost.

use super::case::{Case, amount, short, with_account};
use super::{Cause, Level, Reading, Rule, Verdict, words};
use crate::model::{Continuity, Gap, Role, Sample, Step};

pub(super) const RULE: Rule = Rule {
    cause: Cause::InstanceFailure,
    explanation: "Redis keeps its data in memory. When the process ends, what is not on disk or on a \
replica is gone: everything without persistence, the writes since the last save with RDB, about a \
second with AOF. A new run_id is a new process. The loss is the key count of the last poll before \
less that of the first poll after, without keys whose TTL passed meanwhile. While a data set is being \
loaded the counts are partial. A server that does not answer has lost nothing yet, but nobody can \
read it. Clustering and replicas protect against one machine, zone redundancy and geo-replication \
against a data centre, persistence against all replicas at once.",
    steps: &[
        "why did it end: journalctl -u redis-server, dmesg for the OOM killer, the container's exit code",
        "is the data on disk: CONFIG GET dir, appendonly, save; look for dump.rdb and appendonlydir before anything overwrites them",
        "turn on persistence: CONFIG SET appendonly yes, CONFIG SET save \"900 1 300 100\"",
        "a primary without persistence must not restart by itself: it comes back empty and empties its replicas",
    ],
    azure_steps: &[
        "look at Service Health and the Activity log for maintenance, failover or scaling at that time",
        "without high availability, scaling and patching lose all data: az redisenterprise show --query highAvailability",
        "turn on data persistence (RDB or AOF), zone redundancy, and active geo-replication for regional failure",
    ],
    risk_steps: &[
        "see what is on disk: INFO persistence, CONFIG GET save, CONFIG GET appendonly, CONFIG GET dir",
        "turn on persistence if the data must survive: CONFIG SET appendonly yes, CONFIG SET save \"900 1 300 100\"",
        "save now, where the fork is affordable: BGSAVE",
    ],
    docs: &["https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/"],
    judge,
};

fn judge(case: &Case<'_>) -> Verdict {
    if let Some(gap) = case.window.open_gap() {
        return silent(case, gap);
    }
    let Some(last) = case.last else {
        return Case::unheard(Cause::InstanceFailure);
    };
    if let Some(account) = case.account(Cause::InstanceFailure) {
        let (level, rest) = if last.replication.role == Role::Replica {
            (
                Level::Suspected,
                "; this is a replica: its primary may still have them",
            )
        } else {
            (Level::Confirmed, "")
        };
        let summary = format!("{} lost with the process that ended{rest}", amount(account));
        let verdict = Verdict::new(Cause::InstanceFailure, level, summary);
        let mut verdict = with_account(verdict, account);
        for step in case
            .window
            .steps()
            .filter(|step| is_new_process(step))
            .take(3)
        {
            evidence(case, step, &mut verdict);
        }
        return verdict;
    }
    if last.is_loading() {
        return loading(case, last);
    }
    let now = exposure(case, last);
    match case.window.steps().rfind(|step| is_new_process(step)) {
        // A restart without loss must not hide what is at stake now.
        Some(step) if now.level != Level::AtRisk => restarted_whole(case, step),
        _ => now,
    }
}

fn is_new_process(step: &Step) -> bool {
    matches!(
        step.continuity,
        Continuity::Restart | Continuity::OtherProcess
    )
}

/// The node does not answer now.
fn silent(case: &Case<'_>, gap: &Gap) -> Verdict {
    if !gap.failure.kind.is_outage() {
        let summary = format!("cannot look: {}", gap.failure.kind.problem());
        let mut verdict = Verdict::new(Cause::InstanceFailure, Level::Unknown, summary);
        verdict.missing = vec!["INFO"];
        return verdict;
    }
    let seen_alive = case.last.is_some();
    let level = if seen_alive && gap.attempts > 1 {
        Level::Confirmed
    } else {
        Level::Suspected
    };
    let since = gap.to.since(gap.from).as_secs();
    let before = match (case.last.and_then(Sample::keys), seen_alive) {
        (Some(keys), _) => format!("; it held {} at the last poll", words::keys(keys)),
        (None, true) => String::new(),
        (None, false) => "; it has not answered since this program began".into(),
    };
    let tries = if gap.attempts == 1 {
        "1 try".into()
    } else {
        format!("{} tries in {}", gap.attempts, words::duration(since))
    };
    let summary = format!("no answer, {tries}: {}{before}", gap.failure.kind.problem());
    let mut verdict = Verdict::new(Cause::InstanceFailure, level, summary);
    verdict.first_seen = Some(gap.from.at);
    verdict.last_seen = Some(gap.to.at);
    let note = format!("failed polls; {}", gap.failure.sentence());
    verdict.evidence.push(case.evidence(
        "polls.failed",
        0,
        u64::from(gap.attempts),
        note,
        Some(gap.to.at),
    ));
    if let Some(keys) = case.last.and_then(Sample::keys) {
        verdict
            .evidence
            .push(case.total_evidence("keys", keys, "at the last answered poll"));
    }
    // What was lost before it fell silent stays lost.
    if let Some(account) = case.account(Cause::InstanceFailure) {
        verdict.level = Level::Confirmed;
        verdict = with_account(verdict, account);
    }
    verdict
        .next_steps
        .push(format!("here: {}", gap.failure.kind.advice()));
    verdict
}

fn evidence(case: &Case<'_>, step: &Step, verdict: &mut Verdict) {
    let at = Some(step.to.at);
    verdict
        .evidence
        .push(case.keys_evidence(step, "keys in all databases"));
    let before = case
        .window
        .samples()
        .find(|sample| sample.moment == step.from);
    let after = case
        .window
        .samples()
        .find(|sample| sample.moment == step.to);
    if let (Some(before), Some(after)) = (before, after) {
        let id = |sample: &Sample| short(sample.server.run_id.as_deref());
        let (was, is) = (id(before), id(after));
        verdict
            .evidence
            .push(case.evidence("run_id", was, is, "another process", at));
        let (was, is) = (before.server.uptime_s, after.server.uptime_s);
        verdict
            .evidence
            .push(case.evidence("uptime_in_seconds", was, is, "seconds", at));
    }
    let Some((was, is)) = step.persistence.as_deref() else {
        return;
    };
    let mut push = |field: &str, before: Option<u64>, after: Option<u64>, note: &str| {
        verdict
            .evidence
            .push(case.evidence(field, before, after, note, at));
    };
    let note = "writes that were not on disk at the last poll";
    push(
        "rdb_changes_since_last_save",
        was.unsaved_changes,
        is.unsaved_changes,
        note,
    );
    if is.loaded_keys.is_some() {
        let note = "keys read from disk at the start";
        push(
            "rdb_last_load_keys_loaded",
            was.loaded_keys,
            is.loaded_keys,
            note,
        );
    }
    push(
        "aof_enabled",
        was.aof.map(u64::from),
        is.aof.map(u64::from),
        "append-only file",
    );
}

fn loading(case: &Case<'_>, last: &Sample) -> Verdict {
    let done = last
        .persistence
        .loading_percent
        .map_or_else(String::new, |percent| format!(", {percent:.0} % done"));
    let summary = format!("a data set is being loaded{done}; key counts are partial until it ends");
    // A replica loads whenever its primary sends it everything: no process need have ended.
    let restarted = case.window.steps().find(|step| is_new_process(step));
    let is_sync = case.is_replica() && restarted.is_none();
    let level = if is_sync {
        Level::AtRisk
    } else {
        Level::Suspected
    };
    let mut verdict = Verdict::new(Cause::InstanceFailure, level, summary);
    verdict.first_seen = case
        .window
        .samples()
        .rev()
        .take_while(|s| s.is_loading())
        .last()
        .map(|s| s.moment.at);
    verdict.last_seen = Some(last.moment.at);
    verdict.evidence.push(case.evidence(
        "loading",
        Reading::None,
        1,
        "reading from disk or from a primary",
        Some(last.moment.at),
    ));
    if let Some(step) = restarted {
        evidence(case, step, &mut verdict);
    }
    verdict
}

fn restarted_whole(case: &Case<'_>, step: &Step) -> Verdict {
    let what = if step.continuity == Continuity::Restart {
        "the server restarted"
    } else {
        "another server answers here now"
    };
    let known = step.keys_before.is_some() && step.keys_after.is_some();
    let (level, summary) = if known {
        (
            Level::Clear,
            format!("{what}, and the key count did not fall"),
        )
    } else {
        (
            Level::Suspected,
            format!("{what}; the key counts are not known"),
        )
    };
    let mut verdict = Verdict::new(Cause::InstanceFailure, level, summary);
    verdict.first_seen = Some(step.to.at);
    verdict.last_seen = Some(step.to.at);
    evidence(case, step, &mut verdict);
    verdict
}

/// Nothing happened: what would a failure cost now?
fn exposure(case: &Case<'_>, last: &Sample) -> Verdict {
    let (level, at_stake) = at_stake(last);
    let up = match last.server.uptime_s {
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
    if level == Level::Unknown {
        verdict.missing = vec!["uptime_in_seconds", "rdb_last_load_keys_loaded"];
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
