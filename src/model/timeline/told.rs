//! What the sources say of themselves: a line in the timeline where it is news.

use super::History;
use crate::model::change::{Change, ChangeKind};
use crate::model::events::Listening;
use crate::model::observation::Moment;
use crate::model::watched::Watching;

impl History {
    /// Whether the server tells of emptied databases.
    pub(super) fn tripwire(&mut self, moment: Moment, stands: Result<(), String>) {
        let moment = self.after_the_last(moment);
        let kind = match &stands {
            Err(why) if self.tripwire.as_ref() != Some(&stands) => {
                Some(ChangeKind::NoTripwire(why.clone()))
            }
            _ => None,
        };
        self.tripwire = Some(stands);
        if let Some(kind) = kind {
            self.note(Change { moment, kind });
        }
    }

    /// What the watch on keys says of itself, where that is news.
    pub(super) fn watching(&mut self, moment: Moment, told: Watching) {
        let moment = self.after_the_last(moment);
        let told = ChangeKind::Watching(told);
        let mut said = self.changes.iter().rev();
        let last = said.find(|change| matches!(change.kind, ChangeKind::Watching(_)));
        let is_known = last.is_some_and(|change| change.kind == told);
        if !is_known && told != ChangeKind::Watching(Watching::Stands(Ok(()))) {
            self.note(Change { moment, kind: told });
        }
    }

    /// What the ear for events says of itself, where that is news. A server that publishes nothing is
    /// the rule, so only one that did before is worth a line.
    pub(super) fn listening(&mut self, moment: Moment, told: Listening) {
        let since = self.known_since(moment);
        let mut said = self.changes.iter().rev();
        let last = said.find_map(|change| match &change.kind {
            ChangeKind::Listening(told) => Some(told),
            _ => None,
        });
        let is_news = match &told {
            Listening::Setting(published) => {
                self.witnesses.events_are_known();
                !published.tells_removals()
                    && matches!(last, Some(Listening::On(_) | Listening::Lost))
            }
            Listening::Unknown(why) => {
                self.witnesses.no_events(since, why.clone());
                false
            }
            told => last != Some(told),
        };
        if is_news {
            let moment = self.after_the_last(moment);
            let kind = ChangeKind::Listening(told);
            self.note(Change { moment, kind });
        }
    }
}
