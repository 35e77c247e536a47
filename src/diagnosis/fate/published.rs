//! What the server published of a watched key: which of several possible endings it was.

use super::candidates::Candidate;
use super::{Ending, SLACK, Span};
use crate::diagnosis::{Cause, Evidence, Reading};
use crate::model::{EventKind, NodeId, OnWatched, Role, Step};

/// The event by which a key went in a span; `None` where none was heard, or several of different
/// kinds. A replica publishes `del` for whatever its primary removed.
pub(super) fn event<'a>(
    events: &[&'a OnWatched],
    id: u64,
    span: Span,
    steps: &[&Step],
) -> Option<&'a OnWatched> {
    if steps.iter().any(|step| step.role_after == Role::Replica) {
        return None;
    }
    let from = span.from.elapsed.saturating_sub(SLACK);
    let to = span.to.elapsed + SLACK;
    let mut then = events
        .iter()
        .filter(|event| event.id == id && (from..=to).contains(&event.moment.elapsed));
    let first = *then.next()?;
    then.all(|event| event.kind == first.kind).then_some(first)
}

/// The candidates that an event leaves; all of them without one.
pub(super) fn fitting(
    found: Vec<Candidate>,
    event: Option<&OnWatched>,
    node: &NodeId,
) -> Vec<Candidate> {
    let Some(event) = event else {
        return found;
    };
    let (ending, causes): (_, &'static [Cause]) = match event.kind {
        EventKind::Deleted => (Ending::Deleted, &[Cause::Deletion]),
        EventKind::Expired => (Ending::Expired, &[Cause::Expiration]),
        EventKind::Evicted => (Ending::Evicted, &[Cause::Eviction]),
        EventKind::Renamed | EventKind::Moved => (Ending::Moved, &[Cause::Relocation]),
    };
    // MIGRATE publishes `del` where it takes a key away (cluster.c, `migrateCommand`).
    let is_moved =
        |one: &Candidate| event.kind == EventKind::Deleted && one.ending == Ending::Moved;
    let found = found.into_iter();
    let mut found: Vec<Candidate> = found
        .filter(|one| one.ending == ending || is_moved(one))
        .collect();
    if found.is_empty() {
        let how = format!("the server published '{}'", event.kind.id());
        found.push(Candidate::new(ending, how, causes));
    }
    found[0].evidence.push(Evidence {
        node: node.clone(),
        field: format!("keyspace event {}", event.kind.id()),
        before: Reading::None,
        after: Reading::from(1),
        note: "published by the server under the name of this key".into(),
        at: Some(event.moment.at),
    });
    found
}
