//! Why keys went away: a pure function from a [`Window`] to a [`Diagnosis`].
//!
//! ```text
//!  Window ─► ledger ─► felt: which losses count ─► one rule a cause ─► Verdict ┐
//!                                     └──────────► incident ─► Incident        ├─► Diagnosis
//!         a watched key that went ─► fate ─► Fate
//!            what one reading tells of the past ─► first_contact ─► Verdict    ┘
//!
//!  several nodes, each with its Diagnosis ─► deployment: whose word counts, who took over ─► Diagnosis
//! ```
//!
//! A rule is one file per cause; its documentation explains the cause to an operator and the
//! same words serve the help, the cards and the reports ([`Cause::explanation`]). Rules only read
//! the window and the [`Ledger`], which has already accounted for every interval once. How a cause
//! took keys is its [`Mechanism`], which chooses the sentence and the next steps.
//!
//! *Every claim carries evidence. A field that is not exposed gives [`Level::Unknown`] with its
//! name in [`Verdict::missing`], never a zero.*

mod account;
mod case;
mod cause;
mod deletion;
mod deployment;
mod eviction;
mod expiration;
mod fate;
mod felt;
mod first_contact;
mod flush;
mod forecast;
mod heard;
mod incident;
mod instance_failure;
mod ledger;
mod mechanism;
mod notices;
mod overwrite;
mod rejected_writes;
mod relocation;
mod replication;
mod unexplained;
mod verdict;
mod witness;
mod words;

use std::cmp::Reverse;

use case::{Case, Ends};
pub use cause::Cause;
pub use deployment::{
    Handover, Migration, diagnose_deployment, diagnose_extent, diagnose_member, merge,
};
pub use fate::{Ending, Fate};
pub use forecast::Forecast;
pub use heard::{Name, Removals};
pub use incident::{Incident, Share, State};
use ledger::Given;
pub use ledger::{Known, Ledger, Loss, Part, Way};
pub use mechanism::Mechanism;
pub use verdict::{Certainty, Evidence, Level, Reading, Scope, Suspect, Verdict};

use crate::model::{Deployment, Product, Window};

/// Everything that can be said about a window.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnosis {
    /// One verdict a cause, what needs a human first.
    pub verdicts: Vec<Verdict>,
    /// The cause that took most keys; `None` when nothing was lost.
    pub top_cause: Option<Cause>,
    /// Where the keys went.
    pub ledger: Ledger,
    /// Losses that belong together, oldest first.
    pub incidents: Vec<Incident>,
    /// Slots that went from one node of a cluster to another, the oldest first; none where one node is
    /// judged alone.
    pub migrations: Vec<Migration>,
    /// What became of each watched key, those that went first.
    pub fates: Vec<Fate>,
    /// What a sample of keys foretells; `None` where none was asked for.
    pub forecast: Option<Forecast>,
    /// Removals that the server published while it was watched, by kind of event.
    pub events: Vec<Removals>,
    /// What happened besides, one line each: denied attempts, resets, gaps, missing sections.
    pub notices: Vec<String>,
}

impl Diagnosis {
    /// The verdict on one cause.
    pub fn of(&self, cause: Cause) -> Option<&Verdict> {
        self.verdicts.iter().find(|verdict| verdict.cause == cause)
    }
}

/// How one cause is judged and explained: one constant per file of this room.
struct Rule {
    cause: Cause,
    /// What happens inside Redis, which fields prove it, what looks alike and is not.
    explanation: &'static str,
    /// What to do next on Redis and Valkey.
    steps: &'static [&'static str],
    /// What to do next on Azure Managed Redis, where commands are blocked and the portal is not.
    azure_steps: &'static [&'static str],
    /// What to do next on Redis Enterprise and Redis Cloud; empty for the steps of Redis.
    enterprise_steps: &'static [&'static str],
    /// What to do while nothing is lost yet, where that differs; empty for the same steps.
    risk_steps: &'static [&'static str],
    /// What only one mechanism asks for; comes before the other steps.
    special: &'static [Special],
    /// Documentation besides Microsoft's guide.
    docs: &'static [&'static str],
    judge: fn(&Case<'_>) -> Verdict,
}

/// What to do about one mechanism.
struct Special {
    mechanism: Mechanism,
    /// On Redis and Valkey.
    steps: &'static [&'static str],
    /// On Azure Managed Redis and Redis Enterprise; empty for the steps of Redis.
    azure_steps: &'static [&'static str],
    /// Its own page, if it has one.
    doc: Option<&'static str>,
}

/// All rules, in the order of [`Cause::ALL`].
const RULES: [Rule; Cause::ALL.len()] = [
    expiration::RULE,
    eviction::RULE,
    deletion::RULE,
    replication::RULE,
    flush::RULE,
    instance_failure::RULE,
    rejected_writes::RULE,
    relocation::RULE,
    overwrite::RULE,
    unexplained::RULE,
];

/// Microsoft's guide, whose headings the causes follow.
const GUIDE: &str = "https://learn.microsoft.com/azure/redis/troubleshoot-data-loss";

impl Cause {
    /// The cause explained to an operator, one paragraph.
    pub fn explanation(self) -> &'static str {
        RULES
            .iter()
            .find(|rule| rule.cause == self)
            .map_or("", |rule| rule.explanation)
    }
}

/// Judges every cause over a window of a node that is looked at alone.
pub fn diagnose(window: &Window<'_>) -> Diagnosis {
    diagnose_among(window, &Given::Untold, None)
}

/// The same of a node of a deployment, of which others know what slots it gave away.
fn diagnose_among(
    window: &Window<'_>,
    given: &Given,
    deployment: Option<&Deployment>,
) -> Diagnosis {
    let ledger = Ledger::among(window, given);
    let ends = Ends::of(window);
    let case = Case::new(*window, &ledger, (given, deployment), &ends);
    let mut verdicts: Vec<Verdict> = RULES.iter().map(|rule| rule.apply(&case)).collect();
    rank(&mut verdicts, window.has_interval());
    for verdict in verdicts.iter_mut().filter(|verdict| verdict.is_loss()) {
        witness::name(&case, verdict);
        heard::support(&case, verdict);
    }
    let top_cause = top_cause(&verdicts, window.has_interval());
    let notices = notices::of(&case);
    let incidents = incident::of(&case);
    let fates = fate::of(&case);
    let forecast = forecast::of(&case);
    let events = heard::all(&case);
    Diagnosis {
        verdicts,
        top_cause,
        ledger,
        incidents,
        migrations: Vec::new(),
        fates,
        forecast,
        events,
        notices,
    }
}

/// What needs a human comes first. While watching, what emptied a database before we came stands
/// right behind what is lost now: whoever comes with a ticket looks for it. What every cache does all
/// day hides no risk of today: of the time before, it comes after what is at risk now.
fn rank(verdicts: &mut [Verdict], watched: bool) {
    verdicts.sort_by_key(|verdict| {
        let is_past = watched && verdict.is_loss() && verdict.scope == Scope::SinceStart;
        let is_old = is_past && first_contact::is_everyday(verdict.cause);
        let rank = if is_old { Level::AtRisk } else { verdict.level };
        (
            rank,
            is_old,
            verdict.level,
            verdict.scope,
            Reverse(weight(verdict)),
            verdict.cause,
        )
    });
}

impl Rule {
    fn apply(&self, case: &Case<'_>) -> Verdict {
        let mut verdict = (self.judge)(case);
        let special = self
            .special
            .iter()
            .find(|special| Some(special.mechanism) == verdict.mechanism);
        if matches!(
            verdict.level,
            Level::Confirmed | Level::Suspected | Level::AtRisk
        ) {
            let product = case.product();
            let own = special.map_or(&[][..], |special| special.fitted(product));
            let steps = own.iter().chain(self.fitted(product, verdict.level));
            verdict
                .next_steps
                .extend(steps.map(|step| fit(step, product)));
        }
        let own = special.and_then(|special| special.doc);
        verdict.docs = std::iter::once(GUIDE)
            .chain(own)
            .chain(self.docs.iter().copied().filter(|doc| Some(*doc) != own))
            .collect();
        verdict
    }

    fn fitted(&self, product: Product, level: Level) -> &'static [&'static str] {
        match product {
            Product::RedisEnterprise if !self.enterprise_steps.is_empty() => self.enterprise_steps,
            product if product.is_enterprise() => self.azure_steps,
            _ if level == Level::AtRisk && !self.risk_steps.is_empty() => self.risk_steps,
            _ => self.steps,
        }
    }
}

impl Special {
    fn fitted(&self, product: Product) -> &'static [&'static str] {
        if product.is_enterprise() && !self.azure_steps.is_empty() {
            self.azure_steps
        } else {
            self.steps
        }
    }
}

/// A step for the product at hand: `ElastiCache` has no CONFIG and no ACL command.
fn fit(step: &str, product: Product) -> String {
    let blocked = ["CONFIG SET", "CONFIG GET", "ACL SETUSER"];
    if product == Product::ElastiCache && blocked.iter().any(|command| step.contains(command)) {
        format!("{step} (blocked on ElastiCache: use the parameter group and user groups)")
    } else {
        step.to_owned()
    }
}

/// How much a verdict weighs among its equals: by keys, and where only totals are known, by what
/// its kind usually takes.
fn weight(verdict: &Verdict) -> u64 {
    match verdict.scope {
        Scope::SinceStart => first_contact::rank(verdict),
        Scope::Window => verdict.keys_lost.unwrap_or(0),
    }
}

/// The cause that took most keys in the window; where there is no interval to compare, the
/// likeliest by totals since start. Verdicts are sorted already.
fn top_cause(verdicts: &[Verdict], has_interval: bool) -> Option<Cause> {
    let in_window = verdicts
        .iter()
        .filter(|verdict| verdict.is_loss_in_window());
    let most =
        in_window.max_by_key(|v| (v.keys_lost.unwrap_or(0), Reverse(v.level), Reverse(v.cause)));
    match most {
        Some(verdict) => Some(verdict.cause),
        None if has_interval => None,
        None => verdicts
            .iter()
            .find(|verdict| verdict.is_loss())
            .map(|verdict| verdict.cause),
    }
}
