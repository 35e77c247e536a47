//! Keys moved: they exist, in another database or on another node.

use super::case::{Case, amount, with_account};
use super::{Cause, Level, Rule, Verdict, words};
use crate::model::Class;

pub(super) const RULE: Rule = Rule {
    cause: Cause::Relocation,
    explanation: "SWAPDB exchanges two databases at once and leaves no trace but its own call; MOVE \
takes one key to another database; MIGRATE and slot migration take keys to another node. Nothing is \
lost, but whoever looks in the old place finds nothing.",
    steps: &[
        "look in the other databases: INFO keyspace, then redis-cli -n <db> EXISTS <key>",
        "undo a swap: SWAPDB <a> <b> once more",
        "in a cluster, ask for the key with a cluster-aware client: redis-cli -c GET <key>",
    ],
    azure_steps: &[
        "look at scaling operations in the Activity log; slots move between shards then, and nothing is lost",
    ],
    docs: &["https://redis.io/docs/latest/commands/swapdb/"],
    judge,
};

fn judge(case: &Case<'_>) -> Verdict {
    let Some(last) = case.last else {
        return Case::unheard(Cause::Relocation);
    };
    if last.commands.is_none() {
        let mut verdict = Verdict::new(
            Cause::Relocation,
            Level::Unknown,
            "command statistics are not exposed by this server",
        );
        verdict.missing = vec!["commandstats"];
        return verdict;
    }
    let calls = case.calls_of(Class::Move);
    if let Some(account) = case.account(Cause::Relocation) {
        let summary = format!(
            "{} are elsewhere now: {}",
            amount(&account),
            words::list(calls)
        );
        let mut verdict = with_account(
            Verdict::new(Cause::Relocation, Level::Confirmed, summary),
            &account,
        );
        if let Some(step) = case.step_to(account.biggest.to) {
            verdict
                .evidence
                .extend(case.command_evidence(step, Class::Move, "calls"));
            for db in step.dbs.iter().take(6) {
                let field = format!("db{}.keys", db.index);
                verdict.evidence.push(case.evidence(
                    field,
                    db.before,
                    db.after,
                    "keys in this database",
                    Some(step.to.at),
                ));
            }
        }
        return verdict;
    }
    if !calls.is_empty() {
        return Verdict::new(
            Cause::Relocation,
            Level::Clear,
            format!("{} seen, but no database shrank by it", words::list(calls)),
        );
    }
    let totals: Vec<_> = case
        .totals_of(Class::Move)
        .into_iter()
        .filter(|(name, _)| *name != "cluster|setslot")
        .collect();
    if totals.is_empty() {
        return Verdict::new(
            Cause::Relocation,
            Level::Clear,
            "no SWAPDB, MOVE or MIGRATE has run",
        );
    }
    let summary = format!(
        "{} {}; none while watching",
        words::list(totals.clone()),
        case.since_start()
    );
    let mut verdict = Case::since_start_verdict(Cause::Relocation, summary);
    for (name, total) in totals {
        verdict.evidence.push(case.total_evidence(
            format!("cmdstat_{name}.calls"),
            total,
            "keys may be elsewhere",
        ));
    }
    verdict
}
