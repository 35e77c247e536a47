//! Every fixture reply is read as a second, simpler reading of the same text says it should be.

use std::path::{Path, PathBuf};
use std::time::Duration;

use amr_top::info::Info;
use amr_top::model::{Assumptions, Counter, Limit, Moment, Product, Role, Sample};
use jiff::Timestamp;
use rstest::rstest;

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn fixture(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/info");
    read(&folder.join(name))
}

fn sample(text: &str) -> Sample {
    let moment = Moment {
        elapsed: Duration::ZERO,
        at: Timestamp::UNIX_EPOCH,
    };
    let info = Info::parse(text);
    Sample::new(moment, Duration::ZERO, &info, &Assumptions::default())
}

/// The second reading: the first line that begins with `name:`, whatever its section.
fn line<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .find(|line| line.split(':').next() == Some(name))
        .and_then(|line| line.get(name.len() + 1..))
        .map(str::trim)
}

fn number(text: &str, name: &str) -> Option<u64> {
    line(text, name).and_then(|value| value.parse().ok())
}

/// The sum of `keys=` over all lines `dbN:`.
fn keys(text: &str) -> u64 {
    text.lines()
        .filter(|line| line.starts_with("db") && line.contains(":keys="))
        .filter_map(|line| {
            line.split("keys=")
                .nth(1)?
                .split(',')
                .next()?
                .parse::<u64>()
                .ok()
        })
        .sum()
}

/// `redis-7.0.15-primary.txt` is `redis` and `7.0.15` by its name.
fn by_name(path: &Path) -> (Product, Option<&str>) {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or("");
    let mut parts = name.split('-');
    match parts.next() {
        Some("redis") => (Product::Redis, parts.next()),
        Some("valkey") => (Product::Valkey, parts.next()),
        _ => panic!("a fixture without a product: {name}"),
    }
}

#[rstest]
fn a_reply_is_read_as_it_stands(#[files("tests/fixtures/info/[rv]*-*.txt")] path: PathBuf) {
    let text = read(&path);
    let sample = sample(&text);
    let (product, version) = by_name(&path);
    assert_eq!(sample.product(), product);
    assert_eq!(sample.server.version.0.as_deref(), version);
    let role = match line(&text, "role") {
        Some("master") => Role::Primary,
        Some("slave") => Role::Replica,
        other => panic!("a role that is none: {other:?}"),
    };
    assert_eq!(sample.replication.role, role);
    assert_eq!(sample.keys(), Some(keys(&text)));
    for counter in [Counter::ExpiredKeys, Counter::EvictedKeys] {
        let written = number(&text, counter.field());
        assert!(written.is_some(), "{counter:?} stands in every reply");
        assert_eq!(sample.counter(counter), written, "{counter:?}");
    }
    let limit = match number(&text, "maxmemory") {
        Some(0) => Limit::Unlimited,
        Some(bytes) => Limit::Bytes(bytes),
        None => Limit::NotExposed,
    };
    assert_ne!(limit, Limit::NotExposed);
    assert_eq!(sample.memory.limit, limit);
    assert_eq!(
        sample.memory.policy.as_deref(),
        line(&text, "maxmemory_policy")
    );
    assert_eq!(sample.memory.used_bytes, number(&text, "used_memory"));
    assert_eq!(sample.server.uptime_s, number(&text, "uptime_in_seconds"));
    assert_eq!(sample.server.run_id.as_deref(), line(&text, "run_id"));
    assert_eq!(
        sample.replication.replid.as_deref(),
        line(&text, "master_replid")
    );
    assert_eq!(Info::parse(&*text).unknown_lines().count(), 0);
}

/// The table is over files: this says that it is not empty and covers what it should.
#[test]
fn the_fixtures_are_there() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/info");
    let names: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    for server in [
        "redis-6.2.16",
        "redis-7.0.15",
        "redis-7.4.1",
        "redis-8.0.6",
        "redis-8.6.3",
        "valkey-8.0.1",
        "valkey-9.1.2",
    ] {
        for part in ["primary", "replica", "primary-after-flushall"] {
            let name = format!("{server}-{part}.txt");
            assert!(names.contains(&name), "{name}");
        }
    }
}

#[test]
fn redis_enterprise_hides_much_and_nothing_is_made_up() {
    let text = fixture("synthetic-redis-enterprise-default.txt");
    let sample = sample(&text);
    assert_eq!(sample.product(), Product::RedisEnterprise);
    assert_eq!(
        sample.server.version.0.as_deref(),
        line(&text, "redis_version")
    );
    assert_eq!(sample.replication.role, Role::Primary);
    assert_eq!(sample.keys(), Some(keys(&text)));
    assert_eq!(
        sample.counter(Counter::ExpiredKeys),
        number(&text, "expired_keys")
    );
    assert_eq!(
        sample.counter(Counter::EvictedKeys),
        number(&text, "evicted_keys")
    );
    assert_eq!(sample.memory.limit, Limit::NotExposed);
    assert_eq!(sample.memory.policy, None);
    assert_eq!(
        line(&text, "uptime_in_seconds"),
        Some("1795400000"),
        "the Unix time"
    );
    assert_eq!(sample.server.uptime_s, None);
    assert_eq!(sample.replication.replid, None);
    assert_eq!(sample.commands, None, "not in its default reply");
    assert_eq!(sample.errors, None);
}

#[test]
fn the_command_section_of_redis_enterprise_says_nothing_else() {
    let text = fixture("synthetic-redis-enterprise-commandstats.txt");
    let sample = sample(&text);
    assert!(sample.commands.is_some());
    assert_eq!(sample.keys(), None, "no keyspace section is no zero");
    assert_eq!(sample.counter(Counter::ExpiredKeys), None);
    assert_eq!(sample.memory.limit, Limit::NotExposed);
    assert_eq!(sample.replication.role, Role::Unknown);
}
