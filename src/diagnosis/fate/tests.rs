use std::fmt::Write as _;
use std::time::Duration;

use rstest::rstest;

use super::{Ending, Fate};
use crate::diagnosis::diagnose;
use crate::model::{
    Asked, Assumptions, EventKind, Heard, History, KeyRead, KeyState, Moment, NodeId, Observation,
    OnWatched, Seen, SlowEntry,
};

fn moment(ms: u64) -> Moment {
    let elapsed = Duration::from_millis(ms);
    let at = jiff::Timestamp::constant(1_700_000_000, 0) + elapsed;
    Moment { elapsed, at }
}

/// A poll: keys, expired, evicted, the policy, and calls of commands.
#[derive(Clone, Copy)]
struct Poll<'a> {
    ms: u64,
    expired: u64,
    evicted: u64,
    policy: &'a str,
    role: &'a str,
    calls: &'a [(&'a str, u64)],
}

const QUIET: Poll<'static> = Poll {
    ms: 1_000,
    expired: 5,
    evicted: 5,
    policy: "allkeys-lru",
    role: "master",
    calls: &[("del", 7), ("get", 9)],
};

fn answer(poll: &Poll<'_>) -> Observation {
    let mut info = format!(
        "# Server\nredis_version:7.0.15\nrun_id:a\n# Memory\nused_memory:1\nmaxmemory:1\n\
         maxmemory_policy:{}\n# Stats\nexpired_keys:{}\nevicted_keys:{}\n# Replication\nrole:{}\n\
         # Commandstats\n",
        poll.policy, poll.expired, poll.evicted, poll.role
    );
    for (name, calls) in poll.calls {
        let _ = writeln!(info, "cmdstat_{name}:calls={calls}");
    }
    info.push_str("# Keyspace\ndb0:keys=50,expires=0\n");
    Observation::Answer {
        moment: moment(poll.ms),
        round_trip: Duration::ZERO,
        info: info.into(),
    }
}

fn present(kind: &str, ttl_ms: Option<u64>) -> KeyState {
    KeyState::Present {
        kind: kind.into(),
        ttl: ttl_ms.map(Duration::from_millis),
        size_bytes: Some(64),
    }
}

/// Read at 1.2 s to be `was`, and at 1.505 s to be `is`, as was pushed at 1.5 s.
fn changed(was: KeyState, is: KeyState) -> Observation {
    let before = Seen {
        moment: moment(1_200),
        state: was,
    };
    Observation::Keys {
        moment: moment(1_505),
        read: vec![KeyRead {
            id: 0,
            name: "session:42".into(),
            is_member: false,
            state: is,
            before: Some(before),
            asked: Asked::Pushed,
            pushed: Some(moment(1_500)),
        }],
    }
}

fn judged(told: Vec<Observation>) -> Fate {
    let keep = Duration::from_secs(3_600);
    let mut history = History::new(NodeId::new("h:1"), Assumptions::default(), keep);
    for told in told {
        history.observe(told);
    }
    let mut fates = diagnose(&history.window()).fates;
    assert_eq!(fates.len(), 1, "{fates:#?}");
    fates.remove(0)
}

/// What became of a key of this type and TTL, when this was counted at 2 s.
fn gone(kind: &str, ttl_ms: Option<u64>, first: Poll<'_>, then: Poll<'_>) -> Fate {
    judged(vec![
        answer(&first),
        changed(present(kind, ttl_ms), KeyState::Absent),
        answer(&Poll { ms: 2_000, ..then }),
    ])
}

#[rstest]
// Nobody counted anything.
#[case("string", None, QUIET, "unknown")]
// TTLs that ran out at 1.5 s, give or take what a network takes; one that had 100 ms to go.
#[case("string", Some(300), QUIET, "expired")]
#[case("string", Some(340), QUIET, "expired")]
#[case("string", Some(400), QUIET, "unknown")]
// Another key's expiration is no cause while its own TTL is long; nor is it named beside one.
#[case("string", Some(9_000), Poll { expired: 6, ..QUIET }, "expired")]
#[case("string", Some(9_000), Poll { expired: 6, calls: &[("del", 8)], ..QUIET }, "deleted")]
// The policy decides whom evictions can take.
#[case("string", None, Poll { evicted: 6, ..QUIET }, "evicted")]
#[case("string", None, Poll { evicted: 6, policy: "volatile-lru", ..QUIET }, "unknown")]
#[case("string", Some(9_000), Poll { evicted: 6, policy: "volatile-lru", ..QUIET }, "evicted")]
#[case("string", None, Poll { evicted: 6, policy: "noeviction", ..QUIET }, "unknown")]
// The type decides which commands can.
#[case("string", None, Poll { calls: &[("lpop", 1)], ..QUIET }, "unknown")]
#[case("list", None, Poll { calls: &[("lpop", 1)], ..QUIET }, "deleted")]
#[case("list", None, Poll { calls: &[("getdel", 1)], ..QUIET }, "unknown")]
#[case("zset", None, Poll { calls: &[("zpopmin", 1)], ..QUIET }, "deleted")]
#[case("hash", None, Poll { calls: &[("rename", 1)], ..QUIET }, "moved")]
// A swap is not pushed by name.
#[case("hash", None, Poll { calls: &[("swapdb", 1)], ..QUIET }, "unknown")]
#[case("hash", None, Poll { calls: &[("expire", 1)], ..QUIET }, "deleted")]
fn one_cause(
    #[case] kind: &str,
    #[case] ttl_ms: Option<u64>,
    #[case] then: Poll<'_>,
    #[case] ending: &str,
) {
    let fate = gone(kind, ttl_ms, QUIET, then);
    assert_eq!(fate.ending.id(), ending, "{fate:#?}");
    assert!(fate.is_certain(), "{fate:#?}");
}

#[test]
fn of_two_causes_both_are_named() {
    let then = Poll {
        evicted: 9,
        calls: &[("del", 9)],
        ..QUIET
    };
    let fate = gone("string", Some(3_412_900), QUIET, then);
    assert_eq!(
        fate.sentence(),
        "'session:42' vanished at 22:13:21.500: probably deleted (DEL ran 2×), possibly evicted \
         (memory was full, allkeys-lru), its TTL had 3,412 s to go"
    );
    assert_eq!(fate.others, [Ending::Evicted]);
}

#[test]
fn who_deleted_it_is_named() {
    let words: Vec<String> = std::iter::once("DEL")
        .chain(["session:42"; 20])
        .map(str::to_owned)
        .collect();
    let took = Duration::from_millis(11);
    let entry = SlowEntry::new(1, moment(1_499).at, took, &words).by("10.0.0.7:5123", "worker-3");
    let polls = [(1_000, 50, 7), (2_000, 30, 8)].map(|(ms, keys, deletes)| {
        let info = format!(
            "# Server\nredis_version:7.0.15\nrun_id:a\n# Stats\nexpired_keys:0\nevicted_keys:0\n\
             # Replication\nrole:master\n# Commandstats\ncmdstat_del:calls={deletes}\n# Keyspace\n\
             db0:keys={keys},expires=0\n"
        );
        Observation::Answer {
            moment: moment(ms),
            round_trip: Duration::ZERO,
            info: info.into(),
        }
    });
    let [first, then] = polls;
    let fate = judged(vec![
        first,
        changed(present("string", None), KeyState::Absent),
        then,
        Observation::SlowLog {
            moment: moment(2_001),
            log: Ok(vec![entry]),
        },
    ]);
    assert_eq!(
        fate.sentence(),
        "'session:42' vanished at 22:13:21.500: deleted (DEL by 10.0.0.7:5123, worker-3), it had \
         no TTL"
    );
}

#[test]
fn a_replica_says_what_its_primary_does() {
    let replica = Poll {
        role: "slave",
        ..QUIET
    };
    let then = Poll {
        calls: &[("del", 8)],
        ..replica
    };
    let fate = gone("string", None, replica, then);
    assert!(fate.summary.contains("its primary sent DEL"), "{fate:#?}");
}

#[test]
fn before_the_next_poll_nothing_is_claimed_but_what_is_proven() {
    let told = |ttl_ms| {
        judged(vec![
            answer(&QUIET),
            changed(present("string", ttl_ms), KeyState::Absent),
        ])
    };
    assert_eq!(told(None).ending, Ending::Pending);
    assert_eq!(told(Some(290)).ending, Ending::Expired);
}

#[test]
fn another_type_is_an_overwrite_and_another_size_is_not() {
    let then = Poll {
        ms: 2_000,
        calls: &[("restore", 1)],
        ..QUIET
    };
    let of = |is| {
        judged(vec![
            answer(&QUIET),
            changed(present("string", None), is),
            answer(&then),
        ])
    };
    let other = of(present("list", None));
    assert_eq!(
        other.summary,
        "was overwritten at 22:13:21.500: string, is list now (RESTORE)"
    );
    assert_eq!(of(present("string", Some(9))).ending, Ending::Present);
}

/// Deleted or evicted, by what was counted; and what was published of it, each at its millisecond.
#[rstest]
#[case::nothing(&[], "master", Ending::Deleted, 1)]
#[case::evicted(&[(EventKind::Evicted, 1_502)], "master", Ending::Evicted, 0)]
#[case::deleted(&[(EventKind::Deleted, 1_498)], "master", Ending::Deleted, 0)]
#[case::what_was_not_counted_too(&[(EventKind::Renamed, 1_502)], "master", Ending::Moved, 0)]
#[case::both(&[(EventKind::Evicted, 1_502), (EventKind::Deleted, 1_503)], "master", Ending::Deleted, 1)]
#[case::before(&[(EventKind::Evicted, 1_300)], "master", Ending::Deleted, 1)]
#[case::after(&[(EventKind::Evicted, 1_700)], "master", Ending::Deleted, 1)]
// A replica publishes 'del' for every removal of its primary.
#[case::on_a_replica(&[(EventKind::Deleted, 1_502)], "slave", Ending::Deleted, 1)]
fn an_event_leaves_one_ending(
    #[case] events: &[(EventKind, u64)],
    #[case] role: &str,
    #[case] ending: Ending,
    #[case] others: usize,
) {
    let calls = &[("del", 8), ("get", 9)];
    let watched = events.iter().map(|(kind, ms)| OnWatched {
        id: 0,
        kind: *kind,
        moment: moment(*ms),
    });
    let heard = Heard {
        from: moment(1_498),
        to: moment(1_503),
        removed: Vec::new(),
        watched: watched.collect(),
        is_cut: false,
    };
    let fate = judged(vec![
        answer(&Poll { role, ..QUIET }),
        changed(present("string", None), KeyState::Absent),
        Observation::Heard {
            moment: moment(1_550),
            heard,
        },
        answer(&Poll {
            ms: 2_000,
            evicted: 6,
            role,
            calls,
            ..QUIET
        }),
    ]);
    assert_eq!(
        (fate.ending, fate.others.len()),
        (ending, others),
        "{fate:#?}"
    );
}
