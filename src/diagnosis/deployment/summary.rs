//! What is said of the whole: whose word it is, and how many others say the same.

use super::court::{Court, Seat};
use super::{demotion, late, rescue, resharding, standby, takeover, uncovered};
use crate::diagnosis::{Cause, Level, Mechanism, Scope, Verdict, words};

/// Readings that one verdict of the whole shows at most.
const MOST_EVIDENCE: usize = 24;
/// Bytes from which on one sentence is enough.
const MOST_WORDS: usize = 320;

/// The verdict on one cause, by the members whose word counts.
pub(super) fn verdict(court: &Court<'_>, cause: Cause) -> Verdict {
    let mut heard: Vec<(usize, &Verdict)> = court
        .primaries()
        .filter_map(|member| Some((member, court.parts[member].of(cause)?)))
        .filter(|(member, verdict)| court.is_heard(*member, verdict))
        .filter(|(member, verdict)| {
            // Its copies know better how they stand.
            let is_state = cause == Cause::Replication && !verdict.is_loss_in_window();
            !is_state || standby::of_silent(court, *member).is_none()
        })
        .collect();
    heard.sort_by_cached_key(|(member, verdict)| {
        (
            verdict.level,
            verdict.scope,
            std::cmp::Reverse(keys(court, *member, verdict)),
            *member,
        )
    });
    let mut whole = match heard.first() {
        None => unheard(court, cause),
        Some((member, strongest)) => of_several(court, *member, strongest, &heard),
    };
    let own = match cause {
        Cause::Replication => {
            let silent = court
                .primaries()
                .filter_map(|member| standby::of_silent(court, member));
            let mut own = takeover::verdicts(court);
            own.extend(silent);
            own.extend(standby::lacking(court));
            own.extend(demotion::verdicts(court));
            own
        }
        Cause::InstanceFailure => {
            let mut own = silent(court);
            own.extend(late::came_back_empty(court));
            own
        }
        Cause::Relocation => return resharding::told(court, whole),
        _ => Vec::new(),
    };
    let others: Vec<Verdict> = own.into_iter().chain(copies(court, cause)).collect();
    if let ([(member, _)], 1) = (heard.as_slice(), court.primaries().count())
        && others.iter().any(|other| are_told_together(&whole, other))
    {
        // Whose word it is does not follow from the words beside it.
        whole.summary = format!("{}: {}", court.node(*member), whole.summary);
    }
    for other in others {
        whole = stronger(whole, other);
    }
    if whole.level == Level::Clear
        && cause == Cause::Flush
        && let Some(words) = flushed_alone(court)
    {
        whole.summary = words;
    }
    rescue::tell(court, whole)
}

/// A replica that was flushed while its primary was not, which has answered since.
fn flushed_alone(court: &Court<'_>) -> Option<String> {
    let copies = court
        .members()
        .filter(|member| court.seat(*member) == Seat::Copy);
    let mut alone = copies.filter(|copy| {
        let losses = court.parts[*copy].ledger.losses_by(Cause::Flush);
        let last = losses.map(|loss| loss.to).max();
        let mut shard = court.deployment.shard_of(*copy).iter();
        last.is_some_and(|last| {
            shard.any(|member| {
                let sample = court.windows[*member].last();
                court.is_reigning(*member) && sample.is_some_and(|sample| sample.moment > last)
            })
        })
    });
    let node = court.node(alone.next()?);
    Some(format!(
        "no primary was flushed; replica {node} was, on its own"
    ))
}

/// Keys that a member lost by a cause while it was the primary.
fn keys(court: &Court<'_>, member: usize, verdict: &Verdict) -> Option<u64> {
    let told = verdict.keys_lost?;
    let booked = court.parts[member].ledger.losses_by(verdict.cause);
    if booked.count() == court.losses(member, verdict.cause).count() {
        return Some(told);
    }
    let counted = court.losses(member, verdict.cause).map(|loss| loss.keys);
    Some(told.min(counted.fold(0, u64::saturating_add)))
}

/// Nobody's word counts on it: no primary was heard, or what was said is told otherwise.
fn unheard(court: &Court<'_>, cause: Cause) -> Verdict {
    if court.primaries().next().is_some() {
        let mut verdict = Verdict::new(cause, Level::Clear, "nothing of the kind");
        verdict.docs = docs(court, cause);
        return verdict;
    }
    let mut members = court.members();
    let first = members
        .next()
        .and_then(|first| court.parts[first].of(cause));
    let none = || Verdict::new(cause, Level::Unknown, "no reply from a server yet");
    first.cloned().unwrap_or_else(none)
}

pub(super) fn docs(court: &Court<'_>, cause: Cause) -> Vec<&'static str> {
    let known = court.parts.iter().find_map(|part| part.of(cause));
    known
        .map(|verdict| verdict.docs.clone())
        .unwrap_or_default()
}

/// The strongest word, and what the others add to it.
fn of_several(
    court: &Court<'_>,
    member: usize,
    strongest: &Verdict,
    heard: &[(usize, &Verdict)],
) -> Verdict {
    let mut whole = strongest.clone();
    let is_alike = |verdict: &Verdict| {
        verdict.level == strongest.level && verdict.scope == strongest.scope
            || verdict.is_loss_in_window() && strongest.is_loss_in_window()
    };
    let alike: Vec<&(usize, &Verdict)> = heard.iter().filter(|(_, v)| is_alike(v)).collect();
    whole.keys_lost = None;
    whole.at_most = Some(0);
    for (member, verdict) in &alike {
        let keys = keys(court, *member, verdict);
        whole.keys_lost = match (whole.keys_lost, keys) {
            (Some(sum), Some(keys)) => Some(sum.saturating_add(keys)),
            (sum, keys) => sum.or(keys),
        };
        whole.at_least |= verdict.at_least;
        let most = whole.at_most.zip(verdict.at_most);
        whole.at_most = most.map(|(sum, most)| sum.saturating_add(most));
        whole.first_seen = least(whole.first_seen, verdict.first_seen);
        whole.last_seen = whole.last_seen.max(verdict.last_seen);
        if !std::ptr::eq(*verdict, strongest) && verdict.level != Level::Clear {
            let room = MOST_EVIDENCE.saturating_sub(whole.evidence.len());
            let more = verdict.evidence.iter().take(room.min(3));
            whole.evidence.extend(more.cloned());
            whole.suspects.extend(verdict.suspects.iter().cloned());
        }
    }
    if whole.keys_lost.is_none() {
        whole.at_most = strongest.at_most;
    }
    if court.primaries().count() > 1 {
        let told = strongest.level != Level::Clear || strongest.scope == Scope::SinceStart;
        whole.summary = if told {
            several(court, member, &whole, strongest, alike.len())
        } else {
            strongest.summary.clone()
        };
    }
    whole
}

fn least<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// `127.0.0.1:7003: …; 4,001 keys on 3 nodes in all`.
fn several(
    court: &Court<'_>,
    member: usize,
    whole: &Verdict,
    strongest: &Verdict,
    nodes: usize,
) -> String {
    let node = court.node(member);
    let own = &strongest.summary;
    let others = nodes - 1;
    if others == 0 {
        return format!("{node}: {own}");
    }
    let all = match whole
        .keys_lost
        .filter(|keys| Some(*keys) != strongest.keys_lost)
    {
        Some(keys) => format!("{} on {nodes} nodes in all", words::keys(keys)),
        None if others == 1 => "the like on one other node".into(),
        None => format!("the like on {others} other nodes"),
    };
    format!("{node}: {own}; {all}")
}

/// The one that needs a human more; it takes along what the other says of losses and dangers.
fn stronger(a: Verdict, b: Verdict) -> Verdict {
    let rank = |verdict: &Verdict| {
        let keys = verdict.keys_lost.unwrap_or(0);
        let urgency = verdict.mechanism.map_or(u8::MAX, urgency);
        (
            verdict.level,
            verdict.scope,
            urgency,
            std::cmp::Reverse(keys),
        )
    };
    // Of two that say that all is well, the later knows of a change of the primary.
    let is_better = rank(&b) < rank(&a) || (b.level == Level::Clear && a.level == Level::Clear);
    let (mut whole, mut less) = if is_better { (b, a) } else { (a, b) };
    if are_told_together(&whole, &less) {
        let keys = whole.keys_lost.into_iter().chain(less.keys_lost);
        whole.keys_lost = keys.reduce(u64::saturating_add);
        whole.at_least |= less.at_least;
        whole.first_seen = least(whole.first_seen, less.first_seen);
        whole.last_seen = whole.last_seen.max(less.last_seen);
        let room = MOST_EVIDENCE.saturating_sub(whole.evidence.len());
        whole.evidence.extend(less.evidence.into_iter().take(room));
        whole.suspects.extend(less.suspects);
        let room = whole.summary.len() + less.summary.len() < MOST_WORDS;
        // What cannot be reached matters more than how that shows.
        let is_slots = less.mechanism == Some(Mechanism::SlotsUnreached);
        if is_slots {
            let rest = std::mem::replace(&mut whole.summary, less.summary);
            less.summary = rest;
            let steps = std::mem::take(&mut whole.next_steps);
            whole.next_steps = less.next_steps.drain(..).chain(steps).collect();
        }
        if room {
            whole.summary = format!("{}; {}", whole.summary, less.summary);
        }
    }
    if whole.docs.is_empty() {
        whole.docs = less.docs;
    }
    if whole.next_steps.is_empty() && whole.level == less.level {
        whole.next_steps = less.next_steps;
    }
    whole
}

/// Whether two are losses, or dangers, that one sentence tells of.
fn are_told_together(a: &Verdict, b: &Verdict) -> bool {
    let both = |is: fn(&Verdict) -> bool| is(a) && is(b);
    both(Verdict::is_loss_in_window) || both(|verdict| verdict.level == Level::AtRisk)
}

/// Of dangers of one level, those first that get worse while one looks.
fn urgency(mechanism: Mechanism) -> u8 {
    match mechanism {
        Mechanism::SplitBrain => 0,
        Mechanism::FullResync | Mechanism::Replicaof => 1,
        Mechanism::Unreachable | Mechanism::SlotsUnreached => 2,
        _ => 3,
    }
}

/// What the replicas say of themselves: never a loss of the whole, but what the next failure would
/// make of it.
fn copies(court: &Court<'_>, cause: Cause) -> Vec<Verdict> {
    if cause != Cause::Replication {
        return Vec::new();
    }
    let copies = court
        .members()
        .filter(|member| court.seat(*member).is_copy());
    let told = copies.filter_map(|member| {
        let verdict = court.parts[member].of(cause)?;
        let concerns = verdict.level == Level::AtRisk || verdict.is_loss_in_window();
        concerns.then(|| {
            let mut verdict = verdict.clone();
            verdict.summary = format!("replica {}: {}", court.node(member), verdict.summary);
            verdict.level = Level::AtRisk;
            verdict.keys_lost = None;
            verdict.at_least = false;
            verdict.at_most = None;
            verdict
        })
    });
    told.collect()
}

/// Nodes that do not answer and are missed by nobody: replicas, and primaries that were replaced.
fn silent(court: &Court<'_>) -> Vec<Verdict> {
    let silent = court.members().filter_map(|member| {
        let gap = court.windows[member].open_gap()?;
        let verdict = court.parts[member].of(Cause::InstanceFailure)?;
        let successor = court.successor(member);
        let is_missed = court.seat(member) == Seat::Primary && successor.is_none();
        if is_missed
            || court.is_gone(member)
            || court.seat(member) == Seat::Unheard
            || !gap.failure.kind.is_outage()
        {
            return None;
        }
        let node = court.node(member);
        let mut verdict = verdict.clone();
        verdict.summary = match successor {
            Some(by) => format!("{node}, which {} took over from", court.node(by.new)),
            None => format!("{node}, a replica: one copy less to take over"),
        };
        verdict.level = Level::AtRisk;
        verdict.mechanism = Some(Mechanism::Unreachable);
        verdict.keys_lost = None;
        (verdict.at_least, verdict.at_most) = (false, None);
        Some(verdict)
    });
    let mut told: Vec<Verdict> = silent.collect();
    told.extend(uncovered::verdict(court).filter(|_| court.is_whole()));
    told
}
