//! The line under the causes: where the keys went.

use ratatui::text::{Line, Span};

use super::text::{span, width};
use super::theme::{Role, Theme};
use crate::diagnosis::{Known, Ledger, Way};
use crate::format;

/// The balance in one line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LedgerLine<'a> {
    /// The balance.
    pub ledger: &'a Ledger,
    /// Two polls can be compared; otherwise there is nothing to balance.
    pub has_interval: bool,
    /// A server has answered.
    pub answered: bool,
    /// Colours.
    pub theme: Theme,
}

impl LedgerLine<'_> {
    /// The line, in short words where `room` is short.
    pub(crate) fn line(&self, room: usize) -> Line<'static> {
        let dim = |text: &str| Line::from(span(self.theme, Role::Dim, text));
        let (Some(before), Some(after)) = (self.ledger.keys_before, self.ledger.keys_after) else {
            return match (self.answered, self.has_interval) {
                (false, _) => dim("keys: no answer yet"),
                (true, false) => dim("keys: two polls make a balance; one has come"),
                (true, true) => dim("keys: not exposed by this server"),
            };
        };
        let wide = |spans: &[Span<'static>]| -> usize {
            spans.iter().map(|span| width(&span.content)).sum()
        };
        // What came is said last and goes first; what went is the matter.
        let shorter = [(true, true), (false, true), (false, false)];
        let parts = shorter.map(|(long, created)| self.parts((before, after), long, created));
        let [.., last] = &parts;
        Line::from(
            parts
                .iter()
                .find(|spans| wide(spans) <= room)
                .unwrap_or(last)
                .clone(),
        )
    }

    fn parts(&self, (before, after): (u64, u64), long: bool, created: bool) -> Vec<Span<'static>> {
        let theme = self.theme;
        let ledger = self.ledger;
        let number = |n: u64| {
            if long {
                format::count(n)
            } else {
                format::compact(n)
            }
        };
        let gap = if long { "   " } else { "  " };
        let mut spans = vec![
            span(theme, Role::Label, if long { "keys  " } else { "keys " }),
            span(theme, Role::Strong, number(before)),
            span(theme, Role::Label, " → "),
            span(theme, Role::Strong, number(after)),
        ];
        // What is unknown is left out: the panel beside it says so.
        let mut balance = |sign: &str, way: Way, word: &str, role: Role| {
            let part = ledger.part(way);
            if part.keys == 0 || part.known == Known::Unknown {
                return;
            }
            let sign = match part.known {
                Known::AtLeast => "≥ ",
                _ => sign,
            };
            spans.push(span(theme, Role::Text, gap));
            spans.push(span(theme, role, format!("{sign}{}", number(part.keys))));
            spans.push(span(theme, Role::Label, format!(" {word}")));
        };
        for way in Way::ALL {
            match way {
                Way::Created => {}
                Way::Unexplained => balance("−", way, "UNEXPLAINED", Role::Trouble),
                _ => balance("−", way, way.id(), Role::Text),
            }
        }
        if created {
            balance("+", Way::Created, "created", Role::Text);
        }
        let unexplained = ledger.part(Way::Unexplained);
        if (unexplained.known, unexplained.keys) == (Known::Exact, 0) && long {
            spans.push(span(theme, Role::Dim, format!("{gap}0 unexplained")));
        }
        spans
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(ledger: &Ledger, room: usize) -> String {
        let line = LedgerLine {
            ledger,
            has_interval: true,
            answered: true,
            theme: Theme::default(),
        };
        line.line(room).to_string()
    }

    #[test]
    fn only_what_moved_is_said() {
        let ways = [(Way::Flushed, 50_213), (Way::Deleted, 1_204)];
        let ledger = Ledger::with(Some(51_417), Some(0), &ways);
        assert_eq!(
            text(&ledger, 100),
            "keys  51,417 → 0   −50,213 flushed   −1,204 deleted   0 unexplained"
        );
        assert_eq!(
            text(&ledger, 40),
            "keys 51.4 k → 0  −50.2 k flushed  −1,204 deleted"
        );
    }

    #[test]
    fn lower_bounds_say_so_and_unknown_is_not_zero() {
        let ways = [(Way::Evicted, 9), (Way::Deleted, 476)];
        let mut ledger = Ledger::with(Some(1_000), Some(515), &ways);
        ledger.parts[Way::Deleted as usize].known = Known::AtLeast;
        ledger.parts[Way::Evicted as usize].known = Known::Unknown;
        ledger.parts[Way::Unexplained as usize].known = Known::Unknown;
        assert_eq!(text(&ledger, 100), "keys  1,000 → 515   ≥ 476 deleted");
    }

    #[test]
    fn hidden_keys_are_not_zero_keys() {
        assert_eq!(
            text(&Ledger::default(), 80),
            "keys: not exposed by this server"
        );
    }
}
