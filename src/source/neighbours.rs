//! Whom an answer names: the replicas of a primary, the primary of a replica, the process itself.

use crate::info::{Composite, Info};
use crate::model::{NodeId, Product, Replication};

/// Replicas that one primary may name.
const MOST_NAMED: usize = 256;

/// What one answer tells of the deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Neighbours {
    /// The process: `run_id`, where there is one that tells processes apart.
    pub(super) process: Option<String>,
    /// Where a proxy answers: what must agree too.
    pub(super) totals: Option<Totals>,
    /// Addresses that it names.
    pub(super) named: Vec<NodeId>,
    /// It is a node of a cluster.
    pub(super) is_cluster: bool,
    /// It is a primary.
    pub(super) is_primary: bool,
}

impl Neighbours {
    /// Reads an answer of the host that was dialled.
    pub(super) fn of(info: &str, host: &str) -> Self {
        let info = Info::parse(info);
        let is_proxy = Product::detect(&info, host).is_enterprise();
        let totals = is_proxy.then(|| Totals::parse(&info)).flatten();
        let run_id = info.get("Server", "run_id").map(str::to_owned);
        let process = run_id.filter(|id| !id.is_empty() && is_proxy == totals.is_some());
        let replication = Replication::parse(&info);
        let replicas = replication.replicas.iter().map(|line| &line.address);
        let named = replicas.take(MOST_NAMED).chain(&replication.primary);
        Self {
            process,
            totals,
            named: named.map(|address| NodeId::announced(address)).collect(),
            is_cluster: info.flag("Cluster", "cluster_enabled") == Some(true),
            is_primary: replication.role == crate::model::Role::Primary,
        }
    }
}

/// What a proxy of Redis Enterprise has counted. Its `run_id` may be that of every node, each of which
/// tells either of the whole database or of its own part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Totals {
    keys: u64,
    counted: [u64; 5],
}

impl Totals {
    fn parse(info: &Info) -> Option<Self> {
        let total = |name| info.u64("Stats", name);
        let databases = info.section("Keyspace");
        let keys = databases.filter_map(|(_, db)| Composite::new(db).u64("keys"));
        Some(Self {
            keys: keys.fold(0, u64::saturating_add),
            counted: [
                total("total_commands_processed")?,
                total("expired_keys")?,
                total("evicted_keys")?,
                total("keyspace_hits")?,
                total("keyspace_misses")?,
            ],
        })
    }

    /// Whether it was told between these two by the same as they were: counters only grow. Where
    /// there is no key, many are alike.
    pub(super) fn lie_between(&self, before: &Self, after: &Self) -> bool {
        let mut counted = before.counted.iter().zip(&self.counted).zip(&after.counted);
        let keys = before.keys.min(after.keys)..=before.keys.max(after.keys);
        self.keys > 0
            && keys.contains(&self.keys)
            && counted.all(|((before, own), after)| before <= own && own <= after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXY: &str = "# Server\r\nredis_build_id:0000000000000000000000000000000000000000\r\n\
                         run_id:a\r\n";

    fn proxy(keys: u64, commands: u64) -> Option<Totals> {
        let stats = "# Stats\r\nexpired_keys:5\r\nevicted_keys:0\r\nkeyspace_hits:7\r\n\
                     keyspace_misses:1\r\ntotal_commands_processed";
        let info = format!("{PROXY}{stats}:{commands}\r\n# Keyspace\r\ndb0:keys={keys},expires=0");
        let neighbours = Neighbours::of(&info, "h");
        assert_eq!(neighbours.process.as_deref(), Some("a"));
        neighbours.totals
    }

    #[test]
    fn a_run_id_that_says_nothing_is_none() {
        let process = |info: &str| Neighbours::of(info, "h").process;
        assert_eq!(process("# Server\r\nrun_id:a\r\n").as_deref(), Some("a"));
        assert_eq!(process("# Server\r\nrun_id:\r\n"), None);
        assert_eq!(process(PROXY), None, "a proxy that counts nothing");
    }

    #[test]
    fn proxies_are_the_same_where_their_totals_agree() {
        let between = |(keys, commands)| {
            let (before, after) = (proxy(100, 1_000), proxy(90, 1_020));
            let own = proxy(keys, commands).expect("totals");
            own.lie_between(&before.expect("totals"), &after.expect("totals"))
        };
        assert!(between((95, 1_010)));
        assert!(!between((95, 1_021)), "commands of another");
        assert!(!between((101, 1_010)), "keys of another");
        let none = proxy(0, 1_010).expect("totals");
        assert!(!none.lie_between(&none, &none), "empty ones are alike");
    }
}
