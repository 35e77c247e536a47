//! What no server may bring about, whatever it says: a panic, a claim without evidence, a balance
//! that does not add up, a negative rate, text that steers the terminal.

use std::time::Duration;

use amr_top::diagnosis::{Diagnosis, Known, Level, State, Verdict, Way, diagnose};
use amr_top::info::Info;
use amr_top::model::{
    Assumptions, Counter, Failure, FailureKind, History, Moment, NodeId, Observation, Sample, Step,
    Window,
};
use amr_top::report::{Format, Report, Style};
use jiff::Timestamp;
use proptest::prelude::*;

/// Real replies to start from: what is cut up and put together anew.
const REPLIES: [&str; 8] = [
    include_str!("fixtures/info/redis-7.0.15-primary.txt"),
    include_str!("fixtures/info/redis-7.0.15-primary-after-flushall.txt"),
    include_str!("fixtures/info/redis-7.0.15-primary-evicting.txt"),
    include_str!("fixtures/info/redis-7.0.15-replica.txt"),
    include_str!("fixtures/info/redis-8.6.3-primary.txt"),
    include_str!("fixtures/info/valkey-9.1.2-primary.txt"),
    include_str!("fixtures/info/redis-7.0.15-primary-after-resetstat.txt"),
    include_str!("fixtures/info/synthetic-redis-enterprise-default.txt"),
];

/// Fields that decide something; a change of one of these is worth more than of others.
const DECIDING: &[&str] = &[
    "run_id",
    "uptime_in_seconds",
    "server_time_usec",
    "used_memory",
    "maxmemory",
    "maxmemory_policy",
    "mem_clients_normal",
    "loading",
    "rdb_last_load_keys_loaded",
    "rdb_last_load_keys_expired",
    "aof_enabled",
    "expired_keys",
    "evicted_keys",
    "lazyfreed_objects",
    "total_commands_processed",
    "role",
    "master_replid",
    "master_replid2",
    "second_repl_offset",
    "master_link_status",
    "db0",
    "db1",
    "cmdstat_del",
    "cmdstat_flushall",
    "cmdstat_restore",
    "cmdstat_set",
    "errorstat_OOM",
];

/// What is done to a reply.
#[derive(Clone, Debug)]
enum Harm {
    /// A deciding field gets another value.
    Set(&'static str, String),
    /// A number somewhere becomes another one.
    Number(prop::sample::Index, u64),
    /// A line goes, or comes twice, or changes places with another one.
    Drop(prop::sample::Index),
    Double(prop::sample::Index),
    Swap(prop::sample::Index, prop::sample::Index),
    /// The reply ends early.
    Cut(prop::sample::Index),
    /// Bytes from anywhere.
    Insert(prop::sample::Index, String),
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        Just(1),
        Just(u64::MAX),
        Just(1 << 53),
        0u64..2_000,
        any::<u64>()
    ]
}

fn value() -> impl Strategy<Value = String> {
    let calls = (number(), number(), number())
        .prop_map(|(c, r, f)| format!("calls={c},usec=1,rejected_calls={r},failed_calls={f}"));
    let keys = (number(), number()).prop_map(|(k, e)| format!("keys={k},expires={e},avg_ttl=1"));
    prop_oneof![
        number().prop_map(|n| n.to_string()),
        calls,
        keys,
        Just("-1".to_owned()),
        Just("master".to_owned()),
        Just("slave".to_owned()),
        Just("noeviction".to_owned()),
        Just("allkeys-lru".to_owned()),
        Just("\u{1b}[2J\u{202e}".to_owned()),
        any::<String>(),
    ]
}

fn harm() -> impl Strategy<Value = Harm> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        4 => (prop::sample::select(DECIDING), value()).prop_map(|(f, v)| Harm::Set(f, v)),
        2 => (index(), number()).prop_map(|(at, n)| Harm::Number(at, n)),
        1 => index().prop_map(Harm::Drop),
        1 => index().prop_map(Harm::Double),
        1 => (index(), index()).prop_map(|(a, b)| Harm::Swap(a, b)),
        1 => index().prop_map(Harm::Cut),
        1 => (index(), any::<String>()).prop_map(|(at, text)| Harm::Insert(at, text)),
    ]
}

fn harmed(text: &str, harms: &[Harm]) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut cut = None;
    for harm in harms {
        if lines.is_empty() {
            break;
        }
        let len = lines.len();
        match harm {
            Harm::Set(field, value) => {
                let prefix = format!("{field}:");
                let line = format!("{field}:{value}");
                match lines.iter_mut().find(|line| line.starts_with(&prefix)) {
                    Some(known) => *known = line,
                    None => lines.push(line),
                }
            }
            Harm::Number(at, n) => {
                let line = &mut lines[at.index(len)];
                if let Some((name, _)) = line.clone().split_once(':') {
                    *line = format!("{name}:{n}");
                }
            }
            Harm::Drop(at) => drop(lines.remove(at.index(len))),
            Harm::Double(at) => lines.push(lines[at.index(len)].clone()),
            Harm::Swap(a, b) => lines.swap(a.index(len), b.index(len)),
            Harm::Cut(at) => cut = Some(*at),
            Harm::Insert(at, text) => lines[at.index(len)].push_str(text),
        }
    }
    let mut text = lines.join("\r\n");
    if let Some(at) = cut.filter(|_| !text.is_empty()) {
        let mut end = at.index(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
    text
}

/// Observations that print what decides, not everything.
#[derive(Clone)]
struct Said(Vec<Observation>);

impl std::fmt::Debug for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for observation in &self.0 {
            let moment = observation.moment();
            writeln!(f, "@ {:?} {}", moment.elapsed, moment.at)?;
            if let Observation::Answer { info, .. } = observation {
                let decides = |line: &&str| {
                    let name = line.split(':').next().unwrap_or("");
                    DECIDING.contains(&name) || name.starts_with('#')
                };
                for line in info.lines().filter(decides) {
                    writeln!(f, "  {line:?}")?;
                }
            }
        }
        Ok(())
    }
}

/// Replies and failures in any order, at any time, also backwards and twice.
fn observations() -> impl Strategy<Value = Said> {
    let reply = (0..REPLIES.len(), prop::collection::vec(harm(), 0..6))
        .prop_map(|(which, harms)| harmed(REPLIES[which], &harms));
    let time = prop_oneof![0u64..20_000, Just(0), 0u64..4_000_000_000];
    let said = (prop::option::weighted(0.9, reply), time, -5_000i64..5_000);
    prop::collection::vec(said, 1..8).prop_map(|said| {
        let told = said.into_iter().map(|(reply, elapsed_ms, skew_ms)| {
            let moment = Moment {
                elapsed: Duration::from_millis(elapsed_ms),
                at: Timestamp::UNIX_EPOCH
                    + Duration::from_millis(1_000_000_000_000 + elapsed_ms)
                    + jiff::SignedDuration::from_millis(skew_ms),
            };
            match reply {
                Some(info) => Observation::Answer {
                    moment,
                    round_trip: Duration::from_millis(1),
                    info: info.into(),
                },
                None => Observation::Failed {
                    moment,
                    failure: Failure {
                        kind: FailureKind::Refused,
                        detail: "no".into(),
                    },
                    retry_in: Duration::ZERO,
                },
            }
        });
        Said(told.collect())
    })
}

fn check(history: &History) {
    let window = history.window();
    let diagnosis = diagnose(&window);
    check_claims(&diagnosis);
    check_balance(&diagnosis);
    check_incidents(&diagnosis);
    for counter in Counter::ALL {
        let rate = window.rate(counter).unwrap_or(0.0);
        assert!(rate >= 0.0 && rate.is_finite(), "{counter:?}: {rate}");
    }
    let report = Report::of_one(&window, &diagnosis, &[]);
    for format in Format::ALL {
        let text = report.render(format, Style::default());
        let steers = |c: char| c.is_control() && c != '\n';
        assert!(!text.chars().any(steers), "{text:?}");
    }
}

fn check_claims(diagnosis: &Diagnosis) {
    for verdict in &diagnosis.verdicts {
        let claims = verdict.is_loss() || verdict.level == Level::AtRisk;
        assert!(!claims || !verdict.evidence.is_empty(), "{verdict:#?}");
        let most = verdict.at_most.unwrap_or(u64::MAX);
        assert!(verdict.keys_lost.unwrap_or(0) <= most, "{verdict:#?}");
        if let Some(mechanism) = verdict.mechanism {
            assert_eq!(mechanism.cause(), verdict.cause, "{verdict:#?}");
        }
    }
    if let Some(top) = diagnosis.top_cause {
        assert!(diagnosis.of(top).is_some_and(Verdict::is_loss));
    }
}

/// Sums that a hostile server drives to the end of a number stay there; below, they are exact.
fn check_balance(diagnosis: &Diagnosis) {
    let ledger = &diagnosis.ledger;
    for part in &ledger.parts {
        assert!(part.keys <= part.most.unwrap_or(u64::MAX), "{part:?}");
        assert_eq!(
            part.known == Known::Exact,
            part.most == Some(part.keys),
            "{part:?}"
        );
        assert!(part.known != Known::Unknown || part.keys == 0, "{part:?}");
    }
    let all = || ledger.parts.iter().map(|part| u128::from(part.keys));
    let (Some(before), Some(after)) = (ledger.keys_before, ledger.keys_after) else {
        return;
    };
    if all()
        .chain([before.into(), after.into()])
        .all(|n| n < 1 << 60)
    {
        let created = u128::from(ledger.keys(Way::Created));
        let removed: u128 = all().sum::<u128>() - created;
        assert_eq!(
            u128::from(before) + created,
            u128::from(after) + removed,
            "{ledger:#?}"
        );
    }
}

fn check_incidents(diagnosis: &Diagnosis) {
    let mut going_on = diagnosis
        .incidents
        .iter()
        .map(|incident| incident.state == State::GoingOn);
    let last = going_on.next_back();
    assert!(last.is_none() || !going_on.any(|going_on| going_on));
    for incident in &diagnosis.incidents {
        assert!(!incident.shares.is_empty(), "{incident:#?}");
        let keys = incident
            .shares
            .iter()
            .fold(0u64, |sum, share| sum.saturating_add(share.keys));
        assert_eq!(keys, incident.keys, "{incident:#?}");
        let shares: f64 = incident.shares.iter().map(|share| share.share).sum();
        assert!(incident.keys == 0 || (shares - 1.0).abs() < 1e-6 || keys == u64::MAX);
    }
}

/// Compared as text: a number that is none is not equal to itself.
fn gives_back<'a>(
    window: &Window<'_>,
    plain: impl Iterator<Item = &'a (usize, Sample, Option<Step>)> + Clone,
) {
    let text = |value: &dyn std::fmt::Debug| format!("{value:?}");
    let samples = window.samples().map(|kept| text(&kept.sample()));
    assert!(samples.eq(plain.clone().map(|(_, sample, _)| text(sample))));
    let steps = window.steps().map(|step| text(step));
    assert!(
        steps.eq(plain
            .clone()
            .filter_map(|(.., step)| step.as_ref())
            .map(|step| text(step)))
    );
    for (kept, (_, sample, _)) in window.samples().zip(plain) {
        assert_eq!(kept.keyspace(), sample.keyspace);
        assert_eq!(kept.memory(), sample.memory);
        assert_eq!(kept.replication(), sample.replication);
        assert_eq!(
            (kept.keys(), kept.expires()),
            (sample.keys(), sample.keyspace.expires())
        );
        assert_eq!(
            (kept.limit(), kept.policy()),
            (sample.memory.limit, sample.memory.policy.as_deref())
        );
        assert_eq!(
            (kept.role(), kept.product()),
            (sample.replication.role, sample.product())
        );
        assert_eq!(kept.version(), sample.server.version.0.as_deref());
        assert_eq!(kept.is_loading(), sample.is_loading());
        assert_eq!(kept.has_commands(), sample.commands.is_some());
        assert_eq!(kept.unread(), &sample.unread);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_server_brings_the_diagnosis_down(said in observations()) {
        let mut history = History::new(
            NodeId::new("x"),
            Assumptions::default(),
            Duration::from_secs(3_600),
        );
        for observation in said.0 {
            history.observe(observation);
            check(&history);
        }
    }

    #[test]
    fn a_history_gives_back_what_was_observed(said in observations()) {
        let assumptions = Assumptions::default();
        let keep = Duration::from_secs(u64::MAX);
        let mut history = History::new(NodeId::new("x"), assumptions.clone(), keep);
        let mut plain: Vec<(usize, Sample, Option<Step>)> = Vec::new();
        let mut over_gap = false;
        for observation in said.0 {
            history.observe(observation.clone());
            let Observation::Answer { round_trip, info, .. } = observation else {
                over_gap = true;
                continue;
            };
            let moment = history.last_sample().expect("it answered").moment;
            let sample = Sample::new(moment, round_trip, &Info::parse(info), &assumptions);
            let last = plain.last().map(|(_, last, _)| last);
            let step = last.map(|last| Step::between(last, &sample, over_gap));
            plain.push((history.len(), sample, step));
            over_gap = false;
        }
        for len in 1..=history.len() {
            gives_back(&history.window_to(len - 1), plain.iter().filter(|(at, ..)| *at <= len));
        }
    }

    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let info = Info::parse(text.as_str());
        prop_assert_eq!(info.text(), text.as_str());
        let mut history = History::new(NodeId::new("x"), Assumptions::default(), Duration::MAX);
        for elapsed in [1, 2] {
            let elapsed = Duration::from_secs(elapsed);
            history.observe(Observation::Answer {
                moment: Moment { elapsed, at: Timestamp::UNIX_EPOCH },
                round_trip: Duration::ZERO,
                info: text.as_str().into(),
            });
        }
        check(&history);
    }
}
