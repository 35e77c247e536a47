//! Writes rejected: the keys were never written.

use super::case::Case;
use super::eviction::state;
use super::{Cause, Evidence, Level, Rule, Verdict, words};
use crate::model::{ErrorDelta, Sample};

pub(super) const RULE: Rule = Rule {
    cause: Cause::RejectedWrites,
    explanation: "A write that the server refuses leaves nothing behind, and an application that does \
not look at the reply takes the key for lost. OOM: memory is full and the policy finds nothing to \
evict (noeviction, or volatile-* without keys that have a TTL: the default of Azure Managed Redis \
with keys without TTL). MISCONF: saving to disk fails. READONLY: the client writes to a replica. \
NOREPLICAS: too few healthy replicas. Pipelines and scripts hide such errors easily.",
    steps: &[
        "which error: INFO errorstats; which command: rejected_calls in INFO commandstats",
        "OOM: raise maxmemory, or choose a policy that can evict: CONFIG SET maxmemory-policy allkeys-lru",
        "MISCONF: free the disk, see the server's log, then BGSAVE",
        "READONLY: point writers at the primary; NOREPLICAS: bring the replicas back",
        "make the application check replies, also those inside pipelines",
    ],
    azure_steps: &[
        "look at Used Memory Percentage and Errors in the portal",
        "scale up, or choose an AllKeys eviction policy; volatile-lru evicts nothing when keys have no TTL",
        "make the application check replies, also those inside pipelines",
    ],
    risk_steps: &[],
    docs: &["https://redis.io/docs/latest/develop/reference/eviction/"],
    judge,
};

/// Error prefixes that mean "this write was refused", and what each means.
const REFUSALS: [(&str, &str); 4] = [
    ("OOM", "memory is full and nothing can be evicted"),
    ("MISCONF", "saving to disk fails"),
    ("READONLY", "a write was sent to a replica"),
    ("NOREPLICAS", "too few healthy replicas"),
];

fn judge(case: &Case<'_>) -> Verdict {
    let Some(last) = case.last else {
        return Case::unheard(Cause::RejectedWrites);
    };
    let Some(errors) = &last.errors else {
        let mut verdict = Verdict::new(
            Cause::RejectedWrites,
            Level::Unknown,
            "errors are not counted by kind on this server",
        );
        verdict.missing = vec!["errorstats"];
        return verdict;
    };
    let mut seen = Vec::new();
    for (prefix, meaning) in REFUSALS {
        let count: u64 = case
            .window
            .steps()
            .flat_map(|step| &step.errors)
            .filter(|e| e.prefix == prefix)
            .map(ErrorDelta::count)
            .fold(0, u64::saturating_add);
        if count > 0 {
            seen.push((prefix, meaning, count));
        }
    }
    if !seen.is_empty() {
        return refused(case, &seen, last);
    }
    let totals: Vec<_> = REFUSALS
        .into_iter()
        .filter_map(|(prefix, meaning)| {
            let total = errors.iter().find(|(known, _)| known == prefix)?.1;
            (total > 0).then_some((prefix, meaning, total))
        })
        .collect();
    if totals.is_empty() {
        quiet(case, last)
    } else {
        since_start(case, &totals)
    }
}

fn refused(case: &Case<'_>, refusals: &[(&str, &str, u64)], last: &Sample) -> Verdict {
    let parts: Vec<String> = refusals
        .iter()
        .map(|(prefix, meaning, n)| format!("{} with {prefix} ({meaning})", words::count(*n)))
        .collect();
    let memory = if refusals.iter().any(|(prefix, ..)| *prefix == "OOM") {
        format!("; {}", state(last))
    } else {
        String::new()
    };
    let summary = format!("writes refused: {}{memory}", parts.join(", "));
    let mut verdict = Verdict::new(Cause::RejectedWrites, Level::Confirmed, summary);
    for (prefix, meaning, _) in refusals {
        let moved = || {
            case.window
                .steps()
                .flat_map(|s| s.errors.iter().map(move |e| (s, e)))
                .filter(|(_, e)| e.prefix == *prefix)
        };
        let (Some((first, from)), Some((end, to))) = (moved().next(), moved().next_back()) else {
            continue;
        };
        verdict.first_seen = verdict.first_seen.into_iter().chain([first.to.at]).min();
        verdict.last_seen = verdict.last_seen.into_iter().chain([end.to.at]).max();
        let field = format!("errorstat_{prefix}.count");
        verdict.evidence.push(case.evidence(
            field,
            from.before,
            to.after,
            *meaning,
            Some(end.to.at),
        ));
    }
    verdict.evidence.extend(rejected_commands(case));
    verdict
}

/// The commands that were refused most, by the readings at both ends of the window.
fn rejected_commands(case: &Case<'_>) -> Vec<Evidence> {
    let table = |sample: Option<&Sample>| sample.and_then(|sample| sample.commands.clone());
    let (Some(first), Some(last)) = (table(case.first), table(case.last)) else {
        return Vec::new();
    };
    let was = |name: &str| first.get(name).map_or(0, |stat| stat.rejected);
    let rows = last
        .iter()
        .map(|stat| (was(&stat.name), stat.rejected, &*stat.name));
    let mut rows: Vec<(u64, u64, &str)> = rows.filter(|(was, is, _)| is > was).collect();
    rows.sort_by_key(|(was, is, _)| std::cmp::Reverse(is - was));
    let evidence = rows.into_iter().take(3).map(|(was, is, name)| {
        let field = format!("cmdstat_{name}.rejected_calls");
        case.evidence(field, was, is, "calls refused", None)
    });
    evidence.collect()
}

fn since_start(case: &Case<'_>, totals: &[(&str, &str, u64)]) -> Verdict {
    let list: Vec<String> = totals
        .iter()
        .map(|(prefix, _, n)| format!("{prefix} ×{}", words::count(*n)))
        .collect();
    let summary = format!(
        "writes refused {}: {}",
        case.totals_since(),
        list.join(", ")
    );
    let mut verdict = Case::since_start_verdict(Cause::RejectedWrites, summary);
    for (prefix, meaning, total) in totals {
        verdict.evidence.push(case.total_evidence(
            format!("errorstat_{prefix}.count"),
            *total,
            *meaning,
        ));
    }
    verdict
}

fn quiet(case: &Case<'_>, last: &Sample) -> Verdict {
    let full = last.memory.share().is_some_and(|share| share >= 0.9);
    let no_victims = match last.memory.policy.as_deref() {
        Some("noeviction") => Some("policy noeviction"),
        Some(policy) if policy.starts_with("volatile") && last.keyspace.expires() == Some(0) => {
            Some("a volatile policy without keys that have a TTL")
        }
        _ => None,
    };
    match no_victims.filter(|_| full) {
        Some(why) => {
            let summary = format!("{}, {why}: writes are about to fail", state(last));
            let mut verdict = Verdict::new(Cause::RejectedWrites, Level::AtRisk, summary);
            let (used, limit) = (last.memory.counted_bytes(), last.memory.limit.bytes());
            let (note, at) = ("bytes used, against maxmemory", Some(last.moment.at));
            verdict
                .evidence
                .push(case.evidence("used_memory", used, limit, note, at));
            verdict
        }
        None => Verdict::new(
            Cause::RejectedWrites,
            Level::Clear,
            "no write was refused for memory, disk or role",
        ),
    }
}
