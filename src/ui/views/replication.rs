//! From replicas, links and offsets to their panel.

use super::Views;
use crate::app::Panel;
use crate::model::{Counter, ReplicaLine, Role, WritePace};
use crate::ui::replication::{Link, ReplicaRow, Replication};

impl<'a> Views<'a> {
    /// Panel 7.
    pub(crate) fn replication(&self) -> Replication<'a> {
        let replication = self
            .sample()
            .map(|s| s.replication.clone())
            .unwrap_or_default();
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
        let backlog_s = replication
            .backlog_size_bytes
            .and_then(|bytes| pace?.seconds_of(bytes));
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
                .map(|(at, line)| self.replica_row(at, line, pace))
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

    fn replica_row(&self, at: usize, line: &ReplicaLine, pace: Option<WritePace>) -> ReplicaRow {
        let replication = self.sample().map(|sample| &sample.replication);
        let behind = line.behind_bytes(replication.and_then(|r| r.offset));
        let backlog = replication.and_then(|r| r.backlog_used_bytes);
        let behind_s = match behind {
            Some(0) => Some(0.0),
            behind => behind.and_then(|bytes| pace?.seconds_of(bytes)),
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
