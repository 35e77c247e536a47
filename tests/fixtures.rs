//! Every fixture reply is read as a second, simpler reading of the same text says it should be.

use std::path::{Path, PathBuf};
use std::time::Duration;

use amr_top::diagnosis::{Cause, Diagnosis, Known, Level, Scope, Way, diagnose};
use amr_top::info::Info;
use amr_top::model::{
    Assumptions, Commands, Counter, History, Limit, Moment, NodeId, Observation, Product, Role,
    Sample,
};
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

/// Replies of products and versions that are not installed here; the field lists are real, the
/// values are not.
#[rstest]
#[case("synthetic-redis-2.6.16", Product::Redis, "2.6.16")]
#[case("synthetic-redis-2.8.24", Product::Redis, "2.8.24")]
#[case("synthetic-redis-3.2.12", Product::Redis, "3.2.12")]
#[case("synthetic-redis-4.0.14", Product::Redis, "4.0.14")]
#[case("synthetic-redis-5.0.14", Product::Redis, "5.0.14")]
#[case("synthetic-redis-6.0.20", Product::Redis, "6.0.20")]
#[case("synthetic-keydb-6.3.4", Product::KeyDb, "6.3.4")]
#[case("synthetic-dragonfly-1.23.0", Product::Dragonfly, "df-v1.23.0")]
#[case("synthetic-elasticache-6.2.6", Product::ElastiCache, "6.2.6")]
#[case("synthetic-memorydb-6.2.6", Product::MemoryDb, "6.2.6")]
#[case("redis-8.6.3", Product::Redis, "8.6.3")]
#[case("valkey-9.1.2", Product::Valkey, "9.1.2")]
fn any_products_reply_is_accepted(
    #[case] name: &str,
    #[case] product: Product,
    #[case] version: &str,
) {
    let text = fixture(&format!("{name}-primary.txt"));
    let sample = sample(&text);
    assert_eq!(sample.product(), product);
    assert_eq!(sample.server.version.0.as_deref(), Some(version));
    assert_eq!(sample.replication.role, Role::Primary);
    assert_eq!(sample.keys(), Some(keys(&text)));
    assert_eq!(sample.unread.lines, 0, "{:?}", sample.unread);
    nothing_is_made_up(&text, &sample);
    first_contact(&text);
    a_flush_is_found(&text);
}

/// What the reply does not carry is unknown.
fn nothing_is_made_up(text: &str, sample: &Sample) {
    for counter in Counter::ALL {
        let written = number(text, counter.field());
        assert_eq!(sample.counter(counter), written, "{counter:?}");
    }
    assert_eq!(
        sample.memory.limit == Limit::NotExposed,
        line(text, "maxmemory").is_none()
    );
    assert_eq!(
        sample.replication.replid.as_deref(),
        line(text, "master_replid")
    );
    assert_eq!(sample.errors.is_some(), text.contains("errorstat_"));
    assert_eq!(
        sample.persistence.aof.is_some(),
        text.contains("aof_enabled:")
    );
    assert_eq!(sample.server.time_us, number(text, "server_time_usec"));
    let refusals = sample.commands.as_ref().map(Commands::tells_refusals);
    assert_eq!(refusals, Some(text.contains("rejected_calls=")));
    // Redis 2.6 prints a replica as `10.0.0.1,6379,online`.
    let lines = text.lines().filter(|line| line.starts_with("slave0:ip="));
    assert_eq!(sample.replication.replicas.len(), lines.count());
}

fn diagnosed(replies: &[&str]) -> Diagnosis {
    let keep = Duration::from_secs(3_600);
    let mut history = History::new(NodeId::new("h:1"), Assumptions::default(), keep);
    for (poll, reply) in (0..).zip(replies) {
        let elapsed = Duration::from_secs(poll);
        history.observe(Observation::Answer {
            moment: Moment {
                elapsed,
                at: Timestamp::UNIX_EPOCH + elapsed,
            },
            round_trip: Duration::ZERO,
            info: (*reply).into(),
        });
    }
    diagnose(&history.window())
}

fn first_contact(text: &str) {
    let diagnosis = diagnosed(&[text]);
    assert_eq!(diagnosis.verdicts.len(), Cause::ALL.len());
    for verdict in &diagnosis.verdicts {
        let cause = verdict.cause;
        assert_ne!(
            verdict.level,
            Level::Confirmed,
            "{cause:?} at first contact"
        );
        let is_old = verdict.scope == Scope::SinceStart;
        assert!(
            !verdict.is_loss() || is_old,
            "{cause:?}: nothing was watched"
        );
        assert!(
            !verdict.is_loss() || !verdict.evidence.is_empty(),
            "{cause:?}"
        );
    }
    let parts = diagnosis.ledger.parts;
    assert!(parts.iter().all(|part| part.known == Known::Unknown));
}

/// The reply as it would be after a FLUSHALL by somebody.
fn flushed(text: &str) -> String {
    let is_flush = |line: &str| line.starts_with("cmdstat_flushall:");
    let calls = text.lines().find(|line| is_flush(line)).map_or(0, |line| {
        let calls = line
            .split("calls=")
            .nth(1)
            .and_then(|n| n.split(',').next());
        calls.and_then(|n| n.parse::<u64>().ok()).expect("calls")
    });
    let stat = format!(
        "cmdstat_flushall:calls={},usec=9,usec_per_call=9.00",
        calls + 1
    );
    let commands = format!("# Commandstats\r\n{stat}");
    let is_db = |line: &str| line.starts_with("db") && line.contains(":keys=");
    let gone = |line: &&str| is_flush(line) || is_db(line);
    let kept: Vec<&str> = text.lines().filter(|line| !gone(line)).collect();
    kept.join("\r\n").replace("# Commandstats", &commands)
}

fn a_flush_is_found(text: &str) {
    let diagnosis = diagnosed(&[text, &flushed(text)]);
    let flush = diagnosis.of(Cause::Flush).expect("has a verdict");
    assert_eq!(flush.level, Level::Confirmed, "{flush:?}");
    assert_eq!(flush.keys_lost, Some(keys(text)));
    assert_eq!(diagnosis.top_cause, Some(Cause::Flush));
    assert_eq!(diagnosis.ledger.keys(Way::Flushed), keys(text));
    assert_eq!(diagnosis.ledger.keys(Way::Unexplained), 0);
}

/// A banner, a cut end and bytes of all kinds cost a notice and nothing else.
#[test]
fn what_is_not_understood_is_told_once() {
    let text = fixture("redis-7.0.15-primary.txt");
    let odd = format!("proxy\u{1b}[31m ready: yes\r\n\0\0\u{fffd}\r\n{text}\r\nused_mem");
    let diagnosis = diagnosed(&[&odd, &odd]);
    let told = diagnosis
        .notices
        .iter()
        .filter(|notice| notice.contains("not understood"));
    let told: Vec<&String> = told.collect();
    assert_eq!(
        told,
        [
            "3 lines of the reply were not understood: 'proxy␛[31m ready: yes', '␀␀\u{fffd}', 'used_mem'"
        ]
    );
    assert_eq!(sample(&odd).keys(), Some(keys(&text)));
}

/// Wherever a reply is cut: it is read, and what is missing is not zero.
#[rstest]
fn a_cut_reply_is_read(#[files("tests/fixtures/info/*-primary.txt")] path: PathBuf) {
    let text = read(&path);
    let step = text.len() / 50;
    for end in (0..text.len())
        .step_by(step)
        .filter(|end| text.is_char_boundary(*end))
    {
        let cut = &text[..end];
        let sample = sample(cut);
        // The heading itself may be cut.
        if cut.lines().all(|line| line.trim() != "# Keyspace") {
            assert_eq!(sample.keys(), None, "cut at {end}");
        }
        let _ = diagnosed(&[cut, &text, cut]);
    }
}
