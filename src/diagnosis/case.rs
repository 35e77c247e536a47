//! What every rule needs at hand: the window, its ends, the ledger, and shorthand for evidence.

use jiff::Timestamp;

use super::account::Account;
use super::cause::Cause;
use super::felt::counted;
use super::ledger::{Given, Ledger, Loss};
use super::words;
use super::{Evidence, Level, Reading, Scope, Verdict};
use crate::model::{
    Class, CommandStat, Counter, Delta, Deployment, NodeId, Packed, Product, Role, Sample, Step,
    Window,
};

/// The first and the last sample of a window.
pub(super) struct Ends {
    first: Option<Sample>,
    last: Option<Sample>,
}

impl Ends {
    pub(super) fn of(window: &Window<'_>) -> Self {
        Self {
            first: window.first_sample(),
            last: window.last_sample(),
        }
    }
}

/// One window under judgement.
pub(super) struct Case<'a> {
    pub(super) window: Window<'a>,
    pub(super) ledger: &'a Ledger,
    /// What is known of slots that the node gave to others.
    pub(super) given: &'a Given,
    /// Those that it belongs to; `None` where it is looked at alone.
    deployment: Option<&'a Deployment>,
    pub(super) first: Option<&'a Sample>,
    pub(super) last: Option<&'a Sample>,
    /// Effective calls over the window of every command that can make keys vanish.
    calls: Vec<(Class, &'a str, u64)>,
    /// The losses that count, by cause, in the order of [`Cause::ALL`].
    accounts: Vec<Option<Account<'a>>>,
}

impl<'a> Case<'a> {
    pub(super) fn new(
        window: Window<'a>,
        ledger: &'a Ledger,
        (given, deployment): (&'a Given, Option<&'a Deployment>),
        ends: &'a Ends,
    ) -> Self {
        Self {
            first: ends.first.as_ref(),
            last: ends.last.as_ref(),
            calls: window.calls(),
            accounts: Cause::ALL
                .map(|cause| Account::of(counted(&window, &ledger.losses, cause)))
                .into(),
            window,
            ledger,
            given,
            deployment,
        }
    }

    /// Whether an address is where a server of the same deployment listens: no client comes from there,
    /// only the link to a primary.
    pub(super) fn is_server(&self, address: &str) -> bool {
        self.deployment
            .is_some_and(|all| all.place(&all.known_as(address)).is_some())
    }

    pub(super) fn node(&self) -> &'a NodeId {
        self.window.node()
    }

    pub(super) fn product(&self) -> Product {
        self.last.map_or(Product::Unknown, Sample::product)
    }

    pub(super) fn is_replica(&self) -> bool {
        self.last
            .is_some_and(|sample| sample.replication.role == Role::Replica)
    }

    /// Nothing was ever answered: whatever needs a sample is unknown.
    pub(super) fn unheard(cause: Cause) -> Verdict {
        let mut verdict = Verdict::new(cause, Level::Unknown, "no reply from the server yet");
        verdict.missing = vec!["INFO"];
        verdict
    }

    /// Without command statistics, nothing can be said of commands.
    pub(super) fn no_commandstats(cause: Cause) -> Verdict {
        let summary = "command statistics are not exposed by this server";
        let mut verdict = Verdict::new(cause, Level::Unknown, summary);
        verdict.missing = vec!["commandstats"];
        verdict
    }

    /// A replica's counters tell of its primary's keys.
    pub(super) fn ask_primary(&self, cause: Cause) -> Verdict {
        let primary = self
            .last
            .and_then(|sample| sample.replication.primary.as_deref())
            .unwrap_or("its primary");
        let summary =
            format!("this node is a replica: removals are counted by its primary, {primary}");
        let mut verdict = Verdict::new(cause, Level::Unknown, summary);
        verdict.missing = vec!["the primary's counters"];
        verdict
    }

    /// The losses of one cause that count, added up.
    pub(super) fn account(&self, cause: Cause) -> Option<&Account<'a>> {
        self.accounts.get(cause as usize)?.as_ref()
    }

    /// All losses that count, by cause.
    pub(super) fn losses(&self) -> impl Iterator<Item = &'a Loss> {
        let accounts = self.accounts.iter().flatten();
        accounts.flat_map(|account| account.losses.iter().copied())
    }

    /// What one cause took altogether, whether it counts as a loss or not.
    pub(super) fn turnover(&self, cause: Cause) -> u64 {
        let losses = self.ledger.losses_by(cause);
        losses.fold(0, |sum, loss| sum.saturating_add(loss.keys))
    }

    /// The statistics were reset by command since the start.
    pub(super) fn was_reset(&self) -> bool {
        self.last
            .is_some_and(|sample| effective(sample, "config|resetstat") > 0)
    }

    /// The first sample, where there is one to compare with.
    pub(super) fn watched_from(&self) -> Option<&'a Sample> {
        self.first.filter(|_| self.window.has_interval())
    }

    /// What is said of removals that are in the ledger and do not count as a loss.
    pub(super) fn unfelt(&self, cause: Cause) -> String {
        let keys = self.turnover(cause);
        let most = self.window.samples().filter_map(Packed::keys).max();
        match most.filter(|most| *most > 0 && keys > 0) {
            None => "; the key count did not feel it".into(),
            Some(most) => {
                let share = words::percent((keys as f64 / most as f64).min(1.0));
                format!(
                    "; at least {} went by it, {share} of all, in small numbers or made good",
                    words::keys(keys)
                )
            }
        }
    }

    /// For "none has run": since when that is known.
    pub(super) fn since_reset(&self) -> &'static str {
        if self.was_reset() {
            " since the statistics were reset"
        } else {
            ""
        }
    }

    /// The step that ended at a moment.
    pub(super) fn step_to(&self, to: crate::model::Moment) -> Option<&'a Step> {
        self.window.step_to(to)
    }

    /// Effective calls of a class over the window, by command.
    pub(super) fn calls_of(&self, class: Class) -> Vec<(&'a str, u64)> {
        let of_class = self.calls.iter().filter(|(of, ..)| *of == class);
        of_class.map(|(_, name, calls)| (*name, *calls)).collect()
    }

    /// Effective calls of a class since start, by command.
    pub(super) fn totals_of(&self, class: Class) -> Vec<(&'a str, u64)> {
        let commands = self.last.and_then(|sample| sample.commands.as_ref());
        commands
            .map(|commands| {
                commands
                    .of(class)
                    .map(|stat| (stat.name, stat.effective()))
                    .filter(|(_, calls)| *calls > 0)
                    .collect()
            })
            .unwrap_or_default()
    }

    /// "since its start 41 d ago", as far as that is known.
    pub(super) fn since_start(&self) -> String {
        if self.was_reset() {
            return "since the statistics were reset (CONFIG RESETSTAT)".into();
        }
        match self.last.and_then(|sample| sample.server.uptime_s) {
            Some(uptime) => format!(
                "since the start {} ago or the last reset",
                words::duration(uptime)
            ),
            None => "since the server's start or the last reset".into(),
        }
    }

    /// The same for a sentence: with an interval to compare, totals are known to be old.
    pub(super) fn totals_since(&self) -> String {
        let watched = if self.window.has_interval() {
            "; none while watching"
        } else {
            ""
        };
        format!("{}{watched}", self.since_start())
    }

    /// A verdict over totals since start: never more than suspected.
    pub(super) fn since_start_verdict(cause: Cause, summary: String) -> Verdict {
        let mut verdict = Verdict::new(cause, Level::Suspected, summary);
        verdict.scope = Scope::SinceStart;
        verdict
    }

    pub(super) fn evidence(
        &self,
        field: impl Into<String>,
        before: impl Into<Reading>,
        after: impl Into<Reading>,
        note: impl Into<String>,
        at: Option<Timestamp>,
    ) -> Evidence {
        Evidence {
            node: self.node().clone(),
            field: field.into(),
            before: before.into(),
            after: after.into(),
            note: note.into(),
            at,
        }
    }

    /// A total of the last sample, with nothing before it.
    pub(super) fn total_evidence(
        &self,
        field: impl Into<String>,
        total: u64,
        note: impl Into<String>,
    ) -> Evidence {
        self.evidence(
            field,
            Reading::None,
            total,
            note,
            self.last.map(|sample| sample.moment.at),
        )
    }

    /// A counter at both ends of the window, or around its biggest step if it was reset in between.
    pub(super) fn counter_evidence(
        &self,
        counter: Counter,
        note: impl Into<String>,
    ) -> Option<Evidence> {
        let moved = || {
            self.window
                .steps()
                .filter_map(|step| Some((step, step.moved(counter)?)))
        };
        let steady = moved().all(|(_, moved)| matches!(moved.delta, Delta::Grew(_)));
        let ends = self
            .first?
            .counter(counter)
            .zip(self.last?.counter(counter));
        let (before, after, at) = if let Some((before, after)) = ends.filter(|_| steady) {
            (before, after, moved().next_back().map(|(step, _)| step.to))
        } else {
            let (step, moved) = moved().max_by_key(|(_, moved)| moved.delta.at_least())?;
            (moved.before, moved.after, Some(step.to))
        };
        Some(self.evidence(
            counter.field(),
            before,
            after,
            note,
            at.map(|moment| moment.at),
        ))
    }

    /// The commands of one class in one step.
    pub(super) fn command_evidence(&self, step: &Step, class: Class, note: &str) -> Vec<Evidence> {
        let mut commands: Vec<_> = step
            .of(class)
            .filter(|command| command.effective > 0)
            .collect();
        commands.sort_by_key(|command| std::cmp::Reverse(command.effective));
        commands
            .into_iter()
            .take(4)
            .map(|command| {
                let field = format!("cmdstat_{}.calls", command.name);
                self.evidence(
                    field,
                    command.calls_before,
                    command.calls_after,
                    note,
                    Some(step.to.at),
                )
            })
            .collect()
    }

    /// The key count around one step.
    pub(super) fn keys_evidence(&self, step: &Step, note: &str) -> Evidence {
        self.evidence(
            "keys",
            step.keys_before,
            step.keys_after,
            note,
            Some(step.to.at),
        )
    }
}

/// Effective calls of one command in a table of the last sample.
pub(super) fn effective(sample: &Sample, name: &str) -> u64 {
    sample
        .commands
        .as_ref()
        .and_then(|commands| commands.get(name))
        .map_or(0, CommandStat::effective)
}

/// The first characters of an id, enough to tell two apart.
pub(super) fn short(id: Option<&str>) -> Reading {
    id.map_or(Reading::None, |id| {
        Reading::Text(id.chars().take(8).collect())
    })
}
