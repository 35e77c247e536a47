//! Key expiration: TTLs ran out.

use super::account::{Account, amount, with_account};
use super::case::Case;
use super::first_contact;
use super::{Cause, Level, Mechanism, Reading, Rule, Special, Verdict, words};
use crate::model::{Class, Counter, Step};

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
    enterprise_steps: &[
        "in the Cluster Manager, compare the metric Expired objects with the time of the loss",
        "see which keys are next: SCAN with a pattern, then PTTL on some of them",
        "review the TTLs that the application sets; in the code, look for seconds given where milliseconds are meant",
    ],
    risk_steps: &[],
    special: &[
        Special {
            mechanism: Mechanism::TtlAdded,
            steps: &[
                "who puts TTLs on keys that had none: CLIENT LIST, look at cmd=expire, cmd=pexpire, cmd=getex with addr, name and user",
                "save what is left: PERSIST <key> on the keys that must stay, before their TTL runs out",
                "never give a TTL where there is one or none on purpose: EXPIRE <key> <s> XX (only with TTL), NX (only without)",
            ],
            azure_steps: &[],
            doc: None,
        },
        Special {
            mechanism: Mechanism::ClockJump,
            steps: &[
                "compare clocks: redis-cli TIME beside date -u on the host; look for steps in chronyc tracking, journalctl -u chronyd, VM pause or migration",
                "let the clock slew, never step: chrony's makestep only at boot; then bring the keys back, they expired by mistake",
            ],
            azure_steps: &[
                "the server's clock moved, which only the provider can mend: open a support request with this report",
            ],
            doc: None,
        },
        Special {
            mechanism: Mechanism::HashFieldTtl,
            steps: &[
                "which hashes have field TTLs: HTTL <key> FIELDS 1 <field> on some of them; keys go with their last field",
                "who sets them: CLIENT LIST for cmd=hexpire, cmd=hpexpire, cmd=hsetex; keep a field without a TTL in hashes that must stay",
            ],
            azure_steps: &[],
            doc: Some("https://redis.io/docs/latest/commands/hexpire/"),
        },
        Special {
            mechanism: Mechanism::ExpiredAtLoad,
            steps: &[
                "TTLs are points in time and went on while the server was down; where that is wrong, lengthen them by the time that an outage may last",
            ],
            azure_steps: &[],
            doc: None,
        },
    ],
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
    let level = if is_shared(case, account) {
        Level::Suspected
    } else {
        Level::Confirmed
    };
    let summary = format!("{}{}", sentence(case, account), outlook(case));
    let mut verdict = with_account(Verdict::new(Cause::Expiration, level, summary), account);
    let note = format!("+{}", words::keys(account.keys));
    for (counter, note) in [
        (Counter::ExpiredKeys, note.as_str()),
        (Counter::ExpiredSubkeys, "hash fields whose TTL ran out"),
        (Counter::ExpiredFields, "hash fields whose TTL ran out"),
    ] {
        if case.window.total(counter).is_some_and(|n| n > 0) {
            verdict
                .evidence
                .extend(case.counter_evidence(counter, note));
        }
    }
    how(case, account, &mut verdict);
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
    let setters = case.calls_of(Class::Expire);
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

/// Field TTLs do not say whether the key went along; other commands may have taken it.
fn is_shared(case: &Case<'_>, account: &Account<'_>) -> bool {
    account.mechanism() == Mechanism::HashFieldTtl
        && case
            .step_to(account.biggest.to)
            .is_some_and(|step| removers(step) > 0)
}

fn removers(step: &Step) -> u64 {
    [Class::Delete, Class::Empty, Class::Overwrite]
        .map(|class| step.effective_of(class))
        .iter()
        .sum()
}

fn sentence(case: &Case<'_>, account: &Account<'_>) -> String {
    let amount = amount(account);
    match account.mechanism() {
        Mechanism::TtlAdded => {
            let setters = words::list(case.calls_of(Class::Expire));
            format!("{amount} expired that had no TTL before: {setters} put one on them")
        }
        Mechanism::ClockJump => {
            let jump = jump(case).map_or_else(String::new, |(_, s)| {
                format!(" by {}", words::duration(s.unsigned_abs()))
            });
            format!("the server's clock jumped forward{jump} and {amount} expired with it")
        }
        Mechanism::HashFieldTtl => {
            format!("{amount} went with the last field of their hash, whose TTL ran out")
        }
        Mechanism::ExpiredAtLoad => {
            format!("{amount} were dropped at load: their TTL passed while the server was down")
        }
        _ => format!("{amount} reached the end of their time to live"),
    }
}

/// The step in which the clock jumped, and by how many seconds.
fn jump<'a>(case: &Case<'a>) -> Option<(&'a Step, i64)> {
    let steps = case.window.steps();
    steps
        .filter_map(|step| Some((step, step.clock_jump_s()?)))
        .max_by_key(|(_, seconds)| *seconds)
}

/// What shows how the TTLs came to run out.
fn how(case: &Case<'_>, account: &Account<'_>, verdict: &mut Verdict) {
    match account.mechanism() {
        Mechanism::ClockJump => {
            if let Some((step, seconds)) = jump(case) {
                let note = "seconds by which the server's clock outran ours between two polls";
                verdict.evidence.push(case.evidence(
                    "server_time_usec",
                    0,
                    seconds.unsigned_abs(),
                    note,
                    Some(step.to.at),
                ));
            }
        }
        Mechanism::ExpiredAtLoad => {
            let dropped = case
                .last
                .and_then(|sample| sample.persistence.loaded_expired_keys);
            let note = "keys dropped at load; not part of expired_keys";
            verdict.evidence.push(case.evidence(
                "rdb_last_load_keys_expired",
                Reading::None,
                dropped,
                note,
                Some(account.last.to.at),
            ));
        }
        _ => {}
    }
}

fn quiet(case: &Case<'_>) -> Verdict {
    let turnover = case.turnover(Cause::Expiration);
    if turnover > 0 {
        let rate = case
            .window
            .rate(Counter::ExpiredKeys)
            .map_or_else(String::new, |r| format!(", {} now", words::rate(r)));
        let summary = format!(
            "steady turnover: {} expired{rate}; the key count did not feel it{}{}",
            words::keys(turnover),
            fields(case),
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
            format!(
                "no key has expired{}{}{}",
                case.since_reset(),
                fields(case),
                outlook(case)
            ),
        );
    }
    let summary = format!(
        "{} expired {}{}",
        words::keys(total),
        case.totals_since(),
        outlook(case)
    );
    if !case
        .last
        .is_some_and(|last| first_contact::is_worth_a_word(last, total))
    {
        return Verdict::new(Cause::Expiration, Level::Clear, summary);
    }
    let mut verdict = Case::since_start_verdict(Cause::Expiration, summary);
    verdict.keys_lost = Some(total);
    verdict
        .evidence
        .push(case.total_evidence("expired_keys", total, case.since_start()));
    verdict
}

/// Hash fields that expired and left their key behind: a loss that the key count cannot show.
fn fields(case: &Case<'_>) -> String {
    let fields = [Counter::ExpiredSubkeys, Counter::ExpiredFields];
    let fields: u64 = fields
        .into_iter()
        .filter_map(|counter| case.window.total(counter))
        .fold(0, u64::saturating_add);
    match fields {
        0 => String::new(),
        n => format!("; {} expired inside hashes", words::plural(n, "field")),
    }
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
