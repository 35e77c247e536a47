//! The line under the causes: where the keys went.

use ratatui::text::{Line, Span};

use super::text::{span, width};
use super::theme::{Role, Theme};
use crate::diagnosis::{Known, Ledger, Part, Way};
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
        let ends = self.ledger.keys_before.zip(self.ledger.keys_after);
        let (before, after) = match (self.answered, self.has_interval, ends) {
            (false, ..) => return dim("keys: no answer yet"),
            (true, false, _) => return dim("keys: two polls make a balance; one has come"),
            (true, true, None) => return dim("keys: not exposed by this server"),
            (true, true, Some(ends)) => ends,
        };
        let wide = |spans: &[Span<'static>]| -> usize {
            spans.iter().map(|span| width(&span.content)).sum()
        };
        // What came goes first; what went is the matter, the most of it last of all.
        let moved = |way: &Way| self.moved(*way).is_some();
        let most = Way::ALL.into_iter().filter(moved).count();
        let fewer = (1..=most).map(|left_out| (false, left_out));
        let forms = [(true, 0), (false, 0)].into_iter().chain(fewer);
        let parts = forms.map(|(long, left_out)| self.parts((before, after), long, left_out));
        let parts: Vec<_> = parts.collect();
        let form = parts.iter().find(|spans| wide(spans) <= room);
        form.or(parts.last()).cloned().unwrap_or_default().into()
    }

    /// What is known to have gone or come one way.
    fn moved(&self, way: Way) -> Option<&Part> {
        let part = self.ledger.part(way);
        (part.keys > 0 && part.known != Known::Unknown).then_some(part)
    }

    /// The ways to say, what went before what came; the smallest are left out.
    fn ways(&self, left_out: usize) -> Vec<&Part> {
        let ways = Way::ALL.into_iter().skip(1).chain([Way::Created]);
        let mut ways: Vec<&Part> = ways.filter_map(|way| self.moved(way)).collect();
        for _ in 0..left_out {
            let rank = |part: &Part| (part.way != Way::Created, part.keys);
            let least = ways.iter().enumerate().min_by_key(|(_, part)| rank(part));
            if let Some((at, _)) = least {
                ways.remove(at);
            }
        }
        ways
    }

    fn parts(
        &self,
        (before, after): (u64, u64),
        long: bool,
        left_out: usize,
    ) -> Vec<Span<'static>> {
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
        for part in self.ways(left_out) {
            let sign = match (part.known, part.way) {
                (Known::AtLeast, _) => "≥ ",
                (_, Way::Created) => "+",
                _ => "−",
            };
            let (word, role) = match part.way {
                Way::Unexplained => ("UNEXPLAINED", Role::Trouble),
                way => (way.id(), Role::Text),
            };
            spans.push(span(theme, Role::Text, gap));
            spans.push(span(theme, role, format!("{sign}{}", number(part.keys))));
            spans.push(span(theme, Role::Label, format!(" {word}")));
        }
        let went = |ways: &[&Part]| ways.iter().filter(|part| part.way != Way::Created).count();
        if went(&self.ways(left_out)) < went(&self.ways(0)) {
            spans.push(span(theme, Role::Dim, format!("{gap}…")));
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
        assert_eq!(text(&ledger, 40), "keys 51.4 k → 0  −50.2 k flushed  …");
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
