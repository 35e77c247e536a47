//! The numbers of each panel, from the last sample: what an export keeps beside the report.

use serde_json::{Map, Value, json};

use crate::model::{Class, Commands, Counter, Limit, Memory, Sample, Window};

/// The panels by name; an object without members where nothing answered.
pub(super) fn numbers(window: &Window<'_>) -> Value {
    let Some(sample) = &window.last_sample() else {
        return json!({});
    };
    json!({
        "at": sample.moment.at,
        "round_trip_ms": sample.round_trip.as_secs_f64() * 1_000.0,
        "server": server(sample),
        "keyspace": keyspace(sample),
        "memory": memory(&sample.memory),
        "commandstats": sample.commands.as_ref().map(commands),
        "errorstats": sample.errors.as_ref().map(|errors| {
            errors.iter().map(|(prefix, n)| (prefix.clone(), json!(n))).collect::<Map<_, _>>()
        }),
        "replication": replication(sample),
        "persistence": persistence(sample),
        "counters": counters(sample, window),
        "slow_log": window.witnesses().slow_log(),
    })
}

fn server(sample: &Sample) -> Value {
    let server = &sample.server;
    json!({
        "product": sample.product(),
        "version": server.version,
        "run_id": server.run_id,
        "uptime_s": server.uptime_s,
        "time_us": server.time_us,
        "clients": server.clients,
        "cluster": server.cluster,
        "ops_per_s": server.ops_per_s,
        "shutting_down": server.shutting_down,
        "config_file": server.config_file,
    })
}

fn keyspace(sample: &Sample) -> Value {
    let dbs: Vec<Value> = sample
        .keyspace
        .dbs
        .iter()
        .map(|db| {
            json!({
                "db": db.index,
                "keys": db.keys,
                "expires": db.expires,
                "avg_ttl_ms": db.avg_ttl_ms,
                "volatile_hashes": db.volatile_hashes,
            })
        })
        .collect();
    json!({
        "keys": sample.keys(),
        "expires": sample.keyspace.expires(),
        "dbs": sample.keyspace.exposed.then_some(dbs),
    })
}

fn memory(memory: &Memory) -> Value {
    let source = match memory.limit {
        Limit::NotExposed => "not-exposed",
        Limit::Unlimited => "unlimited",
        Limit::Bytes(_) => "server",
        Limit::Assumed(_) => "assumed",
    };
    json!({
        "used_bytes": memory.used_bytes,
        "counted_bytes": memory.counted_bytes(),
        "not_counted_bytes": memory.not_counted_bytes,
        "limit_bytes": memory.limit.bytes(),
        "limit_from": source,
        "share": memory.share(),
        "policy": memory.policy,
        "policy_assumed": memory.policy_assumed,
        "peak_bytes": memory.peak_bytes,
        "rss_bytes": memory.rss_bytes,
        "dataset_bytes": memory.dataset_bytes,
        "clients_bytes": memory.clients_bytes,
        "replicas_bytes": memory.replicas_bytes,
        "backlog_bytes": memory.backlog_bytes,
        "aof_buffer_bytes": memory.aof_buffer_bytes,
        "system_bytes": memory.system_bytes,
        "exceeded_now_ms": memory.exceeded_now_ms,
    })
}

fn commands(commands: &Commands) -> Value {
    let tells = commands.tells_refusals();
    let rows: Vec<Value> = commands
        .iter()
        .map(|stat| {
            json!({
                "command": stat.name,
                "class": stat.class.map(Class::word),
                "calls": stat.calls,
                "usec": stat.usec,
                "rejected": tells.then_some(stat.rejected),
                "failed": tells.then_some(stat.failed),
            })
        })
        .collect();
    Value::Array(rows)
}

fn replication(sample: &Sample) -> Value {
    let replication = &sample.replication;
    let replicas: Vec<Value> = replication
        .replicas
        .iter()
        .map(|replica| {
            json!({
                "address": replica.address,
                "state": replica.state,
                "offset": replica.offset,
                "behind_bytes": replica.behind_bytes(replication.offset),
                "ack_age_s": replica.ack_age_s,
            })
        })
        .collect();
    json!({
        "role": replication.role,
        "connected_replicas": replication.connected_replicas,
        "replicas": replicas,
        "replid": replication.replid,
        "replid2": replication.replid2,
        "offset": replication.offset,
        "second_offset": replication.second_offset,
        "backlog_active": replication.backlog_active,
        "backlog_size_bytes": replication.backlog_size_bytes,
        "backlog_used_bytes": replication.backlog_used_bytes,
        "good_replicas": replication.good_replicas,
        "primary": replication.primary,
        "link_up": replication.link_up,
        "link_down_s": replication.link_down_s,
        "last_io_s": replication.last_io_s,
        "syncing": replication.syncing,
        "received_offset": replication.received_offset,
        "applied_offset": replication.applied_offset,
        "read_only": replication.read_only,
        "failover": replication.failover,
    })
}

fn persistence(sample: &Sample) -> Value {
    let persistence = &sample.persistence;
    json!({
        "loading": persistence.loading,
        "async_loading": persistence.async_loading,
        "loading_percent": persistence.loading_percent,
        "unsaved_changes": persistence.unsaved_changes,
        "last_save_s": persistence.last_save_s,
        "saving": persistence.saving,
        "last_save_ok": persistence.last_save_ok,
        "loaded_keys": persistence.loaded_keys,
        "loaded_expired_keys": persistence.loaded_expired_keys,
        "aof": persistence.aof,
        "aof_write_ok": persistence.aof_write_ok,
        "aof_rewrite_ok": persistence.aof_rewrite_ok,
        "aof_size_bytes": persistence.aof_size_bytes,
        "aof_rewriting": persistence.aof_rewriting,
    })
}

/// Each counter: its reading, its growth over the window, its growth a second over the last poll.
fn counters(sample: &Sample, window: &Window<'_>) -> Value {
    Counter::ALL
        .into_iter()
        .map(|counter| {
            let numbers = json!({
                "total": sample.counter(counter),
                "in_window": window.total(counter),
                "per_s": window.rate(counter),
            });
            (counter.field().to_owned(), numbers)
        })
        .collect::<Map<_, _>>()
        .into()
}
