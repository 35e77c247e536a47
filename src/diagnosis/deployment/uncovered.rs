//! Slots of a cluster that cannot be reached: their nodes failed, or they are assigned to none.

use super::court::Court;
use super::summary::docs;
use crate::diagnosis::{Cause, Evidence, Level, Mechanism, Reading, Verdict, words};
use crate::model::{ClusterNode, Health, Packed, Topology};

/// What is said of slots that no working node holds; what matters first, for the end may be cut.
pub(super) fn verdict(court: &Court<'_>) -> Option<Verdict> {
    let view = court.deployment.topology(court.end)?;
    let slots = view.uncovered();
    if slots == 0 {
        return None;
    }
    let slots = words::count(u64::from(slots));
    let why = why(view);
    let summary = match keys(court, view).map(words::keys) {
        Some(keys) => format!(
            "{slots} of 16,384 slots cannot be reached, with {keys} whose fate is not known: {why}"
        ),
        None => {
            format!("{slots} of 16,384 slots cannot be reached: {why}; their keys need not be lost")
        }
    };
    let mut verdict = Verdict::new(Cause::InstanceFailure, Level::Suspected, summary);
    verdict.mechanism = Some(Mechanism::SlotsUnreached);
    verdict.evidence = evidence(court, view);
    verdict.next_steps = steps(view);
    verdict.docs = docs(court, Cause::InstanceFailure);
    Some(verdict)
}

/// Nodes with slots that the cluster takes for failed.
fn failed(view: &Topology) -> impl Iterator<Item = &ClusterNode> {
    let failed = view.nodes().iter().filter(|n| n.health == Health::Failed);
    failed.filter(|node| node.slot_count() > 0)
}

fn why(view: &Topology) -> String {
    let failed: Vec<String> = failed(view)
        .map(|node| {
            let address = node.address.as_ref();
            address.map_or_else(|| "a node without an address".into(), ToString::to_string)
        })
        .collect();
    let holders = failed.join(", ");
    let holds = if failed.len() == 1 { "holds" } else { "hold" };
    match (failed.is_empty(), view.unassigned()) {
        (true, _) => "they are assigned to no node".into(),
        (false, 0) => format!("{holders} {holds} them, which the cluster takes for failed"),
        (false, none) => format!(
            "{} are assigned to no node, {holders} {holds} the others, which the cluster takes for failed",
            words::count(u64::from(none))
        ),
    }
}

/// Keys on the failed nodes when they were last heard; where slots are assigned to nobody, it is not
/// known how many are in them.
fn keys(court: &Court<'_>, view: &Topology) -> Option<u64> {
    let held = failed(view).map(|node| {
        let address = node.address.as_ref()?;
        let mut windows = court.windows.iter();
        let window = windows.find(|window| window.node() == address)?;
        window.last().and_then(Packed::keys)
    });
    let held: Option<u64> = held.sum();
    held.filter(|_| view.unassigned() == 0)
}

fn evidence(court: &Court<'_>, view: &Topology) -> Vec<Evidence> {
    let unassigned = view.unassigned();
    let rows = [
        (
            view.uncovered() - unassigned,
            "slots that only a failed node holds",
        ),
        (unassigned, "slots that are assigned to no node"),
    ];
    let told = rows.into_iter().filter(|(slots, _)| *slots > 0);
    let evidence = told.map(|(slots, note)| Evidence {
        node: court.node(0).clone(),
        field: "CLUSTER NODES".into(),
        before: Reading::None,
        after: u64::from(slots).into(),
        note: note.into(),
        at: None,
    });
    evidence.collect()
}

fn steps(view: &Topology) -> Vec<String> {
    let mut steps: Vec<&str> = Vec::new();
    if failed(view).next().is_some() {
        steps.push(
            "bring the node or a replica of it back with its data files: without persistence its keys are gone with the process; a replica that answers can take over: CLUSTER FAILOVER TAKEOVER on it",
        );
    }
    if view.unassigned() > 0 {
        steps.extend([
            "ask other nodes too, each has its own view: redis-cli --cluster check HOST:PORT",
            "give the slots back to the node that has their keys: CLUSTER ADDSLOTS on it (CLUSTER COUNTKEYSINSLOT tells where keys are); redis-cli --cluster fix does it too, asks first, and gives slots without keys to any node",
            "who took them away: CLUSTER DELSLOTS or FLUSHSLOTS, as cmdstat_cluster|delslots in INFO commandstats of each node",
        ]);
    }
    steps.push("see who holds what: CLUSTER NODES");
    steps.into_iter().map(str::to_owned).collect()
}
