//! Keys moved: they exist, in another database or on another node.

use std::fmt::Write as _;

use super::account::{Account, amount, with_account};
use super::case::Case;
use super::{Cause, Evidence, Level, Mechanism, Rule, Special, Verdict, words};
use crate::model::Class;

pub(super) const RULE: Rule = Rule {
    cause: Cause::Relocation,
    explanation: "SWAPDB exchanges two databases at once and leaves no trace but its own call; MOVE \
takes one key to another database; MIGRATE and slot migration take keys to another node. Nothing is \
lost, but whoever looks in the old place finds nothing.",
    steps: &["in a cluster, ask for the key with a cluster-aware client: redis-cli -c GET <key>"],
    azure_steps: &[
        "look at scaling operations in the Activity log; slots move between shards then, and nothing is lost",
    ],
    enterprise_steps: &[],
    risk_steps: &[],
    special: &[
        Special {
            mechanism: Mechanism::Swapdb,
            steps: &[
                "look in the other databases: INFO keyspace, then redis-cli -n <db> EXISTS <key>",
                "undo a swap: SWAPDB <a> <b> once more",
            ],
            azure_steps: &[],
            doc: None,
        },
        Special {
            mechanism: Mechanism::Migrate,
            steps: &[
                "who moves keys away and where to: CLIENT LIST for cmd=migrate; its destination has a growing INFO keyspace",
            ],
            azure_steps: &[],
            doc: Some("https://redis.io/docs/latest/commands/migrate/"),
        },
        Special {
            mechanism: Mechanism::Move,
            steps: &[
                "bring keys back: redis-cli -n <db> MOVE <key> 0; then see which client selects the other database: CLIENT LIST, db=",
                "look in the other databases: INFO keyspace, then redis-cli -n <db> EXISTS <key>",
            ],
            azure_steps: &[],
            doc: Some("https://redis.io/docs/latest/commands/move/"),
        },
        Special {
            mechanism: Mechanism::SlotMigration,
            steps: &[
                "see where the slots are now: CLUSTER SHARDS, or CLUSTER NODES before Redis 7",
            ],
            azure_steps: &[],
            doc: Some("https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/"),
        },
    ],
    docs: &["https://redis.io/docs/latest/commands/swapdb/"],
    judge,
};

/// Commands that have to do with slots. They move no key that a client of a cluster would not find,
/// they are counted on either side, and `CLUSTER MIGRATION` also when it is asked for its status.
fn is_of_slots(name: &str) -> bool {
    name.starts_with("cluster|") || name == "trimslots"
}

fn judge(case: &Case<'_>) -> Verdict {
    let Some(last) = case.last else {
        return Case::unheard(Cause::Relocation);
    };
    if last.commands.is_none() {
        return Case::no_commandstats(Cause::Relocation);
    }
    let (slots, calls): (Vec<_>, Vec<_>) = case
        .calls_of(Class::Move)
        .into_iter()
        .partition(|(name, _)| is_of_slots(name));
    if let Some(account) = case.account(Cause::Relocation) {
        return moved(case, account, &words::list(calls));
    }
    if !calls.is_empty() {
        let summary = format!("{} seen, but no database shrank by it", words::list(calls));
        return Verdict::new(Cause::Relocation, Level::Clear, summary);
    }
    let mut totals = case.totals_of(Class::Move);
    totals.retain(|(name, _)| !is_of_slots(name));
    if totals.is_empty() {
        let mut summary = "no SWAPDB, MOVE or MIGRATE has run".to_owned();
        if !slots.is_empty() {
            let _ = write!(
                summary,
                "; {}: keys go with their slots",
                words::list(slots)
            );
        }
        return Verdict::new(Cause::Relocation, Level::Clear, summary);
    }
    let commands = words::list(totals.clone());
    let summary = format!("{commands} {}", case.totals_since());
    let mut verdict = Case::since_start_verdict(Cause::Relocation, summary);
    let most = totals.iter().max_by_key(|(_, calls)| *calls);
    verdict.mechanism = most.map(|(name, _)| match *name {
        "swapdb" => Mechanism::Swapdb,
        "move" => Mechanism::Move,
        _ => Mechanism::Migrate,
    });
    for (name, total) in totals {
        let field = format!("cmdstat_{name}.calls");
        verdict
            .evidence
            .push(case.total_evidence(field, total, "keys may be elsewhere"));
    }
    verdict
}

fn moved(case: &Case<'_>, account: &Account<'_>, calls: &str) -> Verdict {
    let mechanism = account.mechanism();
    let is_known = match mechanism {
        Mechanism::Swapdb | Mechanism::Move => true,
        // Whether they arrived, only the other server knows.
        Mechanism::SlotMigration => case.given.is_about(account.biggest.to),
        _ => !account.biggest.usual,
    };
    let level = if is_known {
        Level::Confirmed
    } else {
        Level::Suspected
    };
    let keys = amount(account);
    let summary = match mechanism {
        Mechanism::Swapdb | Mechanism::Move => {
            format!("{keys} are in another database now: {calls}")
        }
        Mechanism::SlotMigration if is_known => {
            format!("{keys} are on another node now, with their slots")
        }
        Mechanism::SlotMigration => {
            format!("{keys} went while slots were migrated: they should be on another node")
        }
        _ => format!("{keys} are on another node now: {calls}"),
    };
    let verdict = Verdict::new(Cause::Relocation, level, summary);
    let mut verdict = with_account(verdict, account);
    let Some(step) = case.step_to(account.biggest.to) else {
        return verdict;
    };
    verdict
        .evidence
        .extend(case.command_evidence(step, Class::Move, "calls"));
    let at = Some(step.to.at);
    for db in step.dbs.iter().take(6) {
        let (field, note) = (format!("db{}.keys", db.index), "keys in this database");
        verdict
            .evidence
            .push(case.evidence(field, db.before, db.after, note, at));
    }
    // The reply before may have told nothing of its databases.
    if step.dbs.is_empty() {
        let note = "keys in all databases";
        verdict.evidence.push(case.keys_evidence(step, note));
    }
    account.mark(&mut verdict.evidence);
    if mechanism == Mechanism::SlotMigration {
        verdict.evidence.extend(exported(case, account));
    }
    verdict
}

/// The last call of the command by which the nodes of a cluster migrate slots, by the time when the
/// keys had gone.
fn exported(case: &Case<'_>, account: &Account<'_>) -> Option<Evidence> {
    let mut steps = case.window.steps().rev();
    let calls = steps.find_map(|step| {
        let is_by_then = step.to <= account.biggest.to;
        step.command(SYNC_SLOTS)
            .filter(|calls| is_by_then && calls.effective > 0)
            .map(|calls| (step.to.at, calls))
    });
    let (at, calls) = calls?;
    let (before, after) = (calls.calls_before, calls.calls_after);
    let field = format!("cmdstat_{SYNC_SLOTS}.calls");
    Some(case.evidence(field, before, after, "nodes migrate slots", Some(at)))
}

const SYNC_SLOTS: &str = "cluster|syncslots";
