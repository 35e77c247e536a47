//! Which server this is: its address, product, version and role.

use std::fmt;

use serde::Serialize;

use super::text::inert;
use crate::info::Info;

/// The address that a node is shown under, `host:port` or a socket path; inert and without
/// credentials.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct NodeId(String);

impl NodeId {
    /// Makes an id from an address that a user typed or a server announced.
    pub fn new(address: &str) -> Self {
        Self(inert(address, 255))
    }

    /// The id of a host and a port; IPv6 addresses get their brackets.
    pub fn of(host: &str, port: u16) -> Self {
        if host.contains(':') {
            Self::new(&format!("[{host}]:{port}"))
        } else {
            Self::new(&format!("{host}:{port}"))
        }
    }

    /// The id of an address as servers announce it, `ip:port` without brackets.
    pub fn announced(address: &str) -> Self {
        let parts = address.rsplit_once(':');
        let parts = parts.and_then(|(host, port)| Some((host, port.parse().ok()?)));
        parts.map_or_else(|| Self::new(address), |(host, port)| Self::of(host, port))
    }

    /// The host and the port of which it was made; `None` for a socket.
    pub fn host_and_port(&self) -> Option<(&str, u16)> {
        let (host, port) = self.0.rsplit_once(':')?;
        let host = host
            .strip_prefix('[')
            .map_or(host, |host| host.trim_end_matches(']'));
        Some((host, port.parse().ok()?)).filter(|(host, _)| !host.is_empty())
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The product behind an `INFO` reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Product {
    /// Redis Open Source, any version.
    Redis,
    /// Valkey; its `redis_version` is a compatibility constant.
    Valkey,
    /// Redis Enterprise, Redis Cloud: a reduced `INFO` made by a proxy.
    RedisEnterprise,
    /// Redis Enterprise behind `*.redis.azure.net`.
    AzureManagedRedis,
    /// KeyDB.
    #[serde(rename = "keydb")]
    KeyDb,
    /// Dragonfly.
    Dragonfly,
    /// Amazon ElastiCache.
    #[serde(rename = "elasticache")]
    ElastiCache,
    /// Amazon `MemoryDB`.
    #[serde(rename = "memorydb")]
    MemoryDb,
    /// Nothing in the reply tells.
    Unknown,
}

impl Product {
    /// Recognises the product. `host` is the name that was dialled; it alone tells Azure Managed
    /// Redis from other Redis Enterprise.
    ///
    /// Redis Enterprise has a build id of forty zeros, or the pre-5 field
    /// `client_biggest_input_buf` together with `lru_clock:0` (seen in public samples; not
    /// documented by the vendor). KeyDB prints Redis's fields and a section of its own.
    pub fn detect(info: &Info, host: &str) -> Self {
        let server = |name: &'static str| info.get("Server", name);
        let has = |name: &'static str| server(name).is_some();
        let zeros = |id: &str| id.len() == 40 && id.bytes().all(|b| b == b'0');
        let enterprise = server("redis_build_id").is_some_and(zeros)
            || (info.get("Clients", "client_biggest_input_buf").is_some()
                && server("lru_clock") == Some("0"));
        if host.to_ascii_lowercase().ends_with(".redis.azure.net") {
            return Self::AzureManagedRedis;
        }
        if enterprise {
            return Self::RedisEnterprise;
        }
        if server("server_name") == Some("valkey") || has("valkey_version") {
            Self::Valkey
        } else if has("dragonfly_version") {
            Self::Dragonfly
        } else if server("os").is_some_and(|os| os.contains("ElastiCache")) {
            Self::ElastiCache
        } else if server("os").is_some_and(|os| os.contains("MemoryDB")) {
            Self::MemoryDb
        } else if info.has_section("KeyDB")
            || server("executable").is_some_and(|path| path.ends_with("keydb-server"))
            || has("multi_master")
            || info
                .get("Keyspace", "db0")
                .is_some_and(|db| db.contains("cached_keys="))
        {
            Self::KeyDb
        } else if has("redis_version") {
            Self::Redis
        } else {
            Self::Unknown
        }
    }

    /// The stable id that reports use.
    pub fn id(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Valkey => "valkey",
            Self::RedisEnterprise => "redis-enterprise",
            Self::AzureManagedRedis => "azure-managed-redis",
            Self::KeyDb => "keydb",
            Self::Dragonfly => "dragonfly",
            Self::ElastiCache => "elasticache",
            Self::MemoryDb => "memorydb",
            Self::Unknown => "unknown",
        }
    }

    /// The name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Redis => "Redis",
            Self::Valkey => "Valkey",
            Self::RedisEnterprise => "Redis Enterprise",
            Self::AzureManagedRedis => "Azure Managed Redis",
            Self::KeyDb => "KeyDB",
            Self::Dragonfly => "Dragonfly",
            Self::ElastiCache => "ElastiCache",
            Self::MemoryDb => "MemoryDB",
            Self::Unknown => "unknown server",
        }
    }

    /// Whether a proxy of Redis Enterprise answers: reduced `INFO`, blocked commands.
    pub fn is_enterprise(self) -> bool {
        matches!(self, Self::RedisEnterprise | Self::AzureManagedRedis)
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The product's own version text, inert; `None` inside means not exposed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Version(pub Option<String>);

impl Version {
    /// Reads the version field that belongs to the product.
    pub fn detect(info: &Info, product: Product) -> Self {
        let own = match product {
            Product::Valkey => info.get("Server", "valkey_version"),
            Product::Dragonfly => info.get("Server", "dragonfly_version"),
            _ => None,
        };
        Self(
            own.or_else(|| info.get("Server", "redis_version"))
                .map(|text| inert(text, 32)),
        )
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_deref().unwrap_or("?"))
    }
}

/// What the node says it is. The wire names are `master` and `slave` in every product.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Accepts writes; its counters tell of its own keys.
    Primary,
    /// Follows a primary: its DEL counts are its primary's expirations, evictions and deletes.
    Replica,
    /// Not exposed, or a role this program does not know.
    #[default]
    Unknown,
}

impl Role {
    /// Reads `role:` of the replication section.
    pub fn detect(info: &Info) -> Self {
        match info.get("Replication", "role") {
            Some("master") => Self::Primary,
            Some("slave") => Self::Replica,
            _ => Self::Unknown,
        }
    }

    /// The stable id that reports use.
    pub fn id(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Replica => "replica",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}
