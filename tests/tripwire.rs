//! The tripwire on real servers: every way to empty a database is told at once, and a server that
//! refuses it is polled all the same.

mod support;

use std::time::Duration;

use amr_top::config::Settings;
use amr_top::demo::server::Server;
use amr_top::diagnosis::{Cause, Level, diagnose};
use amr_top::model::{Assumptions, History, Observation, Step};
use rstest::rstest;
use support::{Watch, auth, client, is_answer, run, settings};

/// So long between polls that only the tripwire can bring one.
const NEVER: Duration = Duration::from_secs(3_600);

fn rarely(port: u16) -> Settings {
    Settings {
        interval: NEVER,
        ..settings(port)
    }
}

fn stands(observation: &Observation) -> bool {
    matches!(observation, Observation::Tripwire { .. })
}

fn emptied(observation: &Observation) -> bool {
    matches!(observation, Observation::Emptied { .. })
}

/// Watches until the tripwire stands.
async fn armed(port: u16) -> Watch {
    let mut watch = Watch::start(rarely(port));
    watch.answer().await;
    let told = watch.aside(stands).await;
    assert!(
        matches!(told, Observation::Tripwire { stands: Ok(()), .. }),
        "{told:?}"
    );
    watch
}

/// What was told, understood.
fn history(watch: &Watch) -> History {
    let keep = Duration::from_secs(3_600);
    let settings = settings(1);
    let mut history = History::new(settings.node(), Assumptions::default(), keep);
    let mut told: Vec<Observation> = watch.seen.iter().chain(&watch.asides).cloned().collect();
    told.sort_by_key(Observation::moment);
    for said in told {
        history.observe(said);
    }
    history
}

#[rstest]
#[case::all("FLUSHALL")]
#[case::in_the_background("FLUSHALL ASYNC")]
#[case::one_database("FLUSHDB")]
#[case::in_a_script("EVAL redis.call('FLUSHALL') 0")]
#[tokio::test]
async fn a_flush_is_told_at_once_and_brings_a_poll(#[case] command: &str) {
    let server = Server::start(&[]).expect("a server");
    let mut redis = client(&server);
    for n in 0..500 {
        run(&mut redis, &format!("SET k:{n} v"));
    }
    let mut watch = armed(server.port()).await;
    let before = watch.clock.now();
    run(&mut redis, command);
    let after = watch.clock.now();
    let told = watch.aside(emptied).await;
    watch.asides.push(told.clone());
    let pushed = told.moment();
    assert!(pushed.elapsed >= before.elapsed, "{pushed:?} {before:?}");
    assert!(is_answer(&watch.next().await));
    let history = history(&watch);
    let diagnosis = diagnose(&history.window());
    let flush = diagnosis.of(Cause::Flush).expect("a verdict");
    assert_eq!(
        (flush.level, flush.keys_lost),
        (Level::Confirmed, Some(500)),
        "{flush:#?}"
    );
    assert_eq!(flush.first_seen, Some(pushed.at));
    // The moment itself, not the poll after it: as near as a busy machine lets us hear it.
    let late = pushed.elapsed.saturating_sub(after.elapsed);
    assert!(late < Duration::from_secs(1), "{late:?} after the flush");
}

#[tokio::test]
async fn a_database_that_holds_no_key_is_told_too_and_is_no_loss() {
    let server = Server::start(&[]).expect("a server");
    let mut redis = client(&server);
    run(&mut redis, "SET k v");
    let mut watch = armed(server.port()).await;
    run(&mut redis, "SELECT 3");
    run(&mut redis, "FLUSHDB");
    let told = watch.aside(emptied).await;
    watch.asides.push(told);
    assert!(is_answer(&watch.next().await));
    let history = history(&watch);
    let window = history.window();
    assert!(window.steps().any(|step: &Step| step.emptied().is_some()));
    assert_eq!(diagnose(&window).top_cause, None);
}

#[tokio::test]
async fn a_flush_whose_count_was_wiped_is_still_a_flush() {
    let server = Server::start(&[]).expect("a server");
    let mut redis = client(&server);
    for n in 0..500 {
        run(&mut redis, &format!("SET k:{n} v"));
    }
    let mut watch = armed(server.port()).await;
    redis::pipe()
        .cmd("FLUSHALL")
        .cmd("CONFIG")
        .arg("RESETSTAT")
        .exec(&mut redis)
        .expect("both run");
    let told = watch.aside(emptied).await;
    watch.asides.push(told);
    let wiped = |said: &Observation| matches!(said, Observation::Answer { info, .. } if info.contains("cmdstat_config|resetstat"));
    watch.until("an answer after the reset", wiped).await;
    let history = history(&watch);
    let diagnosis = diagnose(&history.window());
    let flush = diagnosis.of(Cause::Flush).expect("a verdict");
    assert_eq!(
        (flush.level, flush.keys_lost),
        (Level::Suspected, Some(500)),
        "{flush:#?}"
    );
    assert_eq!(diagnosis.top_cause, Some(Cause::Flush));
}

#[tokio::test]
async fn flushes_in_a_loop_do_not_make_us_poll_in_a_loop() {
    let server = Server::start(&[]).expect("a server");
    let mut redis = client(&server);
    let mut watch = armed(server.port()).await;
    let clock = watch.clock;
    let begun = clock.elapsed();
    let end = begun + Duration::from_secs(2);
    let flushing = tokio::task::spawn_blocking(move || {
        while clock.elapsed() < end {
            run(&mut redis, "FLUSHALL");
        }
        redis
    });
    while clock.elapsed() < end {
        watch.answer().await;
    }
    let mut redis = flushing.await.expect("all are made");
    run(&mut redis, "SET last 1");
    run(&mut redis, "FLUSHALL");
    let all = |said: &Observation| matches!(said, Observation::Answer { info, .. } if !info.contains("db0:"));
    watch.until("an answer after the last flush", all).await;
    let took = clock.elapsed().saturating_sub(begun);
    let polls = u32::try_from(watch.seen.len()).expect("few polls");
    // The first, a burst of ten, two a second, and the last.
    let most = took.as_millis() / 500 + 13;
    assert!(u128::from(polls) <= most, "{polls} polls in {took:?}");
}

#[tokio::test]
async fn a_server_that_refuses_is_polled_all_the_same() {
    let server = Server::start(&[]).expect("a server");
    let mut redis = client(&server);
    run(
        &mut redis,
        "ACL SETUSER ops on >x resetkeys -@all +info +slowlog|get +hello +auth",
    );
    let mut watch = Watch::start(Settings {
        auth: auth(Some("ops"), "x"),
        ..settings(server.port())
    });
    let told = watch.aside(stands).await;
    let Observation::Tripwire {
        stands: Err(why), ..
    } = &told
    else {
        panic!("{told:?}");
    };
    assert!(why.contains("NOPERM"), "{why}");
    for _ in 0..3 {
        watch.answer().await;
    }
    assert!(!watch.asides.iter().any(stands), "told once");
}

#[tokio::test]
async fn it_stands_again_after_a_restart() {
    let server = Server::start(&[]).expect("a server");
    let mut watch = armed(server.port()).await;
    server.restart().expect("it starts again");
    let told = watch.aside(stands).await;
    assert!(
        matches!(told, Observation::Tripwire { stands: Ok(()), .. }),
        "{told:?}"
    );
    run(&mut client(&server), "FLUSHALL");
    watch.aside(emptied).await;
}
