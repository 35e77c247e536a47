//! What a trial did to the server, and whether a diagnosis says so.

use std::fmt::Write as _;
use std::ops::RangeInclusive;

use amr_top::diagnosis::{Cause, Diagnosis, Mechanism, Verdict, Way};

/// What was done, as counted from the outside.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Expected {
    pub(crate) cause: Cause,
    /// The id of the mechanism.
    pub(crate) mechanism: String,
    /// Keys that went; `None` where none are counted. A range, because a load runs beside.
    pub(crate) keys: Option<RangeInclusive<u64>>,
    /// The ids of the mechanisms of the incident, largest first; empty where only one counts.
    pub(crate) shares: Vec<String>,
}

impl Expected {
    /// So many keys, or nothing that is counted.
    #[allow(
        clippy::allow_attributes,
        dead_code,
        reason = "shared with the replay, which reads what it expects from a file"
    )]
    pub(crate) fn new(mechanism: Mechanism, keys: impl Into<Option<RangeInclusive<u64>>>) -> Self {
        Self {
            cause: mechanism.cause(),
            mechanism: mechanism.id().to_owned(),
            keys: keys.into(),
            shares: Vec::new(),
        }
    }

    /// One after the other, in this order by size.
    #[allow(
        clippy::allow_attributes,
        dead_code,
        reason = "shared with the replay, which reads what it expects from a file"
    )]
    pub(crate) fn shares(mut self, shares: &[Mechanism]) -> Self {
        self.shares = shares.iter().map(|m| m.id().to_owned()).collect();
        self
    }

    /// `flush/flushall 2000..2010`.
    #[allow(
        clippy::allow_attributes,
        dead_code,
        reason = "shared with the replay, which prints no table"
    )]
    pub(crate) fn words(&self) -> String {
        let mut text = format!("{}/{}", self.cause.id(), self.mechanism);
        if let Some(keys) = &self.keys {
            if keys.start() == keys.end() {
                let _ = write!(text, " {}", keys.start());
            } else {
                let _ = write!(text, " {}..{}", keys.start(), keys.end());
            }
        }
        if !self.shares.is_empty() {
            let _ = write!(text, " [{}]", self.shares.join(" > "));
        }
        text
    }

    /// Whether the diagnosis says what was done; the first thing that it does not say otherwise.
    pub(crate) fn check(&self, diagnosis: &Diagnosis) -> Result<(), String> {
        if diagnosis.top_cause != Some(self.cause) {
            return Err(format!(
                "the top cause is {:?}, not {:?}",
                diagnosis.top_cause, self.cause
            ));
        }
        let verdict = diagnosis.of(self.cause).ok_or("no verdict on the cause")?;
        let mechanism = verdict.mechanism.map(Mechanism::id);
        if mechanism != Some(self.mechanism.as_str()) {
            return Err(format!(
                "the mechanism is {mechanism:?}, not '{}'",
                self.mechanism
            ));
        }
        if verdict.evidence.is_empty() || verdict.next_steps.is_empty() {
            return Err(format!("no evidence or no next step: {verdict:#?}"));
        }
        self.check_keys(verdict)?;
        self.check_incident(diagnosis)
    }

    /// Within 5 % of the truth, or a lower bound that is true.
    fn check_keys(&self, verdict: &Verdict) -> Result<(), String> {
        let Some(truth) = &self.keys else {
            return Ok(());
        };
        let got = verdict.keys_lost.ok_or("no keys are counted")?;
        let near = got * 100 >= truth.start() * 95 && got * 100 <= truth.end() * 105;
        let bound = verdict.at_least && got <= *truth.end();
        let most_is_true = verdict.at_most.is_none_or(|most| most >= *truth.start());
        if !near && !bound {
            return Err(format!("{got} keys are not {truth:?}"));
        }
        if !most_is_true {
            return Err(format!("{:?} at most is too few", verdict.at_most));
        }
        Ok(())
    }

    fn check_incident(&self, diagnosis: &Diagnosis) -> Result<(), String> {
        let holds = |incident: &&amr_top::diagnosis::Incident| {
            let mut shares = incident.shares.iter();
            shares.any(|share| share.mechanism.id() == self.mechanism)
        };
        let holding: Vec<_> = diagnosis.incidents.iter().filter(holds).collect();
        let [incident] = holding.as_slice() else {
            return Err(format!(
                "{} incidents hold '{}', not one",
                holding.len(),
                self.mechanism
            ));
        };
        let shares: Vec<&str> = incident.shares.iter().map(|s| s.mechanism.id()).collect();
        if !self.shares.is_empty() && shares != self.shares {
            return Err(format!("the shares are {shares:?}, not {:?}", self.shares));
        }
        Ok(())
    }
}

/// What must hold of any diagnosis: the parts add up, and no claim is without evidence.
pub(crate) fn check_sound(diagnosis: &Diagnosis) -> Result<(), String> {
    let ledger = &diagnosis.ledger;
    if let (Some(before), Some(after)) = (ledger.keys_before, ledger.keys_after) {
        let removed: u64 = Way::ALL[1..].iter().map(|way| ledger.keys(*way)).sum();
        if before + ledger.keys(Way::Created) != after + removed {
            return Err(format!("the parts do not add up: {ledger:#?}"));
        }
    }
    let bare = |verdict: &&Verdict| verdict.is_loss() && verdict.evidence.is_empty();
    match diagnosis.verdicts.iter().find(bare) {
        Some(verdict) => Err(format!("a claim without evidence: {verdict:#?}")),
        None => Ok(()),
    }
}
