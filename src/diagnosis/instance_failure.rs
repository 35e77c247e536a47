//! Redis instance failure: the process, the machine or the data centre was lost.

mod exposure;

use jiff::Timestamp;

use super::account::{Account, amount, with_account};
use super::case::{Case, short};
use super::first_contact;
use super::replication::{NOISE_BYTES, lost_bytes};
use super::{Cause, Level, Mechanism, Reading, Rule, Special, Verdict, words};
use exposure::exposure;

use crate::model::{Class, Continuity, Gap, Role, Sample, Step};

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
    enterprise_steps: &[
        "look at the Cluster Manager's log and alerts for node failure, failover and maintenance at that time",
        "is replication on, and persistence: database, Configuration, High availability and durability",
        "restore from the last backup: import into the database",
    ],
    risk_steps: &[
        "see what is on disk: INFO persistence, CONFIG GET save, CONFIG GET appendonly, CONFIG GET dir",
        "turn on persistence if the data must survive: CONFIG SET appendonly yes, CONFIG SET save \"900 1 300 100\"",
        "save now, where the fork is affordable: BGSAVE",
    ],
    special: &[
        Special {
            mechanism: Mechanism::RestartStaleRdb,
            steps: &[
                "how old is what was loaded: compare rdb_last_save_time before the restart with the time of the crash; is there a newer dump on a replica or in a backup?",
                "lose about a second instead: CONFIG SET appendonly yes, CONFIG SET appendfsync everysec",
            ],
            azure_steps: &[],
            doc: None,
        },
        Special {
            mechanism: Mechanism::RestartTruncatedAof,
            steps: &[
                "the log says 'Truncating the AOF': keep a copy of appendonlydir, then redis-check-aof on its manifest tells what was cut",
                "was the disk full, or did the host lose power? appendfsync always loses nothing, at the price of speed",
            ],
            azure_steps: &[],
            doc: None,
        },
        Special {
            mechanism: Mechanism::OutOfMemoryKill,
            steps: &[
                "was it the out-of-memory killer: dmesg -T | grep -i oom, or exit code 137 of the container",
                "leave the machine room: CONFIG SET maxmemory to about 70 % of it (fork copies pages), and vm.overcommit_memory=1",
            ],
            azure_steps: &[],
            doc: None,
        },
        Special {
            mechanism: Mechanism::DebugReload,
            steps: &[
                "who may DEBUG: CONFIG GET enable-debug-command (set it to no), ACL SETUSER <user> -debug; SLOWLOG GET 128 names the client",
            ],
            azure_steps: &[],
            doc: None,
        },
        Special {
            mechanism: Mechanism::SaveFailing,
            steps: &[
                "is the disk full or read-only: CONFIG GET dir, df -h there, the server's log; then BGSAVE and look at rdb_last_bgsave_status",
            ],
            azure_steps: &[],
            doc: None,
        },
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
        let summary = format!("{}{rest}", sentence(case, account));
        let verdict = Verdict::new(Cause::InstanceFailure, level, summary);
        let mut verdict = with_account(verdict, account);
        let steps = case.window.steps().filter(|step| is_new_process(step));
        for step in steps.take(3) {
            evidence(case, step, &mut verdict);
        }
        if account.mechanism() == Mechanism::DebugReload {
            reload_evidence(case, account, &mut verdict);
        }
        return verdict;
    }
    if last.is_loading() {
        return loading(case, last);
    }
    if let Some(verdict) = first_contact::recent_start(case, last) {
        return verdict;
    }
    let now = exposure(case, last);
    match case.window.steps().rfind(|step| is_new_process(step)) {
        // A restart without loss must not hide what is at stake now.
        Some(step) if now.level != Level::AtRisk => restarted_whole(case, step),
        _ => now,
    }
}

/// What was lost and how, in one sentence.
fn sentence(case: &Case<'_>, account: &Account<'_>) -> String {
    let amount = amount(account);
    // Known where the RDB tells of a history: a primary with replicas writes it down (7.0+).
    let step = case.step_to(account.biggest.to);
    let bytes = step
        .and_then(lost_bytes)
        .filter(|bytes| *bytes > NOISE_BYTES);
    let bytes = bytes.map_or_else(String::new, |bytes| {
        format!(", {} of writes", words::bytes(bytes))
    });
    match account.mechanism() {
        Mechanism::RestartEmpty => {
            format!("{amount} lost: the server ended and came back without data")
        }
        Mechanism::RestartStaleRdb => {
            format!("{amount} lost: the server came back with an older RDB{bytes}")
        }
        Mechanism::RestartTruncatedAof => {
            format!(
                "{amount} lost: the server came back with an append-only file that lacks its end"
            )
        }
        Mechanism::OutOfMemoryKill => format!(
            "{amount} lost: the server ended while it held most of the machine's memory, which is how the out-of-memory killer looks"
        ),
        Mechanism::ServerReplaced => {
            format!("{amount} are not on the server that answers here now")
        }
        Mechanism::DebugReload => {
            format!("{amount} lost: DEBUG replaced the data by what was on disk")
        }
        _ => format!("{amount} lost with the process that ended"),
    }
}

/// What shows that DEBUG did it: the process stayed, the call was counted, the keys fell.
fn reload_evidence(case: &Case<'_>, account: &Account<'_>, verdict: &mut Verdict) {
    if let Some(step) = case.step_to(account.biggest.to) {
        let calls = case.command_evidence(step, Class::Admin, "an admin command ran");
        verdict.evidence.extend(calls);
        verdict
            .evidence
            .push(case.keys_evidence(step, "keys in all databases"));
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
    verdict.mechanism = Some(Mechanism::Unreachable);
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
        let last_seen = verdict.last_seen;
        verdict = with_account(verdict, account);
        verdict.last_seen = last_seen;
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
    let before = case.window.sample_at(step.from);
    let after = case.window.sample_at(step.to);
    if let (Some(before), Some(after)) = (before, after) {
        process_evidence(case, (&before, &after), at, verdict);
    }
    let Some((was, is)) = step.persistence() else {
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
        let note = "keys read from an RDB at the start";
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

/// The process before and after.
fn process_evidence(
    case: &Case<'_>,
    (before, after): (&Sample, &Sample),
    at: Option<Timestamp>,
    verdict: &mut Verdict,
) {
    let id = |sample: &Sample| short(sample.server.run_id.as_deref());
    let (was, is) = (id(before), id(after));
    verdict
        .evidence
        .push(case.evidence("run_id", was, is, "another process", at));
    let (was, is) = (before.server.uptime_s, after.server.uptime_s);
    verdict
        .evidence
        .push(case.evidence("uptime_in_seconds", was, is, "seconds", at));
    let (rss, machine) = (before.memory.rss_bytes, before.memory.system_bytes);
    if verdict.mechanism == Some(Mechanism::OutOfMemoryKill) {
        let note = "bytes held at the last poll, against total_system_memory";
        verdict
            .evidence
            .push(case.evidence("used_memory_rss", rss, machine, note, at));
    }
    if before.persistence.aof == Some(true) {
        let size = |sample: &Sample| sample.persistence.aof_size_bytes;
        let (was, is) = (size(before), size(after));
        let note = "bytes of the append-only file";
        verdict
            .evidence
            .push(case.evidence("aof_current_size", was, is, note, at));
    }
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
    verdict.mechanism = Some(Mechanism::Loading);
    verdict.first_seen = case
        .window
        .samples()
        .rev()
        .take_while(|sample| sample.is_loading())
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
