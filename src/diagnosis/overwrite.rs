//! Keys replaced: something else stands under the name.

use super::case::{Case, amount, with_account};
use super::{Cause, Level, Rule, Verdict, words};
use crate::model::Class;

pub(super) const RULE: Rule = Rule {
    cause: Cause::Overwrite,
    explanation: "RENAME and RESTORE, COPY with REPLACE, SORT with STORE and the *STORE commands write \
over what stood under the name; with an empty result *STORE deletes it. SET replaces a value of any \
type. None of this is counted as a removal. RENAME onto a key that existed makes the key count fall \
by one; a plain overwrite does not show in INFO at all.",
    steps: &[
        "who: CLIENT LIST for cmd=rename, cmd=restore, cmd=sort, cmd=*store; SLOWLOG GET 128",
        "guard writes in the application: SET with NX, RENAMENX instead of RENAME, a prefix per application",
    ],
    azure_steps: &[
        "who: CLIENT LIST for cmd=rename, cmd=restore; guard writes with SET NX, RENAMENX, a prefix per application",
    ],
    risk_steps: &[],
    docs: &["https://redis.io/docs/latest/commands/rename/"],
    judge,
};

fn judge(case: &Case<'_>) -> Verdict {
    let Some(last) = case.last else {
        return Case::unheard(Cause::Overwrite);
    };
    if last.commands.is_none() {
        return Case::no_commandstats(Cause::Overwrite);
    }
    let calls = case.calls_of(Class::Overwrite);
    if let Some(account) = case.account(Cause::Overwrite) {
        let summary = format!(
            "{} replaced; commands seen: {}",
            amount(account),
            words::list(calls)
        );
        let mut verdict = with_account(
            Verdict::new(Cause::Overwrite, Level::Suspected, summary),
            account,
        );
        if let Some(step) = case.step_to(account.biggest.to) {
            verdict
                .evidence
                .extend(case.command_evidence(step, Class::Overwrite, "calls"));
            verdict
                .evidence
                .push(case.keys_evidence(step, "fell, and nothing that removes keys was counted"));
        }
        return verdict;
    }
    let summary = if calls.is_empty() {
        "no RENAME, RESTORE, COPY or *STORE while watching".into()
    } else {
        format!("{} seen, but no key count fell by it", words::list(calls))
    };
    Verdict::new(Cause::Overwrite, Level::Clear, summary)
}
