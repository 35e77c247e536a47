//! Keys moved: they exist, in another database or on another node.

use super::account::{Account, amount, with_account};
use super::case::Case;
use super::{Cause, Level, Mechanism, Rule, Special, Verdict, words};
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
    enterprise_steps: &[],
    risk_steps: &[],
    special: &[
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

fn judge(case: &Case<'_>) -> Verdict {
    let Some(last) = case.last else {
        return Case::unheard(Cause::Relocation);
    };
    if last.commands.is_none() {
        return Case::no_commandstats(Cause::Relocation);
    }
    let calls = case.calls_of(Class::Move);
    if let Some(account) = case.account(Cause::Relocation) {
        return moved(case, account, &words::list(calls));
    }
    if !calls.is_empty() {
        let summary = format!("{} seen, but no database shrank by it", words::list(calls));
        return Verdict::new(Cause::Relocation, Level::Clear, summary);
    }
    let mut totals = case.totals_of(Class::Move);
    totals.retain(|(name, _)| *name != "cluster|setslot");
    if totals.is_empty() {
        let summary = "no SWAPDB, MOVE or MIGRATE has run";
        return Verdict::new(Cause::Relocation, Level::Clear, summary);
    }
    let commands = words::list(totals.clone());
    let summary = format!("{commands} {}", case.totals_since());
    let mut verdict = Case::since_start_verdict(Cause::Relocation, summary);
    let most = totals.iter().max_by_key(|(_, calls)| *calls);
    verdict.mechanism = most.map(|(name, _)| match *name {
        "swapdb" => Mechanism::Swapdb,
        "move" => Mechanism::Move,
        "migrate" => Mechanism::Migrate,
        _ => Mechanism::SlotMigration,
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
    // Whether a MIGRATE arrived, only the other server knows.
    let level = match account.mechanism() {
        Mechanism::Swapdb | Mechanism::Move => Level::Confirmed,
        _ if account.biggest.usual => Level::Suspected,
        _ => Level::Confirmed,
    };
    let place = match account.mechanism() {
        Mechanism::Swapdb | Mechanism::Move => "in another database",
        _ => "on another node",
    };
    let summary = format!("{} are {place} now: {calls}", amount(account));
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
    verdict
}
