//! Redis instance failure: the process, the machine or the data centre was lost.

use super::case::{Case, amount, with_account};
use super::{Cause, Level, Rule, Verdict, words};
use crate::model::{ChangeKind, Continuity, Gap, Sample, Step};

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
        let summary = format!("{} lost with the process that ended", amount(&account));
        let mut verdict = with_account(
            Verdict::new(Cause::InstanceFailure, Level::Confirmed, summary),
            &account,
        );
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
    match case
        .window
        .steps()
        .filter(|step| is_new_process(step))
        .last()
    {
        Some(step) => restarted_whole(case, step),
        None => exposure(case, last),
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
    let since = gap.to.seconds_since(gap.from) as u64;
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
    verdict
        .next_steps
        .push(format!("here: {}", gap.failure.kind.advice()));
    verdict
}

fn evidence(case: &Case<'_>, step: &Step, verdict: &mut Verdict) {
    let at = Some(step.to.at);
    let ends = || {
        let mut samples = case
            .window
            .samples()
            .skip_while(|sample| sample.moment != step.from);
        Some((samples.next()?, samples.next()?))
    };
    verdict
        .evidence
        .push(case.keys_evidence(step, "keys in all databases"));
    if let Some((before, after)) = ends() {
        let id = |sample: &Sample| {
            sample
                .server
                .run_id
                .as_deref()
                .map_or("–", |id| &id[..id.len().min(8)])
                .to_owned()
        };
        verdict.evidence.push(case.evidence(
            "run_id",
            &*id(before),
            &*id(after),
            "another process",
            at,
        ));
        let (was, is) = (before.server.uptime_s, after.server.uptime_s);
        verdict
            .evidence
            .push(case.evidence("uptime_in_seconds", was, is, "seconds", at));
    }
    if let Some((was, is)) = step.persistence.as_deref() {
        let note = "writes that were not on disk at the last poll";
        let unsaved = (was.unsaved_changes, is.unsaved_changes);
        verdict.evidence.push(case.evidence(
            "rdb_changes_since_last_save",
            unsaved.0,
            unsaved.1,
            note,
            at,
        ));
        if is.loaded_keys.is_some() {
            let note = "keys read from disk at the start";
            verdict.evidence.push(case.evidence(
                "rdb_last_load_keys_loaded",
                was.loaded_keys,
                is.loaded_keys,
                note,
                at,
            ));
        }
        let word = |aof: Option<bool>| if aof == Some(true) { "1" } else { "0" };
        verdict.evidence.push(case.evidence(
            "aof_enabled",
            word(was.aof),
            word(is.aof),
            "append-only file",
            at,
        ));
    }
}

fn loading(case: &Case<'_>, last: &Sample) -> Verdict {
    let done = last
        .persistence
        .loading_percent
        .map_or_else(String::new, |percent| format!(", {percent:.0} % done"));
    let summary = format!("a data set is being loaded{done}; key counts are partial until it ends");
    let mut verdict = Verdict::new(Cause::InstanceFailure, Level::Suspected, summary);
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
        0,
        1,
        "reading from disk or from a primary",
        Some(last.moment.at),
    ));
    if let Some(step) = case.window.steps().find(|step| is_new_process(step)) {
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
        (Level::Clear, format!("{what}, and no key is missing"))
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
    let disk = &last.persistence;
    let up = last
        .server
        .uptime_s
        .map_or_else(String::new, |s| format!("up {}; ", words::duration(s)));
    let hiccups = case
        .window
        .changes()
        .filter(|c| matches!(c.kind, ChangeKind::Reconnected { .. }))
        .count();
    let hiccups = if hiccups > 0 {
        format!("; was out of reach {hiccups}×, the same process came back")
    } else {
        String::new()
    };
    let keys = last.keys().unwrap_or(0);
    let failing = disk.last_save_ok == Some(false)
        || (disk.aof == Some(true) && disk.aof_write_ok == Some(false));
    let (level, summary) = if last.product().is_enterprise() {
        (
            Level::Unknown,
            format!(
                "restarts and persistence are not exposed by {}",
                last.product()
            ),
        )
    } else if failing {
        (
            Level::AtRisk,
            format!("{up}writing to disk fails: a restart would lose what came since{hiccups}"),
        )
    } else if disk.aof == Some(true) {
        (
            Level::Clear,
            format!("{up}append-only file on: about a second of writes at stake{hiccups}"),
        )
    } else {
        match disk.unsaved_changes {
            Some(0) if keys == 0 || disk.loaded_keys.is_some() => {
                (Level::Clear, format!("{up}nothing unsaved{hiccups}"))
            }
            Some(0) => (
                Level::Clear,
                format!("{up}no write since the last save{hiccups}"),
            ),
            Some(n) => {
                let what = if n == 1 {
                    "1 write is".into()
                } else {
                    format!("{} writes are", words::count(n))
                };
                (
                    Level::AtRisk,
                    format!("{up}{what} on no disk: a crash now would lose them{hiccups}"),
                )
            }
            None => (
                Level::Unknown,
                format!("{up}persistence is not exposed by this server{hiccups}"),
            ),
        }
    };
    let mut verdict = Verdict::new(Cause::InstanceFailure, level, summary);
    if level == Level::Unknown {
        verdict.missing = vec!["uptime_in_seconds", "rdb_last_load_keys_loaded"];
    }
    if let Some(unsaved) = disk.unsaved_changes {
        verdict.evidence.push(case.total_evidence(
            "rdb_changes_since_last_save",
            unsaved,
            "writes since the last save",
        ));
    }
    verdict
}
