//! Suspects of losses that are made up.

use std::time::Duration;

use super::super::diagnose;
use super::*;
use crate::model::{Assumptions, Clients, History, Moment, NodeId, Observation, SlowEntry};

/// The server's clock is a minute ahead of ours.
const AHEAD_S: i64 = 60;

fn moment(s: u64) -> Moment {
    let elapsed = Duration::from_secs(s);
    let at = Timestamp::constant(1_700_000_000, 0) + elapsed;
    Moment { elapsed, at }
}

/// Keys of the only database, calls of FLUSHALL and of DEL.
fn answer(s: u64, keys: u64, flushes: u64, deletes: u64) -> Observation {
    let us = (moment(s).at.as_second() + AHEAD_S) * 1_000_000;
    let info = format!(
        "# Server\nredis_version:7.0.15\nrun_id:a\nserver_time_usec:{us}\n# Memory\n\
         used_memory:1\nmaxmemory:0\n# Stats\nexpired_keys:0\nevicted_keys:0\n\
         # Replication\nrole:master\n# Commandstats\ncmdstat_flushall:calls={flushes}\n\
         cmdstat_del:calls={deletes}\n# Keyspace\ndb0:keys={keys},expires=0\n"
    );
    Observation::Answer {
        moment: moment(s),
        round_trip: Duration::ZERO,
        info: info.into(),
    }
}

/// An entry, `s` of our clock.
fn entry(id: u64, s: i64, line: &str, who: &str) -> SlowEntry {
    let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let at = Timestamp::constant(1_700_000_000 + AHEAD_S, 0) + SignedDuration::from_secs(s);
    SlowEntry::new(id, at, Duration::from_micros(48_900), &words).by(who, "job")
}

fn diagnosed(answers: Vec<Observation>, log: Vec<SlowEntry>) -> Diagnosis {
    let keep = Duration::from_secs(3_600);
    let mut history = History::new(NodeId::new("h:1"), Assumptions::default(), keep);
    for answer in answers {
        history.observe(answer);
    }
    let end = history.window().end().expect("something was observed");
    history.observe(Observation::SlowLog {
        moment: end,
        log: Ok(log),
    });
    diagnose(&history.window())
}

/// A flush between 10 and 12 s, and a list of clients at 12 s.
fn flushed_and_listed(log: Vec<SlowEntry>, list: &str) -> Diagnosis {
    let keep = Duration::from_secs(3_600);
    let mut history = History::new(NodeId::new("h:1"), Assumptions::default(), keep);
    let told = [
        answer(10, 500, 0, 0),
        Observation::Clients {
            moment: moment(12),
            clients: Ok(Clients::parse(list, Duration::from_millis(2))),
        },
        Observation::SlowLog {
            moment: moment(12),
            log: Ok(log),
        },
        answer(12, 0, 1, 0),
    ];
    for said in told {
        history.observe(said);
    }
    diagnose(&history.window())
}

fn suspects_of(diagnosis: &Diagnosis, cause: Cause) -> &[Suspect] {
    &diagnosis.of(cause).expect("has a verdict").suspects
}

/// FLUSHALL between 10 and 12 s.
fn flushed(log: Vec<SlowEntry>) -> Diagnosis {
    diagnosed(vec![answer(10, 500, 0, 0), answer(12, 0, 1, 0)], log)
}

#[test]
fn the_only_one_in_that_time_is_likely() {
    let diagnosis = flushed(vec![
        entry(3, 40, "FLUSHALL", "10.0.0.9:1"),
        entry(2, 11, "FLUSHALL", "10.0.0.7:1"),
        entry(1, 11, "KEYS *", "10.0.0.8:1"),
        entry(0, -90, "FLUSHDB", "10.0.0.9:1"),
    ]);
    let [suspect] = suspects_of(&diagnosis, Cause::Flush) else {
        panic!("{diagnosis:#?}");
    };
    assert_eq!(suspect.address.as_deref(), Some("10.0.0.7:1"));
    assert_eq!(suspect.certainty, Certainty::Likely);
    assert_eq!(
        &diagnosis.incidents[0].suspects,
        std::slice::from_ref(suspect)
    );
    assert!(suspects_of(&diagnosis, Cause::Deletion).is_empty());
}

#[test]
fn of_several_none_is_likely() {
    let log = (0..9).map(|n| entry(n, 11, "FLUSHALL", &format!("10.0.0.{n}:1")));
    let diagnosis = flushed(log.rev().collect());
    let suspects = suspects_of(&diagnosis, Cause::Flush);
    assert_eq!(suspects.len(), MOST);
    assert_eq!(suspects[0].address.as_deref(), Some("10.0.0.8:1"));
    assert!(suspects.iter().all(|s| s.certainty == Certainty::Possible));
}

#[test]
fn a_script_stands_for_what_it_ran() {
    let diagnosis = flushed(vec![
        entry(2, 11, "EVAL redis.call('flushall') 0", "10.0.0.7:1"),
        SlowEntry {
            address: None,
            name: None,
            ..entry(1, 11, "FLUSHALL", "")
        },
    ]);
    let [suspect] = suspects_of(&diagnosis, Cause::Flush) else {
        panic!("{diagnosis:#?}");
    };
    assert!(suspect.command.starts_with("EVAL"));
    assert_eq!(suspect.certainty, Certainty::Likely);
}

/// Valkey logs what a script ran with the script's client.
#[test]
fn a_script_stands_for_what_it_ran_on_valkey() {
    let script = "EVAL redis.call('flushall') 0";
    let diagnosis = flushed(vec![
        entry(2, 11, script, "10.0.0.7:1"),
        entry(1, 11, "FLUSHALL", "10.0.0.7:1"),
    ]);
    let [suspect] = suspects_of(&diagnosis, Cause::Flush) else {
        panic!("{diagnosis:#?}");
    };
    assert_eq!(suspect.command, "EVAL …");
    // What another client ran is its own.
    let diagnosis = flushed(vec![
        entry(2, 11, script, "10.0.0.7:1"),
        entry(1, 11, "FLUSHALL", "10.0.0.8:1"),
    ]);
    assert_eq!(suspects_of(&diagnosis, Cause::Flush).len(), 2);
}

#[test]
fn deletes_of_many_keys_are_suspect_and_others_are_not() {
    let many = format!("DEL {}", ["k"; 20].join(" "));
    let log = vec![
        entry(2, 11, &many, "10.0.0.7:1"),
        entry(1, 11, "DEL k", "10.0.0.8:1"),
    ];
    let answers = vec![answer(10, 500, 0, 0), answer(12, 0, 0, 25)];
    let diagnosis = diagnosed(answers, log);
    let suspects = suspects_of(&diagnosis, Cause::Deletion);
    assert_eq!(suspects.len(), 1, "{diagnosis:#?}");
    assert!(suspects[0].command.chars().count() <= 64);
}

#[test]
fn at_first_contact_the_log_tells_when_and_nobody_is_likely() {
    let log = vec![entry(17, -3_600, "FLUSHALL", "10.0.0.7:1")];
    let diagnosis = diagnosed(vec![answer(10, 0, 1, 0)], log);
    let flush = diagnosis.of(Cause::Flush).expect("has a verdict");
    assert_eq!(flush.scope, Scope::SinceStart);
    assert_eq!(flush.suspects[0].certainty, Certainty::Possible);
    let proof = flush
        .evidence
        .iter()
        .find(|proof| proof.field == "slowlog 17");
    let proof = proof.expect("is evidence");
    assert_eq!(proof.after, Reading::from("FLUSHALL"));
    assert_eq!(
        proof.note,
        "at 2023-11-14 21:14:20 UTC, 48.9 ms, by 10.0.0.7:1 (job)"
    );
    assert_eq!(flush.first_seen, proof.at);
}

const ANN: &str =
    "addr=10.0.0.7:1 name=job age=9 idle=0 db=0 cmd=flushall user=ann lib-name=jedis\n";
const BOB: &str = "addr=10.0.0.8:1 name= age=9 idle=1 db=0 cmd=flushall user=bob\n";
const LONG_AGO: &str = "addr=10.0.0.9:1 name= age=99 idle=60 db=0 cmd=flushall user=eve\n";
const SCRIPT: &str = "addr=10.0.0.6:1 name= age=99 idle=0 db=0 cmd=eval user=eve\n";

#[test]
fn a_client_that_stays_is_named_with_user_and_library() {
    let diagnosis = flushed_and_listed(vec![], &[ANN, LONG_AGO, SCRIPT].concat());
    let [suspect] = suspects_of(&diagnosis, Cause::Flush) else {
        panic!("{diagnosis:#?}");
    };
    assert_eq!(suspect.command, "FLUSHALL");
    assert_eq!(suspect.user.as_deref(), Some("ann"));
    assert_eq!(suspect.library.as_deref(), Some("jedis"));
    assert_eq!(
        (suspect.source, suspect.certainty),
        ("client list", Certainty::Likely)
    );
    // By the server's clock, as those of the slow log.
    let at = moment(12).at + SignedDuration::from_secs(AHEAD_S);
    assert_eq!(suspect.at, Some(at));
}

#[test]
fn several_clients_are_several_suspects() {
    let diagnosis = flushed_and_listed(vec![], &[ANN, BOB].concat());
    let suspects = suspects_of(&diagnosis, Cause::Flush);
    let users: Vec<_> = suspects.iter().map(|who| who.user.as_deref()).collect();
    assert_eq!(users, [Some("ann"), Some("bob")]);
    assert!(suspects.iter().all(|s| s.certainty == Certainty::Possible));
}

#[test]
fn what_both_witnesses_tell_is_one_suspect() {
    let log = vec![
        entry(2, 11, "FLUSHALL ASYNC", "10.0.0.7:1"),
        entry(1, 11, "FLUSHALL", "10.0.0.7:1"),
    ];
    let diagnosis = flushed_and_listed(log[..1].to_vec(), ANN);
    let [suspect] = suspects_of(&diagnosis, Cause::Flush) else {
        panic!("{diagnosis:#?}");
    };
    assert_eq!(suspect.command, "FLUSHALL ASYNC");
    assert_eq!(suspect.user.as_deref(), Some("ann"));
    assert_eq!(
        (suspect.source, suspect.certainty),
        ("slow log, client list", Certainty::Likely)
    );
    let several = flushed_and_listed(log, &[ANN, BOB].concat());
    let suspects = suspects_of(&several, Cause::Flush);
    assert_eq!(suspects[0].source, "slow log, client list");
    assert!(suspects.iter().all(|s| s.certainty == Certainty::Possible));
}

#[test]
fn a_script_of_which_only_the_name_is_known_is_never_likely() {
    let diagnosis = flushed_and_listed(vec![], SCRIPT);
    let suspects = suspects_of(&diagnosis, Cause::Flush);
    assert_eq!(suspects[0].command, "EVAL");
    assert_eq!(suspects[0].certainty, Certainty::Possible);
}

#[test]
fn names_are_left_out_on_demand() {
    let log = vec![entry(17, -3_600, "FLUSHALL ASYNC", "10.0.0.7:1")];
    let diagnosis = diagnosed(vec![answer(10, 0, 1, 0)], log);
    assert!(format!("{diagnosis:?}").contains("10.0.0.7"));
    let told = format!("{:?}", diagnosis.without_names());
    for name in ["10.0.0.7", "job", "ASYNC"] {
        assert!(!told.contains(name), "{name} is left in {told}");
    }
    assert!(told.contains("FLUSHALL") && told.contains("48.9 ms"));
}

/// A replica whose primary flushed; `INFO` knows the primary as `host`, port 6379.
#[rstest::rstest]
#[case::by_its_address("10.0.0.2", "10.0.0.2:6379", false)]
#[case::by_a_name("primary-0.svc", "10.0.0.2:6379", false)]
// A replica that may be written to is flushed by anybody.
#[case::somebody_else("10.0.0.2", "10.0.0.7:51234", true)]
#[case::another_port_of_the_host("10.0.0.2", "10.0.0.2:51234", true)]
fn a_primary_is_no_suspect_of_its_replica(
    #[case] host: &str,
    #[case] address: &str,
    #[case] is_named: bool,
) {
    let of_replica = |answer: Observation| match answer {
        Observation::Answer {
            moment,
            round_trip,
            info,
        } => Observation::Answer {
            moment,
            round_trip,
            info: info
                .replace(
                    "role:master",
                    &format!("role:slave\nmaster_host:{host}\nmaster_port:6379"),
                )
                .into(),
        },
        other => other,
    };
    let answers = [answer(10, 500, 0, 0), answer(12, 0, 1, 0)];
    let log = vec![entry(17, 11, "FLUSHALL", address)];
    let diagnosis = diagnosed(answers.map(of_replica).into(), log);
    let flush = diagnosis.of(Cause::Flush).expect("a verdict");
    assert_eq!(flush.keys_lost, Some(500));
    assert_eq!(!flush.suspects.is_empty(), is_named, "{flush:#?}");
}
