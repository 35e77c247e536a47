//! Panels 4 to 9.

use std::time::Duration;

use super::Views;
use crate::app::{Mode, Panel};
use crate::format;
use crate::model::{ChangeKind, Counter, Keyspace as Databases, Packed, Role, Sample, Watching};
use crate::ui::changes::{ChangeRow, Changes};
use crate::ui::commands::{CommandRow, Commands, sort_word};
use crate::ui::eviction::Eviction;
use crate::ui::keyspace::{DbRow, Keyspace};
use crate::ui::persistence::Persistence;

impl<'a> Views<'a> {
    pub(super) fn counter(&self, counter: Counter) -> Option<u64> {
        self.sample().and_then(|sample| sample.counter(counter))
    }

    /// The oldest sample in the span that graphs show.
    fn span_start(&self) -> Option<Databases> {
        let end = self.shown();
        let span_s = self.app.screen().span.duration().as_secs_f64();
        self.window
            .samples()
            .find(|sample| end.seconds_since(sample.moment) <= span_s)
            .map(Packed::keyspace)
    }

    /// Panel 4.
    pub(crate) fn keyspace(&self) -> Keyspace<'a> {
        let keyspace = self.sample().map(|sample| &sample.keyspace);
        let fields = [Counter::ExpiredSubkeys, Counter::ExpiredFields];
        Keyspace {
            frame: self.frame(Panel::Keyspace, self.app.screen().span.label()),
            answered: self.sample().is_some(),
            keys: keyspace.and_then(crate::model::Keyspace::keys),
            expires: keyspace.and_then(crate::model::Keyspace::expires),
            expired_rate: self.window.rate(Counter::ExpiredKeys),
            expired: self.counter(Counter::ExpiredKeys),
            expired_fields: fields.into_iter().find_map(|counter| self.counter(counter)),
            loading: self.sample().is_some_and(Sample::is_loading),
            replica: self
                .sample()
                .is_some_and(|s| s.replication.role == Role::Replica),
            forecast: self
                .diagnosis
                .forecast
                .as_ref()
                .map(|one| one.summary.clone()),
            dbs: self.dbs(),
            selected: self.selected(Panel::Keyspace),
            series: self.series(Packed::keys),
            expirations: self.rates(Counter::ExpiredKeys),
            theme: self.theme,
        }
    }

    /// Databases that hold keys, then those that did at the left edge of the graph.
    fn dbs(&self) -> Vec<DbRow> {
        let Some(sample) = self.sample().filter(|sample| sample.keyspace.exposed) else {
            return Vec::new();
        };
        let start = self.span_start().filter(|start| start.exposed);
        let change = |index: u32, keys: u64| {
            let start = start.as_ref()?;
            Some(i128::from(keys) - i128::from(start.keys_of(index)))
        };
        let mut rows: Vec<DbRow> = sample
            .keyspace
            .dbs
            .iter()
            .map(|db| DbRow {
                index: db.index,
                keys: db.keys,
                expires: db.expires,
                avg_ttl_ms: db.avg_ttl_ms,
                change: change(db.index, db.keys),
            })
            .collect();
        let gone = start.iter().flat_map(|start| &start.dbs);
        for db in gone.filter(|db| db.keys > 0) {
            if sample.keyspace.db(db.index).is_none() {
                rows.push(DbRow {
                    index: db.index,
                    change: change(db.index, 0),
                    ..DbRow::default()
                });
            }
        }
        rows
    }

    /// Panel 5.
    pub(crate) fn eviction(&self) -> Eviction<'a> {
        let memory = self
            .sample()
            .map(|sample| sample.memory.clone())
            .unwrap_or_default();
        Eviction {
            frame: self.frame(Panel::Eviction, ""),
            answered: self.sample().is_some(),
            counted_bytes: memory.counted_bytes(),
            share: memory.share(),
            limit: memory.limit,
            buffers_bytes: memory.buffers_bytes(),
            policy: memory.policy,
            policy_assumed: memory.policy_assumed,
            evicted_rate: self.window.rate(Counter::EvictedKeys),
            evicted: self.counter(Counter::EvictedKeys),
            peak_bytes: memory.peak_bytes,
            dataset_bytes: memory.dataset_bytes,
            rss_bytes: memory.rss_bytes,
            not_counted_bytes: memory.not_counted_bytes,
            system_bytes: memory.system_bytes,
            over_ms: self.counter(Counter::TotalEvictionExceededTime),
            over_now_ms: memory.exceeded_now_ms,
            series: self.series(|sample| sample.memory().counted_bytes()),
            evictions: self.rates(Counter::EvictedKeys),
            theme: self.theme,
        }
    }

    /// Panel 6.
    pub(crate) fn commands(&self) -> Commands<'a> {
        let screen = self.app.screen();
        Commands {
            frame: self.frame(Panel::Commands, sort_word(screen.sort)),
            answered: self.sample().is_some(),
            rows: self.command_rows(),
            filter: screen.filter.value(),
            typing: screen.mode == Mode::Typing && screen.focus == Panel::Commands,
            sort: screen.sort,
            selected: self.selected(Panel::Commands),
            theme: self.theme,
        }
    }

    fn command_rows(&self) -> Option<Vec<CommandRow>> {
        let sample = self.sample()?;
        let commands = sample.commands.as_ref()?;
        let step = self.window.last_step().filter(|step| step.seconds() > 0.0);
        let refusals = |n: u64| commands.tells_refusals().then_some(n);
        let rows = self.app.command_rows(sample).into_iter().map(|stat| {
            let class = stat.class;
            CommandRow {
                name: stat.name.to_string(),
                class: class.map(crate::model::Class::word),
                flushes: class == Some(crate::model::Class::Flush),
                calls: stat.calls,
                rate: step.map(|step| step.effective(stat.name) as f64 / step.seconds()),
                rejected: refusals(stat.rejected),
                failed: refusals(stat.failed),
                seen: self.app.last_seen(stat.name).map(|moment| self.ago(moment)),
            }
        });
        Some(rows.collect())
    }

    /// Time from a moment to the one that is shown.
    pub(super) fn ago(&self, moment: crate::model::Moment) -> Duration {
        self.shown().elapsed.saturating_sub(moment.elapsed)
    }

    pub(super) fn is_enterprise(&self) -> bool {
        self.sample()
            .is_some_and(|sample| sample.product().is_enterprise())
    }

    /// Panel 8.
    pub(crate) fn persistence(&self) -> Persistence<'a> {
        // Behind a proxy these fields are not those of the shards that hold the data.
        let persistence = self
            .sample()
            .filter(|_| !self.is_enterprise())
            .map(|s| s.persistence.clone())
            .unwrap_or_default();
        let server = self.sample().map(|sample| &sample.server);
        // The server's own clock where it tells it: the last save is a time of that clock.
        let now_s = server
            .and_then(|server| server.time_us)
            .map(|us| us / 1_000_000)
            .or_else(|| u64::try_from(self.sample()?.moment.at.as_second()).ok());
        let replicas = self
            .sample()
            .map_or(&[][..], |sample| &sample.replication.replicas);
        Persistence {
            frame: self.frame(Panel::Persistence, ""),
            answered: self.sample().is_some(),
            hidden: self.is_enterprise(),
            uptime_s: server.and_then(|server| server.uptime_s),
            restarts: self.app.restarts(),
            loading: persistence.loading || persistence.async_loading,
            loading_percent: persistence.loading_percent,
            save_ok: persistence.last_save_ok,
            saving: persistence.saving,
            saves: self.counter(Counter::RdbSaves),
            save_age_s: now_s
                .zip(persistence.last_save_s)
                .map(|(now, save)| now.saturating_sub(save)),
            unsaved: persistence.unsaved_changes,
            aof: persistence.aof,
            aof_ok: persistence.aof_write_ok,
            aof_bytes: persistence.aof_size_bytes,
            rewriting: persistence.aof_rewriting,
            replicas: replicas.iter().filter(|line| line.is_online()).count(),
            theme: self.theme,
        }
    }

    fn change_text(&self, kind: &ChangeKind) -> String {
        match kind {
            ChangeKind::Watching(Watching::PrefixOff { why, .. }) if self.veil.is_drawn() => {
                format!("a prefix is not watched any more: {}", self.veil.text(why))
            }
            // Names and hosts, in whatever order.
            ChangeKind::Sentinel(_) if self.veil.is_drawn() => {
                "a Sentinel said something".to_owned()
            }
            kind => self.veil.text(&kind.sentence()),
        }
    }

    /// Panel 9.
    pub(crate) fn changes(&self) -> Changes<'a> {
        let now = self.shown();
        let changes = self.app.changes();
        let rows = changes.into_iter().rev().map(|(node, change)| ChangeRow {
            time: format::clock_near(change.at(), now.at),
            age: self.ago(change.moment),
            text: match node {
                Some(node) => {
                    let node = self.veil.address(node.as_str());
                    format!("{node}: {}", self.change_text(&change.kind))
                }
                None => self.change_text(&change.kind),
            },
            trouble: change.kind.is_trouble(),
        });
        Changes {
            frame: self.frame(Panel::Changes, "newest first"),
            rows: rows.collect(),
            selected: self.selected(Panel::Changes),
            theme: self.theme,
        }
    }
}
