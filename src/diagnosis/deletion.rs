//! Key deletion: a command removed keys.

use super::case::{Account, Case, amount, effective, with_account};
use super::{Cause, Level, Mechanism, Rule, Verdict, words};
use crate::model::{Class, Sample};

pub(super) const RULE: Rule = Rule {
    cause: Cause::Deletion,
    explanation: "DEL, UNLINK and GETDEL remove the keys they name; HDEL, SPOP, LPOP, ZREM and their \
kin take elements, and the last element takes the key along; EXPIRE with a time in the past deletes \
at once. INFO counts calls, not keys: DEL of a missing key is a call that removes nothing, DEL of a \
thousand keys is one call, and commands inside scripts and transactions are counted too. So the \
number of keys comes from the fall of the key count that nothing else explains, and is a lower \
bound. Look-alikes: on a replica DEL and UNLINK are its primary's expirations, evictions and \
deletes; cache-aside code sends DEL before every write.",
    steps: &[
        "who deletes: CLIENT LIST, look at cmd=del, cmd=unlink, cmd=hdel with addr, name and user",
        "what was slow enough to be remembered: SLOWLOG GET 128, look for DEL, UNLINK, EVAL with many keys",
        "stop one application: ACL SETUSER <user> -del -unlink, or CLIENT KILL USER <user>",
        "look for clean-up jobs and cache invalidation that ran at that time",
    ],
    azure_steps: &[
        "who deletes: CLIENT LIST, look at cmd=del, cmd=unlink, cmd=hdel with addr, name and user",
        "what was slow enough to be remembered: SLOWLOG GET 128",
        "give every application its own Entra identity, and take -del from those that need not delete (custom access policy)",
    ],
    risk_steps: &[],
    docs: &[
        "https://redis.io/docs/latest/commands/del/",
        "https://redis.io/docs/latest/commands/hdel/",
    ],
    judge,
};

fn judge(case: &Case<'_>) -> Verdict {
    let Some(last) = case.last else {
        return Case::unheard(Cause::Deletion);
    };
    if last.commands.is_none() {
        return Case::no_commandstats(Cause::Deletion);
    }
    if case.is_replica() {
        return case.ask_primary(Cause::Deletion);
    }
    match case.account(Cause::Deletion) {
        Some(account) => deleted(case, account),
        None => quiet(case, last),
    }
}

/// Whether a mechanism is a command that names the keys that it deletes.
fn names_keys(mechanism: Mechanism) -> bool {
    !matches!(
        mechanism,
        Mechanism::EmptiedContainer | Mechanism::PastTtlExpire
    )
}

/// The class of the commands behind a mechanism.
fn class(mechanism: Mechanism) -> Class {
    match mechanism {
        Mechanism::EmptiedContainer => Class::Empty,
        Mechanism::PastTtlExpire => Class::Expire,
        _ => Class::Delete,
    }
}

fn deleted(case: &Case<'_>, account: &Account<'_>) -> Verdict {
    let mut classes: Vec<Class> = account.shares.iter().map(|(m, _)| class(*m)).collect();
    classes.dedup();
    let mut calls: Vec<_> = classes
        .iter()
        .flat_map(|class| case.calls_of(*class))
        .collect();
    calls.retain(|(name, _)| !matches!(*name, "setex" | "psetex"));
    let level = if accounts_alone(case, account) {
        Level::Confirmed
    } else {
        Level::Suspected
    };
    let summary = format!("{} took {}", words::list(calls), amount(account));
    let mut verdict = with_account(Verdict::new(Cause::Deletion, level, summary), account);
    if let Some(step) = case.step_to(account.biggest.to) {
        for class in classes {
            let note = match class {
                Class::Empty => "the last element takes the key along",
                Class::Expire => "a time in the past deletes at once",
                _ => "calls, not keys",
            };
            verdict
                .evidence
                .extend(case.command_evidence(step, class, note));
        }
        verdict.evidence.push(case.keys_evidence(
            step,
            "fell by more than expiry, eviction and flushes explain",
        ));
        verdict.evidence.extend(case.command_evidence(
            step,
            Class::Script,
            "scripts and transactions ran too",
        ));
    }
    verdict
}

/// Confirmed when commands that name keys, out of their usual pace or with more keys than calls,
/// took most of it, and nothing else that removes keys can have taken half.
fn accounts_alone(case: &Case<'_>, account: &Account<'_>) -> bool {
    let Some(step) = case.step_to(account.biggest.to) else {
        return false;
    };
    let shared: u64 = [Class::Empty, Class::Expire, Class::Overwrite]
        .map(|class| step.effective_of(class))
        .iter()
        .sum();
    let biggest = account.biggest;
    names_keys(biggest.mechanism) && !biggest.usual && shared < biggest.keys.div_ceil(2)
}

fn quiet(case: &Case<'_>, last: &Sample) -> Verdict {
    let seen: Vec<_> = case
        .calls_of(Class::Delete)
        .into_iter()
        .chain(case.calls_of(Class::Empty))
        .collect();
    if !seen.is_empty() {
        let summary = format!("{} seen; the key count did not feel it", words::list(seen));
        return Verdict::new(Cause::Deletion, Level::Clear, summary);
    }
    let totals: Vec<(&str, u64)> = ["del", "unlink", "getdel", "hdel"]
        .map(|name| (name, effective(last, name)))
        .into_iter()
        .filter(|(_, n)| *n > 0)
        .collect();
    if totals.is_empty() {
        return Verdict::new(
            Cause::Deletion,
            Level::Clear,
            format!(
                "no DEL, UNLINK, GETDEL or HDEL has run{}",
                case.since_reset()
            ),
        );
    }
    let summary = format!(
        "{} {}; calls, not keys",
        words::list(totals.clone()),
        case.totals_since()
    );
    let mut verdict = Case::since_start_verdict(Cause::Deletion, summary);
    for (name, total) in totals {
        verdict.evidence.push(case.total_evidence(
            format!("cmdstat_{name}.calls"),
            total,
            "calls, not keys",
        ));
    }
    verdict
}
