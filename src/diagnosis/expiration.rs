//! Key expiration: TTLs ran out.

use super::case::{Account, Case, amount, with_account};
use super::{Cause, Level, Reading, Rule, Verdict, words};
use crate::model::Counter;

pub(super) const RULE: Rule = Rule {
    cause: Cause::Expiration,
    explanation: "Redis removes a key when its time to live runs out: at the next access, or in a \
background cycle ten times a second. Every such removal is counted in expired_keys, on the primary \
only. That caches expire is normal; it is a loss when a whole wave goes at once, or when keys got a \
TTL that nobody meant: a SET without KEEPTTL or with EX where milliseconds were thought, an EXPIRE \
that is applied again and again, a framework's default. Look-alikes: EXPIRE with a time in the past \
is counted as a delete, not as an expiration; a replica shows its primary's expirations as DEL; a \
clock that jumps forward expires everything at once.",
    steps: &[
        "see which keys are next: redis-cli --scan --pattern '<prefix>*' | head, then PTTL on some of them",
        "find who sets TTLs: INFO commandstats for expire, pexpire, setex, getex; then CLIENT LIST for cmd=expire",
        "in the code, look for seconds given where milliseconds are meant, and for SET that should carry KEEPTTL",
        "stop it for keys that must stay: PERSIST <key>; extend only, never shorten: EXPIRE <key> <s> GT",
    ],
    azure_steps: &[
        "in the portal, compare the metric Expired Keys (a rate) with the time of the loss",
        "see which keys are next: SCAN with a pattern, then PTTL on some of them",
        "review the TTLs that the application sets; in the code, look for seconds given where milliseconds are meant",
    ],
    risk_steps: &[],
    docs: &["https://redis.io/docs/latest/commands/expire/"],
    judge,
};

fn judge(case: &Case<'_>) -> Verdict {
    let Some(last) = case.last else {
        return Case::unheard(Cause::Expiration);
    };
    if case.is_replica() {
        return case.ask_primary(Cause::Expiration);
    }
    if last.counter(Counter::ExpiredKeys).is_none() {
        let mut verdict = Verdict::new(
            Cause::Expiration,
            Level::Unknown,
            "expirations are not counted by this server",
        );
        verdict.missing = vec!["expired_keys"];
        return verdict;
    }
    match case.account(Cause::Expiration) {
        Some(account) => wave(case, account),
        None => quiet(case),
    }
}

fn wave(case: &Case<'_>, account: &Account<'_>) -> Verdict {
    let summary = format!(
        "{} reached the end of their time to live{}",
        amount(account),
        outlook(case)
    );
    let mut verdict = with_account(
        Verdict::new(Cause::Expiration, Level::Confirmed, summary),
        account,
    );
    let note = format!("+{}", words::keys(account.keys));
    verdict
        .evidence
        .extend(case.counter_evidence(Counter::ExpiredKeys, note));
    for (counter, note) in [
        (Counter::ExpiredSubkeys, "hash fields whose TTL ran out"),
        (Counter::ExpiredFields, "hash fields whose TTL ran out"),
    ] {
        if case.window.total(counter).is_some_and(|n| n > 0) {
            verdict
                .evidence
                .extend(case.counter_evidence(counter, note));
        }
    }
    if let (Some(first), Some(last)) = (case.first, case.last) {
        let (before, after) = (first.keyspace.expires(), last.keyspace.expires());
        verdict.evidence.push(case.evidence(
            "expires",
            before,
            after,
            "keys with a TTL",
            Some(last.moment.at),
        ));
    }
    verdict.evidence.extend(
        case.step_to(account.biggest.to)
            .map(|step| case.keys_evidence(step, "the largest fall")),
    );
    let setters = case.calls_of(crate::model::Class::Expire);
    if !setters.is_empty() {
        let list = Reading::Text(words::list(setters));
        verdict.evidence.push(case.evidence(
            "cmdstat_*expire*",
            Reading::None,
            list,
            "TTLs were being set",
            None,
        ));
    }
    verdict
}

fn quiet(case: &Case<'_>) -> Verdict {
    let turnover = case.turnover(Cause::Expiration);
    if turnover > 0 {
        let rate = case
            .window
            .rate(Counter::ExpiredKeys)
            .map_or_else(String::new, |r| format!(", {} now", words::rate(r)));
        let summary = format!(
            "steady turnover: {} expired{rate}; the key count did not feel it{}",
            words::keys(turnover),
            outlook(case)
        );
        return Verdict::new(Cause::Expiration, Level::Clear, summary);
    }
    let total = case
        .last
        .and_then(|sample| sample.counter(Counter::ExpiredKeys))
        .unwrap_or(0);
    if total == 0 {
        return Verdict::new(
            Cause::Expiration,
            Level::Clear,
            format!("no key has expired{}{}", case.since_reset(), outlook(case)),
        );
    }
    let summary = format!(
        "{} expired {}{}",
        words::keys(total),
        case.totals_since(),
        outlook(case)
    );
    let mut verdict = Case::since_start_verdict(Cause::Expiration, summary);
    verdict.keys_lost = Some(total);
    verdict
        .evidence
        .push(case.total_evidence("expired_keys", total, case.since_start()));
    verdict
}

/// What is still to come: the share of keys that carry a TTL.
fn outlook(case: &Case<'_>) -> String {
    let Some(keyspace) = case.last.map(|sample| &sample.keyspace) else {
        return String::new();
    };
    match (keyspace.keys(), keyspace.expires()) {
        (Some(keys), Some(expires)) if keys > 0 && expires > 0 => {
            format!(
                "; {} of the keys left carry a TTL",
                words::percent(expires as f64 / keys as f64)
            )
        }
        _ => String::new(),
    }
}
