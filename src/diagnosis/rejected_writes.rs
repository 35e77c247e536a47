//! Writes rejected: the keys were never written.

mod count;

use super::case::Case;
use super::eviction::state;
use super::{Cause, Evidence, Level, Mechanism, Rule, Special, Verdict, words};
use crate::model::{Counter, Sample, Step};
use count::{NOPERM, Writes, in_step, in_total, may_write};

pub(super) const RULE: Rule = Rule {
    cause: Cause::RejectedWrites,
    explanation: "A write that the server refuses leaves nothing behind, and an application that does \
not look at the reply takes the key for lost. OOM: memory is full and the policy finds nothing to \
evict (noeviction, or volatile-* without keys that have a TTL: the default of Azure Managed Redis \
with keys without TTL). MISCONF: saving to disk fails. READONLY: the client writes to a replica. \
NOREPLICAS: too few healthy replicas. NOPERM: the user may not write there. CLUSTERDOWN: slots are \
not served. Pipelines and scripts hide such errors easily.",
    steps: &[
        "which error: INFO errorstats; which command: rejected_calls in INFO commandstats",
        "make the application check replies, also those inside pipelines",
    ],
    azure_steps: &[
        "look at Used Memory Percentage and Errors in the portal",
        "make the application check replies, also those inside pipelines",
    ],
    enterprise_steps: &[
        "look at memory and errors of the database in the Cluster Manager",
        "raise its memory limit, or choose an allkeys eviction policy; volatile-lru evicts nothing when keys have no TTL",
        "make the application check replies, also those inside pipelines",
    ],
    risk_steps: &[],
    special: &[
        Special {
            mechanism: Mechanism::NoEviction,
            steps: &[
                "raise maxmemory: CONFIG SET maxmemory <bytes>; or choose a policy that can evict: CONFIG SET maxmemory-policy allkeys-lru",
            ],
            azure_steps: &[
                "scale up, or choose another policy: az redisenterprise database update --eviction-policy AllKeysLRU",
            ],
            doc: None,
        },
        Special {
            mechanism: Mechanism::NothingEvictable,
            steps: &[
                "no key has a TTL, so a volatile policy finds nothing to evict: give TTLs (EXPIRE), or CONFIG SET maxmemory-policy allkeys-lru",
            ],
            azure_steps: &[
                "no key has a TTL, so VolatileLRU finds nothing to evict: give TTLs, or az redisenterprise database update --eviction-policy AllKeysLRU",
            ],
            doc: None,
        },
        Special {
            mechanism: Mechanism::SaveErrorRefusal,
            steps: &[
                "is the disk full or read-only: CONFIG GET dir, df -h there, the server's log; then BGSAVE and look at rdb_last_bgsave_status",
                "to write without durability meanwhile: CONFIG SET stop-writes-on-bgsave-error no",
            ],
            azure_steps: &[],
            doc: Some("https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/"),
        },
        Special {
            mechanism: Mechanism::ReadOnlyReplica,
            steps: &[
                "writers hold the address of a replica, perhaps since a failover: ROLE here names the primary; check the clients' discovery",
            ],
            azure_steps: &[],
            doc: Some("https://redis.io/docs/latest/operate/oss_and_stack/management/replication/"),
        },
        Special {
            mechanism: Mechanism::TooFewReplicas,
            steps: &[
                "which replicas are missing: INFO replication, min_slaves_good_slaves against CONFIG GET min-replicas-to-write",
            ],
            azure_steps: &[],
            doc: Some("https://redis.io/docs/latest/operate/oss_and_stack/management/replication/"),
        },
        Special {
            mechanism: Mechanism::PermissionDenied,
            steps: &[
                "who is refused what: ACL LOG; let them: ACL SETUSER <user> +@write ~<prefix>*",
            ],
            azure_steps: &[
                "who is refused what: compare the application's data access policy with its commands (portal, Authentication)",
            ],
            doc: Some(
                "https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/",
            ),
        },
        Special {
            mechanism: Mechanism::ClusterDown,
            steps: &[
                "which slots have no node: CLUSTER INFO, CLUSTER NODES; bring the failed node or its replica back",
            ],
            azure_steps: &[],
            doc: Some("https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/"),
        },
    ],
    docs: &["https://redis.io/docs/latest/develop/reference/eviction/"],
    judge,
};

/// Error prefixes that mean "this write was refused", and what each means.
const REFUSALS: [(&str, &str); 6] = [
    ("OOM", "memory is full and nothing can be evicted"),
    ("MISCONF", "saving to disk fails"),
    ("READONLY", "a write was sent to a replica"),
    ("NOREPLICAS", "too few healthy replicas"),
    (NOPERM, "the user may not write there"),
    ("CLUSTERDOWN", "slots are not served"),
];

/// Writes that were refused for one reason.
struct Refused {
    prefix: &'static str,
    meaning: &'static str,
    mechanism: Mechanism,
    writes: Writes,
}

/// The mechanism behind an error prefix.
fn mechanism(prefix: &str, last: &Sample) -> Mechanism {
    match prefix {
        "MISCONF" => Mechanism::SaveErrorRefusal,
        "READONLY" => Mechanism::ReadOnlyReplica,
        "NOREPLICAS" => Mechanism::TooFewReplicas,
        NOPERM => Mechanism::PermissionDenied,
        "CLUSTERDOWN" => Mechanism::ClusterDown,
        _ => match last.memory.policy.as_deref() {
            Some(policy) if policy.starts_with("volatile") => Mechanism::NothingEvictable,
            _ => Mechanism::NoEviction,
        },
    }
}

/// Every interval in which writes were refused, and by which mechanism most.
pub(super) fn intervals<'a>(case: &Case<'a>) -> impl Iterator<Item = (&'a Step, Mechanism)> {
    let last = case.last;
    refusing(case).filter_map(move |step| {
        let counts = REFUSALS.map(|(prefix, _)| (in_step(step, prefix).told(), prefix));
        let most = counts.into_iter().max_by_key(|(count, _)| *count)?;
        (most.0 > 0).then_some((step, mechanism(most.1, last?)))
    })
}

/// Steps in which errors were counted: few.
fn refusing<'a>(case: &Case<'a>) -> impl DoubleEndedIterator<Item = &'a Step> + use<'a> {
    case.window.steps().filter(|step| !step.errors().is_empty())
}

fn judge(case: &Case<'_>) -> Verdict {
    let Some(last) = case.last else {
        return Case::unheard(Cause::RejectedWrites);
    };
    let Some(errors) = &last.errors else {
        let replies = match case.window.total(Counter::TotalErrorReplies) {
            None | Some(0) => String::new(),
            Some(n) => format!("; {} of unknown kind", words::plural(n, "error")),
        };
        let summary = format!("errors are not counted by kind on this server{replies}");
        let mut verdict = Verdict::new(Cause::RejectedWrites, Level::Unknown, summary);
        verdict.missing = vec!["errorstats"];
        return verdict;
    };
    let refusing: Vec<&Step> = refusing(case).collect();
    let seen = refusals(last, |prefix| {
        let steps = refusing.iter().map(|step| in_step(step, prefix));
        steps.fold(Writes::default(), Writes::plus)
    });
    if !seen.is_empty() {
        return refused(case, &seen, last);
    }
    let mut totals = refusals(last, |prefix| in_total(last, prefix));
    // Who was denied what before we came, NOPERM does not tell.
    totals.retain(|refused| refused.prefix != NOPERM);
    if totals.is_empty() {
        quiet(case, last)
    } else {
        since_start(case, &totals, errors)
    }
}

/// What was refused, by reason. What may have been reads is told only where nothing is known to have
/// been a write.
fn refusals(last: &Sample, writes: impl Fn(&str) -> Writes) -> Vec<Refused> {
    let counted = REFUSALS.into_iter().map(|(prefix, meaning)| Refused {
        prefix,
        meaning,
        mechanism: mechanism(prefix, last),
        writes: writes(prefix),
    });
    let mut all: Vec<Refused> = counted.filter(|r| r.writes.told() > 0).collect();
    if is_sure(&all) {
        all.retain(|refused| refused.writes.sure > 0);
    }
    all
}

/// Whether something is known to have been a write.
fn is_sure(refusals: &[Refused]) -> bool {
    refusals.iter().any(|refused| refused.writes.sure > 0)
}

fn refused(case: &Case<'_>, refusals: &[Refused], last: &Sample) -> Verdict {
    let parts: Vec<String> = refusals
        .iter()
        .map(|r| {
            let count = words::count(r.writes.told());
            format!("{count} with {} ({})", r.prefix, r.meaning)
        })
        .collect();
    let memory = if refusals.iter().any(|r| r.prefix == "OOM") {
        format!("; {}", state(last))
    } else {
        String::new()
    };
    let (level, what) = if is_sure(refusals) {
        (Level::Confirmed, "writes refused")
    } else {
        (Level::Suspected, "commands refused, which may be writes")
    };
    let summary = format!("{what}: {}{memory}", parts.join(", "));
    let mut verdict = Verdict::new(Cause::RejectedWrites, level, summary);
    let most = refusals.iter().max_by_key(|r| r.writes.told());
    verdict.mechanism = most.map(|refused| refused.mechanism);
    for Refused {
        prefix, meaning, ..
    } in refusals
    {
        let moved = || {
            refusing(case)
                .filter(|step| in_step(step, prefix).told() > 0)
                .flat_map(|s| s.errors().iter().map(move |e| (s, e)))
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

/// The commands that write, or may, and were refused most, by the readings at both ends of the window.
fn rejected_commands(case: &Case<'_>) -> Vec<Evidence> {
    let table = |sample: Option<&Sample>| sample.and_then(|sample| sample.commands.clone());
    let (Some(first), Some(last)) = (table(case.first), table(case.last)) else {
        return Vec::new();
    };
    let was = |name: &str| first.get(name).map_or(0, |stat| stat.rejected);
    let rows = last
        .iter()
        .filter(may_write)
        .map(|stat| (was(stat.name), stat.rejected, stat.name));
    let mut rows: Vec<(u64, u64, &str)> = rows.filter(|(was, is, _)| is > was).collect();
    rows.sort_by_key(|(was, is, _)| std::cmp::Reverse(is - was));
    let evidence = rows.into_iter().take(3).map(|(was, is, name)| {
        let field = format!("cmdstat_{name}.rejected_calls");
        case.evidence(field, was, is, "calls refused", None)
    });
    evidence.collect()
}

fn since_start(case: &Case<'_>, refusals: &[Refused], errors: &[(String, u64)]) -> Verdict {
    let parts = refusals.iter();
    let parts = parts.map(|r| format!("{} ×{}", r.prefix, words::count(r.writes.told())));
    let parts: Vec<String> = parts.collect();
    let what = if is_sure(refusals) {
        "writes refused"
    } else {
        "commands refused, which may be writes,"
    };
    let since = case.totals_since();
    let summary = format!("{what} {since}: {}", parts.join(", "));
    let mut verdict = Case::since_start_verdict(Cause::RejectedWrites, summary);
    let most = refusals.iter().max_by_key(|r| r.writes.told());
    verdict.mechanism = most.map(|refused| refused.mechanism);
    for refused in refusals {
        let total = errors.iter().find(|(known, _)| known == refused.prefix);
        verdict.evidence.push(case.total_evidence(
            format!("errorstat_{}.count", refused.prefix),
            total.map_or(0, |(_, total)| *total),
            refused.meaning,
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
            verdict.mechanism = Some(mechanism("OOM", last));
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
