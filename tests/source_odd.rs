//! The source and servers that are old, foreign or broken.

mod support;

use amr_top::config::Settings;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use amr_top::model::{FailureKind, Observation};
use support::fake::{Act, Fake, bulk, error};
use support::{DEADLINE, Watch, auth, field, first_failure, fixture, is_answer};

/// One connection only: what is asked on the second has tests of its own.
fn settings(port: u16) -> Settings {
    Settings {
        tripwire: false,
        ..support::settings(port)
    }
}

#[tokio::test]
async fn an_old_server_is_asked_for_everything() {
    let info = fixture("redis-6.2.16-primary.txt");
    let fake = Fake::answering(move |_, words| match words {
        ["INFO", "all"] => bulk(&info),
        ["INFO", ..] => error("ERR syntax error"),
        _ => error("ERR unknown command"),
    });
    let mut watch = Watch::start(settings(fake.port));
    for _ in 0..3 {
        assert!(is_answer(&watch.next().await), "{:?}", watch.seen);
    }
    let mut asked = fake.asked();
    asked.retain(|(_, line)| line.starts_with("INFO"));
    // The list of sections is tried once, and what worked is remembered.
    assert!(asked[0].1.starts_with("INFO server "), "{asked:?}");
    assert!(
        asked[1..].iter().all(|(_, line)| line == "INFO all"),
        "{asked:?}"
    );
    assert!(asked.len() <= 5, "{asked:?}");
    let refused = watch.slow_logs().next().expect("was told");
    assert_eq!(*refused, Err("ERR unknown command".to_owned()));
}

/// One error, or one reply that is short, says nothing about the way in which it was asked.
#[tokio::test]
async fn what_worked_is_kept_through_an_error() {
    let info = fixture("redis-7.0.15-primary.txt");
    let short = info.replace("# Commandstats", "# Other");
    let polls = AtomicUsize::new(0);
    let fake = Fake::answering(move |_, words| match words {
        ["INFO", "server", ..] => match polls.fetch_add(1, Ordering::Relaxed) {
            1 => error("ERR the proxy has no server just now"),
            3 => bulk(&short),
            _ => bulk(&info),
        },
        ["INFO", ..] => bulk(&info),
        _ => error("ERR unknown command"),
    });
    let mut watch = Watch::start(settings(fake.port));
    watch.answer().await;
    watch.failure(FailureKind::Server).await;
    for _ in 0..4 {
        watch.answer().await;
    }
    let mut asked = fake.asked();
    asked.retain(|(_, line)| line.starts_with("INFO") && !line.starts_with("INFO server "));
    assert!(asked.is_empty(), "{asked:?}");
}

/// Behind the same connection is another version from now on.
#[tokio::test]
async fn a_way_that_works_no_more_is_left_for_another() {
    let info = fixture("redis-6.2.16-primary.txt");
    let polls = AtomicUsize::new(0);
    let fake = Fake::answering(move |_, words| match words {
        ["INFO", "server", ..] if polls.fetch_add(1, Ordering::Relaxed) > 0 => {
            error("ERR syntax error")
        }
        ["INFO", ..] => bulk(&info),
        _ => error("ERR unknown command"),
    });
    let mut watch = Watch::start(settings(fake.port));
    watch.answer().await;
    watch.failure(FailureKind::Server).await;
    watch.answer().await;
    let asked = fake.asked();
    assert!(asked.iter().all(|(connection, _)| *connection == 0));
    assert!(
        asked.iter().any(|(_, line)| line == "INFO all"),
        "{asked:?}"
    );
}

/// A proxy that knows three of our questions; `refusal` is what it says to the list of sections.
fn enterprise(refusal: fn(&str) -> Act) -> Fake {
    let default = fixture("synthetic-redis-enterprise-default.txt");
    let commands = fixture("synthetic-redis-enterprise-commandstats.txt");
    Fake::answering(move |_, words| match words {
        ["INFO"] | ["INFO", "all"] => bulk(&default),
        ["INFO", "commandstats"] => bulk(&commands),
        ["INFO", "errorstats"] => error("ERR unknown section"),
        _ => refusal(&default),
    })
}

#[tokio::test]
async fn redis_enterprise_is_asked_in_parts() {
    for refusal in [
        (|_| error("ERR wrong number of arguments for 'info' command")) as fn(&str) -> Act,
        |default| bulk(default),
        |_| bulk(""),
    ] {
        let fake = enterprise(refusal);
        let mut watch = Watch::start(settings(fake.port));
        for _ in 0..3 {
            let info = watch.answer().await;
            assert_eq!(
                watch.seen.len(),
                watch.seen.iter().filter(|s| is_answer(s)).count()
            );
            assert_eq!(field(&info, "evicted_keys"), "13224");
            assert!(field(&info, "cmdstat_flushall").starts_with("calls=2"));
        }
        let asked: Vec<String> = fake.asked().into_iter().map(|(_, line)| line).collect();
        assert_eq!(
            asked[1..5],
            ["INFO all", "INFO", "INFO commandstats", "INFO errorstats"]
        );
        assert!(!asked[2..].contains(&"INFO all".to_owned()), "{asked:?}");
    }
}

#[tokio::test]
async fn a_server_without_command_statistics_still_answers() {
    let default = fixture("synthetic-redis-enterprise-default.txt");
    let fake = Fake::answering(move |_, words| match words {
        ["INFO"] => bulk(&default),
        _ => error("ERR not here"),
    });
    let mut watch = Watch::start(settings(fake.port));
    assert_eq!(field(&watch.answer().await, "evicted_keys"), "13224");
}

fn impatient(port: u16) -> Settings {
    Settings {
        timeout: Duration::from_millis(300),
        ..settings(port)
    }
}

#[tokio::test]
async fn a_flow_that_died_silently_is_left_for_a_new_one() {
    let info = fixture("redis-6.2.16-primary.txt");
    // The first connection answers its first poll and then nothing more, as behind a load
    // balancer that has forgotten it; others are fine.
    let polls = AtomicUsize::new(0);
    let fake = Fake::answering(move |connection, _| {
        if connection == 0 && polls.fetch_add(1, Ordering::Relaxed) > 0 {
            return Act::Silence;
        }
        bulk(&info)
    });
    let mut watch = Watch::start(impatient(fake.port));
    watch.answer().await;
    for _ in 0..3 {
        watch.failure(FailureKind::Hanging).await;
    }
    assert!(is_answer(&watch.next().await), "{:?}", watch.seen);
    let mut asked = fake.asked();
    asked.retain(|(_, line)| line.starts_with("INFO"));
    assert_eq!(
        asked
            .iter()
            .filter(|(connection, _)| *connection == 0)
            .count(),
        4
    );
    assert_eq!(asked.last().map(|(connection, _)| *connection), Some(1));
}

#[tokio::test]
async fn greetings_are_read() {
    let full = Fake::greeting(b"-ERR max number of clients reached\r\n");
    first_failure(settings(full.port), FailureKind::TooManyClients).await;
    let protected = Fake::greeting(b"-DENIED Redis is running in protected mode because\r\n");
    let failure = first_failure(settings(protected.port), FailureKind::ProtectedMode).await;
    assert!(
        failure.detail.starts_with("DENIED Redis is running"),
        "{failure:?}"
    );
}

#[tokio::test]
async fn what_is_not_redis_is_rubbish() {
    let rubbish: [&'static [u8]; 8] = [
        b"HTTP/1.1 400 Bad Request\r\nServer: \x1b[31mx\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x00\xff\xfe\x01\x9b\x80\r\n\r\n",
        b"*9223372036854775807\r\n",
        b"*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n",
        b":12\r\n",
        b"$-1\r\n",
        b"$12345678901234567890123\r\n",
    ];
    for words in rubbish {
        let fake = Fake::blurting(words, true);
        let failure = first_failure_of_either(
            settings(fake.port),
            [FailureKind::Rubbish, FailureKind::Closed],
        )
        .await;
        let expected = if words.starts_with(b"*9") {
            // It promised a list and hung up: nothing more can be said, and nothing broke here.
            FailureKind::Closed
        } else {
            FailureKind::Rubbish
        };
        assert_eq!(
            failure.0,
            expected,
            "{:?}: {failure:?}",
            words.escape_ascii().to_string()
        );
        assert!(!failure.1.contains('\x1b'));
    }
}

#[tokio::test]
async fn a_text_that_is_no_info_is_rubbish() {
    for text in ["", "\r\n", "nothing here"] {
        let fake = Fake::answering(move |_, _| bulk(text));
        first_failure(settings(fake.port), FailureKind::Rubbish).await;
    }
}

async fn first_failure_of_either(
    settings: Settings,
    kinds: [FailureKind; 2],
) -> (FailureKind, String) {
    match Watch::start(settings).next().await {
        Observation::Failed { failure, .. } if kinds.contains(&failure.kind) => {
            (failure.kind, failure.detail)
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn half_a_reply() {
    let fake = Fake::blurting(b"$100\r\n# Server\r\nredis_v", true);
    let failure = first_failure(settings(fake.port), FailureKind::Closed).await;
    assert!(failure.detail.contains("23 bytes"), "{failure:?}");
    let fake = Fake::blurting(b"$100\r\n# Server\r\nredis_v", false);
    let failure = first_failure(impatient(fake.port), FailureKind::Hanging).await;
    assert!(failure.detail.contains("23 bytes"), "{failure:?}");
}

#[tokio::test]
async fn an_endless_reply_is_cut_off() {
    let text = format!("# Server\r\na:{}\r\n", "x".repeat(5 << 20));
    let fake = Fake::answering(move |_, _| bulk(&text));
    let failure = first_failure(settings(fake.port), FailureKind::Rubbish).await;
    assert!(failure.detail.contains("4194304 bytes"), "{failure:?}");
}

#[tokio::test]
async fn a_password_that_a_server_echoes_is_not_told() {
    const SECRET: &str = "hunter22-hunter22";
    let replies: [fn(&[&str]) -> Act; 3] = [
        |words| {
            error(&format!(
                "ERR unknown command 'AUTH', with args beginning with: '{}'",
                &words[1][..9]
            ))
        },
        |words| error(&format!("WRONGPASS no such password: {}", words[1])),
        |words| Act::SayAndHangUp(format!("you said {}\r\n", words[1]).into_bytes()),
    ];
    for reply in replies {
        let fake = Fake::answering(move |_, words| reply(words));
        let mut watch = Watch::start(Settings {
            auth: auth(None, SECRET),
            ..settings(fake.port)
        });
        let told = format!("{:?}", watch.next().await);
        assert!(
            told.contains("Failed") && !told.contains("hunter"),
            "{told}"
        );
    }
}

/// Whatever a server does with the question for the slow log, the polls go on.
#[tokio::test]
async fn the_slow_log_never_fails_a_poll() {
    let odd: [(Act, &str); 4] = [
        (
            error("ERR unknown command 'SLOWLOG'"),
            "ERR unknown command",
        ),
        (bulk("hello"), "no list"),
        (
            Act::Say(b"*1\r\n*2\r\n:1\r\n:2\r\n".to_vec()),
            "no list of commands",
        ),
        (Act::Say(b"$-1\r\n".to_vec()), "no list"),
    ];
    for (act, why) in odd {
        let info = fixture("redis-7.0.15-primary.txt");
        let act = Mutex::new(Some(act));
        let fake = Fake::answering(move |_, words| match words {
            ["INFO", ..] => bulk(&info),
            ["SLOWLOG", ..] => act
                .lock()
                .ok()
                .and_then(|mut act| act.take())
                .expect("asked once"),
            // Whatever else is asked besides, in whatever order.
            _ => error("ERR unknown command"),
        });
        let mut watch = Watch::start(settings(fake.port));
        let told = watch.slow_log().await.expect_err("is unreadable");
        assert!(told.contains(why), "{told}");
        for _ in 0..2 {
            assert!(is_answer(&watch.next().await), "{:?}", watch.seen);
        }
    }
}

#[tokio::test]
async fn a_connection_that_chokes_on_the_question_is_left() {
    let info = fixture("redis-7.0.15-primary.txt");
    let fake = Fake::answering(move |_, words| match words {
        ["INFO", ..] => bulk(&info),
        _ => Act::Silence,
    });
    let mut watch = Watch::start(impatient(fake.port));
    watch.answer().await;
    for _ in 0..3 {
        watch.failure(FailureKind::Hanging).await;
    }
    for _ in 0..3 {
        watch.answer().await;
    }
    let logs: Vec<_> = watch.slow_logs().collect();
    assert_eq!(logs, [&Err("no reply in time".to_owned())]);
    let asked = fake.asked();
    let times = asked.iter().filter(|(_, line)| line.starts_with("SLOWLOG"));
    assert_eq!(times.count(), 1, "{asked:?}");
}

#[tokio::test]
async fn a_proxy_that_hangs_up_on_the_question_is_not_asked_again() {
    let info = fixture("redis-7.0.15-primary.txt");
    let fake = Fake::answering(move |_, words| match words {
        ["INFO", ..] => bulk(&info),
        _ => Act::SayAndHangUp(Vec::new()),
    });
    let mut watch = Watch::start(settings(fake.port));
    let told = watch.slow_log().await;
    assert_eq!(
        told,
        Err("the connection ended before the reply".to_owned())
    );
    for _ in 0..3 {
        watch.answer().await;
    }
    let asked = fake.asked();
    let times = asked.iter().filter(|(_, line)| line == "CLIENT LIST");
    assert_eq!(times.count(), 1, "{asked:?}");
}

/// One connection that drops makes no witness fall silent: they are asked at the next loss.
#[tokio::test]
async fn witnesses_are_asked_again_after_a_connection_was_lost() {
    let info = fixture("redis-7.0.15-primary.txt");
    let answers = AtomicUsize::new(0);
    let fake = Fake::answering(move |connection, words| match (connection, words) {
        (_, ["INFO", ..]) => {
            let flushes = answers.fetch_add(1, Ordering::Relaxed);
            let line = format!("# Commandstats\r\ncmdstat_flushall:calls={flushes}\r\n");
            bulk(&info.replace("# Commandstats\r\n", &line))
        }
        (0, _) => Act::SayAndHangUp(Vec::new()),
        _ => Act::Say(b"*0\r\n".to_vec()),
    });
    let mut watch = Watch::start(settings(fake.port));
    let lost = watch.slow_log().await;
    assert_eq!(
        lost,
        Err("the connection ended before the reply".to_owned())
    );
    assert_eq!(watch.slow_log().await, Ok(vec![]));
    let asked = fake.asked();
    for question in ["CLIENT LIST", "CONFIG GET notify-keyspace-events"] {
        let again = |(connection, line): &(usize, String)| *connection > 0 && line == question;
        assert!(asked.iter().any(again), "{asked:?}");
    }
}

#[tokio::test]
async fn entries_of_servers_before_4_have_no_client() {
    let info = fixture("synthetic-redis-2.8.24-primary.txt");
    let log = "*1\r\n*4\r\n:14\r\n:1700000000\r\n:48900\r\n*1\r\n$8\r\nFLUSHALL\r\n";
    let fake = Fake::answering(move |_, words| match words {
        ["INFO", "all"] => bulk(&info),
        ["SLOWLOG", "GET", "128"] => Act::Say(log.as_bytes().to_vec()),
        _ => error("ERR syntax error"),
    });
    let log = Watch::start(settings(fake.port)).slow_log().await;
    let log = log.expect("is readable");
    assert_eq!((log[0].id, &*log[0].command), (14, "FLUSHALL"));
    assert_eq!((&log[0].address, &log[0].name), (&None, &None));
}

/// A view that takes longer than the time between two of them arrives all the same.
#[tokio::test]
async fn a_view_on_its_way_is_waited_for() {
    let info = fixture("redis-6.2.16-primary.txt");
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let fake = Fake::answering(move |_, words| match words {
        ["INFO", "all"] => bulk(&info),
        ["CLUSTER", "NODES"] => {
            let released = released.lock().expect("one asks");
            let _ = released.recv_timeout(DEADLINE);
            bulk("a :0@0 myself,master - 0 0 1 connected 0-16383\n")
        }
        _ => error("ERR unknown command"),
    });
    let mut watch = Watch::start(Settings {
        interval: Duration::from_secs(3_600),
        timeout: DEADLINE,
        ..settings(fake.port)
    });
    watch.answer().await;
    for _ in 0..2 {
        // The refusal of the one says that the other was wished for too.
        watch.control.send_modify(|control| {
            control.topologies += 1;
            control.monitors += 1;
        });
        let is_refusal = |told: &Observation| matches!(told, Observation::Monitored { .. });
        watch.aside(is_refusal).await;
    }
    release.send(()).expect("it waits");
    let is_view = |told: &Observation| matches!(told, Observation::Topology { .. });
    let told = watch.aside(is_view).await;
    assert!(
        matches!(
            told,
            Observation::Topology {
                topology: Ok(_),
                ..
            }
        ),
        "{told:?}"
    );
    let asked = fake.asked();
    let times = asked.iter().filter(|(_, line)| line == "CLUSTER NODES");
    assert_eq!(times.count(), 1, "{asked:?}");
}
