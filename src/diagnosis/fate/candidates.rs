//! What can have taken a key, by what was counted around the time at which it went.

use std::time::Duration;

use super::ran::{Ran, ran};
use super::{Ending, Span};
use crate::diagnosis::ledger::is_failover;
use crate::diagnosis::{Cause, Evidence, Reading};
use crate::format::count;
use crate::model::{
    Class, CommandDelta, Continuity, Counter, KeyState, NodeId, Packed, Role, Seen, Step, Window,
};

/// A deadline is read over a network, and keys are reaped a little late.
const TOLERANCE: Duration = Duration::from_millis(50);

/// One cause that is possible.
pub(super) struct Candidate {
    pub(super) ending: Ending,
    /// How, without the ending: `DEL ran 3×`.
    pub(super) how: String,
    /// The commands to look for among suspects, lower case.
    pub(super) verbs: Vec<String>,
    /// The causes whose suspects are those of this key.
    pub(super) causes: &'static [Cause],
    pub(super) evidence: Vec<Evidence>,
    /// Only to be thought of where nothing better is.
    pub(super) is_weak: bool,
    /// Nothing that a later poll may tell changes it.
    pub(super) is_proof: bool,
}

impl Candidate {
    pub(super) fn new(ending: Ending, how: impl Into<String>, causes: &'static [Cause]) -> Self {
        Self {
            ending,
            how: how.into(),
            verbs: Vec::new(),
            causes,
            evidence: Vec::new(),
            is_weak: false,
            is_proof: false,
        }
    }

    /// By commands that ran.
    fn of_commands(
        ending: Ending,
        found: &[Ran<'_>],
        causes: &'static [Cause],
        node: &NodeId,
    ) -> Option<Self> {
        let names: Vec<String> = found
            .iter()
            .map(|ran| ran.name.to_ascii_uppercase())
            .collect();
        if names.is_empty() {
            return None;
        }
        let calls: u64 = found.iter().map(|ran| ran.calls).sum();
        let how = match (calls, &*names) {
            (1, [name]) => name.clone(),
            (_, names) => format!("{} ran {}×", names.join(", "), count(calls)),
        };
        let mut candidate = Self::new(ending, how, causes);
        candidate.verbs = found.iter().map(|ran| ran.name.to_owned()).collect();
        candidate.evidence = found.iter().map(|ran| ran.evidence(node)).collect();
        Some(candidate)
    }

    fn weak_if(mut self, is_weak: bool) -> Self {
        self.is_weak = is_weak;
        self
    }
}

/// Everything that a judgement rests on.
pub(super) struct View<'v, 'a> {
    pub(super) window: &'v Window<'a>,
    pub(super) steps: &'v [&'v Step],
    pub(super) span: Span,
    /// A push told that a database was emptied.
    pub(super) emptied: bool,
    /// The last reading while the key was there.
    pub(super) last: Option<&'v Seen>,
}

impl View<'_, '_> {
    /// The causes that are possible, the likeliest first.
    pub(super) fn candidates(&self) -> Vec<Candidate> {
        let expired = self.expired();
        if expired.as_ref().is_some_and(|one| one.is_proof) {
            return expired.into_iter().collect();
        }
        let mut found: Vec<Candidate> = Vec::new();
        found.extend(self.flushed());
        found.extend(self.lost());
        found.extend(expired);
        found.extend(self.deleted());
        found.extend(self.emptied_by_type());
        found.extend(self.evicted());
        found.extend(self.moved());
        found.extend(self.by_the_way());
        found
    }

    fn node(&self) -> &NodeId {
        self.window.node()
    }

    /// Its type, where it was read.
    fn kind(&self) -> Option<&str> {
        match self.last.map(|seen| &seen.state) {
            Some(KeyState::Present { kind, .. }) => Some(kind),
            _ => None,
        }
    }

    /// Whether a change that is pushed by the key's name cannot have been the first thing.
    fn is_pushed_by_name(&self) -> bool {
        self.span.is_pushed && !self.emptied
    }

    fn counted(&self, counter: Counter, note: &str) -> Option<Evidence> {
        let mut moved = self.steps.iter().filter_map(|step| {
            let moved = step.moved(counter)?;
            (moved.delta.at_least() > 0).then_some((step, moved))
        });
        let (first, before) = moved.next()?;
        let (last, after) = moved.next_back().unwrap_or((first, before));
        Some(Evidence {
            node: self.node().clone(),
            field: counter.field().to_owned(),
            before: before.before.into(),
            after: after.after.into(),
            note: note.to_owned(),
            at: Some(last.to.at),
        })
    }

    fn expired(&self) -> Option<Candidate> {
        let counted = self.counted(Counter::ExpiredKeys, "keys whose TTL ran out");
        let deadline = self.last.and_then(Seen::deadline);
        let Some(deadline) = deadline.filter(|at| *at <= self.span.to.elapsed + TOLERANCE) else {
            let evidence = counted?;
            let how = match (self.last, deadline) {
                (None, _) => "its TTL is not known",
                (Some(_), Some(_)) => "a shorter TTL would have been set in that moment",
                (Some(_), None) => "a TTL would have been set in that moment",
            };
            let mut candidate = Candidate::new(Ending::Expired, how, &[Cause::Expiration]);
            candidate.evidence.push(evidence);
            return Some(candidate.weak_if(self.last.is_some()));
        };
        let mut candidate = Candidate::new(Ending::Expired, "", &[Cause::Expiration]);
        candidate.is_proof = deadline <= self.span.from.elapsed + TOLERANCE;
        candidate.evidence.extend(self.last.map(|seen| Evidence {
            node: self.node().clone(),
            field: "PTTL".into(),
            before: ttl_of(seen),
            after: Reading::from(0),
            note: "milliseconds at the last reading".into(),
            at: Some(seen.moment.at),
        }));
        candidate.evidence.extend(counted);
        Some(candidate)
    }

    fn flushed(&self) -> Option<Candidate> {
        let flushes = ran(self.steps, |one| one.class == Some(Class::Flush));
        let causes = &[Cause::Flush];
        let found = Candidate::of_commands(Ending::Flushed, &flushes, causes, self.node());
        let mut candidate = match found {
            Some(candidate) => candidate.weak_if(self.is_pushed_by_name()),
            // A replica that takes its primary's data set tells the same.
            None if self.emptied && self.resync().is_none() => {
                let how = "the server told that a database was emptied";
                Candidate::new(Ending::Flushed, how, causes)
            }
            None => return None,
        };
        if self.emptied {
            candidate.is_proof = !candidate.evidence.is_empty();
            candidate.evidence.push(Evidence {
                node: self.node().clone(),
                field: "invalidate".into(),
                before: Reading::None,
                after: Reading::from("all keys"),
                note: "pushed by the server".into(),
                at: Some(self.span.from.at),
            });
        }
        Some(candidate)
    }

    /// A step in which the data set was replaced by another server's.
    fn resync(&self) -> Option<&Step> {
        let replaced = |step: &&&Step| {
            step.replication().is_some_and(|(was, is)| {
                is.role == Role::Replica && (was.role != is.role || was.replid != is.replid)
            })
        };
        self.steps.iter().find(replaced).copied()
    }

    fn lost(&self) -> Option<Candidate> {
        let process = self.steps.iter().find(|step| {
            matches!(
                step.continuity,
                Continuity::Restart | Continuity::OtherProcess
            )
        });
        let (step, how, causes): (&Step, _, &'static [Cause]) = match (process, self.resync()) {
            (Some(step), _) if step.continuity == Continuity::Restart => {
                (step, "the server restarted", &[Cause::InstanceFailure])
            }
            (Some(step), _) if is_failover(step) => (
                step,
                "at a failover: the replica that took over did not have it",
                &[Cause::Replication],
            ),
            (Some(step), _) => (
                step,
                "another server answers at this address",
                &[Cause::Replication, Cause::InstanceFailure],
            ),
            (None, Some(step)) => (
                step,
                "the data set was replaced by that of a primary",
                &[Cause::Replication],
            ),
            (None, None) => return None,
        };
        let mut candidate = Candidate::new(Ending::Lost, how, causes);
        candidate.is_weak = self.is_pushed_by_name();
        candidate.evidence.push(Evidence {
            node: self.node().clone(),
            field: "keys".into(),
            before: step.keys_before.into(),
            after: step.keys_after.into(),
            note: how.to_owned(),
            at: Some(step.to.at),
        });
        let histories = step.replication().filter(|_| is_failover(step));
        candidate
            .evidence
            .extend(histories.map(|(was, is)| Evidence {
                node: self.node().clone(),
                field: "master_replid2".into(),
                before: was.replid2.as_deref().into(),
                after: is.replid2.as_deref().into(),
                note: "the history that the new primary goes on with is the old one's".into(),
                at: Some(step.to.at),
            }));
        Some(candidate)
    }

    fn deleted(&self) -> Option<Candidate> {
        let can = |command: &CommandDelta<'_>| {
            command.class == Some(Class::Delete)
                && match command.name {
                    "getdel" => self.kind().is_none_or(|kind| kind == "string"),
                    name if name.starts_with("ft.") => {
                        self.kind().is_none_or(|kind| kind == "hash")
                    }
                    "ts.del" => false,
                    _ => true,
                }
        };
        let found = ran(self.steps, can);
        let causes = &[Cause::Deletion];
        let mut candidate = Candidate::of_commands(Ending::Deleted, &found, causes, self.node())?;
        if self
            .steps
            .iter()
            .any(|step| step.role_after == Role::Replica)
        {
            candidate.how = format!(
                "its primary sent {}, as it does for deletes, evictions and expirations",
                candidate.how
            );
        }
        Some(candidate)
    }

    /// The last element was taken.
    fn emptied_by_type(&self) -> Option<Candidate> {
        let kind = self.kind()?;
        let takes = |name: &str| {
            let z = name.starts_with('z') || name.starts_with("bz") || name == "georem";
            match kind {
                "hash" => name.starts_with('h'),
                "set" => name.starts_with('s'),
                "zset" => z,
                "list" => !z && !name.starts_with(['h', 's']),
                _ => false,
            }
        };
        let found = ran(self.steps, |one| {
            one.class == Some(Class::Empty) && takes(one.name)
        });
        let causes = &[Cause::Deletion];
        let mut candidate = Candidate::of_commands(Ending::Deleted, &found, causes, self.node())?;
        candidate.how = format!("its last element was taken: {}", candidate.how);
        Some(candidate)
    }

    fn evicted(&self) -> Option<Candidate> {
        let evidence = self.counted(Counter::EvictedKeys, "keys removed for memory")?;
        let policy = self.window.last().and_then(Packed::policy);
        let stays = matches!(self.last, Some(seen) if seen.deadline().is_none());
        let is_safe = match policy {
            Some("noeviction") => true,
            Some(policy) => policy.starts_with("volatile") && stays,
            None => false,
        };
        if is_safe {
            return None;
        }
        let how = policy.map_or_else(String::new, |policy| format!("memory was full, {policy}"));
        let mut candidate = Candidate::new(Ending::Evicted, how, &[Cause::Eviction]);
        candidate.evidence.push(evidence);
        Some(candidate)
    }

    /// Renamed, or put into another database or node.
    fn moved(&self) -> Option<Candidate> {
        let pushed = self.span.is_pushed;
        let moves = |command: &CommandDelta<'_>| match (command.name, command.class) {
            ("rename" | "renamenx", _) => true,
            // Nothing is pushed for it.
            ("swapdb", _) => !pushed,
            (_, class) => class == Some(Class::Move),
        };
        let found = ran(self.steps, moves);
        let causes = &[Cause::Relocation, Cause::Overwrite];
        Candidate::of_commands(Ending::Moved, &found, causes, self.node())
    }

    /// Commands that remove a key in passing.
    fn by_the_way(&self) -> Option<Candidate> {
        let found = ran(self.steps, |one| {
            let stores = one.class == Some(Class::Overwrite) && one.name.ends_with("store");
            stores || one.class == Some(Class::Expire)
        });
        let causes = &[Cause::Deletion, Cause::Expiration];
        let mut candidate = Candidate::of_commands(Ending::Deleted, &found, causes, self.node())?;
        candidate.how = format!(
            "by a time in the past or an empty result: {}",
            candidate.how
        );
        Some(candidate.weak_if(true))
    }
}

fn ttl_of(seen: &Seen) -> Reading {
    match seen.state {
        KeyState::Present { ttl: Some(ttl), .. } => {
            Reading::Number(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX))
        }
        _ => Reading::None,
    }
}

/// Which command can have put something else under a name.
pub(super) fn of_overwriting(steps: &[&Step], node: &NodeId) -> Option<Candidate> {
    let found = ran(steps, |one| {
        one.class == Some(Class::Overwrite)
            || matches!(one.name, "set" | "getset" | "setex" | "psetex" | "mset")
    });
    // What overwrites by its nature is likelier than an everyday write.
    let (rare, plain): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|ran| crate::model::class_of(ran.name) == Some(Class::Overwrite));
    let causes = &[Cause::Overwrite];
    let chosen = if rare.is_empty() { plain } else { rare };
    Candidate::of_commands(Ending::Overwritten, &chosen, causes, node)
}
