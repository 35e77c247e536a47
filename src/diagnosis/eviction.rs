//! Key eviction: memory ran out and the policy removed keys.

use super::account::{Account, amount, with_account};
use super::case::Case;
use super::{Cause, Level, Mechanism, Reading, Rule, Special, Verdict, words};
use crate::model::{ChangeKind, Counter, Limit, Memory, Packed, Sample};

pub(super) const RULE: Rule = Rule {
    cause: Cause::Eviction,
    explanation: "When the memory that counts (used_memory less replica and AOF buffers) passes \
maxmemory, Redis removes keys before it runs the next command, chosen by maxmemory_policy: allkeys-* \
takes any key, volatile-* only keys with a TTL, noeviction none (writes then fail with OOM). Every \
removal is counted in evicted_keys, on the primary only. The resident set (RSS) plays no part in the \
decision on Redis and Valkey. Buffers count: one slow client can push data out. On Redis Enterprise \
and Azure Managed Redis eviction is per shard, so a shard may evict while the database has room; the \
default policy there is volatile-lru. Not this: evicted_clients are connections, evicted_scripts are \
cached scripts.",
    steps: &[
        "see what fills the memory: redis-cli --bigkeys, MEMORY STATS, and CLIENT LIST for large omem or tot-mem",
        "give it room: CONFIG SET maxmemory <bytes>, or remove what is not needed",
        "choose who must go first: CONFIG SET maxmemory-policy volatile-ttl (or allkeys-lfu for a pure cache)",
        "limit buffers: CONFIG SET maxmemory-clients 5%; check client-output-buffer-limit",
    ],
    azure_steps: &[
        "in the portal, look at Used Memory Percentage and Evicted Keys (a rate), split by shard where offered",
        "read limit and policy: az redisenterprise database show --query evictionPolicy; give them here with --maxmemory and --eviction-policy",
        "scale to a larger size, or change the eviction policy under Advanced settings; about 20 % of the memory is reserved",
    ],
    enterprise_steps: &[
        "in the Cluster Manager, look at memory and evicted objects of the database, shard by shard",
        "read limit and policy there (Data eviction policy), and give them here with --maxmemory and --eviction-policy",
        "raise the memory limit of the database, or change its eviction policy",
    ],
    risk_steps: &[],
    special: &[
        Special {
            mechanism: Mechanism::ClientBuffers,
            steps: &[
                "find the client: CLIENT LIST TYPE normal and TYPE pubsub, look for large omem, tot-mem or qbuf; end it with CLIENT KILL ID <id>",
                "bound it: CONFIG SET maxmemory-clients 5%; CONFIG SET client-output-buffer-limit \"pubsub 32mb 8mb 60\"",
            ],
            azure_steps: &[
                "find the client: CLIENT LIST, look for large omem or tot-mem; end it with CLIENT KILL ID <id>",
            ],
            doc: Some("https://redis.io/docs/latest/develop/reference/clients/"),
        },
        Special {
            mechanism: Mechanism::ReplicaBuffers,
            steps: &[
                "the replication backlog counts against maxmemory: compare repl_backlog_size with maxmemory; CONFIG GET repl-backlog-size",
                "leave room for it: raise maxmemory by its size, or CONFIG SET repl-backlog-size <bytes>",
            ],
            azure_steps: &[],
            doc: None,
        },
        Special {
            mechanism: Mechanism::MaxmemoryLowered,
            steps: &[
                "put it back now, what is still there stays: CONFIG SET maxmemory <bytes as before>",
                "who lowered it: ACL LOG, SLOWLOG GET 128, configuration management; on a cloud, scaling operations",
            ],
            azure_steps: &[],
            doc: None,
        },
        Special {
            mechanism: Mechanism::PolicyChanged,
            steps: &[
                "put it back now: CONFIG SET maxmemory-policy <policy as before>; then writes fail with OOM instead of evicting",
                "who changed it: SLOWLOG GET 128, configuration management",
            ],
            azure_steps: &[],
            doc: None,
        },
        Special {
            mechanism: Mechanism::ShardFull,
            steps: &[],
            azure_steps: &[
                "one shard is full while the database has room: split the metrics Used Memory and Key Count by shard in the portal",
                "look for a hash tag {…} that gathers keys in one slot, and for very large keys: redis-cli --bigkeys",
            ],
            doc: Some(
                "https://redis.io/docs/latest/operate/rs/databases/memory-performance/eviction-policy/",
            ),
        },
    ],
    docs: &["https://redis.io/docs/latest/develop/reference/eviction/"],
    judge,
};

/// From this share of the limit on, eviction is near.
const NEAR_LIMIT: f64 = 0.9;

fn judge(case: &Case<'_>) -> Verdict {
    let Some(last) = case.last else {
        return Case::unheard(Cause::Eviction);
    };
    if let Some(account) = case.account(Cause::Eviction) {
        return evicting(case, last, account);
    }
    if case.is_replica() {
        return case.ask_primary(Cause::Eviction);
    }
    match last.counter(Counter::EvictedKeys) {
        None => {
            let mut verdict = Verdict::new(
                Cause::Eviction,
                Level::Unknown,
                "evictions are not counted by this server",
            );
            verdict.missing = vec!["evicted_keys"];
            verdict
        }
        Some(total) if total > 0 => since_start(case, last, total),
        Some(_) => headroom(case, last),
    }
}

fn evicting(case: &Case<'_>, last: &Sample, account: &Account<'_>) -> Verdict {
    // A policy that was changed since is not the one that evicted.
    let policies = [Some(last), case.first].into_iter().flatten();
    let policy = policies
        .filter_map(|sample| sample.memory.policy.as_deref())
        .find(|policy| *policy != "noeviction");
    let policy = policy.map_or_else(String::new, |policy| format!(" under {policy}"));
    let why = why(case, last, account);
    let summary = format!("{} evicted{policy}{why}; {}", amount(account), state(last));
    let mut verdict = with_account(
        Verdict::new(Cause::Eviction, Level::Confirmed, summary),
        account,
    );
    let note = format!("+{}", words::keys(account.keys));
    verdict
        .evidence
        .extend(case.counter_evidence(Counter::EvictedKeys, note));
    let around = |moment| case.window.sample_at(moment);
    let biggest = account.biggest;
    let then = if matches!(
        account.mechanism(),
        Mechanism::ClientBuffers | Mechanism::ReplicaBuffers
    ) {
        // Buffers are counted a moment later than what they pushed out.
        let largest = |sample: &&Packed| sample.memory().buffers_bytes();
        let largest = case.window.samples().max_by_key(largest);
        largest.map(Packed::sample)
    } else {
        around(biggest.to)
    };
    let before = around(biggest.from);
    memory_evidence(
        case,
        before.as_ref(),
        then.as_ref().unwrap_or(last),
        &mut verdict,
    );
    if case
        .window
        .total(Counter::TotalEvictionExceededTime)
        .is_some_and(|ms| ms > 0)
    {
        let note = "milliseconds over the limit";
        let counter = Counter::TotalEvictionExceededTime;
        verdict
            .evidence
            .extend(case.counter_evidence(counter, note));
    }
    verdict
}

/// What pushed them out, in words and numbers.
fn why(case: &Case<'_>, last: &Sample, account: &Account<'_>) -> String {
    let grown = |read: fn(&Memory) -> Option<u64>| {
        let bytes = |n: Option<u64>| n.map_or_else(|| "?".into(), words::bytes);
        let most = case
            .window
            .samples()
            .filter_map(|s| read(&s.memory()))
            .max();
        let first = case.first.and_then(|sample| read(&sample.memory));
        format!("{} → {}", bytes(first), bytes(most))
    };
    let setting = |wanted: &str| {
        // What was changed after the last eviction did not cause it.
        let end = account.last.to;
        let changes = case.window.changes().rev();
        let changes = changes.filter(move |change| change.moment <= end);
        let mut found = changes.filter_map(|change| match &change.kind {
            ChangeKind::Setting {
                field,
                before,
                after,
            } if *field == wanted => Some(format!("{before} → {after}")),
            _ => None,
        });
        found.next().unwrap_or_default()
    };
    match account.mechanism() {
        Mechanism::ClientBuffers => format!(
            "; client buffers took the room ({})",
            grown(|memory| memory.clients_bytes)
        ),
        Mechanism::ReplicaBuffers => format!(
            "; replication buffers took the room ({})",
            grown(|memory| memory.backlog_bytes.max(memory.replicas_bytes))
        ),
        Mechanism::MaxmemoryLowered => {
            format!("; maxmemory was lowered ({})", setting("maxmemory"))
        }
        Mechanism::PolicyChanged => {
            format!("; the policy was changed ({})", setting("maxmemory_policy"))
        }
        Mechanism::ShardFull => format!(
            "; a shard is full while the database has room, {} of it used",
            words::percent(last.memory.share().unwrap_or(0.0))
        ),
        _ => String::new(),
    }
}

/// Reads one gauge of a sample.
type Gauge = fn(&Sample) -> Reading;

/// The memory gauges that decide, before and after; a hidden limit or policy is named as missing.
fn memory_evidence(case: &Case<'_>, before: Option<&Sample>, last: &Sample, verdict: &mut Verdict) {
    let at = Some(last.moment.at);
    let rows: [(&'static str, Gauge, &str); 7] = [
        (
            "used_memory",
            |s| s.memory.used_bytes.into(),
            "bytes, buffers included",
        ),
        (
            "maxmemory",
            |s| limit(s.memory.limit),
            "bytes, the limit; 0 is none",
        ),
        (
            "maxmemory_policy",
            |s| s.memory.policy.as_deref().into(),
            "who goes first",
        ),
        (
            "mem_not_counted_for_evict",
            |s| s.memory.not_counted_bytes.into(),
            "bytes not counted",
        ),
        (
            "used_memory_dataset",
            |s| s.memory.dataset_bytes.into(),
            "bytes of data, estimated",
        ),
        (
            "mem_clients_normal",
            |s| s.memory.clients_bytes.into(),
            "bytes of client buffers",
        ),
        (
            "mem_replication_backlog",
            |s| s.memory.backlog_bytes.into(),
            "bytes of backlog",
        ),
    ];
    for (field, read, note) in rows {
        let after = read(last);
        if after != Reading::None {
            let before = before.map_or(Reading::None, read);
            verdict
                .evidence
                .push(case.evidence(field, before, after, note, at));
        } else if matches!(field, "maxmemory" | "maxmemory_policy") {
            verdict.missing.push(field);
        }
    }
}

fn limit(limit: Limit) -> Reading {
    match limit {
        Limit::NotExposed => Reading::None,
        Limit::Unlimited => Reading::Number(0),
        Limit::Bytes(bytes) | Limit::Assumed(bytes) => Reading::Number(bytes),
    }
}

fn since_start(case: &Case<'_>, last: &Sample, total: u64) -> Verdict {
    let summary = format!(
        "{} evicted {}; {}",
        words::keys(total),
        case.totals_since(),
        state(last)
    );
    let mut verdict = Case::since_start_verdict(Cause::Eviction, summary);
    verdict.keys_lost = Some(total);
    verdict
        .evidence
        .push(case.total_evidence("evicted_keys", total, case.since_start()));
    memory_evidence(case, case.watched_from(), last, &mut verdict);
    verdict
}

/// Nothing was evicted: how near is it?
fn headroom(case: &Case<'_>, last: &Sample) -> Verdict {
    let policy = last.memory.policy.as_deref();
    let near = last.memory.share().is_some_and(|share| share >= NEAR_LIMIT);
    let (level, summary) = match (last.memory.limit, policy) {
        (Limit::NotExposed, _) => (
            Level::Unknown,
            format!("no key was evicted, but {}", state(last)),
        ),
        (Limit::Unlimited, _) => (Level::Clear, format!("no key was evicted; {}", state(last))),
        (_, Some("noeviction")) => (
            Level::Clear,
            format!("policy noeviction removes no key; {}", state(last)),
        ),
        _ if near => (
            Level::AtRisk,
            format!("no key was evicted yet, but {}", state(last)),
        ),
        _ => (Level::Clear, format!("no key was evicted; {}", state(last))),
    };
    let mut verdict = Verdict::new(Cause::Eviction, level, summary);
    memory_evidence(case, case.watched_from(), last, &mut verdict);
    if level == Level::Clear {
        verdict.missing.clear();
    }
    verdict
}

/// Memory against the limit, in words.
pub(super) fn state(last: &Sample) -> String {
    let used = last
        .memory
        .counted_bytes()
        .map_or_else(|| "an unknown amount".into(), words::bytes);
    match (last.memory.limit, last.memory.share()) {
        (Limit::NotExposed, _) => format!("{used} used, the limit is not exposed by this server"),
        (Limit::Unlimited, _) => format!("{used} used, no limit set"),
        (Limit::Bytes(limit), Some(share)) => {
            format!(
                "memory at {} of {}",
                words::percent(share),
                words::bytes(limit)
            )
        }
        (Limit::Assumed(limit), Some(share)) => {
            format!(
                "memory at {} of the assumed {}",
                words::percent(share),
                words::bytes(limit)
            )
        }
        (Limit::Bytes(limit) | Limit::Assumed(limit), None) => {
            format!("{used} used of {}", words::bytes(limit))
        }
    }
}
