//! Who did it, by the witnesses of real servers: whoever leaves at once, whoever stays, scripts,
//! transactions, and servers that do not tell.

mod support;

use std::time::Duration;

use amr_top::config::Settings;
use amr_top::demo::server::Server;
use amr_top::diagnosis::{Cause, Certainty, Diagnosis, Suspect, diagnose};
use amr_top::model::{Assumptions, History, Observation};
use support::{Watch, auth, client, run, settings};

/// So long between polls that only the tripwire can bring one.
const NEVER: Duration = Duration::from_secs(3_600);
/// What the server writes to its slow log.
const EVERYTHING: &[&str] = &["--slowlog-log-slower-than", "0"];
const NOTHING: &[&str] = &["--slowlog-log-slower-than", "-1"];

fn server(args: &[&str]) -> Server {
    Server::start(args).unwrap_or_else(|error| panic!("{error}"))
}

/// A client with a name, its address, and some keys.
fn named(server: &Server, name: &str) -> (redis::Connection, String) {
    let mut redis = client(server);
    run(&mut redis, &format!("CLIENT SETNAME {name}"));
    for n in 0..500 {
        run(&mut redis, &format!("SET k:{n} v"));
    }
    let info: String = redis::cmd("CLIENT")
        .arg("INFO")
        .query(&mut redis)
        .expect("CLIENT INFO");
    let address = info
        .split(' ')
        .find_map(|word| word.strip_prefix("addr="))
        .expect("has an address");
    let address = address.to_owned();
    (redis, address)
}

/// Watches until the tripwire stands and the first round of witnesses is over.
async fn armed(settings: Settings) -> Watch {
    let mut watch = Watch::start(Settings {
        interval: NEVER,
        ..settings
    });
    watch.answer().await;
    let (mut stands, mut heard) = (false, false);
    while !(stands && heard) {
        let told = watch.aside(|_| true).await;
        stands |= matches!(told, Observation::Tripwire { stands: Ok(()), .. });
        heard |= matches!(told, Observation::SlowLog { .. });
        watch.asides.push(told);
    }
    watch
}

/// Hears the next round of witnesses and the poll that goes with it.
async fn round(watch: &mut Watch) {
    let (mut polled, mut heard) = (false, false);
    while !(polled && heard) {
        let told = watch.aside(|_| true).await;
        polled |= support::is_attempt(&told);
        heard |= matches!(told, Observation::SlowLog { .. });
        watch.asides.push(told);
    }
}

/// What was told so far, understood.
fn diagnosed(watch: &Watch) -> Diagnosis {
    let settings = settings(1);
    let mut history = History::new(settings.node(), Assumptions::default(), NEVER);
    let mut told: Vec<Observation> = watch.seen.iter().chain(&watch.asides).cloned().collect();
    told.sort_by_key(Observation::moment);
    for said in told {
        history.observe(said);
    }
    diagnose(&history.window())
}

fn suspects(diagnosis: &Diagnosis, of: Cause) -> &[Suspect] {
    let verdict = diagnosis.of(of).expect("a verdict");
    assert!(verdict.is_loss_in_window(), "{verdict:#?}");
    &verdict.suspects
}

/// The only suspect of a flush, who is likely, in the verdict and in the incident.
fn flusher(diagnosis: &Diagnosis) -> &Suspect {
    let [suspect] = suspects(diagnosis, Cause::Flush) else {
        panic!("{diagnosis:#?}");
    };
    assert_eq!(suspect.certainty, Certainty::Likely, "{diagnosis:#?}");
    let incident = diagnosis.incidents.last().expect("an incident");
    assert_eq!(incident.suspects, std::slice::from_ref(suspect));
    suspect
}

#[tokio::test]
async fn whoever_leaves_at_once_is_in_the_slow_log() {
    let server = server(EVERYTHING);
    let (mut redis, address) = named(&server, "hit-and-run");
    let mut watch = armed(settings(server.port())).await;
    run(&mut redis, "FLUSHALL");
    drop(redis);
    round(&mut watch).await;
    let diagnosis = diagnosed(&watch);
    let suspect = flusher(&diagnosis);
    assert_eq!(suspect.command, "FLUSHALL");
    assert_eq!(suspect.address.as_deref(), Some(&*address));
    assert_eq!(suspect.name.as_deref(), Some("hit-and-run"));
    assert!(suspect.source.starts_with("slow log"), "{suspect:?}");
}

#[tokio::test]
async fn whoever_stays_is_in_the_list_of_clients() {
    let server = server(NOTHING);
    let (mut redis, address) = named(&server, "pool-7");
    run(&mut redis, "ACL SETUSER etl on >pw ~* &* +@all");
    run(&mut redis, "AUTH etl pw");
    let mut watch = armed(settings(server.port())).await;
    run(&mut redis, "FLUSHDB");
    round(&mut watch).await;
    let diagnosis = diagnosed(&watch);
    let suspect = flusher(&diagnosis);
    assert_eq!(suspect.command, "FLUSHDB");
    assert_eq!(suspect.address.as_deref(), Some(&*address));
    assert_eq!(suspect.name.as_deref(), Some("pool-7"));
    assert_eq!(suspect.user.as_deref(), Some("etl"));
    assert_eq!(suspect.source, "client list");
}

#[tokio::test]
async fn two_who_flushed_are_two_suspects() {
    let server = server(NOTHING);
    let (mut one, _) = named(&server, "one");
    let (mut two, _) = named(&server, "two");
    let mut watch = Watch::start(Settings {
        interval: NEVER,
        tripwire: false,
        ..settings(server.port())
    });
    watch.answer().await;
    run(&mut one, "FLUSHALL");
    run(&mut two, "FLUSHALL");
    let now = amr_top::source::Control::every(Duration::from_millis(100));
    watch.control.send(now).expect("the poller listens");
    round(&mut watch).await;
    let is_list = |said: &Observation| matches!(said, Observation::Clients { .. });
    if watch.asides.iter().filter(|said| is_list(said)).count() < 2 {
        round(&mut watch).await;
    }
    let diagnosis = diagnosed(&watch);
    let suspects = suspects(&diagnosis, Cause::Flush);
    let mut names: Vec<_> = suspects.iter().filter_map(|s| s.name.as_deref()).collect();
    names.sort_unstable();
    assert_eq!(names, ["one", "two"]);
    assert!(suspects.iter().all(|s| s.certainty == Certainty::Possible));
}

#[tokio::test]
async fn a_script_is_named_with_its_client() {
    let server = server(EVERYTHING);
    let (mut redis, address) = named(&server, "deploy");
    let mut watch = armed(settings(server.port())).await;
    run(&mut redis, "EVAL redis.call('FLUSHALL') 0");
    round(&mut watch).await;
    let diagnosis = diagnosed(&watch);
    let suspect = flusher(&diagnosis);
    assert_eq!(suspect.command, "EVAL …");
    assert_eq!(suspect.address.as_deref(), Some(&*address));
    assert_eq!(suspect.user.as_deref(), Some("default"));
    assert_eq!(suspect.source, "slow log, client list");
}

#[tokio::test]
async fn a_transaction_is_named_with_its_client() {
    let server = server(EVERYTHING);
    let (mut redis, address) = named(&server, "migration");
    let mut watch = armed(settings(server.port())).await;
    run(&mut redis, "MULTI");
    run(&mut redis, "FLUSHALL");
    run(&mut redis, "EXEC");
    round(&mut watch).await;
    let diagnosis = diagnosed(&watch);
    let suspect = flusher(&diagnosis);
    assert_eq!(suspect.command, "FLUSHALL");
    assert_eq!(suspect.address.as_deref(), Some(&*address));
    assert_eq!(suspect.name.as_deref(), Some("migration"));
}

#[tokio::test]
async fn many_deletes_are_alarming_and_the_client_is_found() {
    let server = server(NOTHING);
    let (mut redis, address) = named(&server, "cleanup");
    let mut watch = Watch::start(settings(server.port()));
    watch.slow_log().await.expect("is readable");
    for n in 0..400 {
        run(&mut redis, &format!("DEL k:{n}"));
    }
    let is_list = |said: &Observation| matches!(said, Observation::Clients { clients: Ok(list), .. } if !list.rows.is_empty());
    let told = watch.aside(is_list).await;
    watch.asides.push(told);
    watch.answer().await;
    let diagnosis = diagnosed(&watch);
    let suspects = suspects(&diagnosis, Cause::Deletion);
    assert_eq!(suspects[0].address.as_deref(), Some(&*address));
    assert_eq!(suspects[0].command, "DEL");
}

#[tokio::test]
async fn the_slow_log_is_read_on_from_where_it_was() {
    let server = server(EVERYTHING);
    let (mut redis, _) = named(&server, "busy");
    let mut watch = armed(settings(server.port())).await;
    let first = watch.slow_logs().count();
    // More than are asked for at once, so that the last id that is known is not among them.
    for n in 0..60 {
        run(&mut redis, &format!("SET late:{n} v"));
    }
    run(&mut redis, "FLUSHALL");
    round(&mut watch).await;
    let logs: Vec<_> = watch.slow_logs().flatten().collect();
    assert_eq!(logs.len(), first + 1);
    let [old, new] = logs[logs.len() - 2..] else {
        unreachable!()
    };
    let newest = old.iter().map(|entry| entry.id).max().expect("has entries");
    assert!(new.iter().all(|entry| entry.id > newest));
    let has = |command: &str| new.iter().any(|entry| entry.command == command);
    assert!(has("FLUSHALL") && has("SET late:0") && has("SET late:59"));
}

#[tokio::test]
async fn who_was_denied_is_told_and_is_no_loss() {
    let server = server(NOTHING);
    let (mut redis, address) = named(&server, "intern-laptop");
    run(
        &mut redis,
        "ACL SETUSER intern on >pw ~* +@all -flushall -del",
    );
    let mut watch = Watch::start(settings(server.port()));
    watch.slow_log().await.expect("is readable");
    run(&mut redis, "AUTH intern pw");
    for command in ["FLUSHALL", "FLUSHALL", "DEL"] {
        let refused = redis::cmd(command).arg("k:1").exec(&mut redis);
        assert!(refused.is_err_and(|error| error.code() == Some("NOPERM")));
    }
    let has_both = |said: &Observation| matches!(said, Observation::Denied { denied: Ok(denied), .. } if denied.len() == 2);
    let told = watch.aside(has_both).await;
    watch.asides.push(told);
    watch.answer().await;
    let diagnosis = diagnosed(&watch);
    assert_eq!(diagnosis.top_cause, None);
    let notice = diagnosis
        .notices
        .iter()
        .find(|notice| notice.starts_with("denied: FLUSHALL 2×"));
    let notice = notice.unwrap_or_else(|| panic!("{:#?}", diagnosis.notices));
    for who in [&*address, "intern-laptop", "(intern)"] {
        assert!(notice.contains(who), "{notice}");
    }
    assert!(
        diagnosis
            .notices
            .iter()
            .any(|n| n.starts_with("denied: DEL 1×"))
    );
}

#[tokio::test]
async fn a_server_that_does_not_tell_is_asked_once_and_watched_all_the_same() {
    let server = server(EVERYTHING);
    let (mut redis, _) = named(&server, "job");
    run(
        &mut redis,
        "ACL SETUSER ops on >pw resetkeys resetchannels -@all +info +client|tracking",
    );
    let ops = Settings {
        auth: auth(Some("ops"), "pw"),
        ..settings(server.port())
    };
    let mut watch = armed(ops).await;
    run(&mut redis, "FLUSHALL");
    watch.answer().await;
    let diagnosis = diagnosed(&watch);
    assert_eq!(diagnosis.top_cause, Some(Cause::Flush));
    for rule in ["+slowlog|get", "+client|list", "+acl|log", "+config|get"] {
        let told = diagnosis
            .notices
            .iter()
            .filter(|notice| notice.ends_with(&format!("grant it: ACL SETUSER ops {rule}")));
        assert_eq!(told.count(), 1, "{rule}: {:#?}", diagnosis.notices);
    }
    let stats: String = redis::cmd("INFO")
        .arg("commandstats")
        .query(&mut redis)
        .expect("INFO");
    for name in ["slowlog|get", "client|list", "acl|log", "config|get"] {
        let line = format!("cmdstat_{name}:calls=0,usec=0,usec_per_call=0.00,rejected_calls=1,");
        assert!(stats.contains(&line), "{name}: {stats}");
    }
}

/// More idle clients than are ever listed, or as many as the limit on open files allows.
#[tokio::test]
async fn five_thousand_idle_clients_are_not_listed() {
    let server = server(&["--slowlog-log-slower-than", "0", "--maxclients", "6000"]);
    let (mut redis, address) = named(&server, "the-one");
    let idle: Vec<_> = (0..5_000).map(|_| client(&server)).collect();
    let mut watch = armed(settings(server.port())).await;
    run(&mut redis, "FLUSHALL");
    round(&mut watch).await;
    let diagnosis = diagnosed(&watch);
    assert_eq!(flusher(&diagnosis).address.as_deref(), Some(&*address));
    let told: Vec<_> = diagnosis
        .notices
        .iter()
        .filter(|notice| notice.starts_with("CLIENT LIST"))
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("not asked: 5,0"), "{told:?}");
    let stats = run(&mut redis, "INFO commandstats");
    assert!(!format!("{stats:?}").contains("client|list"));
    drop(idle);
}

#[tokio::test]
async fn what_a_list_of_many_clients_cost_is_shown() {
    let server = server(NOTHING);
    let (mut redis, address) = named(&server, "the-one");
    let idle: Vec<_> = (0..1_500).map(|_| client(&server)).collect();
    let mut watch = armed(settings(server.port())).await;
    run(&mut redis, "FLUSHALL");
    round(&mut watch).await;
    let diagnosis = diagnosed(&watch);
    assert_eq!(flusher(&diagnosis).address.as_deref(), Some(&*address));
    let told = diagnosis.notices.iter();
    let told: Vec<_> = told.filter(|n| n.starts_with("CLIENT LIST")).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("up to 1,50")
            && (told[0].contains("KB") || told[0].contains("MB"))
            && told[0].contains(" ms"),
        "{told:?}"
    );
    drop(idle);
}
