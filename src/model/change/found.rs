//! What happened between two samples that is discrete.

use super::{Change, ChangeKind};
use crate::format;
use crate::model::catalogue::Class;
use crate::model::continuity::Continuity;
use crate::model::counter::Counter;
use crate::model::sample::{Limit, Sample};
use crate::model::step::Step;

/// Everything discrete between two samples, in the order in which it matters.
pub(in crate::model) fn changes(
    before: &Sample,
    after: &Sample,
    step: &Step,
    was_evicting: bool,
) -> Vec<Change> {
    let mut kinds = Vec::new();
    process(step, &mut kinds);
    replication(before, after, step, &mut kinds);
    flushes(step, &mut kinds);
    settings(before, after, &mut kinds);
    disk(before, after, &mut kinds);
    kinds.extend(fall(step));
    if step.counter(Counter::EvictedKeys).at_least() > 0 && !was_evicting {
        kinds.push(ChangeKind::EvictionBegan);
    }
    kinds.extend(step.clock_jump_s().map(ChangeKind::ClockJump));
    kinds
        .into_iter()
        .map(|kind| Change {
            moment: after.moment,
            kind,
        })
        .collect()
}

/// A tenth of the keys, and at least ten of them.
fn fall(step: &Step) -> Option<ChangeKind> {
    let (before, after) = (step.keys_before?, step.keys_after?);
    let is_notable = step.fall() >= 10 && step.fall() >= before / 10;
    let is_told = step.loading || step.continuity != Continuity::Same;
    (is_notable && !is_told).then_some(ChangeKind::KeysFell { before, after })
}

fn process(step: &Step, kinds: &mut Vec<ChangeKind>) {
    match step.continuity {
        Continuity::Same => {}
        Continuity::StatsReset => kinds.push(ChangeKind::StatsReset),
        Continuity::OtherProcess => kinds.push(ChangeKind::OtherProcess),
        Continuity::Restart => {
            kinds.push(ChangeKind::Restart {
                keys_before: step.keys_before,
                keys_after: step.keys_after,
            });
        }
    }
}

fn replication(before: &Sample, after: &Sample, step: &Step, kinds: &mut Vec<ChangeKind>) {
    let (was, is) = (&before.replication, &after.replication);
    if was.role != is.role {
        kinds.push(ChangeKind::RoleChanged(was.role, is.role));
    } else if was.primary != is.primary {
        kinds.push(ChangeKind::PrimaryChanged(
            was.primary.clone(),
            is.primary.clone(),
        ));
    } else if was.replid != is.replid && step.continuity == Continuity::Same {
        kinds.push(ChangeKind::HistoryChanged);
    }
    match (was.link_up, is.link_up) {
        (Some(true), Some(false)) => kinds.push(ChangeKind::LinkDown),
        (Some(false), Some(true)) => kinds.push(ChangeKind::LinkUp),
        _ => {}
    }
    if let (Some(was), Some(is)) = (was.connected_replicas, is.connected_replicas) {
        match is.cmp(&was) {
            std::cmp::Ordering::Less => kinds.push(ChangeKind::ReplicasLeft(was - is)),
            std::cmp::Ordering::Greater => kinds.push(ChangeKind::ReplicasJoined(is - was)),
            std::cmp::Ordering::Equal => {}
        }
    }
    let full = step.counter(Counter::SyncFull).at_least();
    if full > 0 {
        kinds.push(ChangeKind::FullSyncs(full));
    }
}

fn flushes(step: &Step, kinds: &mut Vec<ChangeKind>) {
    for command in step.of(Class::Flush) {
        let name = command.name.to_ascii_uppercase();
        if command.effective > 0 {
            kinds.push(ChangeKind::Flushed {
                command: name.clone(),
                calls: command.effective,
                keys_before: step.keys_before,
            });
        }
        if command.rejected + command.failed > 0 {
            kinds.push(ChangeKind::FlushDenied {
                command: name,
                calls: command.rejected + command.failed,
            });
        }
    }
}

fn settings(before: &Sample, after: &Sample, kinds: &mut Vec<ChangeKind>) {
    let limit = |limit: Limit| match limit {
        Limit::NotExposed => None,
        Limit::Unlimited => Some("0 (no limit)".to_owned()),
        Limit::Bytes(n) | Limit::Assumed(n) => Some(format::bytes(n)),
    };
    let on = |flag: Option<bool>| flag.map(|flag| if flag { "on" } else { "off" }.to_owned());
    let rows = [
        (
            "maxmemory",
            limit(before.memory.limit),
            limit(after.memory.limit),
        ),
        (
            "maxmemory_policy",
            before.memory.policy.clone(),
            after.memory.policy.clone(),
        ),
        (
            "aof_enabled",
            on(before.persistence.aof),
            on(after.persistence.aof),
        ),
        (
            "slave_read_only",
            on(before.replication.read_only),
            on(after.replication.read_only),
        ),
    ];
    for (field, was, is) in rows {
        if let (Some(before), Some(after)) = (was, is)
            && before != after
        {
            kinds.push(ChangeKind::Setting {
                field,
                before,
                after,
            });
        }
    }
}

fn disk(before: &Sample, after: &Sample, kinds: &mut Vec<ChangeKind>) {
    let (was, is) = (&before.persistence, &after.persistence);
    match (was.loading, is.loading) {
        (false, true) => kinds.push(ChangeKind::LoadingBegan),
        (true, false) => kinds.push(ChangeKind::LoadingEnded { keys: after.keys() }),
        _ => {}
    }
    for (what, was, is) in [
        ("rdb", was.last_save_ok, is.last_save_ok),
        ("aof", was.aof_write_ok, is.aof_write_ok),
    ] {
        match (was, is) {
            (Some(true), Some(false)) => kinds.push(ChangeKind::SaveFailing(what)),
            (Some(false), Some(true)) => kinds.push(ChangeKind::SaveRecovered(what)),
            _ => {}
        }
    }
}
