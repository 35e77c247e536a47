//! The list: every command that can be sent, what it is for and when it is sent.

use super::{Entry, SECTIONS, SENTINEL_CHANNELS};

/// The list.
pub const ALL: &[Entry] = &[
    Entry {
        name: "auth",
        arguments: "[<user>] <password>",
        purpose: "once per connection, when a password was given",
    },
    Entry {
        name: "info",
        arguments: SECTIONS,
        purpose: "each poll, on Redis 7 and later and on Valkey",
    },
    Entry {
        name: "info",
        arguments: "all",
        purpose: "each poll, on servers that take one section only (Redis 6.2 and earlier)",
    },
    Entry {
        name: "info",
        arguments: "",
        purpose: "each poll, on servers whose 'all' leaves out commandstats (Redis Enterprise); \
                  in one round trip with the next two",
    },
    Entry {
        name: "info",
        arguments: "commandstats",
        purpose: "together with the plain 'info'",
    },
    Entry {
        name: "info",
        arguments: "errorstats",
        purpose: "together with the plain 'info'; may be refused",
    },
    Entry {
        name: "hello",
        arguments: "3 [auth <user> <password>]",
        purpose: "once per tripwire, the second connection",
    },
    Entry {
        name: "client|tracking",
        arguments: "on optin",
        purpose: "once per tripwire: without a key to track, the server pushes emptied databases \
                  and nothing else; may be refused",
    },
    Entry {
        name: "client|tracking",
        arguments: "on",
        purpose: "once per connection that watches keys by name, only with --watch or the key 'w': \
                  the server pushes the names of keys that were read and are changed",
    },
    Entry {
        name: "client|tracking",
        arguments: "on bcast prefix <prefix>",
        purpose: "once per watched prefix, on a connection of its own: the server pushes the names \
                  of all keys under it that are changed; more than 1,000 a second switch it off",
    },
    Entry {
        name: "pttl",
        arguments: "<key>",
        purpose: "reads a watched key: at first, after each push, and in turn (at most 100 keys a \
                  second); touches neither LRU nor LFU",
    },
    Entry {
        name: "type",
        arguments: "<key>",
        purpose: "together with pttl",
    },
    Entry {
        name: "memory|usage",
        arguments: "<key> samples 1",
        purpose: "together with pttl; may be refused",
    },
    Entry {
        name: "scan",
        arguments: "<cursor> count 100",
        purpose: "only with --sample, at most five times a second: some keys of database 0, which are \
                  then asked for their pttl; the server reaps expired keys that it comes across",
    },
    Entry {
        name: "slowlog|get",
        arguments: "128",
        purpose: "once per server process, after its first 'info', and when the next is not enough; \
                  may be refused",
    },
    Entry {
        name: "slowlog|get",
        arguments: "16",
        purpose: "when keys went or commands that take them were called: at most once a second",
    },
    Entry {
        name: "client|list",
        arguments: "",
        purpose: "as the slow log, unless there are more than 2,000 clients; may be refused",
    },
    Entry {
        name: "commandlog|get",
        arguments: "16 large-request",
        purpose: "together with the slow log, on Valkey 8.1 and later; may be refused",
    },
    Entry {
        name: "acl|log",
        arguments: "16",
        purpose: "once per server process, and when commands that take keys were refused; not on \
                  Redis Enterprise; may be refused",
    },
    Entry {
        name: "cluster|nodes",
        arguments: "",
        purpose: "on one node of a cluster: when it is met, every second (five where there are more than fifty nodes), and when a node \
                  fails or changes its role; not with --no-discover; may be refused",
    },
    Entry {
        name: "cluster|shards",
        arguments: "",
        purpose: "where cluster|nodes is refused",
    },
    Entry {
        name: "cluster|slots",
        arguments: "",
        purpose: "where cluster|shards is refused too",
    },
    Entry {
        name: "sentinel|get-master-addr-by-name",
        arguments: "<name>",
        purpose: "to a Sentinel that the user named: at the start, and every second",
    },
    Entry {
        name: "sentinel|replicas",
        arguments: "<name>",
        purpose: "to a Sentinel: every ten seconds",
    },
    Entry {
        name: "sentinel|slaves",
        arguments: "<name>",
        purpose: "to a Sentinel before 5.0, which does not know the other",
    },
    Entry {
        name: "subscribe",
        arguments: SENTINEL_CHANNELS,
        purpose: "to a Sentinel: once per connection",
    },
    Entry {
        name: "config|get",
        arguments: "notify-keyspace-events",
        purpose: "once per server process, and when the connection that hears them was lost: whether \
                  it publishes removals; nothing is ever set; may be refused",
    },
    Entry {
        name: "subscribe",
        arguments: "__keyevent@<db>__:<event>",
        purpose: "only where it does, on a connection of its own, for del, expired, evicted, \
                  rename_from and move_from of databases 0 to 15: which keys went; more than 1,000 \
                  a second switch it off; may be refused",
    },
    Entry {
        name: "monitor",
        arguments: "",
        purpose: "only when the user asks for it, on a connection of its own, for five seconds at \
                  most",
    },
];
