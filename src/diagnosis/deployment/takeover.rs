//! What a hand-over left behind, in words, as a loss and as an incident.

use std::fmt::Display;

use super::court::Court;
use super::handover::{Handover, Outcome};
use crate::diagnosis::incident::Share;
use crate::diagnosis::ledger::Loss;
use crate::diagnosis::{
    Cause, Evidence, Incident, Level, Mechanism, Reading, State, Verdict, words,
};
use crate::model::NodeId;

/// The keys that it left behind, at least.
pub(super) fn loss(handover: &Handover) -> Option<Loss> {
    let keys = handover.keys();
    (keys > 0 && handover.is_loss()).then(|| Loss {
        from: handover.from.min(handover.to),
        to: handover.to,
        mechanism: mechanism(handover),
        keys,
        most: None,
        usual: false,
    })
}

/// What the hand-overs left behind.
pub(super) fn verdicts(court: &Court<'_>) -> Vec<Verdict> {
    court
        .handovers
        .iter()
        .map(|h| by_handover(court, h))
        .collect()
}

fn by_handover(court: &Court<'_>, handover: &Handover) -> Verdict {
    let (old, new) = (court.node(handover.old), court.node(handover.new));
    let keys = handover.keys();
    let level = match handover.outcome {
        Outcome::Settled if handover.is_loss() => Level::Confirmed,
        // Still there, on the one or the other.
        Outcome::Open { .. } => Level::AtRisk,
        Outcome::Settled | Outcome::Undone => Level::Clear,
    };
    let mut verdict = Verdict::new(Cause::Replication, level, sentence(court, handover));
    verdict.mechanism = Some(mechanism(handover)).filter(|_| level != Level::Clear);
    if level == Level::Confirmed {
        verdict.keys_lost = Some(keys).filter(|keys| *keys > 0);
        verdict.at_least = true;
    }
    verdict.first_seen = Some(handover.to.at);
    verdict.last_seen = Some(handover.to.at);
    verdict.evidence = evidence(court, handover);
    let known = court.parts[handover.new].of(Cause::Replication);
    verdict.docs = known.map(|known| known.docs.clone()).unwrap_or_default();
    if level != Level::Clear {
        verdict.next_steps = steps(handover, old, new);
    }
    verdict
}

/// How a hand-over took keys.
pub(super) fn mechanism(handover: &Handover) -> Mechanism {
    if handover.is_split() || handover.went_on && handover.has_writes {
        Mechanism::SplitBrain
    } else if handover.outcome != Outcome::Settled {
        Mechanism::Promotion
    } else if handover.bytes.is_some() {
        Mechanism::Failover
    } else {
        Mechanism::Promotion
    }
}

/// Two primaries of the same data, of which each is written to or not.
fn both(
    handover: &Handover,
    old: &impl Display,
    new: &impl Display,
    written: (bool, bool),
) -> String {
    let used = match written {
        (true, true) => {
            let bytes = words::bytes(handover.bytes.unwrap_or(0));
            let about = about(handover);
            return format!(
                "{old} and {new} both take writes since {new} was promoted: {bytes} on {old}{about} are not on {new}, and go when {old} follows it"
            );
        }
        (true, false) => format!("{old} is written to"),
        (false, true) => format!("{new} is written to"),
        (false, false) => "neither is written to".to_owned(),
    };
    let missing = match handover.bytes {
        Some(bytes) if handover.went_on && handover.has_writes => {
            let (bytes, about) = (words::bytes(bytes), about(handover));
            format!("; {bytes} on {old}{about} are not on {new}")
        }
        _ => String::new(),
    };
    format!(
        "{old} and {new} are both primaries of the same data since {new} was promoted; {used}, and the other does not get it{missing}"
    )
}

fn about(handover: &Handover) -> String {
    let writes = handover.operations.filter(|n| *n > 0);
    writes.map_or_else(String::new, |n| {
        format!(" (about {})", words::plural(n, "write"))
    })
}

fn sentence(court: &Court<'_>, handover: &Handover) -> String {
    let (old, new) = (court.node(handover.old), court.node(handover.new));
    let how = if handover.planned { ", as planned" } else { "" };
    let about = about(handover);
    let keys = match handover.keys() {
        0 => String::new(),
        keys => format!(", {} fewer", words::keys(keys)),
    };
    let more = handover.unseen_bytes.filter(|n| *n > 0);
    let more = more.map_or_else(String::new, |n| {
        format!(
            "; up to {} more were written after the last poll",
            words::bytes(n)
        )
    });
    match handover.outcome {
        Outcome::Open {
            old: is_old,
            new: is_new,
        } => return both(handover, old, new, (is_old, is_new)),
        Outcome::Undone => {
            return format!("{new} was a primary for a while and follows {old} again");
        }
        Outcome::Settled => {}
    }
    match handover.bytes {
        None if handover.is_loss() => {
            format!("{new} became the primary without the data of {old}{keys}")
        }
        None => format!("{new} took over from {old}{how}; no key is missing"),
        Some(bytes) if handover.went_on && handover.is_loss() => {
            let end = match court.windows[handover.old].open_gap() {
                Some(_) => "does not answer any more",
                None => "lost them when it followed",
            };
            let bytes = words::bytes(bytes);
            format!(
                "{old} took writes on after {new} had taken over and {end}: {bytes}{about}{keys}"
            )
        }
        Some(bytes) if handover.is_loss() => format!(
            "{new} took over from {old} without its last {} of writes{about}{keys}{more}",
            words::bytes(bytes)
        ),
        Some(_) => {
            format!("{new} took over from {old}{how}; no write that we saw is missing{more}")
        }
    }
}

fn evidence(court: &Court<'_>, handover: &Handover) -> Vec<Evidence> {
    let (old, new) = (court.node(handover.old), court.node(handover.new));
    let reading =
        |node: &NodeId, field: &str, before: Reading, after: Reading, note: &str| Evidence {
            node: node.clone(),
            field: field.into(),
            before,
            after,
            note: note.into(),
            at: Some(handover.to.at),
        };
    let mut rows = vec![reading(
        new,
        "keys",
        handover.keys_old.into(),
        handover.keys_new.into(),
        &format!("on {old} before, on {new} after"),
    )];
    if let Some(bytes) = handover.bytes {
        let as_new = court.windows[handover.new].sample_at(handover.to);
        let second = as_new.and_then(|sample| sample.replication.second_offset);
        let had = second.map(|offset| offset.saturating_sub(1));
        let wrote = had.map(|had| had.saturating_add(bytes));
        rows.push(reading(
            old,
            "master_repl_offset",
            had.into(),
            wrote.into(),
            "bytes of the stream: what the new primary has, what the old one had written",
        ));
        rows.push(reading(
            new,
            "second_repl_offset",
            Reading::None,
            second.into(),
            "the first byte that the new primary does not have",
        ));
    }
    rows
}

fn steps(handover: &Handover, old: &impl Display, new: &impl Display) -> Vec<String> {
    let mut steps = Vec::new();
    if handover.outcome == Outcome::Settled {
        steps.push(format!(
            "if {old} has not come back yet, keep it from following {new} and save its data first: its dump.rdb or appendonlydir may hold what {new} lacks"
        ));
    } else {
        steps.push(format!(
            "save what each has before one follows the other: redis-cli -u redis://{old} --rdb old.rdb, redis-cli -u redis://{new} --rdb new.rdb"
        ));
        steps.push(
            "decide which is the primary, and stop the clients that write to the other: REPLICAOF makes it lose what only it has".into(),
        );
    }
    steps.push(
        "for writes that must survive a failover: WAIT 1 100 after them, or min-replicas-to-write 1 with min-replicas-max-lag 10".into(),
    );
    steps
}

/// An incident for each hand-over that left something behind.
pub(super) fn incidents(court: &Court<'_>) -> Vec<Incident> {
    let lossy = court.handovers.iter().filter(|h| h.is_loss());
    lossy
        .map(|handover| Incident {
            from: handover.from.min(handover.to),
            to: handover.to,
            keys: handover.keys(),
            at_least: true,
            shares: vec![Share {
                cause: Cause::Replication,
                mechanism: mechanism(handover),
                keys: handover.keys(),
                at_least: true,
                share: 1.0,
            }],
            suspects: Vec::new(),
            state: State::Over,
            nodes: vec![court.node(handover.new).clone()],
        })
        .collect()
}
