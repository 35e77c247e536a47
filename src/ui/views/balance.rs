//! Panels 2 and 3: the ledger and the incidents.

use super::Views;
use crate::app::Panel;
use crate::diagnosis::{Certainty, Incident, Level, Part, State, Suspect, Way};
use crate::format;
use crate::ui::incidents::{IncidentRow, Incidents};
use crate::ui::ledger::{Balance, Count, LedgerPanel, WayRow};

impl<'a> Views<'a> {
    /// Panel 2.
    pub(crate) fn ledger(&self) -> LedgerPanel<'a> {
        let row = |part: Part| WayRow {
            part,
            alarm: self.alarm(part.way),
        };
        LedgerPanel {
            frame: self.frame(Panel::Ledger, ""),
            balance: self.balance(),
            rows: self.diagnosis.ledger.parts.map(row).to_vec(),
            theme: self.theme,
        }
    }

    fn balance(&self) -> Result<Balance, &'static str> {
        let ledger = &self.diagnosis.ledger;
        let mut samples = self.window.samples();
        let (Some(first), Some(last)) = (samples.next(), self.sample()) else {
            return Err("no answer yet");
        };
        if !self.window.has_interval() {
            return Err("two polls make a balance; one has come");
        }
        let (Some(before), Some(after)) = (ledger.keys_before, ledger.keys_after) else {
            return Err("key counts are not exposed by this server");
        };
        let count = |keys: u64, at: jiff::Timestamp| Count {
            keys,
            time: format::clock_near(at, self.shown().at),
        };
        Ok(Balance {
            before: count(before, first.moment.at),
            now: count(after, last.moment.at),
        })
    }

    /// The worst verdict on a cause that takes keys this way, where it says that they were lost
    /// while we watched.
    fn alarm(&self, way: Way) -> Option<Level> {
        let verdicts = self.diagnosis.verdicts.iter();
        verdicts
            .filter(|verdict| {
                verdict.mechanism.map(Way::of) == Some(way) && verdict.is_loss_in_window()
            })
            .filter(|verdict| verdict.keys_lost.is_some_and(|keys| keys > 0))
            .map(|verdict| verdict.level)
            .min()
    }

    /// Panel 3.
    pub(crate) fn incidents(&self) -> Incidents<'a> {
        let rows: Vec<IncidentRow> = self
            .diagnosis
            .incidents
            .iter()
            .rev()
            .map(|incident| self.incident_row(incident))
            .collect();
        let remark = if rows.len() > 1 { "newest first" } else { "" };
        Incidents {
            frame: self.frame(Panel::Incidents, remark),
            rows,
            selected: self.selected(Panel::Incidents),
            quiet: match self.window.start() {
                None => "no answer yet".to_owned(),
                Some(_) if !self.window.has_interval() => "two polls are needed".to_owned(),
                Some(start) => format!(
                    "none since {}",
                    format::clock_near(start.at, self.shown().at)
                ),
            },
            theme: self.theme,
        }
    }

    fn incident_row(&self, incident: &Incident) -> IncidentRow {
        let clock = |at| format::clock_near(at, self.shown().at);
        IncidentRow {
            state: incident.state,
            from: clock(incident.from.at),
            to: match incident.state {
                State::GoingOn if self.is_live() => "now".to_owned(),
                State::GoingOn | State::Over => clock(incident.to.at),
            },
            keys: match (incident.keys, incident.at_least) {
                (0, _) => format::UNKNOWN.to_owned(),
                (keys, true) => format!("≥ {}", format::keys(keys)),
                (keys, false) => format!("−{}", format::keys(keys)),
            },
            causes: incident.how() + &self.veil.text(&incident.whereabouts()),
            suspects: incident
                .suspects
                .iter()
                .map(|suspect| self.likely(suspect))
                .collect(),
        }
    }

    fn likely(&self, suspect: &Suspect) -> String {
        let certainty = match suspect.certainty {
            Certainty::Likely => "likely",
            Certainty::Possible => "possibly",
        };
        format!("{certainty} {}", self.suspect(suspect))
    }

    /// A suspect as a sentence. Under the veil the command's name stays; its arguments go with
    /// addresses and names.
    pub(crate) fn suspect(&self, suspect: &Suspect) -> String {
        if !self.veil.is_drawn() {
            return suspect.sentence();
        }
        let command = suspect.command.split_whitespace().next();
        let hidden = Suspect {
            command: command.unwrap_or_default().to_owned(),
            address: suspect
                .address
                .as_ref()
                .map(|address| self.veil.address(address)),
            name: None,
            user: None,
            ..suspect.clone()
        };
        hidden.sentence()
    }
}
