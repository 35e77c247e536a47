//! Keyspace events on real servers: what is heard where they are on, and that nothing is asked of
//! servers where they are not.

#[path = "support/eye.rs"]
mod eye;
#[path = "support/report.rs"]
mod report;
mod support;

use std::time::Duration;

use amr_top::config::Settings;
use amr_top::demo::server::Server;
use amr_top::diagnosis::{Cause, Ending, Evidence, Level, Reading, Verdict};
use amr_top::model::{Listening, Observation, Watch};
use amr_top::source::{acl::Dialect, commands};
use eye::{Eye, SERVERS, start};
use redis::Value;
use report::{amr_top, assert_schema, json, list};
use rstest::rstest;
use support::{auth, client, run, settings};

const ON: &[&str] = &["--notify-keyspace-events", "AKE"];

/// Listens until events are heard.
async fn listening(server: &Server) -> Eye {
    let mut eye = Eye::open(settings(server.port()));
    eye.line("keyspace events are on").await;
    eye.poll().await;
    eye
}

/// What stands of events among the proofs of a verdict.
fn events(verdict: &Verdict) -> Vec<&Evidence> {
    let proofs = verdict.evidence.iter();
    proofs
        .filter(|proof| proof.field.starts_with("keyspace event"))
        .collect()
}

fn has_events(verdict: &Verdict) -> bool {
    verdict.is_loss_in_window() && !events(verdict).is_empty()
}

/// How often a server was sent a command, by its own count.
fn calls(redis: &mut redis::Connection, name: &str) -> u64 {
    let stats: String = redis::cmd("INFO")
        .arg("commandstats")
        .query(redis)
        .expect("INFO");
    let start = format!("cmdstat_{name}:calls=");
    let mut lines = stats.lines().filter_map(|line| line.strip_prefix(&start));
    let number = |line: &str| line.split(',').next()?.parse().ok();
    lines.next().and_then(number).unwrap_or(0)
}

/// Listens until the setting was read.
async fn asked(eye: &mut Eye) {
    let is_told = |eye: &Eye| {
        let mut told = eye.told.iter();
        told.any(|told| matches!(told, Observation::Listening { .. }))
            .then_some(())
    };
    eye.until("word on the setting", is_told).await;
}

#[rstest]
#[tokio::test]
async fn deletes_are_heard_with_their_names(#[values(SERVERS[0], SERVERS[1])] binary: &str) {
    let server = start(binary, ON);
    let mut redis = client(&server);
    for n in 0..500 {
        run(&mut redis, &format!("SET session:{n} v"));
    }
    for n in 0..12 {
        run(&mut redis, &format!("SADD user:{n} only"));
    }
    run(&mut redis, "SET lone v");
    let mut eye = listening(&server).await;
    for n in 0..400 {
        let verb = if n % 2 == 0 { "DEL" } else { "UNLINK" };
        run(&mut redis, &format!("{verb} session:{n}"));
    }
    for n in 0..12 {
        run(&mut redis, &format!("SPOP user:{n}"));
    }
    run(&mut redis, "GETDEL lone");
    // No event for a key that is not there.
    run(&mut redis, "DEL session:0 session:2 nothing");
    let is_whole =
        |verdict: &Verdict| has_events(verdict) && events(verdict)[0].after == Reading::Number(413);
    let verdict = eye.verdict(Cause::Deletion, is_whole).await;
    let [proof] = &*events(&verdict) else {
        panic!("{verdict:#?}");
    };
    assert_eq!(proof.field, "keyspace event del");
    assert!(
        proof.note.ends_with(": session:* 400, user:* 12, lone 1"),
        "{proof:#?}"
    );
    assert!(!proof.note.contains("in part"), "{proof:#?}");
    let diagnosis = eye.diagnosis();
    let [removals] = &*diagnosis.events else {
        panic!("{:#?}", diagnosis.events);
    };
    assert_eq!((removals.event, removals.count), ("del", 413));
    assert_eq!(removals.others, 0);
    let told = format!("{:?}", diagnosis.without_names());
    assert!(told.contains("keyspace event del"), "{told}");
    let veiled = format!("{:?}", diagnosis.lines_without_names().verdicts);
    for name in ["session:", "user:", "lone"] {
        assert!(!told.contains(name), "{name} in {told}");
        assert!(!veiled.contains(name), "{name} in {veiled}");
    }
    let told = format!("{:?}", eye.history.without_names());
    assert!(!told.contains("session:"), "{told}");
}

#[rstest]
#[tokio::test]
async fn expirations_and_evictions_are_heard_too(#[values(SERVERS[0], SERVERS[1])] binary: &str) {
    let server = start(binary, ON);
    let mut redis = client(&server);
    let mut eye = listening(&server).await;
    for n in 0..100 {
        run(&mut redis, &format!("SET cart:{n} v PX 700"));
    }
    let verdict = eye.verdict(Cause::Expiration, has_events).await;
    let note = &events(&verdict)[0].note;
    assert!(note.contains(": cart:* "), "{note}");
    eye.until("all expirations", |eye| {
        let diagnosis = eye.diagnosis();
        let mut heard = diagnosis.events.iter();
        heard
            .any(|heard| (heard.event, heard.count) == ("expired", 100))
            .then_some(())
    })
    .await;
    for n in 0..200 {
        let value = "v".repeat(10_000);
        run(&mut redis, &format!("SET page:{n} {value}"));
    }
    run(&mut redis, "CONFIG SET maxmemory-policy allkeys-lru");
    run(&mut redis, "CONFIG SET maxmemory 2mb");
    run(&mut redis, "SET last v");
    let verdict = eye.verdict(Cause::Eviction, has_events).await;
    assert_eq!(verdict.level, Level::Confirmed, "{verdict:#?}");
    let note = &events(&verdict)[0].note;
    assert!(note.contains(": page:* "), "{note}");
}

#[rstest]
#[case::off("")]
#[case::by_key_only("Kg")]
#[case::no_removals("E$lsh")]
#[tokio::test]
async fn nothing_is_subscribed_where_removals_are_not_published(
    #[case] flags: &str,
    #[values(SERVERS[0], SERVERS[1])] binary: &str,
) {
    let server = start(binary, &["--notify-keyspace-events", flags]);
    let mut redis = client(&server);
    let mut eye = Eye::open(settings(server.port()));
    asked(&mut eye).await;
    run(&mut redis, "SET a v");
    run(&mut redis, "DEL a");
    eye.poll().await;
    eye.poll().await;
    assert_eq!(calls(&mut redis, "config|get"), 1);
    assert_eq!(calls(&mut redis, "subscribe"), 0);
    assert!(eye.lines().iter().all(|line| !line.contains("events")));
    assert!(eye.diagnosis().events.is_empty());
}

#[tokio::test]
async fn only_what_is_published_is_subscribed() {
    let server = start(SERVERS[0], &["--notify-keyspace-events", "Ex"]);
    let mut eye = Eye::open(settings(server.port()));
    let line = eye.line("keyspace events are on").await;
    assert!(line.contains("one by one: expired;"), "{line}");
    assert_eq!(calls(&mut client(&server), "subscribe"), 16);
}

#[rstest]
#[tokio::test]
async fn a_flush_stays_a_flush_and_no_event_is_missed(
    #[values(SERVERS[0], SERVERS[1])] binary: &str,
) {
    let server = start(binary, ON);
    let mut redis = client(&server);
    for n in 0..500 {
        run(&mut redis, &format!("SET k:{n} v"));
    }
    let mut eye = listening(&server).await;
    let line = eye.line("keyspace events are on").await;
    assert!(line.contains("FLUSHALL, FLUSHDB, SWAPDB"), "{line}");
    run(&mut redis, "FLUSHALL");
    let verdict = eye.verdict(Cause::Flush, has_events).await;
    assert_eq!(
        (verdict.level, verdict.keys_lost),
        (Level::Confirmed, Some(500)),
        "{verdict:#?}"
    );
    let note = &events(&verdict)[0].note;
    assert!(note.contains("never published"), "{note}");
    assert!(eye.diagnosis().events.is_empty());
}

#[rstest]
#[tokio::test]
async fn too_many_events_switch_it_off_for_this_process(
    #[values(SERVERS[0], SERVERS[1])] binary: &str,
) {
    let server = start(binary, ON);
    let mut redis = client(&server);
    let names: Vec<String> = (0..20_000).map(|n| format!("k:{n}")).collect();
    let mut fill = redis::pipe();
    for name in &names {
        fill.cmd("SET").arg(name).arg("v").ignore();
    }
    fill.exec(&mut redis).expect("all are set");
    let mut eye = listening(&server).await;
    let mut clean = redis::pipe();
    for name in &names {
        clean.cmd("DEL").arg(name).ignore();
    }
    clean.exec(&mut redis).expect("all are deleted");
    let line = eye.line("not heard").await;
    assert!(line.ends_with("more than 1,000 a second"), "{line}");
    let verdict = eye.verdict(Cause::Deletion, has_events).await;
    assert_eq!(verdict.keys_lost, Some(20_000), "{verdict:#?}");
    let proof = events(&verdict)[0];
    assert!(proof.note.contains("heard in part"), "{proof:#?}");
    // Heard until it was too much: the names are known even so.
    let Reading::Number(heard) = proof.after else {
        panic!("{proof:#?}");
    };
    assert!((1_001..20_000).contains(&heard), "{proof:#?}");
    assert!(proof.note.contains(": k:* "), "{proof:#?}");
    for _ in 0..5 {
        eye.poll().await;
    }
    let clients: String = redis::cmd("CLIENT")
        .arg("LIST")
        .query(&mut redis)
        .expect("a list");
    assert!(!clients.contains(" sub=80"), "{clients}");
    let told = eye.lines();
    let told = told.iter().filter(|line| line.contains("not heard"));
    assert_eq!(told.count(), 1);
    // The next process is listened to anew.
    drop(redis);
    server.restart().expect("starts again");
    eye.until("a second time", |eye| {
        let lines = eye.lines();
        let on = lines.iter().filter(|line| line.contains("events are on"));
        (on.count() == 2).then_some(())
    })
    .await;
}

/// Each push is as long as the name in it, and six megabytes of them are no endless reply.
#[tokio::test]
async fn long_names_do_not_end_it() {
    let server = start(SERVERS[0], ON);
    let mut redis = client(&server);
    let long = "n".repeat(10_000);
    for n in 0..600 {
        run(&mut redis, &format!("SET {long}{n} v"));
    }
    let mut eye = listening(&server).await;
    for n in 0..600 {
        run(&mut redis, &format!("DEL {long}{n}"));
    }
    let is_whole =
        |verdict: &Verdict| has_events(verdict) && events(verdict)[0].after == Reading::Number(600);
    eye.verdict(Cause::Deletion, is_whole).await;
    let lost = |told: &Observation| matches!(told, Observation::Listening { told, .. } if *told == Listening::Lost);
    assert!(!eye.told.iter().any(lost), "{:?}", eye.told);
}

#[tokio::test]
async fn a_lost_connection_is_told_and_comes_back() {
    let server = start(SERVERS[0], ON);
    let mut redis = client(&server);
    let mut eye = listening(&server).await;
    run(&mut redis, "CLIENT KILL TYPE pubsub");
    eye.line("the connection ended").await;
    eye.until("a second time", |eye| {
        let lines = eye.lines();
        let on = lines.iter().filter(|line| line.contains("events are on"));
        (on.count() == 2).then_some(())
    })
    .await;
    run(&mut redis, "SET session:1 v");
    run(&mut redis, "DEL session:1");
    eye.until("the event", |eye| {
        let diagnosis = eye.diagnosis();
        let heard = diagnosis.events.first()?;
        (heard.keys[0].name == "session:1").then_some(())
    })
    .await;
}

/// A setting that was not written down is gone with the process.
#[rstest]
#[tokio::test]
async fn a_process_that_publishes_nothing_is_not_listened_to(
    #[values(SERVERS[0], SERVERS[1])] binary: &str,
) {
    let server = start(binary, &[]);
    let mut redis = client(&server);
    run(&mut redis, "CONFIG SET notify-keyspace-events AKE");
    let mut eye = listening(&server).await;
    drop(redis);
    server.restart().expect("starts again");
    eye.line("keyspace events of removals are off").await;
    for _ in 0..5 {
        eye.poll().await;
    }
    let mut redis = client(&server);
    assert_eq!(calls(&mut redis, "subscribe"), 0);
    let lines = eye.lines();
    let told = lines.iter().filter(|line| line.contains("events"));
    assert_eq!(told.count(), 3, "on, lost, off: {lines:#?}");
}

#[tokio::test]
async fn other_databases_are_heard_too_and_the_furthest_are_not() {
    let server = start(SERVERS[0], &[ON, &["--databases", "20"]].concat());
    let mut redis = client(&server);
    let mut eye = listening(&server).await;
    for db in [15, 16, 0] {
        run(&mut redis, &format!("SELECT {db}"));
        run(&mut redis, &format!("SET in:{db} v"));
        run(&mut redis, &format!("DEL in:{db}"));
    }
    // Events come in the order in which they were published.
    eye.until("the last event", |eye| {
        let diagnosis = eye.diagnosis();
        let heard = diagnosis.events.first()?;
        (heard.count == 2).then_some(())
    })
    .await;
    eye.poll().await;
    assert_eq!(eye.diagnosis().events[0].count, 2);
}

/// Rights as a rule grants them, and what is told without them.
#[rstest]
#[case::no_command("+config|get", "subscribe")]
#[case::no_channel("+config|get +subscribe", "channel")]
#[case::one_database("+config|get +subscribe &__keyevent@0__:*", "channel")]
#[tokio::test]
async fn who_may_not_listen_is_told_once(
    #[case] rights: &str,
    #[case] words: &str,
    #[values(SERVERS[0], SERVERS[1])] binary: &str,
) {
    let server = start(binary, ON);
    let mut redis = client(&server);
    let rule = "ACL SETUSER ops on >pw resetkeys resetchannels -@all +info +client|tracking";
    run(&mut redis, &format!("{rule} {rights}"));
    let mut eye = Eye::open(Settings {
        auth: auth(Some("ops"), "pw"),
        ..settings(server.port())
    });
    let line = eye.line("events are not heard").await;
    assert!(line.contains("NOPERM") && line.contains(words), "{line}");
    let grant = "; grant it: ACL SETUSER ops +subscribe &__keyevent@*__:*";
    assert!(line.ends_with(grant), "{line}");
    for _ in 0..5 {
        eye.poll().await;
    }
    let told = eye.told.iter();
    let refused = told.filter(|told| {
        matches!(
            told,
            Observation::Listening {
                told: Listening::Off(_),
                ..
            }
        )
    });
    assert_eq!(refused.count(), 1);
}

#[rstest]
#[tokio::test]
async fn the_printed_rights_let_it_listen(#[values(SERVERS[0], SERVERS[1])] binary: &str) {
    let server = start(binary, ON);
    let mut redis = client(&server);
    let page = amr_top(&format!("acl {}", server.address())).output();
    let page = String::from_utf8(page.expect("runs").stdout).expect("is text");
    let more = Dialect::Redis7.hearing();
    assert_eq!(more, "+subscribe &__keyevent@*__:*");
    assert!(page.contains(&more), "{page}");
    let rule = page.lines().next().expect("has a line");
    run(&mut redis, &rule.replace(">PASSWORD", ">pw"));
    run(&mut redis, &format!("ACL SETUSER amrtop {more}"));
    let mut eye = Eye::open(Settings {
        auth: auth(Some("amrtop"), "pw"),
        ..settings(server.port())
    });
    eye.line("keyspace events are on").await;
    run(&mut redis, "SET session:1 v");
    run(&mut redis, "DEL session:1");
    eye.until("the event", |eye| {
        let is_heard = |told: &Observation| matches!(told, Observation::Heard { .. });
        eye.told.iter().any(is_heard).then_some(())
    })
    .await;
    assert_eq!(run(&mut redis, "ACL LOG"), Value::Array(vec![]));
}

#[rstest]
#[tokio::test]
async fn a_setting_that_may_not_be_read_is_one_notice(
    #[values(SERVERS[0], SERVERS[1])] binary: &str,
) {
    let server = start(binary, ON);
    let mut redis = client(&server);
    run(&mut redis, "ACL SETUSER ops on >pw resetkeys -@all +info");
    let mut eye = Eye::open(Settings {
        auth: auth(Some("ops"), "pw"),
        ..settings(server.port())
    });
    asked(&mut eye).await;
    for _ in 0..5 {
        eye.poll().await;
    }
    let notices = eye.diagnosis().notices;
    let told: Vec<_> = notices.iter().filter(|n| n.contains("events")).collect();
    let [notice] = &*told else {
        panic!("{notices:#?}");
    };
    assert!(
        notice.ends_with("; grant it: ACL SETUSER ops +config|get"),
        "{notice}"
    );
    assert_eq!(calls(&mut redis, "subscribe"), 0);
}

/// Two answers are apart by so much that events are told between them.
#[tokio::test]
async fn one_event_after_a_quiet_time_is_told_at_once_and_others_in_sums() {
    let server = start(SERVERS[0], ON);
    let mut redis = client(&server);
    let mut eye = Eye::open(Settings {
        interval: Duration::from_secs(3_600),
        ..settings(server.port())
    });
    eye.line("keyspace events are on").await;
    for n in 0..100 {
        run(&mut redis, &format!("SET k:{n} v"));
        run(&mut redis, &format!("DEL k:{n}"));
    }
    let heard = eye
        .until("the first sum", |eye| {
            eye.told.iter().find_map(|told| match told {
                Observation::Heard { heard, .. } => Some(heard.clone()),
                _ => None,
            })
        })
        .await;
    let first = heard.removed[0].count;
    assert!((1..=100).contains(&first), "{heard:?}");
}

/// A key is renamed among deletes of others: which of both it was, the counts alone do not tell.
#[rstest]
#[case::not_heard("", Ending::Deleted, &[Ending::Moved])]
#[case::heard("AKE", Ending::Moved, &[])]
#[tokio::test]
async fn an_event_on_a_watched_key_decides_its_fate(
    #[case] flags: &str,
    #[case] ending: Ending,
    #[case] others: &[Ending],
    #[values(SERVERS[0], SERVERS[1])] binary: &str,
) {
    let server = start(binary, &["--notify-keyspace-events", flags]);
    let mut redis = client(&server);
    run(&mut redis, "MSET k v other v");
    let mut eye = Eye::open(Settings {
        interval: Duration::from_secs(3_600),
        watch: vec![Watch::Key("first".to_owned()), Watch::Key("k".to_owned())],
        ..settings(server.port())
    });
    asked(&mut eye).await;
    if !flags.is_empty() {
        eye.line("keyspace events are on").await;
    }
    let is_there = |eye: &Eye| eye.fate("k").filter(|fate| fate.ending == Ending::Present);
    eye.until("the key", is_there).await;
    redis::pipe()
        .atomic()
        .cmd("DEL")
        .arg("other")
        .cmd("RENAME")
        .arg("k")
        .arg("renamed")
        .exec(&mut redis)
        .expect("both run");
    let is_settled = |eye: &Eye| {
        let fate = eye.fate("k")?;
        (fate.ending.is_gone() && fate.ending != Ending::Pending).then_some(fate)
    };
    let fate = eye.until("its end", is_settled).await;
    assert_eq!((fate.ending, &*fate.others), (ending, others), "{fate:#?}");
    let proofs = fate.evidence.iter();
    let events = proofs.filter(|proof| proof.field == "keyspace event rename_from");
    assert_eq!(events.count(), usize::from(!flags.is_empty()), "{fate:#?}");
}

/// With events on, too, nothing is sent that is not in the list, and nothing that writes.
#[rstest]
#[tokio::test]
async fn what_is_sent_stands_in_the_list(#[values(SERVERS[0], SERVERS[1])] binary: &str) {
    let server = start(binary, ON);
    let mut redis = client(&server);
    run(&mut redis, "CONFIG RESETSTAT");
    let mut eye = listening(&server).await;
    eye.poll().await;
    let stats: String = redis::cmd("INFO")
        .arg("commandstats")
        .query(&mut redis)
        .expect("INFO");
    let names = stats.lines().filter_map(|line| {
        let name = line.strip_prefix("cmdstat_")?.split(':').next()?;
        (name != "config|resetstat").then_some(name)
    });
    for name in names {
        let mut list = commands::ALL.iter();
        assert!(list.any(|entry| entry.name == name), "{name} in {stats}");
    }
    assert_eq!(calls(&mut redis, "config|get"), 1);
    assert_eq!(calls(&mut redis, "subscribe"), 80);
}

#[test]
fn a_report_tells_what_was_heard_and_redacts_it() {
    let server = start(SERVERS[0], ON);
    let mut redis = client(&server);
    for n in 0..300 {
        run(&mut redis, &format!("SET session:{n} v"));
    }
    let address = server.address();
    let report = |options: &str| {
        let line = format!("check --for 3s -i 200ms --format json {options} {address}");
        let mut redis = client(&server);
        std::thread::scope(|scope| {
            let report = scope.spawn(move || json(&line));
            let clock = amr_top::source::Clock::start();
            let is_heard = |redis: &mut redis::Connection| {
                let clients: String = redis::cmd("CLIENT")
                    .arg("LIST")
                    .query(redis)
                    .expect("a list");
                clients.contains(" sub=80")
            };
            while !is_heard(&mut redis) {
                assert!(clock.elapsed() < support::DEADLINE, "nobody listens");
            }
            for n in 0..300 {
                run(&mut redis, &format!("SET session:{n} v"));
            }
            for n in 0..300 {
                run(&mut redis, &format!("DEL session:{n}"));
            }
            report.join().expect("the check ends")
        })
    };
    let open = report("");
    assert_schema(&open);
    let [event] = list(&open["events"]) else {
        panic!("{open:#}");
    };
    assert_eq!(event["event"], "del");
    assert_eq!(event["count"], 300);
    assert_eq!(event["keys"][0]["name"], "session:*");
    let closed = report("--redact");
    assert_schema(&closed);
    assert_eq!(closed["events"][0]["count"], 300);
    assert_eq!(closed["events"][0]["others"], 300);
    assert!(!closed.to_string().contains("session:"), "{closed:#}");
}
