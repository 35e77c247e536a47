//! Verdicts as rows and cards.

use super::Views;
use crate::app::Panel;
use crate::diagnosis::{Cause, Evidence, Level, Reading, Scope, Verdict};
use crate::format;
use crate::ui::card::{Card, EvidenceRow};
use crate::ui::causes::{CauseRow, Causes};
use crate::ui::frame::Frame;
use crate::ui::ledger_line::LedgerLine;

impl<'a> Views<'a> {
    /// Panel 1.
    pub(crate) fn causes(&self) -> Causes<'a> {
        Causes {
            frame: self.frame(Panel::Causes, ""),
            rows: self
                .diagnosis
                .verdicts
                .iter()
                .map(|v| self.cause_row(v))
                .collect(),
            selected: self.selected(Panel::Causes),
            ledger: LedgerLine {
                ledger: &self.diagnosis.ledger,
                has_interval: self.window.has_interval(),
                answered: self.sample().is_some(),
                theme: self.theme,
            },
            notices: self
                .diagnosis
                .notices
                .iter()
                .map(|text| self.veil.text(text))
                .collect(),
            waiting: if self.sample().is_some() {
                "no verdicts"
            } else {
                "no answer yet: nothing can be said of the keys"
            },
            theme: self.theme,
        }
    }

    fn cause_row(&self, verdict: &Verdict) -> CauseRow {
        let past = verdict.scope == Scope::SinceStart && verdict.is_loss();
        CauseRow {
            title: verdict.cause.title(),
            level: verdict.level,
            past,
            keys: keys_lost(verdict),
            how: how(verdict).unwrap_or_default(),
            when: if past {
                "since start".to_owned()
            } else {
                self.when(verdict)
            },
            summary: self.veil.text(&bounded(verdict)),
        }
    }

    /// `14:03:07`, `13:58:02–14:03:07`, `13:58:02–now`.
    fn when(&self, verdict: &Verdict) -> String {
        let now = self.shown();
        let Some(first) = verdict.first_seen.filter(|_| verdict.level != Level::Clear) else {
            return String::new();
        };
        let last = verdict.last_seen.unwrap_or(first);
        let begin = format::clock_near(first, now.at);
        let age_s = now.at.duration_since(last).as_secs();
        let going_on = self.is_live()
            && u64::try_from(age_s).unwrap_or(0) <= 2 * self.app.interval().as_secs().max(1);
        if first == last {
            begin
        } else if going_on {
            format!("{begin}–now")
        } else {
            format!("{begin}–{}", format::clock_near(last, now.at))
        }
    }

    /// The full card of a cause.
    pub(crate) fn card(&self, cause: Cause) -> Card<'a> {
        let verdict = self.diagnosis.of(cause);
        let mut facts = Vec::new();
        if let Some(verdict) = verdict {
            let most = verdict.at_most.filter(|_| verdict.at_least);
            let most = most.map_or_else(String::new, format::count);
            facts.push(("keys", keys_lost(verdict)));
            facts.push(("at most", most));
            facts.push(("when", self.when(verdict)));
            let how = verdict.mechanism.filter(|_| verdict.level != Level::Clear);
            facts.push((
                "how",
                how.map_or_else(String::new, |how| how.words().to_owned()),
            ));
            facts.retain(|(_, value)| !value.is_empty());
        }
        let suspects = verdict.map_or(&[][..], |verdict| &verdict.suspects);
        let texts = |texts: &[String]| texts.iter().map(|text| self.veil.text(text)).collect();
        Card {
            frame: Frame {
                key: None,
                title: cause.title(),
                remark: "",
                focused: true,
                theme: self.theme,
            },
            explanation: cause.explanation(),
            level: verdict.map(|verdict| verdict.level),
            past: verdict
                .is_some_and(|verdict| verdict.scope == Scope::SinceStart && verdict.is_loss()),
            summary: verdict.map_or_else(String::new, |v| self.veil.text(&v.summary)),
            facts,
            suspects: suspects.iter().map(|who| self.suspect(who)).collect(),
            evidence: verdict.map_or_else(Vec::new, |verdict| {
                verdict
                    .evidence
                    .iter()
                    .map(|e| self.evidence_row(e))
                    .collect()
            }),
            steps: verdict.map_or_else(Vec::new, |verdict| texts(&verdict.next_steps)),
            missing: verdict.map_or(&[], |verdict| &verdict.missing),
            docs: verdict.map_or(&[], |verdict| &verdict.docs),
            scroll: self.app.screen().scroll,
            theme: self.theme,
        }
    }

    fn evidence_row(&self, evidence: &Evidence) -> EvidenceRow {
        let reading = |reading: &Reading| match reading {
            Reading::None => format::UNKNOWN.to_owned(),
            Reading::Number(n) => format::count(*n),
            Reading::Text(text) => self.veil.text(text),
        };
        EvidenceRow {
            node: self.veil.address(evidence.node.as_str()),
            field: self.veil.text(&evidence.field),
            before: reading(&evidence.before),
            after: reading(&evidence.after),
            note: self.veil.text(&evidence.note),
            when: evidence
                .at
                .map_or_else(String::new, |at| format::clock_near(at, self.shown().at)),
        }
    }
}

/// How it happened, where the summary does not say so already.
fn how(verdict: &Verdict) -> Option<&'static str> {
    let words = verdict
        .mechanism
        .filter(|_| verdict.level <= Level::AtRisk)?
        .words();
    let told = verdict
        .summary
        .to_lowercase()
        .contains(&words.to_lowercase());
    (!told).then_some(words)
}

/// The summary, with the upper bound where it does not say it.
fn bounded(verdict: &Verdict) -> String {
    let most = verdict
        .at_most
        .filter(|_| verdict.at_least && verdict.is_loss());
    match most.map(format::count) {
        Some(most) if !verdict.summary.contains(&most) => {
            format!("{}; at most {most} keys", verdict.summary)
        }
        _ => verdict.summary.clone(),
    }
}

/// `−50,213 keys`, `≥ 1,204 keys`; without a sign where the total is older than the watch.
fn keys_lost(verdict: &Verdict) -> String {
    let Some(n) = verdict.keys_lost.filter(|n| *n > 0) else {
        return String::new();
    };
    let sign = match (verdict.at_least, verdict.scope) {
        (true, _) => "≥ ",
        (false, Scope::Window) => "−",
        (false, Scope::SinceStart) => "",
    };
    format!("{sign}{}", format::keys(n))
}
