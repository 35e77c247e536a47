//! Databases and their keys.

use crate::info::{Composite, Info};

/// Databases that are believed in at most: as many as a cluster has slots, a thousand times what
/// servers have unless told otherwise.
const MOST: usize = 16_384;

/// The keyspace section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keyspace {
    /// Whether the reply carried the section: without it, key counts are unknown.
    pub exposed: bool,
    /// Databases that hold keys, sorted by number. A database without a line holds none.
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
    /// keys would look lost. So do more lines than can be kept.
    pub(super) fn parse(info: &Info) -> Self {
        let is_db = |name: &str| {
            name.strip_prefix("db")
                .is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
        };
        let lines = || info.section("Keyspace").filter(|(name, _)| is_db(name));
        let mut dbs: Vec<Db> = lines()
            .filter_map(|(name, value)| Db::parse(name, value))
            .collect();
        let lines = lines().count();
        if lines > MOST {
            dbs = Vec::new();
        }
        let readable = dbs.len() == lines;
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
        self.db(index).map_or(0, |db| db.keys)
    }

    /// One database; `None` without a line.
    pub fn db(&self, index: u32) -> Option<&Db> {
        let place = self.dbs.binary_search_by_key(&index, |db| db.index);
        place.ok().map(|place| &self.dbs[place])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(databases: usize) -> Keyspace {
        let lines = (0..databases).rev();
        let lines = lines.map(|db| format!("db{db}:keys={},expires=0\r\n", db + 1));
        let text = format!("# Keyspace\r\n{}", lines.collect::<String>());
        Keyspace::parse(&Info::parse(text))
    }

    #[test]
    fn databases_are_found_by_number() {
        let keyspace = read(12);
        assert_eq!(
            [0, 9, 11, 12].map(|db| keyspace.keys_of(db)),
            [1, 10, 12, 0]
        );
    }

    #[test]
    fn more_databases_than_can_be_kept_are_unknown() {
        assert_eq!(read(MOST).keys(), Some((1..=MOST as u64).sum()));
        let many = read(MOST + 1);
        assert_eq!((many.keys(), many.dbs.len()), (None, 0));
    }
}
