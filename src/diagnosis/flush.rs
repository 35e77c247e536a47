//! Key flushing: FLUSHALL or FLUSHDB emptied databases.

use super::account::{Account, amount, with_account};
use super::case::Case;
use super::first_contact;
use super::{Cause, Level, Mechanism, Reading, Rule, Special, Verdict, words};
use crate::model::{Class, Counter, Step};

pub(super) const RULE: Rule = Rule {
    cause: Cause::Flush,
    explanation: "FLUSHALL empties every database, FLUSHDB the one the client has selected; both are \
replicated, so replicas lose the keys too. Each is counted in commandstats, also from scripts and \
transactions and under a renamed name. A line with calls=0 only says that somebody tried and was \
refused. No keyspace notification tells of a flush and the server logs nothing. On Azure Managed \
Redis the portal and the command line can flush as well, without any command being counted, and under \
the OSS cluster policy a FLUSHALL reaches only the shard that it was sent to.",
    steps: &[
        "who did it: SLOWLOG GET 128 (a flush of a large data set is slow), then CLIENT LIST for cmd=flushall or cmd=flushdb",
        "stop it from happening again: ACL SETUSER <user> -flushall -flushdb, for every user that need not",
        "restore from the last RDB or AOF if there is one; keep the server from saving over it: CONFIG SET save \"\"",
        "look for test suites and deployment scripts that were pointed at this host",
    ],
    azure_steps: &[
        "in the Activity log, look for the Flush and Import operations: az monitor activity-log list --offset 6h --resource-id <cache>",
        "who did it by command: SLOWLOG GET 128, then CLIENT LIST for cmd=flushall or cmd=flushdb",
        "stop it from happening again: rotate the access keys; give users a custom access policy with -flushall -flushdb",
        "restore by importing the last export, if there is one",
    ],
    enterprise_steps: &[
        "in the Cluster Manager's log, look for flush and import operations on this database (also crdb-cli)",
        "who did it by command: SLOWLOG GET 128, then CLIENT LIST for cmd=flushall or cmd=flushdb",
        "stop it from happening again: roles whose ACL has -flushall -flushdb; rotate the passwords",
        "restore by importing the last backup, if there is one",
    ],
    risk_steps: &[],
    special: &[
        Special {
            mechanism: Mechanism::ScriptedFlush,
            steps: &[
                "which script: SLOWLOG GET 128 for EVAL, EVALSHA, FCALL; CLIENT LIST for cmd=eval, cmd=evalsha, cmd=fcall; FUNCTION LIST WITHCODE",
            ],
            azure_steps: &[],
            doc: None,
        },
        Special {
            mechanism: Mechanism::ControlPlaneFlush,
            steps: &[],
            azure_steps: &[
                "no command was counted: look for Flush, Import, Force-link and scaling first, they empty a cache from outside",
            ],
            doc: Some("https://learn.microsoft.com/azure/redis/how-to-import-export-data"),
        },
    ],
    docs: &["https://redis.io/docs/latest/commands/flushall/"],
    judge,
};

fn judge(case: &Case<'_>) -> Verdict {
    let Some(last) = case.last else {
        return Case::unheard(Cause::Flush);
    };
    if let Some(account) = case.account(Cause::Flush) {
        return flushed(case, account);
    }
    if last.commands.is_none() {
        return Case::no_commandstats(Cause::Flush);
    }
    match case
        .window
        .steps()
        .find(|step| step.effective_of(Class::Flush) > 0)
    {
        Some(step) => flushed_nothing(case, step),
        None => quiet(case),
    }
}

fn flushed(case: &Case<'_>, account: &Account<'_>) -> Verdict {
    let calls = words::list(case.calls_of(Class::Flush));
    let (level, summary) = match account.mechanism() {
        Mechanism::ControlPlaneFlush => {
            let keys = words::keys(account.keys);
            let summary = format!(
                "{keys} went at once and no command was counted: a flush or import by the control plane looks like this"
            );
            (Level::Suspected, summary)
        }
        _ if calls.is_empty() => {
            let amount = amount(account);
            let summary = format!(
                "{amount} went when the server told that a database was emptied; the statistics that would name the command were reset"
            );
            (Level::Suspected, summary)
        }
        mechanism => {
            let by = match mechanism {
                Mechanism::ScriptedFlush => "a script ran ",
                Mechanism::TransactionFlush => "a transaction ran ",
                _ => "",
            };
            let took = if by.is_empty() { "took" } else { "and took" };
            let summary = format!("{by}{calls} {took} {}", amount(account));
            (Level::Confirmed, summary)
        }
    };
    let mut verdict = with_account(Verdict::new(Cause::Flush, level, summary), account);
    if let Some(step) = case.step_to(account.biggest.to) {
        evidence(case, step, &mut verdict);
        account.mark(&mut verdict.evidence);
    }
    if let Some(pushed) = case.step_to(account.first.to).and_then(Step::emptied) {
        verdict.first_seen = Some(pushed.at);
    }
    if let Some(pushed) = case.step_to(account.last.to).and_then(Step::emptied) {
        verdict.last_seen = Some(pushed.at);
    }
    if case.is_replica() {
        let primary = case
            .last
            .and_then(|sample| sample.replication.primary.clone())
            .unwrap_or_default();
        verdict.summary = format!("{}; it came from the primary {primary}", verdict.summary);
    }
    verdict
}

fn evidence(case: &Case<'_>, step: &Step, verdict: &mut Verdict) {
    if let Some(pushed) = step.emptied() {
        let reading = pushed.at.strftime("%H:%M:%S.%3f UTC").to_string();
        let note = "pushed by the server at the moment it emptied a database";
        verdict.evidence.push(case.evidence(
            "invalidate",
            Reading::None,
            reading,
            note,
            Some(pushed.at),
        ));
    }
    verdict
        .evidence
        .extend(case.command_evidence(step, Class::Flush, "a flush that ran"));
    verdict
        .evidence
        .push(case.keys_evidence(step, "keys in all databases"));
    for db in step.dbs.iter().filter(|db| db.fall() > 0).take(4) {
        let field = format!("db{}.keys", db.index);
        verdict.evidence.push(case.evidence(
            field,
            db.before,
            db.after,
            "keys in this database",
            Some(step.to.at),
        ));
    }
    if let Some(freed) = step.moved(Counter::LazyfreedObjects) {
        let note = "objects freed in the background";
        verdict.evidence.push(case.evidence(
            "lazyfreed_objects",
            freed.before,
            freed.after,
            note,
            Some(step.to.at),
        ));
    }
    verdict.evidence.extend(case.command_evidence(
        step,
        Class::Script,
        "scripts or transactions ran too",
    ));
}

/// A flush that took no key that we had seen. What was written since the poll before is gone with
/// an empty database; a database that was empty beside full ones was flushed for nothing.
fn flushed_nothing(case: &Case<'_>, step: &Step) -> Verdict {
    let calls = words::list(
        step.of(Class::Flush)
            .map(|command| (command.name, command.effective)),
    );
    let (level, effect) = match step.keys_before {
        Some(0) => (
            Level::Suspected,
            "no key was there at the poll before, what was written since is gone too",
        ),
        None => (
            Level::Suspected,
            "the key count is not exposed by this server",
        ),
        Some(_) => (Level::Clear, "no database shrank by it"),
    };
    let mut verdict = Verdict::new(Cause::Flush, level, format!("{calls} ran; {effect}"));
    verdict.first_seen = Some(step.to.at);
    verdict.last_seen = Some(step.to.at);
    evidence(case, step, &mut verdict);
    verdict
}

fn quiet(case: &Case<'_>) -> Verdict {
    let totals = case.totals_of(Class::Flush);
    if totals.is_empty() {
        let summary = format!("no FLUSHALL or FLUSHDB has run{}", case.since_reset());
        return Verdict::new(Cause::Flush, Level::Clear, summary);
    }
    let flushed_at = case.last.and_then(first_contact::flushed_at);
    let when = flushed_at.map_or_else(String::new, |at| {
        format!(", the last at {} UTC,", at.strftime("%F %H:%M:%S"))
    });
    let summary = format!(
        "{}{when} {}",
        words::list(totals.clone()),
        case.totals_since()
    );
    let mut verdict = Case::since_start_verdict(Cause::Flush, summary);
    verdict.mechanism =
        totals
            .iter()
            .max_by_key(|(_, calls)| *calls)
            .map(|(name, _)| match *name {
                "flushall" => Mechanism::Flushall,
                "flushdb" => Mechanism::Flushdb,
                _ => Mechanism::SlotFlush,
            });
    (verdict.first_seen, verdict.last_seen) = (flushed_at, flushed_at);
    if let Some(at) = flushed_at {
        let note = "moved without a save: FLUSHALL does that where save points are set";
        let reading = at.strftime("%F %H:%M:%S UTC").to_string();
        verdict.evidence.push(case.evidence(
            "rdb_last_save_time",
            Reading::None,
            reading,
            note,
            Some(at),
        ));
    }
    for (name, total) in totals {
        verdict.evidence.push(case.total_evidence(
            format!("cmdstat_{name}.calls"),
            total,
            case.since_start(),
        ));
    }
    if let Some(last) = case.last {
        let (keys, at) = (last.keys(), Some(last.moment.at));
        verdict
            .evidence
            .push(case.evidence("keys", Reading::None, keys, "keys now", at));
    }
    verdict
}
