//! From the nodes of a deployment to their panel.

use super::Views;
use crate::app::{Mode, Panel};
use crate::diagnosis::{Cause, Diagnosis, Level, Verdict};
use crate::format;
use crate::model::{Counter, Role, Sample, Window};
use crate::ui::nodes::{NodeRow, Nodes, State};

impl<'a> Views<'a> {
    /// Panel n.
    pub(crate) fn nodes(&self) -> Nodes<'a> {
        let shards = self.app.deployment().shards();
        let mut numbers = vec![0; self.app.deployment().members().len()];
        for (number, places) in (1..).zip(shards) {
            for place in places {
                numbers[*place] = number;
            }
        }
        let places = self.app.node_rows();
        let rows: Vec<NodeRow> = places
            .iter()
            .map(|place| self.node_row(*place, numbers[*place]))
            .collect();
        Nodes {
            frame: self.frame(Panel::Nodes, ""),
            total: self.total(&rows),
            filter: self.node_filter(),
            selected: self.selected(Panel::Nodes),
            rows,
            theme: self.theme,
        }
    }

    fn node_row(&self, place: usize, shard: usize) -> NodeRow {
        let deployment = self.app.deployment();
        let window = self.window_at(place);
        let sample = window.last_sample();
        let sample = sample.as_ref();
        let node = window.node();
        let topology = deployment.topology(self.app.end());
        let slots = topology.and_then(|view| view.at(node));
        let role = sample.map_or(Role::Unknown, |sample| sample.replication.role);
        let is_replica = role == Role::Replica;
        NodeRow {
            node: if self.veil.is_drawn() {
                format!("node {}", place + 1)
            } else {
                node.to_string()
            },
            is_shown: self.app.shown() == place,
            role: if sample.is_some() { role.id() } else { "" },
            shard,
            slots: slots
                .map(|node| u64::from(node.slot_count()))
                .filter(|_| !is_replica),
            keys: sample.and_then(Sample::keys),
            used_bytes: sample.and_then(|sample| sample.memory.counted_bytes()),
            share: sample.and_then(|sample| sample.memory.share()),
            ops: window.rate(Counter::TotalCommandsProcessed),
            expired: window.rate(Counter::ExpiredKeys).filter(|_| !is_replica),
            evicted: window.rate(Counter::EvictedKeys).filter(|_| !is_replica),
            lag_bytes: sample
                .filter(|_| is_replica)
                .and_then(|sample| self.lag(place, shard, sample)),
            link: sample.and_then(|sample| sample.replication.link_up),
            uptime_s: sample.and_then(|sample| sample.server.uptime_s),
            state: self.state(&window, self.app.diagnosis_of(place)),
        }
    }

    fn node_filter(&self) -> Option<(&'a str, bool)> {
        let screen = self.app.screen();
        let typing = screen.mode == Mode::Typing && screen.focus == Panel::Nodes;
        let filter = screen.node_filter.value();
        (typing || !filter.is_empty()).then_some((filter, typing))
    }

    fn window_at(&self, place: usize) -> Window<'a> {
        let history = self.app.deployment().members()[place].history();
        history.window_until(self.app.end())
    }

    /// Bytes that a replica is behind: by its primary's word, or by the offsets of both.
    fn lag(&self, place: usize, shard: usize, sample: &Sample) -> Option<u64> {
        let kin = self.app.deployment().shards().get(shard - 1)?;
        let node = self.app.deployment().members()[place].node();
        let primaries = kin.iter().filter_map(|of| self.window_at(*of).last());
        let mut primaries = primaries.filter(|sample| sample.role() == Role::Primary);
        let primary = primaries.next()?.replication();
        let mut lines = primary.replicas.iter();
        match lines.find(|line| line.address == node.as_str()) {
            Some(line) => line.behind_bytes(primary.offset),
            None => Some(
                primary
                    .offset?
                    .saturating_sub(sample.replication.applied_offset?),
            ),
        }
    }

    fn state(&self, window: &Window<'_>, diagnosis: &Diagnosis) -> State {
        if let Some(gap) = window.open_gap() {
            return match window.last_sample() {
                Some(_) => State::Silent(self.ago(gap.from)),
                None => State::Unreached,
            };
        }
        let Some(sample) = window.last_sample() else {
            return State::Connecting;
        };
        if sample.is_loading() {
            return State::Loading;
        }
        // What was judged to be no loss of the whole is none here: keys that moved to another node,
        // removals that a replica repeats. What nearly every node is at risk of is no news.
        let is_of_the_whole = |verdict: &Verdict| {
            let whole = self.app.whole().of(verdict.cause);
            whole.is_some_and(Verdict::is_loss_in_window)
        };
        let worst = diagnosis.verdicts.iter().find(|verdict| {
            verdict.is_loss_in_window() && is_of_the_whole(verdict)
                || verdict.level == Level::AtRisk && verdict.cause == Cause::Replication
        });
        State::Answers(worst.map(|verdict| (verdict.level, verdict.cause.title())))
    }

    /// `6 nodes, 3 shards: 51,417 keys, 3.9k/s commands, 0/s evicted · by shard`.
    fn total(&self, rows: &[NodeRow]) -> String {
        let own = rows.iter().filter(|row| row.role != Role::Replica.id());
        let sum = |of: fn(&NodeRow) -> Option<f64>| own.clone().filter_map(of).sum::<f64>();
        // Of two primaries of the same data, and of those that are gone, one counts.
        let keys = self.app.whole().ledger.keys_after.unwrap_or(0);
        let shards: std::collections::BTreeSet<usize> = rows.iter().map(|row| row.shard).collect();
        let looking = match self.app.deployment().looking() {
            0 => String::new(),
            n => format!(", looking for {n} more"),
        };
        format!(
            "{}, {}{looking}: {}, {} commands, {} evicted · {}",
            format::plural(rows.len() as u64, "node"),
            format::plural(shards.len() as u64, "shard"),
            format::keys(keys),
            format::rate(sum(|row| row.ops)),
            format::rate(sum(|row| row.evicted)),
            self.app.screen().node_sort().word(),
        )
    }
}
