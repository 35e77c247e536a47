//! Databases and their keys.

use crate::info::{Composite, Info};

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
    pub(super) fn parse(name: &str, value: &str) -> Option<Self> {
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

impl Db {
    /// Its numbers, always in this order.
    pub(in crate::model) fn numbers(&mut self, visit: &mut dyn FnMut(&mut u64)) {
        visit(&mut self.keys);
        visit(&mut self.expires);
        let told = [&mut self.avg_ttl_ms, &mut self.volatile_hashes];
        told.into_iter().flatten().for_each(visit);
    }
}

impl Keyspace {
    /// A line of a database that cannot be read makes the whole count unknown: without it, its
    /// keys would look lost.
    pub(super) fn parse(info: &Info) -> Self {
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
