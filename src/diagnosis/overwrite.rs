//! Keys replaced: something else stands under the name.

use super::account::{Account, amount, with_account};
use super::case::Case;
use super::{Cause, Level, Mechanism, Rule, Special, Verdict, words};
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
    enterprise_steps: &[],
    risk_steps: &[],
    special: &[
        Special {
            mechanism: Mechanism::Restore,
            steps: &[
                "which tool restores onto this server: CLIENT LIST for cmd=restore with addr and name; stop it, then compare a key with its source",
            ],
            azure_steps: &[],
            doc: Some("https://redis.io/docs/latest/commands/restore/"),
        },
        Special {
            mechanism: Mechanism::Copy,
            steps: &[
                "who copies: CLIENT LIST for cmd=copy; without REPLACE, COPY leaves an existing key alone and still counts as a call",
            ],
            azure_steps: &[],
            doc: Some("https://redis.io/docs/latest/commands/copy/"),
        },
        Special {
            mechanism: Mechanism::EmptyStore,
            steps: &[
                "an empty result deletes the destination: look at the inputs of SINTERSTORE, SDIFFSTORE, ZRANGESTORE, SORT … STORE",
            ],
            azure_steps: &[],
            doc: Some("https://redis.io/docs/latest/commands/sinterstore/"),
        },
    ],
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
        let summary = sentence(account, &words::list(calls));
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
                .push(case.keys_evidence(step, keys_note(account.mechanism())));
            account.mark(&mut verdict.evidence);
        }
        return verdict;
    }
    let summary = if calls.is_empty() {
        "no RENAME, RESTORE, COPY or *STORE while watching".into()
    } else {
        format!(
            "{} seen{}",
            words::list(calls),
            case.unfelt(Cause::Overwrite)
        )
    };
    Verdict::new(Cause::Overwrite, Level::Clear, summary)
}

fn sentence(account: &Account<'_>, calls: &str) -> String {
    let amount = amount(account);
    match account.mechanism() {
        Mechanism::Restore => {
            format!(
                "RESTORE wrote over {amount}: {calls}, and the key count did not rise by as many"
            )
        }
        Mechanism::Copy => format!(
            "{calls}, and the key count did not rise: {amount} were replaced, or nothing was copied"
        ),
        Mechanism::EmptyStore => {
            format!("{calls} deleted {amount}: an empty result removes its destination")
        }
        _ => format!("{amount} replaced by {calls}"),
    }
}

fn keys_note(mechanism: Mechanism) -> &'static str {
    match mechanism {
        Mechanism::Restore | Mechanism::Copy => "rose by less than was restored or copied",
        _ => "fell, and nothing that removes keys was counted",
    }
}
