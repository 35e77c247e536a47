//! Hand-made histories and diagnoses for the tests of reports.

use std::time::Duration;

use jiff::Timestamp;

use crate::diagnosis::{
    Cause, Certainty, Diagnosis, Evidence, Incident, Known, Ledger, Level, Mechanism, Reading,
    Scope, Share, State, Suspect, Verdict, Way,
};
use crate::model::{Assumptions, Failure, FailureKind, History, Moment, NodeId, Observation};

/// 2026-11-23 14:03:00 UTC, and so many seconds.
fn moment(seconds: u64) -> Moment {
    let start = Timestamp::from_second(1_795_442_580).expect("is a time");
    Moment {
        elapsed: Duration::from_secs(seconds),
        at: start + Duration::from_millis(seconds * 1_000 + 412),
    }
}

fn history() -> History {
    let keep = Duration::from_secs(3_600);
    History::new(NodeId::new("cache:6379"), Assumptions::default(), keep)
}

fn answer(seconds: u64, info: &str) -> Observation {
    Observation::Answer {
        moment: moment(seconds),
        round_trip: Duration::from_millis(1),
        info: info.into(),
    }
}

fn info(keys: u64, flushes: u64) -> String {
    format!(
        "# Server\r\nredis_version:7.0.15\r\nrun_id:{}\r\nuptime_in_seconds:1000\r\n\
         # Memory\r\nused_memory:1048576\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n\
         # Stats\r\ntotal_commands_processed:{}\r\nexpired_keys:36\r\nevicted_keys:0\r\n\
         # Replication\r\nrole:master\r\nconnected_slaves:0\r\n\
         # Commandstats\r\ncmdstat_flushall:calls={flushes},usec=10,usec_per_call=10.00,\
         rejected_calls=0,failed_calls=0\r\n\
         # Keyspace\r\ndb0:keys={keys},expires=12,avg_ttl=900\r\n",
        "a".repeat(40),
        100 + flushes
    )
}

fn evidence(
    field: &str,
    before: impl Into<Reading>,
    after: impl Into<Reading>,
    note: &str,
) -> Evidence {
    Evidence {
        node: NodeId::new("cache:6379"),
        field: field.into(),
        before: before.into(),
        after: after.into(),
        note: note.into(),
        at: Some(moment(7).at),
    }
}

/// Somebody with an address and a name.
fn suspect() -> Suspect {
    Suspect {
        command: "FLUSHALL".into(),
        address: Some("10.0.0.7:51234".into()),
        name: Some("batch-cleanup".into()),
        user: None,
        library: None,
        at: Some(Timestamp::from_second(1_795_442_586).expect("is a time")),
        source: "slow log",
        certainty: Certainty::Likely,
    }
}

/// Two mechanisms in seven seconds; an outage before.
fn incidents() -> Vec<Incident> {
    let share = |mechanism: Mechanism, keys, share| Share {
        cause: mechanism.cause(),
        mechanism,
        keys,
        at_least: mechanism == Mechanism::TtlRanOut,
        share,
    };
    let incident = |from, to, shares: Vec<Share>| Incident {
        nodes: Vec::new(),
        from: moment(from),
        to: moment(to),
        keys: shares.iter().map(|share| share.keys).sum(),
        at_least: shares.iter().any(|share| share.at_least),
        shares,
        suspects: Vec::new(),
        state: State::Over,
    };
    let outage = incident(0, 2, vec![share(Mechanism::Unreachable, 0, 1.0)]);
    let flush = vec![
        share(Mechanism::Flushall, 50_213, 50_213.0 / 50_249.0),
        share(Mechanism::TtlRanOut, 36, 36.0 / 50_249.0),
    ];
    let mut flush = incident(3, 7, flush);
    flush.suspects = vec![suspect()];
    flush.state = State::GoingOn;
    vec![outage, flush]
}

/// Expirations are a lower bound, and deletions are not known.
fn ledger() -> Ledger {
    let ways = [
        (Way::Created, 9),
        (Way::Expired, 36),
        (Way::Flushed, 50_213),
    ];
    let mut ledger = Ledger::with(Some(51_417), Some(1_177), &ways);
    ledger.parts[Way::Expired as usize].known = Known::AtLeast;
    ledger.parts[Way::Expired as usize].most = None;
    ledger.parts[Way::Deleted as usize].known = Known::Unknown;
    ledger.parts[Way::Deleted as usize].most = None;
    ledger
}

/// FLUSHALL took 50,213 keys; a replica is behind; one cause is unknown.
pub(super) fn flush() -> (History, Diagnosis) {
    let mut history = history();
    history.observe(answer(0, &info(51_417, 0)));
    history.observe(answer(7, &info(1_177, 1)));
    let mut flush = Verdict::new(
        Cause::Flush,
        Level::Confirmed,
        "FLUSHALL ran once and took 50,213 keys",
    );
    flush.mechanism = Some(Mechanism::Flushall);
    flush.suspects = vec![suspect()];
    flush.keys_lost = Some(50_213);
    flush.at_most = Some(50_213);
    flush.first_seen = Some(moment(7).at);
    flush.last_seen = Some(moment(7).at);
    flush.evidence = vec![
        evidence("cmdstat_flushall.calls", 0, 1, "ran once"),
        evidence("keys", 51_417, 1_177, "in all databases"),
    ];
    flush.next_steps = vec![
        "find the client: SLOWLOG GET, or ACL LOG".into(),
        "take the right away: ACL SETUSER <user> -flushall -flushdb".into(),
    ];
    flush.docs = vec!["https://redis.io/docs/latest/commands/flushall/"];
    let mut expiration = Verdict::new(
        Cause::Expiration,
        Level::Confirmed,
        "36 keys ran out of time to live, as keys with a TTL do",
    );
    expiration.mechanism = Some(Mechanism::TtlAdded);
    expiration.keys_lost = Some(36);
    expiration.at_least = true;
    let mut risk = Verdict::new(Cause::Replication, Level::AtRisk, "no replica is connected");
    risk.evidence = vec![evidence("connected_slaves", 0, 0, "nothing takes over")];
    let mut unknown = Verdict::new(Cause::InstanceFailure, Level::Unknown, "cannot be told");
    unknown.missing = vec!["rdb_last_save_time", "aof_enabled"];
    let diagnosis = Diagnosis {
        verdicts: vec![
            flush,
            expiration,
            risk,
            unknown,
            Verdict::new(Cause::Eviction, Level::Clear, "no key was evicted"),
        ],
        top_cause: Some(Cause::Flush),
        ledger: ledger(),
        incidents: incidents(),
        migrations: Vec::new(),
        fates: Vec::new(),
        forecast: None,
        events: Vec::new(),
        notices: vec!["statistics began anew at 13:59:00".into()],
    };
    (history, diagnosis)
}

/// Nothing answered.
pub(super) fn outage() -> (History, Diagnosis) {
    let mut history = history();
    for seconds in [0, 1, 3] {
        history.observe(Observation::Failed {
            moment: moment(seconds),
            failure: Failure {
                kind: FailureKind::Refused,
                detail: "os error 111".into(),
            },
            retry_in: Duration::from_secs(1),
        });
    }
    let mut verdict = Verdict::new(
        Cause::InstanceFailure,
        Level::Suspected,
        "the server has not answered for 3 s",
    );
    verdict.first_seen = Some(moment(0).at);
    verdict.evidence = vec![evidence("connection", "–", "refused", "3 attempts")];
    let diagnosis = Diagnosis {
        verdicts: vec![verdict],
        top_cause: Some(Cause::InstanceFailure),
        ledger: Ledger::of(&history.window()),
        incidents: Vec::new(),
        migrations: Vec::new(),
        fates: Vec::new(),
        forecast: None,
        events: Vec::new(),
        notices: Vec::new(),
    };
    (history, diagnosis)
}

/// Everything that a server can name is an attack.
pub(super) fn hostile() -> (History, Diagnosis) {
    let attack = "\u{1b}[2J|<script>`x`\u{9b}1m\u{202e}\r\n# heading\n| cell";
    let (mut history, mut diagnosis) = flush();
    history.observe(answer(
        8,
        &format!("# Server\r\nredis_version:{attack}\r\n# Replication\r\nrole:{attack}\r\n"),
    ));
    for verdict in &mut diagnosis.verdicts {
        verdict.scope = Scope::SinceStart;
        verdict.summary = attack.into();
        let who = Suspect {
            command: attack.into(),
            address: Some(attack.into()),
            name: Some(attack.into()),
            ..suspect()
        };
        verdict.suspects = vec![who.clone()];
        for incident in &mut diagnosis.incidents {
            incident.suspects = vec![who.clone()];
        }
        verdict.next_steps = vec![attack.into()];
        verdict.evidence = vec![Evidence {
            field: attack.into(),
            ..evidence("", attack, attack, attack)
        }];
    }
    diagnosis.notices = vec![attack.into()];
    (history, diagnosis)
}
