//! Unexplained: keys vanished and nothing that the server counts accounts for them.

use super::account::{amount, with_account};
use super::case::Case;
use super::first_contact;
use super::{Cause, Level, Mechanism, Rule, Special, Verdict};
use crate::model::Class;

pub(super) const RULE: Rule = Rule {
    cause: Cause::Unexplained,
    explanation: "The key count fell by more than expirations, evictions, flushes, deletes, moves and \
restarts account for. What does that: DEBUG RELOAD, a module that removes keys by itself, slots that \
were trimmed, statistics that were reset in the same second, a proxy that answered for another shard. \
On a replica every removal arrives from its primary, which alone can tell why.",
    steps: &[
        "on a replica: run amr-top against its primary",
        "look at the Changes panel for a reset of the statistics, a role change or another process",
        "compare DBSIZE with INFO keyspace, and look into the server's log",
    ],
    azure_steps: &[
        "look for scaling, patching, import and flush operations in the Activity log at that time",
    ],
    enterprise_steps: &[],
    risk_steps: &[],
    special: &[Special {
        mechanism: Mechanism::EvidenceReset,
        steps: &[
            "who reset the statistics: SLOWLOG GET 128 and CLIENT LIST for cmd=config|resetstat; take it away with -config|resetstat",
        ],
        azure_steps: &[],
        doc: Some("https://redis.io/docs/latest/commands/config-resetstat/"),
    }],
    docs: &[],
    judge,
};

fn judge(case: &Case<'_>) -> Verdict {
    let Some(last) = case.last else {
        return Case::unheard(Cause::Unexplained);
    };
    let Some(account) = case.account(Cause::Unexplained) else {
        if !case.window.has_interval()
            && let Some(verdict) = first_contact::far_below_peak(case, last)
        {
            return verdict;
        }
        return match (last.keys(), case.window.has_interval()) {
            (None, _) => {
                let mut verdict = Verdict::new(
                    Cause::Unexplained,
                    Level::Unknown,
                    "key counts are not exposed by this server",
                );
                verdict.missing = vec!["keyspace"];
                verdict
            }
            (_, false) => Verdict::new(
                Cause::Unexplained,
                Level::Unknown,
                "one reading only: nothing to compare yet",
            ),
            _ if case.is_replica() => case.ask_primary(Cause::Unexplained),
            _ => Verdict::new(
                Cause::Unexplained,
                Level::Clear,
                "every key that went is accounted for",
            ),
        };
    };
    let step = case.step_to(account.biggest.to);
    let why = if case.is_replica() {
        let primary = last.replication.primary.as_deref().unwrap_or("its primary");
        format!("removed by the replication stream; {primary} knows why")
    } else if account.mechanism() == Mechanism::EvidenceReset {
        "gone while the statistics were reset: the evidence was wiped".into()
    } else {
        "gone, and no counter accounts for them".into()
    };
    let summary = format!("{} {why}", amount(account));
    let mut verdict = with_account(
        Verdict::new(Cause::Unexplained, Level::Suspected, summary),
        account,
    );
    if let Some(step) = step.filter(|_| case.is_replica()) {
        let note = "effective removals only: the primary's expirations, evictions and deletes";
        let removals = case.command_evidence(step, Class::Delete, note);
        verdict.evidence.extend(removals);
    }
    verdict
        .evidence
        .extend(step.map(|step| case.keys_evidence(step, "fell without a counted cause")));
    account.mark(&mut verdict.evidence);
    verdict
}
