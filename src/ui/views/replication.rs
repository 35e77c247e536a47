//! From replicas, links and offsets to their panel.

use super::Views;
use crate::app::Panel;
use crate::model::{Counter, Packed, ReplicaLine, Role, WritePace};
use crate::ui::replication::{Link, ReplicaRow, Replication};

impl<'a> Views<'a> {
    /// Panel 7.
    pub(crate) fn replication(&self) -> Replication<'a> {
        let replication = self
            .sample()
            .map(|s| s.replication.clone())
            .unwrap_or_default();
        let rate = self.stream_rate();
        let pace = self
            .sample()
            .map(|s| WritePace::until(&self.window, s.moment));
        let primary = replication.primary.as_deref();
        let link = (replication.role == Role::Replica).then(|| Link {
            primary: primary.map(|address| self.veil.address(address)),
            up: replication.link_up,
            down_s: replication.link_down_s,
            heard_s: replication.last_io_s,
            syncing: replication.syncing,
            received: replication.received_offset,
            applied: replication.applied_offset,
            read_only: replication.read_only,
        });
        let backlog_s = rate
            .filter(|rate| *rate > 0.0)
            .and_then(|rate| Some(replication.backlog_size_bytes? as f64 / rate));
        Replication {
            frame: self.frame(Panel::Replication, replication.role.id()),
            answered: self.sample().is_some(),
            hidden: self.is_enterprise(),
            link,
            connected: replication.connected_replicas,
            offset: replication.offset,
            backlog_bytes: replication.backlog_used_bytes,
            backlog_s,
            full_syncs: self.counter(Counter::SyncFull),
            partial_syncs: (
                self.counter(Counter::SyncPartialOk),
                self.counter(Counter::SyncPartialErr),
            ),
            replicas: replication
                .replicas
                .iter()
                .enumerate()
                .map(|(at, line)| self.replica_row(at, line, rate, pace))
                .collect(),
            good_replicas: replication.good_replicas,
            failover: replication.failover,
            selected: self.selected(Panel::Replication),
            series: self.series(|sample| {
                let replication = sample.replication();
                let behind = |line: &ReplicaLine| line.behind_bytes(replication.offset);
                replication.replicas.iter().filter_map(behind).max()
            }),
            theme: self.theme,
        }
    }

    /// Bytes a second that the replication stream grows by.
    fn stream_rate(&self) -> Option<f64> {
        let mut samples = self.window.samples().rev();
        let (is, was) = (samples.next()?, samples.next()?);
        let offset = |sample: &Packed| sample.replication().offset;
        let grown = offset(is)?.checked_sub(offset(was)?)?;
        let seconds = is.moment.seconds_since(was.moment);
        (seconds > 0.0).then(|| grown as f64 / seconds)
    }

    fn replica_row(
        &self,
        at: usize,
        line: &ReplicaLine,
        rate: Option<f64>,
        pace: Option<WritePace>,
    ) -> ReplicaRow {
        let replication = self.sample().map(|sample| &sample.replication);
        let behind = line.behind_bytes(replication.and_then(|r| r.offset));
        let backlog = replication.and_then(|r| r.backlog_used_bytes);
        let behind_s = match (behind, rate) {
            (Some(0), _) => Some(0.0),
            (Some(behind), Some(rate)) if rate > 0.0 => Some(behind as f64 / rate),
            _ => None,
        };
        ReplicaRow {
            address: if self.veil.is_drawn() {
                format!("replica {}", at + 1)
            } else {
                line.address.clone()
            },
            state: line.state.clone(),
            online: line.is_online(),
            offset: line.offset,
            behind_bytes: behind,
            behind_s,
            behind_writes: behind.and_then(|bytes| pace?.writes_of(bytes)),
            behind_keys: behind.and_then(|bytes| pace?.keys_of(bytes)),
            ack_age_s: line.ack_age_s,
            covered: behind
                .zip(backlog)
                .map(|(behind, backlog)| behind <= backlog),
        }
    }
}
