//! What to say first: the cause, how sure, how many keys; else that no loss was seen, and what was
//! there before or may come.

use super::words::{keys_lost, scope_words};
use super::{Report, Row};
use crate::diagnosis::{Level, Scope, Verdict};
use crate::model::Role;

impl Report<'_> {
    /// One line.
    pub(super) fn headline(&self) -> String {
        // Totals since start are news only where nothing was watched.
        let is_news = |verdict: &Verdict| match self.top_cause {
            Some(top) => top == verdict.cause,
            None => verdict.is_loss_in_window(),
        };
        match self.verdicts.iter().find(|row| is_news(&row.verdict)) {
            Some(top) => found(top),
            None if !self.answered => {
                "No reply was read: nothing can be said about the keys".into()
            }
            None => self.nothing_found(),
        }
    }

    /// That nothing was lost while we watched hides neither what was lost before nor what may be.
    fn nothing_found(&self) -> String {
        let before = self.titles("; suspected from before: ", |verdict| {
            verdict.is_loss() && verdict.scope == Scope::SinceStart
        });
        let risks = self.titles("; at risk: ", |verdict| verdict.level == Level::AtRisk);
        // A replica is no witness of what its primary removed.
        let mut heard = self.nodes.iter().filter(|node| node.keys.is_some());
        let words = if heard.all(|node| node.role == Role::Replica) {
            "No loss found on this replica; removals are counted by its primary"
        } else if before.is_empty() {
            "No loss found"
        } else {
            "No loss while watching"
        };
        format!("{words}{before}{risks}")
    }

    /// The titles of some verdicts behind a few words; nothing where there are none.
    fn titles(&self, words: &str, is_meant: impl Fn(&Verdict) -> bool) -> String {
        let rows = self.verdicts.iter().filter(|row| is_meant(&row.verdict));
        let titles: Vec<&str> = rows.map(|row| row.title).collect();
        if titles.is_empty() {
            String::new()
        } else {
            format!("{words}{}", titles.join(", "))
        }
    }
}

fn found(Row { title, verdict }: &Row) -> String {
    let level = verdict.level.word().to_lowercase();
    let parts = [keys_lost(verdict), level];
    let said = parts.iter().filter(|part| !part.is_empty());
    let said: Vec<&str> = said.map(String::as_str).collect();
    let scope = match scope_words(verdict.scope) {
        "" => String::new(),
        scope => format!(" {scope}"),
    };
    format!("{title}: {}{scope}", said.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::Cause;
    use crate::report::fixture;

    /// The headline where no cause took keys while we watched.
    fn headline(verdicts: Vec<Verdict>) -> String {
        let (history, mut diagnosis) = fixture::flush();
        diagnosis.verdicts = verdicts;
        diagnosis.top_cause = None;
        Report::of_one(&history.window(), &diagnosis, &[]).headline()
    }

    fn verdict(cause: Cause, level: Level, scope: Scope) -> Verdict {
        Verdict {
            scope,
            ..Verdict::new(cause, level, "")
        }
    }

    #[test]
    fn what_was_lost_before_is_not_called_no_loss() {
        let before = verdict(Cause::Flush, Level::Suspected, Scope::SinceStart);
        let risk = verdict(Cause::InstanceFailure, Level::AtRisk, Scope::Window);
        assert_eq!(
            headline(vec![before, risk]),
            "No loss while watching; suspected from before: Key flushing; at risk: Redis instance failure"
        );
    }

    #[test]
    fn nothing_at_all_is_short() {
        let clear = verdict(Cause::Flush, Level::Clear, Scope::Window);
        assert_eq!(headline(vec![clear]), "No loss found");
    }
}
