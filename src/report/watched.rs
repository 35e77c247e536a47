//! What became of watched keys.

use jiff::Timestamp;
use serde::Serialize;

use super::to_millisecond;
use crate::diagnosis::{Ending, Evidence, Fate, Suspect};
use crate::model::KeyState;

/// One watched key; times to the millisecond, durations in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Key<'a> {
    /// As it is shown: inert, at most 64 characters. The one place of its name: to leave names out
    /// of a report, leave out this.
    #[serde(rename = "key")]
    name: &'a str,
    /// It was not named but begins with a watched prefix.
    under_prefix: bool,
    fate: Ending,
    certain: bool,
    also_possible: &'a [Ending],
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    #[serde(rename = "type")]
    kind: Option<&'a str>,
    ttl_left_ms: Option<u64>,
    size_bytes: Option<u64>,
    summary: &'a str,
    evidence: &'a [Evidence],
    suspects: &'a [Suspect],
}

impl<'a> Key<'a> {
    /// `end` is the time on the monotonic scale that TTLs are counted down to.
    pub(super) fn new(fate: &'a Fate, end: Option<std::time::Duration>) -> Self {
        let last = fate.last.as_ref();
        let (kind, size_bytes) = match last.map(|seen| &seen.state) {
            Some(KeyState::Present {
                kind, size_bytes, ..
            }) => (Some(&**kind), *size_bytes),
            _ => (None, None),
        };
        let left = fate.ttl_left.or_else(|| {
            let deadline = last?.deadline()?;
            Some(deadline.saturating_sub(end?))
        });
        Self {
            name: &fate.name,
            under_prefix: fate.is_member,
            fate: fate.ending,
            certain: fate.is_certain(),
            also_possible: &fate.others,
            from: fate.from.map(|moment| to_millisecond(moment.at)),
            to: fate.to.map(|moment| to_millisecond(moment.at)),
            kind,
            ttl_left_ms: left.map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
            size_bytes,
            summary: &fate.summary,
            evidence: &fate.evidence,
            suspects: &fate.suspects,
        }
    }

    /// The name.
    pub(super) fn name(&self) -> &'a str {
        self.name
    }

    /// The word for its fate.
    pub(super) fn fate(&self) -> String {
        let doubt = if self.certain { "" } else { "?" };
        format!("{}{doubt}", self.fate.id())
    }

    /// What happened, without the name.
    pub(super) fn summary(&self) -> &'a str {
        self.summary
    }

    /// Whether there is more to say than that it is there.
    pub(super) fn is_news(&self) -> bool {
        self.fate != Ending::Present
    }
}
