//! Key deletion: a command removed keys.

use super::account::{Account, amount, with_account};
use super::case::{Case, effective};
use super::first_contact;
use super::ledger::mechanism_of;
use super::{Cause, Level, Mechanism, Rule, Special, Verdict, words};
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
    enterprise_steps: &[
        "who deletes: CLIENT LIST, look at cmd=del, cmd=unlink, cmd=hdel with addr, name and user",
        "what was slow enough to be remembered: SLOWLOG GET 128",
        "give every application its own role with an ACL that lacks -del where it need not delete",
    ],
    risk_steps: &[],
    special: &[
        Special {
            mechanism: Mechanism::ScriptedDelete,
            steps: &[
                "which script: SLOWLOG GET 128 for EVAL, EVALSHA, FCALL; CLIENT LIST for cmd=eval, cmd=evalsha, cmd=fcall; FUNCTION LIST WITHCODE",
            ],
            azure_steps: &[],
            doc: Some("https://redis.io/docs/latest/commands/eval/"),
        },
        Special {
            mechanism: Mechanism::TransactionDelete,
            steps: &["who runs transactions: CLIENT LIST, look at cmd=exec and multi= above -1"],
            azure_steps: &[],
            doc: None,
        },
        Special {
            mechanism: Mechanism::EmptiedContainer,
            steps: &[
                "who takes the elements: CLIENT LIST, look at cmd=hdel, cmd=spop, cmd=lpop, cmd=zpopmin and their kin",
                "is a consumer running twice, or a poison message looping? for queues that drain this is the normal end",
            ],
            azure_steps: &[],
            doc: Some("https://redis.io/docs/latest/commands/hdel/"),
        },
        Special {
            mechanism: Mechanism::PastTtlExpire,
            steps: &[
                "look in the code for TTLs that come out negative: EXPIREAT with milliseconds for seconds, time zones, clocks that differ",
                "who sends them: CLIENT LIST, look at cmd=expire, cmd=expireat, cmd=pexpireat, cmd=getex",
            ],
            azure_steps: &[],
            doc: Some("https://redis.io/docs/latest/commands/expire/"),
        },
        Special {
            mechanism: Mechanism::DroppedIndex,
            steps: &[
                "FT.DROPINDEX with DD deletes every indexed document; without DD it keeps them: look in the code for it, FT._LIST shows what is left",
                "restore the documents from a backup or their source",
            ],
            azure_steps: &[],
            doc: Some("https://redis.io/docs/latest/commands/ft.dropindex/"),
        },
    ],
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
    classes.sort_unstable();
    classes.dedup();
    let level = if accounts_alone(case, account) {
        Level::Confirmed
    } else {
        Level::Suspected
    };
    let summary = sentence(case, account);
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
        account.mark(&mut verdict.evidence);
    }
    verdict
}

/// `a script ran DEL ×500 and took 500 keys`: the commands that ran in the intervals of the loss.
fn sentence(case: &Case<'_>, account: &Account<'_>) -> String {
    let took = |mechanism: &Mechanism| account.shares.iter().any(|(known, _)| known == mechanism);
    let mut calls: Vec<(&str, u64)> = Vec::new();
    let mut intervals: Vec<_> = account.losses.iter().map(|loss| loss.to).collect();
    intervals.dedup();
    for step in intervals.into_iter().filter_map(|to| case.step_to(to)) {
        for command in step.commands.classed() {
            let Some(class) = command.class.filter(|_| command.effective > 0) else {
                continue;
            };
            let wrapped = [Mechanism::ScriptedDelete, Mechanism::TransactionDelete];
            let is_part = match mechanism_of(class, command.name) {
                Some(mechanism) if took(&mechanism) => true,
                _ => class == Class::Delete && wrapped.iter().any(took),
            };
            if !is_part {
                continue;
            }
            match calls.iter_mut().find(|(name, _)| *name == command.name) {
                Some((_, sum)) => *sum = sum.saturating_add(command.effective),
                None => calls.push((command.name, command.effective)),
            }
        }
    }
    let (calls, amount) = (words::list(calls), amount(account));
    match account.mechanism() {
        Mechanism::ScriptedDelete => format!("a script ran {calls} and took {amount}"),
        Mechanism::TransactionDelete => format!("a transaction ran {calls} and took {amount}"),
        _ if account.shares.len() > 1 => format!("{calls} took {amount}"),
        Mechanism::EmptiedContainer => {
            format!("{calls} took the last elements of {amount}")
        }
        Mechanism::PastTtlExpire => {
            format!("{calls} with a time in the past deleted {amount}")
        }
        _ => format!("{calls} took {amount}"),
    }
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
        let seen = words::list(seen);
        let summary = format!("{seen} seen{}", case.unfelt(Cause::Deletion));
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
    let all = totals
        .iter()
        .fold(0u64, |sum, (_, calls)| sum.saturating_add(*calls));
    if !first_contact::is_worth_a_word(last, all) {
        let seen = words::list(totals);
        let summary = format!("{seen} {}; calls, not keys", case.totals_since());
        return Verdict::new(Cause::Deletion, Level::Clear, summary);
    }
    // As a replica it was sent them for what its primary expired and evicted (db.c,
    // `propagateDeletion`).
    let as_replica = if last.replication.replid2.is_some() {
        ", and those count that it was sent as a replica: its primary's expirations and evictions too"
    } else {
        ""
    };
    let summary = format!(
        "{} {}; calls, not keys{as_replica}",
        words::list(totals.clone()),
        case.totals_since()
    );
    let mut verdict = Case::since_start_verdict(Cause::Deletion, summary);
    let most = totals.iter().max_by_key(|(_, calls)| *calls);
    verdict.mechanism =
        most.and_then(|(name, _)| mechanism_of(crate::model::class_of(name)?, name));
    for (name, total) in totals {
        verdict.evidence.push(case.total_evidence(
            format!("cmdstat_{name}.calls"),
            total,
            "calls, not keys",
        ));
    }
    verdict
}
