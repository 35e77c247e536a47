//! A pretended server whose INFO replies a test writes poll by poll.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "a support module is used by several test crates"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use amr_top::diagnosis::{Diagnosis, diagnose, diagnose_deployment};
use amr_top::model::{
    Assumptions, Deployment, Failure, FailureKind, History, Moment, NodeId, Observation, Told,
    Topology,
};
use jiff::Timestamp;

/// The facts that the next INFO reply will show.
#[derive(Clone)]
pub struct Facts {
    pub enterprise: bool,
    pub cluster: bool,
    pub replica_of: Option<&'static str>,
    /// More fields of the Server section.
    pub server: BTreeMap<&'static str, String>,
    pub run_id: String,
    pub uptime_s: u64,
    pub dbs: BTreeMap<u32, (u64, u64)>,
    pub stats: BTreeMap<&'static str, u64>,
    pub memory: BTreeMap<&'static str, String>,
    pub persistence: BTreeMap<&'static str, String>,
    pub replication: BTreeMap<&'static str, String>,
    pub commands: BTreeMap<&'static str, (u64, u64, u64)>,
    pub errors: BTreeMap<&'static str, u64>,
}

impl Default for Facts {
    fn default() -> Self {
        let text = |pairs: &[(&'static str, &str)]| {
            pairs.iter().map(|(k, v)| (*k, (*v).to_owned())).collect()
        };
        Self {
            enterprise: false,
            cluster: false,
            replica_of: None,
            server: BTreeMap::new(),
            run_id: "a".repeat(40),
            uptime_s: 100_000,
            dbs: BTreeMap::new(),
            stats: [
                "expired_keys",
                "evicted_keys",
                "sync_full",
                "keyspace_hits",
                "keyspace_misses",
            ]
            .into_iter()
            .map(|name| (name, 0))
            .chain([
                ("total_commands_processed", 1_000),
                ("total_connections_received", 10),
            ])
            .collect(),
            memory: text(&[
                ("used_memory", "1000000"),
                ("used_memory_rss", "2000000"),
                ("maxmemory", "10000000"),
                ("maxmemory_policy", "noeviction"),
                ("mem_not_counted_for_evict", "0"),
            ]),
            persistence: text(&[
                ("loading", "0"),
                ("rdb_changes_since_last_save", "0"),
                ("rdb_last_bgsave_status", "ok"),
                ("aof_enabled", "0"),
                ("rdb_last_load_keys_loaded", "0"),
                ("rdb_last_load_keys_expired", "0"),
            ]),
            replication: text(&[
                ("connected_slaves", "0"),
                ("master_replid", "1111111111111111111111111111111111111111"),
                ("master_replid2", "0000000000000000000000000000000000000000"),
                ("master_repl_offset", "5000"),
                ("second_repl_offset", "-1"),
            ]),
            commands: BTreeMap::new(),
            errors: BTreeMap::new(),
        }
    }
}

impl Facts {
    /// Sets the keys of database 0.
    pub fn keys(&mut self, keys: u64) {
        self.dbs.insert(0, (keys, 0));
    }

    /// Counts calls of a command.
    pub fn ran(&mut self, command: &'static str, calls: u64) {
        self.commands.entry(command).or_default().0 += calls;
    }

    /// Adds to a counter of the Stats section.
    pub fn add(&mut self, counter: &'static str, n: u64) {
        *self.stats.entry(counter).or_default() += n;
    }

    /// A new process: counters from zero, another run id.
    pub fn restart(&mut self) {
        self.run_id = self.run_id.bytes().map(|b| char::from(b + 1)).collect();
        self.uptime_s = 0;
        self.stats.values_mut().for_each(|n| *n = 0);
        self.commands.clear();
        self.errors.clear();
        self.replication
            .insert("master_replid", self.run_id.clone());
    }

    /// `CONFIG RESETSTAT`.
    pub fn reset_stats(&mut self) {
        self.stats.values_mut().for_each(|n| *n = 0);
        self.commands.clear();
        self.errors.clear();
        self.ran("config|resetstat", 1);
    }

    /// Commandstats, and Errorstats where they are exposed.
    fn statistics(&self, line: &mut impl FnMut(&str)) {
        line("# Commandstats");
        for (name, (calls, rejected, failed)) in &self.commands {
            let mut text = format!("cmdstat_{name}:calls={calls},usec=1,usec_per_call=1.00");
            if !self.enterprise {
                let _ = write!(text, ",rejected_calls={rejected},failed_calls={failed}");
            }
            line(&text);
        }
        if !self.enterprise {
            line("# Errorstats");
            for (name, count) in &self.errors {
                line(&format!("errorstat_{name}:count={count}"));
            }
        }
    }

    /// The INFO reply.
    pub fn info(&self) -> String {
        let mut out = String::new();
        let mut line = |text: &str| {
            out.push_str(text);
            out.push_str("\r\n");
        };
        line("# Server");
        line(if self.enterprise {
            "redis_version:7.4.3"
        } else {
            "redis_version:7.0.15"
        });
        if self.enterprise {
            line("redis_build_id:0000000000000000000000000000000000000000");
        }
        line(&format!("run_id:{}", self.run_id));
        for (name, value) in &self.server {
            line(&format!("{name}:{value}"));
        }
        if !self.enterprise {
            line(&format!("uptime_in_seconds:{}", self.uptime_s));
        }
        section(
            &mut line,
            "Memory",
            self.memory
                .iter()
                .filter(|(k, _)| !self.enterprise || k.starts_with("used")),
        );
        section(&mut line, "Persistence", self.persistence.iter());
        section(&mut line, "Stats", self.stats.iter());
        line("# Replication");
        match self.replica_of {
            None => line("role:master"),
            Some(host) => {
                line("role:slave");
                line(&format!("master_host:{host}"));
                line("master_port:6379");
                if !self.replication.contains_key("slave_repl_offset") {
                    let applied = &self.replication["master_repl_offset"];
                    line(&format!("slave_repl_offset:{applied}"));
                }
            }
        }
        let hidden = |name: &&&str| !self.enterprise || !name.starts_with("master_replid");
        for (name, value) in self.replication.iter().filter(|(name, _)| hidden(name)) {
            line(&format!("{name}:{value}"));
        }
        self.statistics(&mut line);
        if self.cluster {
            line("# Cluster");
            line("cluster_enabled:1");
        }
        line("# Keyspace");
        for (db, (keys, expires)) in self.dbs.iter().filter(|(_, (keys, _))| *keys > 0) {
            line(&format!("db{db}:keys={keys},expires={expires},avg_ttl=0"));
        }
        out
    }
}

fn section<'a, V: std::fmt::Display + 'a>(
    line: &mut impl FnMut(&str),
    name: &str,
    fields: impl Iterator<Item = (&'a &'static str, &'a V)>,
) {
    line(&format!("# {name}"));
    for (name, value) in fields {
        line(&format!("{name}:{value}"));
    }
}

/// Facts over time: one second a poll.
pub struct Story {
    pub facts: Facts,
    pub history: History,
    elapsed: Duration,
}

impl Story {
    /// Begins with so many keys in database 0; the first poll is made.
    pub fn with_keys(keys: u64) -> Self {
        let mut facts = Facts::default();
        facts.keys(keys);
        Self::with(facts)
    }

    /// Begins with these facts; the first poll is made.
    pub fn with(facts: Facts) -> Self {
        let mut story = Self::unpolled(facts);
        story.poll();
        story
    }

    /// Begins without a poll.
    pub fn unpolled(facts: Facts) -> Self {
        Self::knowing(facts, Assumptions::default())
    }

    /// Begins without a poll, with what the user knows.
    pub fn knowing(facts: Facts, assumptions: Assumptions) -> Self {
        let history = History::new(
            NodeId::new("cache:6379"),
            assumptions,
            Duration::from_secs(3_600),
        );
        Self {
            facts,
            history,
            elapsed: Duration::ZERO,
        }
    }

    /// The next poll answers with the facts after `change`.
    pub fn then(mut self, change: impl FnOnce(&mut Facts)) -> Self {
        change(&mut self.facts);
        self.poll();
        self
    }

    /// So many polls, each after `change`.
    pub fn repeat(mut self, polls: usize, mut change: impl FnMut(usize, &mut Facts)) -> Self {
        for n in 0..polls {
            change(n, &mut self.facts);
            self.poll();
        }
        self
    }

    /// The next poll fails.
    pub fn fails(mut self, kind: FailureKind) -> Self {
        let moment = self.next_moment();
        let failure = Failure {
            kind,
            detail: String::new(),
        };
        self.history.observe(Observation::Failed {
            moment,
            failure,
            retry_in: Duration::from_secs(1),
        });
        self
    }

    fn poll(&mut self) {
        let moment = self.next_moment();
        self.facts.uptime_s += 1;
        *self
            .facts
            .stats
            .entry("total_commands_processed")
            .or_default() += 7;
        let observation = Observation::Answer {
            moment,
            round_trip: Duration::from_micros(300),
            info: self.facts.info().into(),
        };
        self.history.observe(observation);
    }

    fn next_moment(&mut self) -> Moment {
        self.elapsed += Duration::from_secs(1);
        let began = Timestamp::from_second(1_795_400_000).expect("a time in range");
        Moment {
            elapsed: self.elapsed,
            at: began + self.elapsed,
        }
    }

    /// What is said of all of it.
    pub fn diagnosis(&self) -> Diagnosis {
        diagnose(&self.history.window())
    }
}

/// One node of a [`Group`].
pub struct Node {
    pub id: NodeId,
    pub facts: Facts,
    /// It answers.
    pub up: bool,
}

impl Node {
    /// Makes it a replica of another: its history is the other's.
    pub fn follow(&mut self, host: &'static str, of: &Facts) {
        self.facts.replica_of = Some(host);
        for name in ["master_replid", "master_replid2", "second_repl_offset"] {
            let value = of.replication[name].clone();
            self.facts.replication.insert(name, value);
        }
        self.facts
            .replication
            .insert("master_link_status", "up".into());
    }

    /// `REPLICAOF NO ONE`: a history of its own from an offset on.
    pub fn promote(&mut self, offset: u64) {
        self.facts.replica_of = None;
        self.facts.replication.remove("master_link_status");
        let old = self.facts.replication["master_replid"].clone();
        // Every promotion begins a history of its own.
        let host = self.id.as_str().replace(|c: char| !c.is_ascii_digit(), "a");
        let new = format!("{:c<40}", format!("{host}e{offset}"));
        let values = [
            ("master_replid2", old),
            ("master_replid", new),
            ("second_repl_offset", (offset + 1).to_string()),
            ("master_repl_offset", offset.to_string()),
        ];
        self.facts.replication.extend(values);
    }

    /// So many writes of a hundred bytes each, every one a new key.
    pub fn write(&mut self, writes: u64) {
        let keys = self.facts.dbs.get(&0).map_or(0, |(keys, _)| *keys);
        self.facts.keys(keys + writes);
        self.facts.ran("set", writes);
        let offset = self.offset() + writes * 100;
        let offset = offset.to_string();
        self.facts.replication.insert("master_repl_offset", offset);
    }

    pub fn offset(&self) -> u64 {
        let offset = &self.facts.replication["master_repl_offset"];
        offset.parse().expect("a number")
    }
}

/// Several pretended servers, polled in turn every second.
pub struct Group {
    pub nodes: Vec<Node>,
    pub deployment: Deployment,
    /// Everything that was said.
    pub told: Vec<Told>,
    elapsed: Duration,
}

impl Group {
    /// Primaries at these hosts, with a thousand keys each.
    pub fn of(hosts: &[&str]) -> Self {
        let node = |(place, host): (usize, &&str)| {
            let mut facts = Facts::default();
            facts.keys(1_000);
            // Every process and every history has an id of its own.
            let letter = char::from(b'a' + u8::try_from(place % 26).expect("is small"));
            facts.run_id = format!("{:0>40}", format!("{letter}{place}"));
            let replid = format!("{:0>40}", format!("{place}e"));
            facts.replication.insert("master_replid", replid);
            Node {
                id: NodeId::of(host, 6_379),
                facts,
                up: true,
            }
        };
        let nodes: Vec<Node> = hosts.iter().enumerate().map(node).collect();
        let keep = Duration::from_secs(3_600);
        Self {
            deployment: Deployment::new(nodes[0].id.clone(), Assumptions::default(), keep),
            nodes,
            told: Vec::new(),
            elapsed: Duration::ZERO,
        }
    }

    /// The same with histories that forget what is older.
    pub fn forgetting(mut self, keep: Duration) -> Self {
        let first = self.nodes[0].id.clone();
        self.deployment = Deployment::new(first, Assumptions::default(), keep);
        self
    }

    /// The cluster is asked who holds what: nodes by their places, with what follows the address in
    /// CLUSTER NODES.
    pub fn view(&mut self, nodes: &[(usize, &str)]) {
        let line = |(n, is): &(usize, &str)| format!("n{n} {}@1 {is}", self.nodes[*n].id);
        let lines: Vec<String> = nodes.iter().map(line).collect();
        let moment = self.told.last().expect("something was said").moment();
        let topology = Topology::parse(&lines.join("\n"), "10.0.0.1").ok_or_else(String::new);
        let node = self.nodes[0].id.clone();
        let said = Observation::Topology { moment, topology };
        self.deployment.observe(Told::Node(node, said));
    }

    /// All nodes are polled after `change`.
    pub fn then(mut self, change: impl FnOnce(&mut [Node])) -> Self {
        change(&mut self.nodes);
        self.elapsed += Duration::from_secs(1);
        let began = Timestamp::from_second(1_795_400_000).expect("a time in range");
        for (n, node) in (0u64..).zip(&mut self.nodes) {
            let elapsed = self.elapsed + Duration::from_millis(n);
            let moment = Moment {
                elapsed,
                at: began + elapsed,
            };
            let said = if node.up {
                node.facts.uptime_s += 1;
                node.facts.add("total_commands_processed", 7);
                Observation::Answer {
                    moment,
                    round_trip: Duration::from_micros(300),
                    info: node.facts.info().into(),
                }
            } else {
                Observation::Failed {
                    moment,
                    failure: Failure {
                        kind: FailureKind::Refused,
                        detail: String::new(),
                    },
                    retry_in: Duration::from_secs(1),
                }
            };
            let told = Told::Node(node.id.clone(), said);
            self.told.push(told.clone());
            self.deployment.observe(told);
        }
        self
    }

    /// So many polls, each after `change`.
    pub fn repeat(mut self, polls: usize, mut change: impl FnMut(&mut [Node])) -> Self {
        for _ in 0..polls {
            self = self.then(&mut change);
        }
        self
    }

    /// What is said of all of them.
    pub fn diagnosis(&self) -> Diagnosis {
        diagnose_deployment(&self.deployment, None)
    }
}
