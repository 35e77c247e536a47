//! Where the keys went: the ledger as a line, as rows, and as the JSON of schema 1.

use serde::ser::{Serialize, SerializeMap as _, Serializer};

use crate::diagnosis::{Known, Ledger, Part, Way};
use crate::format::count;

/// The ledger as reports show it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Balance<'a>(pub(super) &'a Ledger);

impl Serialize for Balance<'_> {
    /// A number for each way, and the parts: what each number is and where it comes from. A number
    /// is 0 where its part is `unknown`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Ledger {
            keys_before,
            keys_after,
            parts,
            ..
        } = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("keys_before", keys_before)?;
        map.serialize_entry("keys_after", keys_after)?;
        for part in parts {
            map.serialize_entry(part.way.id(), &part.keys)?;
        }
        map.serialize_entry("parts", parts)?;
        map.end()
    }
}

impl Balance<'_> {
    /// Whether there is nothing to say.
    pub(super) fn is_empty(self) -> bool {
        self.0.keys_before.is_none() && self.0.keys_after.is_none() && self.moved().is_empty()
    }

    /// What went, the widest way first, then what came, each as `−50,213` or `≥ 9` and its word;
    /// ways that nothing took are left out, and so are those of which nothing is known.
    pub(super) fn moved(self) -> Vec<(&'static str, String)> {
        let mut parts: Vec<&Part> = self.0.parts.iter().filter(|part| part.keys > 0).collect();
        parts.sort_by_key(|part| (part.way == Way::Created, std::cmp::Reverse(part.keys)));
        let rows = parts.into_iter().map(|part| (part.way.id(), number(part)));
        rows.collect()
    }

    /// Ways of which this server tells nothing, where a balance could be struck at all.
    pub(super) fn untold(self) -> Vec<&'static str> {
        let is_untold = |part: &&Part| part.known == Known::Unknown && part.keys == 0;
        let untold: Vec<_> = self.0.parts.iter().filter(is_untold).collect();
        if untold.len() == Way::ALL.len() {
            return Vec::new();
        }
        untold.into_iter().map(|part| part.way.id()).collect()
    }

    /// `51,417 before  −50,213 flushed  +9 created  → 1,177 now`; nothing where nothing is known.
    pub(super) fn line(self) -> Option<String> {
        if self.is_empty() {
            return None;
        }
        let (before, after) = (self.0.keys_before, self.0.keys_after);
        let known = |keys: Option<u64>| keys.map_or_else(|| "?".into(), count);
        let moved = self.moved();
        let untold = match self.untold() {
            ways if ways.is_empty() => String::new(),
            ways => format!("  (not told: {})", ways.join(", ")),
        };
        if before == after && moved.is_empty() {
            return Some(format!("Keys: {} now{untold}", known(after)));
        }
        let mut parts = vec![format!("{} before", known(before))];
        parts.extend(moved.iter().map(|(way, keys)| format!("{keys} {way}")));
        parts.push(format!("→ {} now{untold}", known(after)));
        Some(format!("Keys: {}", parts.join("  ")))
    }
}

fn number(part: &Part) -> String {
    match (part.known, part.way) {
        (Known::Exact, Way::Created) => format!("+{}", count(part.keys)),
        (Known::Exact, _) => format!("−{}", count(part.keys)),
        (Known::AtLeast | Known::Unknown, _) => format!("≥ {}", count(part.keys)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(before: u64, after: u64, ways: &[(Way, u64)]) -> Ledger {
        Ledger::with(Some(before), Some(after), ways)
    }

    fn set(ledger: &mut Ledger, way: Way, most: Option<u64>, known: Known) {
        let part = &mut ledger.parts[way as usize];
        (part.most, part.known) = (most, known);
    }

    #[test]
    fn a_bound_is_no_number() {
        let mut ledger = ledger(
            100,
            40,
            &[(Way::Deleted, 60), (Way::Expired, 12), (Way::Created, 12)],
        );
        set(&mut ledger, Way::Deleted, Some(80), Known::AtLeast);
        set(&mut ledger, Way::Created, None, Known::AtLeast);
        let line = Balance(&ledger).line();
        let said = "Keys: 100 before  ≥ 60 deleted  −12 expired  ≥ 12 created  → 40 now";
        assert_eq!(line.as_deref(), Some(said));
    }

    #[test]
    fn what_is_unknown_is_said_and_is_no_zero() {
        let mut ledger = ledger(100, 40, &[(Way::Unexplained, 60)]);
        for way in [Way::Deleted, Way::Flushed] {
            set(&mut ledger, way, None, Known::Unknown);
        }
        let line = Balance(&ledger).line();
        let said = "Keys: 100 before  −60 unexplained  → 40 now  (not told: flushed, deleted)";
        assert_eq!(line.as_deref(), Some(said));
    }

    #[test]
    fn one_look_has_no_balance() {
        let mut ledger = ledger(7, 7, &[]);
        for way in Way::ALL {
            set(&mut ledger, way, None, Known::Unknown);
        }
        assert_eq!(Balance(&ledger).line().as_deref(), Some("Keys: 7 now"));
        assert_eq!(Balance(&Ledger::default()).line(), None);
    }
}
