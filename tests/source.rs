//! The source against real servers: what it says of one that works, fails, hangs or refuses.

mod support;

use std::time::Duration;

use amr_top::config::{Endpoint, Settings};
use amr_top::demo::server::{Server, Signal};
use amr_top::model::{FailureKind, Observation};
use amr_top::source::{Control, commands};
use support::{Watch, auth, client, field, first_failure, is, is_answer, run, settings};

const SECRET: &str = "correct-horse-battery";

fn server(args: &[&str]) -> Server {
    Server::start(args).unwrap_or_else(|error| panic!("{error}"))
}

#[tokio::test]
async fn a_server_is_polled_at_the_interval() {
    let server = server(&[]);
    let mut watch = Watch::start(settings(server.port()));
    let first = watch.next().await.moment().elapsed;
    let mut last = first;
    for _ in 0..5 {
        let Observation::Answer {
            moment,
            round_trip,
            info,
        } = watch.next().await
        else {
            panic!("{:?}", watch.seen);
        };
        assert!(info.contains("# Commandstats") && info.contains("# Memory"));
        assert!(round_trip > Duration::ZERO && round_trip < moment.elapsed);
        assert!(moment.elapsed > last);
        last = moment.elapsed;
    }
    // A busy machine may miss a poll, but never makes one up.
    assert!(
        last >= first + Duration::from_millis(400),
        "{first:?} to {last:?}"
    );
}

#[tokio::test]
async fn nothing_but_the_list_is_sent() {
    let server = server(&["--requirepass", "x"]);
    let mut own = redis::Client::open(format!("redis://:x@{}/", server.address()))
        .and_then(|client| client.get_connection())
        .expect("a client");
    run(&mut own, "CONFIG RESETSTAT");
    let mut watch = Watch::start(Settings {
        auth: auth(None, "x"),
        ..settings(server.port())
    });
    for _ in 0..5 {
        assert!(is_answer(&watch.next().await));
    }
    let redis::Value::BulkString(stats) = run(&mut own, "INFO commandstats") else {
        panic!("INFO");
    };
    let stats = String::from_utf8_lossy(&stats);
    let counted: Vec<(&str, u64)> = stats
        .lines()
        .filter_map(|line| line.strip_prefix("cmdstat_")?.split_once(":calls="))
        .filter(|(name, _)| *name != "config|resetstat")
        .map(|(name, rest)| {
            (
                name,
                rest.split(',')
                    .next()
                    .unwrap_or_default()
                    .parse()
                    .expect("calls"),
            )
        })
        .collect();
    for (name, _) in &counted {
        assert!(
            commands::ALL.iter().any(|entry| entry.name == *name),
            "'{name}' was sent and is not in the list:\n{stats}"
        );
    }
    assert!(counted.contains(&("auth", 1)), "{stats}");
    assert!(counted.contains(&("slowlog|get", 1)), "{stats}");
    assert!(
        counted
            .iter()
            .any(|(name, calls)| *name == "info" && *calls >= 5)
    );
    assert_eq!(run(&mut own, "ACL LOG"), redis::Value::Array(vec![]));
}

#[tokio::test]
async fn the_interval_changes_while_it_runs() {
    let server = server(&[]);
    let mut watch = Watch::start(Settings {
        interval: Duration::from_secs(3_600),
        ..settings(server.port())
    });
    watch.answer().await;
    watch
        .control
        .send(Control::every(Duration::from_millis(100)))
        .expect("the poller listens");
    watch.answer().await;
    watch.answer().await;
}

#[tokio::test]
async fn it_ends_when_told_or_unheard() {
    let server = server(&[]);
    let mut watch = Watch::start(settings(server.port()));
    watch.answer().await;
    watch.stop.cancel();
    watch.stopped().await;

    let mut watch = Watch::start(settings(server.port()));
    watch.answer().await;
    watch.end().await;
}

#[tokio::test]
async fn refused() {
    let mut watch = Watch::start(settings(1));
    let mut waits = Vec::new();
    for _ in 0..3 {
        let Observation::Failed {
            failure, retry_in, ..
        } = watch.next().await
        else {
            panic!("{:?}", watch.seen);
        };
        assert_eq!(failure.kind, FailureKind::Refused);
        waits.push(retry_in.as_millis());
    }
    assert_eq!(waits, [250, 500, 1_000]);
}

#[tokio::test]
async fn a_name_that_nobody_has() {
    let settings = Settings {
        endpoint: Endpoint::Tcp {
            host: "no-such-host.invalid".to_owned(),
            port: 6379,
        },
        connect_timeout: Duration::from_secs(10),
        ..settings(1)
    };
    first_failure(settings, FailureKind::UnknownHost).await;
}

#[tokio::test]
async fn a_hanging_server_is_told_and_heard_again() {
    let server = server(&[]);
    let mut watch = Watch::start(Settings {
        timeout: Duration::from_millis(200),
        ..settings(server.port())
    });
    let before = field(&watch.answer().await, "run_id");
    server.signal(Signal::Stop).expect("stopped");
    let first = watch.failure(FailureKind::Hanging).await;
    assert!(first.detail.contains("200ms"), "{first:?}");
    watch
        .until("third timeout", |seen| {
            matches!(seen, Observation::Failed { failure, .. }
                if failure.detail.contains("3 polls in a row"))
        })
        .await;
    // The fresh connection is accepted by the kernel and hangs too.
    watch.failure(FailureKind::Hanging).await;
    server.signal(Signal::Cont).expect("goes on");
    assert_eq!(field(&watch.answer().await, "run_id"), before);
}

#[tokio::test]
async fn a_killed_server_is_noticed_at_once_and_its_successor_found() {
    let server = server(&[]);
    let mut watch = Watch::start(Settings {
        interval: Duration::from_secs(3_600),
        ..settings(server.port())
    });
    let before = field(&watch.answer().await, "run_id");
    server.signal(Signal::Kill).expect("killed");
    // The next poll is an hour away: the end of the connection is noticed by itself.
    let first = watch.next().await;
    assert!(is(&first, FailureKind::Closed), "{first:?}");
    watch.failure(FailureKind::Refused).await;
    server.restart().unwrap_or_else(|error| panic!("{error}"));
    assert_ne!(field(&watch.answer().await, "run_id"), before);
}

#[tokio::test]
async fn a_loading_server_answers() {
    let server = server(&[
        "--enable-debug-command",
        "yes",
        "--key-load-delay",
        "1000",
        "--loading-process-events-interval-bytes",
        "1024",
    ]);
    let mut own = client(&server);
    run(&mut own, "DEBUG POPULATE 50000");
    run(&mut own, "SAVE");
    drop(own);
    server.restart().unwrap_or_else(|error| panic!("{error}"));
    let mut watch = Watch::start(settings(server.port()));
    assert_eq!(field(&watch.answer().await, "loading"), "1");
}

#[tokio::test]
async fn a_password_is_needed_given_or_wrong() {
    let server = server(&["--requirepass", SECRET]);
    let plain = settings(server.port());
    first_failure(plain.clone(), FailureKind::PasswordNeeded).await;
    for user in [None, Some("default"), Some("nobody")] {
        let failure = first_failure(
            Settings {
                auth: auth(user, "hunter22"),
                ..plain.clone()
            },
            FailureKind::PasswordWrong,
        )
        .await;
        assert!(failure.detail.starts_with("WRONGPASS"), "{failure:?}");
        assert!(!failure.detail.contains("hunter22"));
    }
    let mut watch = Watch::start(Settings {
        auth: auth(None, SECRET),
        ..plain
    });
    assert!(is_answer(&watch.next().await));
}

#[tokio::test]
async fn a_password_that_is_not_needed_does_no_harm() {
    let server = server(&[]);
    let mut watch = Watch::start(Settings {
        auth: auth(None, SECRET),
        ..settings(server.port())
    });
    assert!(is_answer(&watch.next().await));
}

#[tokio::test]
async fn a_user_needs_what_the_readme_says_and_nothing_else() {
    let server = server(&[]);
    let mut own = client(&server);
    run(
        &mut own,
        "ACL SETUSER ann on >pw resetkeys resetchannels -@all +info +slowlog|get +client|tracking \
         +client|list +acl|log +config|get",
    );
    run(&mut own, "ACL SETUSER bob on >pw allkeys +@all -info");
    let as_user = |user: &str| Settings {
        auth: auth(Some(user), "pw"),
        ..settings(server.port())
    };
    let mut watch = Watch::start(as_user("ann"));
    for _ in 0..3 {
        assert!(is_answer(&watch.next().await), "{:?}", watch.seen);
    }
    assert!(watch.slow_logs().all(Result::is_ok));
    assert_eq!(run(&mut own, "ACL LOG"), redis::Value::Array(vec![]));

    // Without the others, two things are not known, and nothing fails.
    run(&mut own, "ACL SETUSER ann -slowlog");
    let mut watch = Watch::start(as_user("ann"));
    let refused = watch.slow_log().await.expect_err("is refused");
    assert!(
        refused.ends_with("grant it: ACL SETUSER ann +slowlog|get"),
        "{refused}"
    );
    watch.answer().await;
    assert!(watch.seen.iter().all(is_answer), "{:?}", watch.seen);

    let mut watch = Watch::start(as_user("bob"));
    let failure = watch.failure(FailureKind::NotPermitted).await;
    assert!(
        failure.detail.contains("ACL SETUSER bob +info"),
        "{failure:?}"
    );
    run(&mut own, "ACL SETUSER bob +info");
    watch.answer().await;
}

#[tokio::test]
async fn a_full_server_says_so() {
    let server = server(&["--maxclients", "1"]);
    // The client that asked whether it is ready may not have been let go yet.
    let held = loop {
        let mut held = client(&server);
        if redis::cmd("PING").exec(&mut held).is_ok() {
            break held;
        }
    };
    let mut watch = Watch::start(settings(server.port()));
    let first = watch.next().await;
    assert!(is(&first, FailureKind::TooManyClients), "{first:?}");
    drop(held);
    watch.answer().await;
}

#[tokio::test]
async fn a_socket_in_the_file_system() {
    let server = server(&["--unixsocket", "{dir}/redis.sock"]);
    let over = |path: &str| Settings {
        endpoint: Endpoint::Unix(server.dir().join(path)),
        ..settings(1)
    };
    let mut watch = Watch::start(over("redis.sock"));
    assert!(is_answer(&watch.next().await), "{:?}", watch.seen);
    first_failure(over("other.sock"), FailureKind::Refused).await;
}

#[tokio::test]
async fn the_slow_log_tells_who_was_here_before() {
    let server = server(&["--slowlog-log-slower-than", "0"]);
    let mut own = client(&server);
    run(&mut own, "CLIENT SETNAME nightly-job");
    run(&mut own, "SET session:1 secret");
    run(&mut own, "CONFIG SET masterauth secret");
    run(&mut own, "FLUSHALL");
    drop(own);
    let mut watch = Watch::start(settings(server.port()));
    let log = watch.slow_log().await.expect("is readable");
    let commands: Vec<&str> = log.iter().map(|entry| &*entry.command).collect();
    for expected in ["FLUSHALL", "CONFIG SET", "SET session:1"] {
        assert!(commands.contains(&expected), "{commands:?}");
    }
    assert!(!format!("{log:?}").contains("secret"), "{log:?}");
    let flush = log.iter().find(|entry| entry.command == "FLUSHALL");
    let flush = flush.expect("is there");
    assert_eq!(flush.name.as_deref(), Some("nightly-job"));
    assert!(
        flush
            .address
            .as_deref()
            .is_some_and(|a| a.starts_with("127.0.0.1:"))
    );
    let now = watch.clock.now().at;
    assert!(
        now.duration_since(flush.at).as_secs().abs() < 60,
        "{flush:?}"
    );
}

#[tokio::test]
async fn a_process_is_asked_once_and_its_successor_again() {
    let server = server(&[]);
    let mut watch = Watch::start(settings(server.port()));
    watch.slow_log().await.expect("is readable");
    let mut own = client(&server);
    run(&mut own, "CLIENT KILL TYPE normal SKIPME yes");
    watch.failure(FailureKind::Closed).await;
    for _ in 0..2 {
        watch.answer().await;
    }
    assert_eq!(watch.slow_logs().count(), 0, "{:?}", watch.asides);
    drop(own);
    server.signal(Signal::Kill).expect("killed");
    watch.failure(FailureKind::Refused).await;
    server.restart().unwrap_or_else(|error| panic!("{error}"));
    watch.slow_log().await.expect("is readable");
}
