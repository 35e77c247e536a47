//! Commands that ran.

use crate::diagnosis::Evidence;
use crate::model::{CommandDelta, NodeId, Step};

/// A command that ran in some steps that follow each other.
pub(super) struct Ran<'a> {
    pub(super) name: &'a str,
    pub(super) calls: u64,
    before: u64,
    after: u64,
    step: &'a Step,
}

impl Ran<'_> {
    pub(super) fn evidence(&self, node: &NodeId) -> Evidence {
        Evidence {
            node: node.clone(),
            field: format!("cmdstat_{}.calls", self.name),
            before: self.before.into(),
            after: self.after.into(),
            note: String::new(),
            at: Some(self.step.to.at),
        }
    }
}

/// Commands of a class that ran.
pub(super) fn ran<'a>(
    steps: &[&'a Step],
    is_meant: impl Fn(&CommandDelta<'_>) -> bool,
) -> Vec<Ran<'a>> {
    let mut found: Vec<Ran<'a>> = Vec::new();
    for step in steps {
        for command in step.commands.iter().filter(|one| one.effective > 0) {
            if !is_meant(&command) {
                continue;
            }
            match found.iter_mut().find(|ran| ran.name == command.name) {
                Some(ran) => {
                    ran.calls = ran.calls.saturating_add(command.effective);
                    ran.after = command.calls_after;
                }
                None => found.push(Ran {
                    name: command.name,
                    calls: command.effective,
                    before: command.calls_before,
                    after: command.calls_after,
                    step,
                }),
            }
        }
    }
    found.sort_by_key(|ran| std::cmp::Reverse(ran.calls));
    found
}
