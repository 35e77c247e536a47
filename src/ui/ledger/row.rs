//! One way of the ledger: its number, and what that number is.

use crate::diagnosis::{Known, Level, Part, Way};
use crate::format;
use crate::ui::theme::Role;

/// One way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WayRow {
    /// How many keys, and what that number is.
    pub part: Part,
    /// The verdict on the causes behind it, where it says that keys were lost.
    pub alarm: Option<Level>,
}

/// How bounds are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Words {
    Long,
    /// Leaves room for the bars.
    Signs,
}

impl WayRow {
    /// Nothing went this way, for certain.
    pub(super) fn is_quiet(&self) -> bool {
        self.part.known == Known::Exact && self.part.keys == 0
    }

    pub(super) fn is_unknown(&self) -> bool {
        self.part.known == Known::Unknown
    }

    pub(super) fn sign(&self) -> &'static str {
        if self.part.way == Way::Created {
            "+"
        } else {
            "−"
        }
    }

    pub(super) fn number(&self) -> String {
        match self.part.known {
            Known::Exact => format::count(self.part.keys),
            Known::AtLeast => format!("≥ {}", format::count(self.part.keys)),
            Known::Unknown => format::UNKNOWN.to_owned(),
        }
    }

    /// What the number is.
    pub(super) fn known(&self, words: Words) -> String {
        match (self.part.known, self.part.most) {
            (Known::Exact, _) => "exact".to_owned(),
            (Known::AtLeast, Some(most)) if words == Words::Signs => {
                format!("≤ {}", format::compact(most))
            }
            (Known::AtLeast, Some(most)) => format!("at most {}", format::compact(most)),
            (Known::AtLeast, None) => "at least".to_owned(),
            (Known::Unknown, _) => "unknown".to_owned(),
        }
    }

    pub(super) fn role(&self) -> Role {
        match self.part.way {
            _ if self.part.keys == 0 || self.is_unknown() => Role::Dim,
            Way::Unexplained => Role::Trouble,
            _ if self.alarm.is_some() => Role::Strong,
            _ => Role::Text,
        }
    }

    pub(super) fn bar_role(&self) -> Role {
        match (self.alarm, self.role()) {
            (Some(level), _) => Role::Level(level),
            (None, Role::Trouble) => Role::Trouble,
            // What came is not the matter.
            _ if self.part.way == Way::Created => Role::Dim,
            (None, _) => Role::Fill,
        }
    }
}
