//! One answered poll, typed. Every field that a server may hide is an `Option`.

use std::time::Duration;

use super::command::Commands;
use super::counter::Counter;
use super::node::{Product, Role, Version};
use super::observation::Moment;
use super::text::inert;
use super::unread::Unread;
use crate::info::{Composite, Info};

/// What the user knows and the server hides (`--maxmemory`, `--eviction-policy`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assumptions {
    /// The limit in bytes.
    pub maxmemory_bytes: Option<u64>,
    /// The eviction policy, as Redis spells it.
    pub policy: Option<String>,
    /// The host that was dialled; tells Azure Managed Redis from other Redis Enterprise.
    pub host: String,
}

/// One `INFO` reply, understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// When the reply had arrived.
    pub moment: Moment,
    /// From the request to the whole reply.
    pub round_trip: Duration,
    /// Size of the reply in bytes.
    pub reply_bytes: u32,
    /// Who answered.
    pub server: Server,
    /// Memory gauges.
    pub memory: Memory,
    /// What a restart would find.
    pub persistence: Persistence,
    /// Role, replicas, offsets.
    pub replication: Replication,
    /// Databases.
    pub keyspace: Keyspace,
    /// The commandstats section; `None` where not exposed.
    pub commands: Option<Commands>,
    /// `errorstat_` prefixes and counts, sorted; `None` where not exposed (before 6.2, Redis
    /// Enterprise, Dragonfly).
    pub errors: Option<Vec<(String, u64)>>,
    /// What the reply says beside its fields.
    pub unread: Unread,
    counters: [Option<u64>; Counter::ALL.len()],
}

/// Identity of the process that answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Server {
    /// Product.
    pub product: Option<Product>,
    /// Its version.
    pub version: Version,
    /// Random per process start; the key of a counting epoch.
    pub run_id: Option<String>,
    /// The port that it listens on by its own word.
    pub port: Option<u64>,
    /// Seconds since the process started. `None` where bogus: Redis Enterprise prints the Unix
    /// time here.
    pub uptime_s: Option<u64>,
    /// The server's clock, microseconds since 1970 (6.2+).
    pub time_us: Option<u64>,
    /// Connections now.
    pub clients: Option<u64>,
    /// Whether cluster mode is on.
    pub cluster: Option<bool>,
    /// Commands a second as the server counts them over 1.6 s.
    pub ops_per_s: Option<u64>,
    /// A graceful shutdown is under way (7.0+).
    pub shutting_down: bool,
    /// Empty where the server runs without a file; `None` where not exposed.
    pub config_file: Option<String>,
}

/// Memory gauges, bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// Allocator bytes: data, buffers, overhead. Compared with the limit.
    pub used_bytes: Option<u64>,
    /// Resident set. Not what eviction looks at.
    pub rss_bytes: Option<u64>,
    /// Highest `used_bytes` since start.
    pub peak_bytes: Option<u64>,
    /// Unix seconds at which the peak was reached (Redis 8.2+).
    pub peak_at_s: Option<u64>,
    /// Estimated data (`used - overhead`).
    pub dataset_bytes: Option<u64>,
    /// Buffers of ordinary clients.
    pub clients_bytes: Option<u64>,
    /// Buffers of replicas.
    pub replicas_bytes: Option<u64>,
    /// Replication backlog.
    pub backlog_bytes: Option<u64>,
    /// AOF buffer.
    pub aof_buffer_bytes: Option<u64>,
    /// Part of `used_bytes` that eviction does not count (replica and AOF buffers).
    pub not_counted_bytes: Option<u64>,
    /// Memory of the machine.
    pub system_bytes: Option<u64>,
    /// The limit and where it is known from.
    pub limit: Limit,
    /// Eviction policy; with `policy_assumed` from the command line.
    pub policy: Option<String>,
    /// The policy is the user's word, not the server's.
    pub policy_assumed: bool,
    /// Milliseconds that the limit has been exceeded without a break (7.0+).
    pub exceeded_now_ms: Option<u64>,
}

/// The memory limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Limit {
    /// The server does not tell and the user gave none.
    #[default]
    NotExposed,
    /// `maxmemory:0`: no limit, hence no eviction.
    Unlimited,
    /// The server's own limit in bytes.
    Bytes(u64),
    /// The user's word in bytes (`--maxmemory`).
    Assumed(u64),
}

impl Limit {
    /// The limit in bytes where there is one.
    pub fn bytes(self) -> Option<u64> {
        match self {
            Self::Bytes(n) | Self::Assumed(n) => Some(n),
            Self::NotExposed | Self::Unlimited => None,
        }
    }
}

impl Memory {
    /// Bytes that eviction compares with the limit.
    pub fn counted_bytes(&self) -> Option<u64> {
        Some(
            self.used_bytes?
                .saturating_sub(self.not_counted_bytes.unwrap_or(0)),
        )
    }

    /// Counted bytes as a share of the limit, 1.0 = full.
    pub fn share(&self) -> Option<f64> {
        let limit = self.limit.bytes().filter(|limit| *limit > 0)?;
        Some(self.counted_bytes()? as f64 / limit as f64)
    }

    /// Buffers and scripts: what is used and is not data.
    pub fn buffers_bytes(&self) -> Option<u64> {
        let parts = [
            self.clients_bytes,
            self.replicas_bytes,
            self.backlog_bytes,
            self.aof_buffer_bytes,
        ];
        parts
            .iter()
            .any(Option::is_some)
            .then(|| parts.into_iter().flatten().sum())
    }
}

/// What a restart would find, and what it would not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Persistence {
    /// The data set is being read from disk; key counts are partial.
    pub loading: bool,
    /// A replica receives a new data set while it serves the old one (7.0+).
    pub async_loading: bool,
    /// Percent of the load that is done.
    pub loading_percent: Option<f64>,
    /// Writes since the last successful save.
    pub unsaved_changes: Option<u64>,
    /// Unix seconds of the last save (or of the start).
    pub last_save_s: Option<u64>,
    /// Seconds that the last BGSAVE took; `None` also where none has run (`-1` on the wire).
    pub last_save_took_s: Option<u64>,
    /// A BGSAVE runs.
    pub saving: Option<bool>,
    /// `rdb_last_bgsave_status:ok`.
    pub last_save_ok: Option<bool>,
    /// Keys read at the last load (7.0+).
    pub loaded_keys: Option<u64>,
    /// Keys dropped at the last load because their TTL had passed (7.0+).
    pub loaded_expired_keys: Option<u64>,
    /// AOF is on.
    pub aof: Option<bool>,
    /// `aof_last_write_status:ok`.
    pub aof_write_ok: Option<bool>,
    /// `aof_last_bgrewrite_status:ok`.
    pub aof_rewrite_ok: Option<bool>,
    /// Size of the AOF.
    pub aof_size_bytes: Option<u64>,
    /// An AOF rewrite runs.
    pub aof_rewriting: Option<bool>,
}

/// Replication as this node sees it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Replication {
    /// Primary or replica.
    pub role: Role,
    /// Replicas connected, those still synchronising included.
    pub connected_replicas: Option<u64>,
    /// One line a replica; on Redis Enterprise none, or a placeholder.
    pub replicas: Vec<ReplicaLine>,
    /// Id of the replication history.
    pub replid: Option<String>,
    /// Id of the history before the last promotion or restart; `None` also for forty zeros.
    pub replid2: Option<String>,
    /// Bytes of the replication stream so far.
    pub offset: Option<u64>,
    /// First offset that is not part of `replid2`'s history.
    pub second_offset: Option<u64>,
    /// The backlog exists.
    pub backlog_active: Option<bool>,
    /// Size of the backlog in bytes.
    pub backlog_size_bytes: Option<u64>,
    /// Bytes in the backlog now.
    pub backlog_used_bytes: Option<u64>,
    /// Replicas that satisfy `min-replicas-to-write`; absent when that is off.
    pub good_replicas: Option<u64>,
    /// On a replica: its primary, `host:port`, inert.
    pub primary: Option<String>,
    /// On a replica: the link is up.
    pub link_up: Option<bool>,
    /// On a replica: seconds since the link went down.
    pub link_down_s: Option<u64>,
    /// On a replica: seconds since the primary was last heard.
    pub last_io_s: Option<u64>,
    /// On a replica: a full synchronisation runs.
    pub syncing: Option<bool>,
    /// On a replica: bytes of the stream received.
    pub received_offset: Option<u64>,
    /// On a replica: bytes of the stream applied.
    pub applied_offset: Option<u64>,
    /// On a replica: writes are refused.
    pub read_only: Option<bool>,
    /// `master_failover_state`, when not `no-failover` (6.2+).
    pub failover: Option<String>,
}

/// One `slaveN:` line of a primary.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplicaLine {
    /// `ip:port` as announced, inert.
    pub address: String,
    /// `online`, `send_bulk`, `wait_bgsave`, …
    pub state: String,
    /// Last acknowledged offset; acknowledgements come about once a second.
    pub offset: Option<u64>,
    /// Seconds since the last acknowledgement. Not seconds behind.
    pub ack_age_s: Option<u64>,
}

impl ReplicaLine {
    /// Bytes of the stream that this replica has not acknowledged.
    pub fn behind_bytes(&self, primary_offset: Option<u64>) -> Option<u64> {
        Some(primary_offset?.saturating_sub(self.offset?))
    }

    /// Whether it receives the stream.
    pub fn is_online(&self) -> bool {
        self.state == "online"
    }
}

/// The keyspace section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keyspace {
    /// Whether the reply carried the section: without it, key counts are unknown.
    pub exposed: bool,
    /// Databases that hold keys, by number. A database without a line holds none.
    pub dbs: Vec<Db>,
}

/// One `dbN:` line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Db {
    /// Its number.
    pub index: u32,
    /// Keys, logically expired ones that are not reclaimed yet included.
    pub keys: u64,
    /// Keys with a TTL.
    pub expires: u64,
    /// Milliseconds; a rough running average, always 0 on replicas.
    pub avg_ttl_ms: Option<u64>,
    /// Hashes with at least one field TTL (Redis 7.4+, Valkey 9+).
    pub volatile_hashes: Option<u64>,
}

impl Db {
    fn parse(name: &str, value: &str) -> Option<Self> {
        let value = Composite::new(value);
        Some(Self {
            index: name.strip_prefix("db")?.parse().ok()?,
            keys: value.u64("keys")?,
            expires: value.u64("expires").unwrap_or(0),
            avg_ttl_ms: value.u64("avg_ttl"),
            volatile_hashes: value
                .u64("subexpiry")
                .or_else(|| value.u64("keys_with_volatile_items")),
        })
    }
}

impl Keyspace {
    /// A line of a database that cannot be read makes the whole count unknown: without it, its
    /// keys would look lost.
    fn parse(info: &Info) -> Self {
        let is_db = |name: &str| {
            name.strip_prefix("db")
                .is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
        };
        let lines = || info.section("Keyspace").filter(|(name, _)| is_db(name));
        let mut dbs: Vec<Db> = lines()
            .filter_map(|(name, value)| Db::parse(name, value))
            .collect();
        let readable = dbs.len() == lines().count();
        dbs.sort_by_key(|db| db.index);
        dbs.dedup_by_key(|db| db.index);
        Self {
            exposed: readable && info.has_section("Keyspace"),
            dbs,
        }
    }

    /// Keys in all databases; `None` where the section is not exposed.
    pub fn keys(&self) -> Option<u64> {
        self.exposed.then(|| {
            self.dbs
                .iter()
                .fold(0, |sum, db| db.keys.saturating_add(sum))
        })
    }

    /// Keys with a TTL in all databases.
    pub fn expires(&self) -> Option<u64> {
        self.exposed.then(|| {
            self.dbs
                .iter()
                .fold(0, |sum, db| db.expires.saturating_add(sum))
        })
    }

    /// Keys of one database; 0 without a line.
    pub fn keys_of(&self, index: u32) -> u64 {
        self.dbs
            .iter()
            .find(|db| db.index == index)
            .map_or(0, |db| db.keys)
    }
}

impl Sample {
    /// Understands a reply.
    pub fn new(
        moment: Moment,
        round_trip: Duration,
        info: &Info,
        assumptions: &Assumptions,
    ) -> Self {
        let mut counters = [None; Counter::ALL.len()];
        for (slot, counter) in counters.iter_mut().zip(Counter::ALL) {
            *slot = info.u64(counter.section(), counter.field());
        }
        Self {
            moment,
            round_trip,
            reply_bytes: u32::try_from(info.text().len()).unwrap_or(u32::MAX),
            server: Server::parse(info, &assumptions.host),
            memory: Memory::parse(info, assumptions),
            persistence: Persistence::parse(info),
            replication: Replication::parse(info),
            keyspace: Keyspace::parse(info),
            commands: Commands::parse(info),
            errors: errors(info),
            unread: Unread::of(info),
            counters,
        }
    }

    /// A counter; `None` where not exposed.
    pub fn counter(&self, counter: Counter) -> Option<u64> {
        self.counters[counter as usize]
    }

    /// Keys in all databases.
    pub fn keys(&self) -> Option<u64> {
        self.keyspace.keys()
    }

    /// The product, [`Product::Unknown`] where nothing tells.
    pub fn product(&self) -> Product {
        self.server.product.unwrap_or(Product::Unknown)
    }

    /// Key counts are partial while a data set is being loaded.
    pub fn is_loading(&self) -> bool {
        self.persistence.loading
    }

    /// Takes memory that an earlier sample already holds.
    pub(super) fn share(&mut self, earlier: &Self) {
        if let (Some(mine), Some(known)) = (&mut self.commands, &earlier.commands) {
            mine.share_names(known);
        }
    }
}

fn errors(info: &Info) -> Option<Vec<(String, u64)>> {
    let mut errors: Vec<(String, u64)> = info
        .section("Errorstats")
        .filter_map(|(name, value)| {
            Some((
                inert(name.strip_prefix("errorstat_")?, 48),
                Composite::new(value).u64("count")?,
            ))
        })
        .collect();
    errors.sort();
    errors.dedup_by(|a, b| a.0 == b.0);
    // Dragonfly has a section of this name with counts of its own.
    let is_foreign = errors.is_empty() && info.section("Errorstats").next().is_some();
    (info.has_section("Errorstats") && !is_foreign).then_some(errors)
}

impl Server {
    fn parse(info: &Info, host: &str) -> Self {
        let product = Product::detect(info, host);
        let time_us = info.u64("Server", "server_time_usec");
        let text = |name| info.get("Server", name).map(|value| inert(value, 128));
        Self {
            product: Some(product),
            version: Version::detect(info, product),
            run_id: text("run_id").filter(|id| !id.is_empty()),
            port: info.u64("Server", "tcp_port"),
            uptime_s: info
                .u64("Server", "uptime_in_seconds")
                .filter(|uptime| is_sane_uptime(*uptime, time_us)),
            time_us,
            clients: info.u64("Clients", "connected_clients"),
            cluster: info.flag("Cluster", "cluster_enabled"),
            ops_per_s: info.u64("Stats", "instantaneous_ops_per_sec"),
            shutting_down: info.u64("Server", "shutdown_in_milliseconds").is_some(),
            config_file: text("config_file"),
        }
    }
}

/// Redis Enterprise has been seen to print the Unix time as uptime: nothing has been up for
/// thirty years.
fn is_sane_uptime(uptime_s: u64, time_us: Option<u64>) -> bool {
    const THIRTY_YEARS_S: u64 = 30 * 365 * 86_400;
    uptime_s < THIRTY_YEARS_S && time_us.is_none_or(|now| uptime_s < now / 1_000_000)
}

impl Memory {
    fn parse(info: &Info, assumptions: &Assumptions) -> Self {
        let bytes = |name| info.u64("Memory", name);
        let policy = info
            .get("Memory", "maxmemory_policy")
            .map(|policy| inert(policy, 32));
        Self {
            used_bytes: bytes("used_memory"),
            rss_bytes: bytes("used_memory_rss"),
            peak_bytes: bytes("used_memory_peak"),
            peak_at_s: bytes("used_memory_peak_time").filter(|at| *at > 0),
            dataset_bytes: bytes("used_memory_dataset"),
            clients_bytes: bytes("mem_clients_normal"),
            replicas_bytes: bytes("mem_clients_slaves"),
            backlog_bytes: bytes("mem_replication_backlog"),
            aof_buffer_bytes: bytes("mem_aof_buffer"),
            not_counted_bytes: bytes("mem_not_counted_for_evict"),
            system_bytes: bytes("total_system_memory"),
            limit: match (bytes("maxmemory"), assumptions.maxmemory_bytes) {
                (Some(0), _) => Limit::Unlimited,
                (Some(n), _) if n > 0 => Limit::Bytes(n),
                (_, Some(n)) => Limit::Assumed(n),
                _ => Limit::NotExposed,
            },
            policy_assumed: policy.is_none() && assumptions.policy.is_some(),
            policy: policy.or_else(|| assumptions.policy.clone()),
            exceeded_now_ms: info.u64("Stats", "current_eviction_exceeded_time"),
        }
    }
}

impl Persistence {
    fn parse(info: &Info) -> Self {
        let number = |name| info.u64("Persistence", name);
        let flag = |name| info.flag("Persistence", name);
        let ok = |name| info.get("Persistence", name).map(|status| status == "ok");
        Self {
            loading: flag("loading").unwrap_or(false),
            async_loading: flag("async_loading").unwrap_or(false),
            loading_percent: info.f64("Persistence", "loading_loaded_perc"),
            unsaved_changes: number("rdb_changes_since_last_save"),
            last_save_s: number("rdb_last_save_time"),
            last_save_took_s: number("rdb_last_bgsave_time_sec"),
            saving: flag("rdb_bgsave_in_progress"),
            last_save_ok: ok("rdb_last_bgsave_status"),
            loaded_keys: number("rdb_last_load_keys_loaded"),
            loaded_expired_keys: number("rdb_last_load_keys_expired"),
            aof: flag("aof_enabled"),
            aof_write_ok: ok("aof_last_write_status"),
            aof_rewrite_ok: ok("aof_last_bgrewrite_status"),
            aof_size_bytes: number("aof_current_size"),
            aof_rewriting: flag("aof_rewrite_in_progress"),
        }
    }
}

impl Replication {
    fn parse(info: &Info) -> Self {
        let number = |name| info.u64("Replication", name);
        let text = |name: &str| info.get("Replication", name).map(|value| inert(value, 128));
        let primary = text("master_host").map(|host| {
            format!(
                "{host}:{}",
                text("master_port").unwrap_or_else(|| "?".into())
            )
        });
        Self {
            role: Role::detect(info),
            connected_replicas: number("connected_slaves"),
            replicas: info
                .section("Replication")
                .filter(|(name, _)| is_replica_line(name))
                .filter_map(|(_, value)| ReplicaLine::parse(value))
                .collect(),
            replid: text("master_replid"),
            replid2: text("master_replid2").filter(|id| id.bytes().any(|b| b != b'0')),
            offset: number("master_repl_offset"),
            second_offset: number("second_repl_offset"),
            backlog_active: info.flag("Replication", "repl_backlog_active"),
            backlog_size_bytes: number("repl_backlog_size"),
            backlog_used_bytes: number("repl_backlog_histlen"),
            good_replicas: number("min_slaves_good_slaves"),
            primary,
            link_up: info
                .get("Replication", "master_link_status")
                .map(|status| status == "up"),
            link_down_s: number("master_link_down_since_seconds"),
            last_io_s: number("master_last_io_seconds_ago"),
            syncing: info.flag("Replication", "master_sync_in_progress"),
            received_offset: number("slave_read_repl_offset"),
            applied_offset: number("slave_repl_offset"),
            read_only: info.flag("Replication", "slave_read_only"),
            failover: text("master_failover_state").filter(|state| state != "no-failover"),
        }
    }
}

fn is_replica_line(name: &str) -> bool {
    name.strip_prefix("slave")
        .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

impl ReplicaLine {
    fn parse(value: &str) -> Option<Self> {
        let value = Composite::new(value);
        Some(Self {
            address: inert(&format!("{}:{}", value.get("ip")?, value.get("port")?), 128),
            state: inert(value.get("state")?, 32),
            offset: value.u64("offset"),
            ack_age_s: value.u64("lag"),
        })
    }
}
