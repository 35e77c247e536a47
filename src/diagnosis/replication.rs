//! Async replication: writes were not on the replica when it took over.

mod present;

use super::account::{Account, amount, with_account};
use super::case::{Case, short};
use super::ledger::is_failover;
use super::{Cause, Level, Mechanism, Reading, Rule, Special, Verdict, words};
use present::state_now;

use crate::model::{Continuity, Role, Step};

pub(super) const RULE: Rule = Rule {
    cause: Cause::Replication,
    explanation: "A primary answers the client before its replicas have the write. When it fails, \
what had not arrived is lost with it. The distance is master_repl_offset less the replica's \
acknowledged offset, in bytes of the replication stream; acknowledgements come once a second, so a \
second's worth of writes is noise. The lag field is seconds since the last acknowledgement, not \
seconds behind. A replica whose link is down serves old data, which looks like loss. A primary that \
restarts empty wipes its replicas by a full synchronisation, which changes none of their loss \
counters. Redis Enterprise and Azure Managed Redis hide replicas and offsets.",
    steps: &[
        "compare offsets: INFO replication on the primary and on every replica",
        "for writes that must survive: WAIT 1 100 after them, or min-replicas-to-write 1",
        "find what slows the link: SLOWLOG, the network, CONFIG GET client-output-buffer-limit; enlarge repl-backlog-size",
        "before you promote a replica by hand, make sure that its offset is the primary's",
    ],
    azure_steps: &[
        "in the portal, look for failovers and maintenance in the Activity log and Service Health at that time",
        "for writes that must survive: WAIT 1 100 after them",
        "turn on high availability, zone redundancy and data persistence; consider active geo-replication",
    ],
    enterprise_steps: &[
        "look at the Cluster Manager's log for shard failovers and maintenance at that time",
        "for writes that must survive: WAIT 1 100 after them",
        "turn on replication and persistence for the database; consider Active-Active",
    ],
    risk_steps: &[],
    special: &[
        Special {
            mechanism: Mechanism::FullResync,
            steps: &[
                "stop the primary's automatic restart, and look for the data: dump.rdb and appendonlydir on the primary and on every replica, before they are written over",
                "a primary without persistence must not come back by itself: it empties its replicas",
            ],
            azure_steps: &[],
            doc: Some(
                "https://redis.io/docs/latest/operate/oss_and_stack/management/replication/#safety-of-replication-when-master-has-persistence-turned-off",
            ),
        },
        Special {
            mechanism: Mechanism::Replicaof,
            steps: &[
                "was REPLICAOF meant? its own data is gone from memory; look for dump.rdb before the next save writes over it",
                "make it a primary again: REPLICAOF NO ONE; take the command from users that need it not: ACL SETUSER <user> -replicaof -slaveof",
            ],
            azure_steps: &[],
            doc: Some("https://redis.io/docs/latest/commands/replicaof/"),
        },
        Special {
            mechanism: Mechanism::StaleReads,
            steps: &[
                "read from the primary meanwhile; or refuse old data: CONFIG SET replica-serve-stale-data no",
            ],
            azure_steps: &[],
            doc: None,
        },
        Special {
            mechanism: Mechanism::ResyncLoop,
            steps: &[
                "why does the replica start over: CONFIG GET repl-backlog-size and client-output-buffer-limit here, the replica's log there",
                "CONFIG SET repl-backlog-size 256mb; CONFIG SET client-output-buffer-limit \"replica 512mb 128mb 120\"",
            ],
            azure_steps: &[],
            doc: None,
        },
        Special {
            mechanism: Mechanism::LinkFlapping,
            steps: &[
                "why does the link break: the logs of both, CLIENT KILL and client-output-buffer-limit here, the network and any proxy between",
                "see that the backlog outlasts a break: CONFIG GET repl-backlog-size, against the bytes written a second",
            ],
            azure_steps: &[],
            doc: None,
        },
        Special {
            mechanism: Mechanism::WritableReplica,
            steps: &[
                "what is written here is gone at the next full synchronisation: CONFIG SET replica-read-only yes",
            ],
            azure_steps: &[],
            doc: None,
        },
    ],
    docs: &["https://redis.io/docs/latest/operate/oss_and_stack/management/replication/"],
    judge,
};

/// PING and REPLCONF traffic alone makes offsets differ by less than this.
pub(super) const NOISE_BYTES: u64 = 100;

fn judge(case: &Case<'_>) -> Verdict {
    let Some(last) = case.last else {
        return Case::unheard(Cause::Replication);
    };
    if let Some(account) = case.account(Cause::Replication) {
        return lost(case, account);
    }
    if let Some(step) = case.window.steps().find(|step| is_handover(step)) {
        let verdict = handover(case, step);
        let now = state_now(case, last);
        // A harmless hand-over must not hide a replica that is behind now.
        return if verdict.is_loss() || now.level != Level::AtRisk {
            verdict
        } else {
            now
        };
    }
    state_now(case, last)
}

fn lost(case: &Case<'_>, account: &Account<'_>) -> Verdict {
    let step = case.step_to(account.biggest.to);
    let bytes = step.and_then(lost_bytes);
    let summary = match step {
        Some(step) if step.role_after == Role::Replica => {
            let primary = case
                .last
                .and_then(|s| s.replication.primary.as_deref())
                .unwrap_or("another server");
            format!(
                "{} gone: the data set was replaced by that of {primary}",
                amount(account)
            )
        }
        _ => {
            let bytes =
                bytes.map_or_else(String::new, |n| format!(", {} of writes", words::bytes(n)));
            format!(
                "{} not on the replica that took over{bytes}",
                amount(account)
            )
        }
    };
    let mut verdict = with_account(
        Verdict::new(Cause::Replication, Level::Confirmed, summary),
        account,
    );
    if let Some(step) = step {
        evidence(case, step, &mut verdict);
    }
    verdict
}

fn evidence(case: &Case<'_>, step: &Step, verdict: &mut Verdict) {
    let at = Some(step.to.at);
    verdict
        .evidence
        .push(case.keys_evidence(step, "keys in all databases"));
    let Some((was, is)) = step.replication() else {
        return;
    };
    let mut push = |field: &str, before: Reading, after: Reading, note: &str| {
        verdict
            .evidence
            .push(case.evidence(field, before, after, note, at));
    };
    let id = |id: &Option<String>| short(id.as_deref());
    push(
        "master_replid",
        id(&was.replid),
        id(&is.replid),
        "the replication history",
    );
    push(
        "master_replid2",
        id(&was.replid2),
        id(&is.replid2),
        "the history before it",
    );
    if was.role != is.role {
        push(
            "role",
            was.role.id().into(),
            is.role.id().into(),
            "changed while watching",
        );
    }
    push(
        "master_repl_offset",
        was.offset.into(),
        is.offset.into(),
        "bytes of the stream",
    );
    let (before, after) = (was.second_offset.into(), is.second_offset.into());
    push(
        "second_repl_offset",
        before,
        after,
        "where the histories part",
    );
}

/// Bytes of the old primary's stream, as far as we saw it, that the new one does not have.
/// Redis keeps the old history's id in `master_replid2` and its first missing byte in
/// `second_repl_offset` (replication.c, `shiftReplicationId`).
pub(super) fn lost_bytes(step: &Step) -> Option<u64> {
    let (was, is) = step.replication()?;
    if !is_failover(step) {
        return None;
    }
    Some(
        was.offset?
            .saturating_sub(is.second_offset?.saturating_sub(1)),
    )
}

/// Another server took over, or this replica was promoted.
fn is_handover(step: &Step) -> bool {
    let promoted = step.role_before == Role::Replica && step.role_after == Role::Primary;
    promoted || (step.continuity == Continuity::OtherProcess && is_failover(step))
}

/// What a hand-over left behind, where the key count does not tell.
enum Handover {
    /// Everything that we saw arrived.
    Whole,
    /// A promoted replica whose link was down had not received what was written meanwhile.
    LinkWasDown,
    /// So many bytes of the old primary's stream are not on the new one.
    Behind(u64),
}

impl Handover {
    fn of(step: &Step) -> Self {
        let promoted = step.continuity == Continuity::Same;
        let link_was_up = step
            .replication()
            .is_some_and(|(was, _)| was.link_up == Some(true));
        match lost_bytes(step) {
            _ if promoted && link_was_up => Self::Whole,
            _ if promoted => Self::LinkWasDown,
            Some(bytes) if bytes > NOISE_BYTES => Self::Behind(bytes),
            _ => Self::Whole,
        }
    }

    fn mechanism(&self) -> Option<Mechanism> {
        match self {
            Self::Whole => None,
            Self::LinkWasDown => Some(Mechanism::Promotion),
            Self::Behind(_) => Some(Mechanism::Failover),
        }
    }
}

/// Hand-overs that left something behind, whether the key count fell or not.
pub(super) fn handovers<'a>(case: &Case<'a>) -> impl Iterator<Item = (&'a Step, Mechanism)> {
    let steps = case.window.steps().filter(|step| is_handover(step));
    steps.filter_map(|step| Some((step, Handover::of(step).mechanism()?)))
}

/// A hand-over without a visible loss of keys.
fn handover(case: &Case<'_>, step: &Step) -> Verdict {
    let handover = Handover::of(step);
    let (level, summary) = match &handover {
        Handover::Whole => (
            Level::Clear,
            "a replica took over; no write that we saw was missing".into(),
        ),
        Handover::LinkWasDown => (
            Level::Suspected,
            "this replica was promoted while its link was down: what it had not received is lost"
                .into(),
        ),
        Handover::Behind(bytes) => (
            Level::Confirmed,
            format!(
                "a replica took over without the last {} of writes",
                words::bytes(*bytes)
            ),
        ),
    };
    let mut verdict = Verdict::new(Cause::Replication, level, summary);
    verdict.mechanism = handover.mechanism();
    verdict.first_seen = Some(step.to.at);
    verdict.last_seen = Some(step.to.at);
    evidence(case, step, &mut verdict);
    verdict
}
