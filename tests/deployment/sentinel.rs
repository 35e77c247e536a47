//! Sentinels: they say where to begin, and a failover that they make is followed and measured.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use amr_top::config::{Auth, Endpoint, NodeMap, Plan, Sentinel, Settings};
use amr_top::demo::server::{Server, Signal, find_named};
use amr_top::diagnosis::Cause;
use amr_top::model::Connection;
use amr_top::source::Clock;
use amr_top::source::sentinel::{SentinelError, settle};
use rstest::rstest;
use tempfile::TempDir;

use crate::scene::{
    Scene, client, confirmed, field, fill, id, is_about, keys, replica, replication, run, server,
    wait,
};
use crate::support::fake::{Act, Fake, error};
use crate::support::{auth, settings};

const NAME: &str = "mymaster";

/// Three Sentinels that watch one primary, and the folder with their configurations.
pub(crate) struct Sentinels {
    all: Vec<Server>,
    _folder: TempDir,
}

impl Sentinels {
    /// Those of the primary at this port of the loopback interface.
    pub(crate) fn of(kind: &str, port: u16) -> Self {
        let folder = TempDir::new().expect("a folder");
        let binary = find_named(kind).expect("the server is on PATH");
        let start = |n: usize| {
            // A Sentinel keeps its state in its configuration, which comes first on its command line.
            let conf = folder.path().join(format!("{n}.conf"));
            std::fs::write(&conf, "").expect("a configuration");
            let script = folder.path().join(format!("{n}.sh"));
            let mut file = std::fs::File::create(&script).expect("a script");
            let (binary, conf) = (binary.display(), conf.display());
            writeln!(file, "#!/bin/sh\nexec {binary} {conf} \"$@\" --sentinel")
                .expect("is written");
            let may_run = std::fs::Permissions::from_mode(0o755);
            file.set_permissions(may_run).expect("may be run");
            drop(file);
            let sentinel = Server::start_with(&script, &["--dir", "{dir}"]);
            let sentinel = sentinel.unwrap_or_else(|error| panic!("{error}"));
            let mut redis = client(&sentinel);
            run(
                &mut redis,
                &format!("SENTINEL MONITOR {NAME} 127.0.0.1 {port} 2"),
            );
            run(
                &mut redis,
                &format!("SENTINEL SET {NAME} down-after-milliseconds 1000"),
            );
            run(
                &mut redis,
                &format!("SENTINEL SET {NAME} failover-timeout 4000"),
            );
            sentinel
        };
        Self {
            all: (0..3).map(start).collect(),
            _folder: folder,
        }
    }

    fn plan(&self, name: &str) -> Plan {
        let ports: Vec<u16> = self.all.iter().map(Server::port).collect();
        led_by(&ports, name)
    }

    /// Waits until all know each other and the replicas.
    pub(crate) async fn agree(&self, replicas: usize) {
        for sentinel in &self.all {
            let mut redis = client(sentinel);
            wait("the Sentinels know each other", || {
                let info = field(&mut redis, "master0");
                info.contains(&format!("slaves={replicas},sentinels=3"))
            })
            .await;
        }
    }
}

/// What the Sentinels at these ports lead to.
fn led_by(ports: &[u16], name: &str) -> Plan {
    let endpoints: Vec<Endpoint> = ports.iter().map(|port| settings(*port).endpoint).collect();
    Plan {
        targets: vec![Settings {
            endpoint: endpoints[0].clone(),
            ..settings(1)
        }],
        discover: true,
        node_map: NodeMap::default(),
        sentinel: Some(Sentinel {
            name: name.to_owned(),
            endpoints,
            auth: None,
        }),
    }
}

/// Whoever gives a Sentinel as a server is told what to give.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sentinel_that_is_given_as_a_server_says_what_to_give(
    #[values("redis-server", "valkey-server")] kind: &str,
) {
    let primary = server(kind, &[]);
    let sentinels = Sentinels::of(kind, primary.port());
    let port = sentinels.all[0].port();
    let instead = format!("give redis-sentinel://127.0.0.1:{port}/{NAME}");
    let mut scene = Scene::open(Plan::one(settings(port)));
    scene
        .until("it is told from a server", |deployment| {
            let connection = deployment.first().history().connection();
            matches!(connection, Connection::Lost { failure, .. } if failure.sentence().ends_with(&instead))
        })
        .await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_by_sentinels_is_followed_and_measured(
    #[values("redis-server", "valkey-server")] kind: &str,
) {
    let primary = server(kind, &[]);
    let mut redis = client(&primary);
    fill(&mut redis, "early", 1_000, 100);
    let standby = replica(kind, &primary, &[]).await;
    let sentinels = Sentinels::of(kind, primary.port());
    sentinels.agree(1).await;
    let plan = settle(sentinels.plan(NAME), Clock::start()).await;
    let plan = plan.expect("the Sentinels say where to begin");
    assert_eq!(plan.targets[0].node(), id(&primary));
    let mut scene = Scene::open(plan);
    scene
        .until("both nodes answer", |deployment| {
            let mut members = deployment.members().iter();
            deployment.members().len() == 2
                && members.all(|member| member.history().window().polls() >= 3)
        })
        .await;
    standby.signal(Signal::Stop).expect("it is stopped");
    fill(&mut redis, "late", 3_000, 10_000);
    let had = keys(&mut redis);
    scene.sees_all_of(&primary).await;
    primary.signal(Signal::Kill).expect("it is killed");
    standby.signal(Signal::Cont).expect("it goes on");
    // A Sentinel cuts the connections of clients when it promotes a replica.
    wait("the Sentinels promote the replica", || {
        replication(&standby, "role").as_deref() == Some("master")
    })
    .await;
    let lost = had - keys(&mut client(&standby));
    assert!(lost > 1_000, "nothing to measure: {lost} lost");
    let diagnosis = scene
        .judged("the failover is measured", |d| {
            d.top_cause == Some(Cause::Replication)
        })
        .await;
    let told = confirmed(&diagnosis, Cause::Replication)
        .keys_lost
        .expect("is counted");
    assert!(is_about(told, lost), "{told} told, {lost} lost");
    let switch = format!(
        "Sentinel: +switch-master {NAME} 127.0.0.1 {} 127.0.0.1 {}",
        primary.port(),
        standby.port()
    );
    scene
        .until("the Sentinels' word is told", |deployment| {
            deployment
                .changes()
                .any(|change| change.kind.sentence() == switch)
        })
        .await;
}

#[tokio::test]
async fn a_name_that_sentinels_do_not_know_is_said() {
    let primary = server("redis-server", &[]);
    let sentinels = Sentinels::of("redis-server", primary.port());
    let error = settle(sentinels.plan("other"), Clock::start()).await;
    let error = error.expect_err("is unknown");
    assert!(matches!(error, SentinelError::Unknown { .. }), "{error}");
    assert!(error.to_string().contains("'other'"), "{error}");
}

#[tokio::test]
async fn the_next_sentinel_is_asked_where_one_does_not_answer() {
    let primary = server("redis-server", &[]);
    let mut sentinels = Sentinels::of("redis-server", primary.port());
    let plan = sentinels.plan(NAME);
    sentinels.all.remove(0);
    let plan = settle(plan, Clock::start()).await.expect("another answers");
    assert_eq!(plan.targets[0].node(), id(&primary));
    let none = Plan {
        sentinel: Some(Sentinel {
            name: NAME.to_owned(),
            endpoints: vec![settings(1).endpoint],
            auth: None,
        }),
        ..sentinels.plan(NAME)
    };
    let error = settle(none, Clock::start())
        .await
        .expect_err("none answers");
    assert!(matches!(error, SentinelError::Silent(_)), "{error}");
}

#[rstest]
#[tokio::test]
async fn a_sentinel_may_have_a_password_of_its_own(
    #[values("redis-server", "valkey-server")] kind: &str,
) {
    let primary = server(kind, &[]);
    let sentinels = Sentinels::of(kind, primary.port());
    let mut redis = client(&primary);
    run(&mut redis, "CONFIG SET requirepass servers");
    for sentinel in &sentinels.all {
        let line = format!("SENTINEL SET {NAME} auth-pass servers");
        run(&mut client(sentinel), &line);
        run(&mut client(sentinel), "ACL SETUSER default on >theirs");
    }
    let plan = |to_sentinels: Option<Auth>| {
        let mut plan = sentinels.plan(NAME);
        plan.targets[0].auth = auth(None, "servers");
        plan.sentinel.as_mut().expect("is one").auth = to_sentinels;
        plan
    };
    let error = settle(plan(None), Clock::start()).await;
    let error = error.expect_err("the servers' password is not theirs");
    assert!(matches!(error, SentinelError::Silent(_)), "{error}");
    let found = settle(plan(Some(auth(None, "theirs"))), Clock::start()).await;
    let found = found.expect("theirs is right");
    assert_eq!(found.targets[0].node(), id(&primary));
    let mut scene = Scene::open(found);
    scene.hears_of(&id(&primary)).await;
}

/// Whether it refuses the password or the question.
#[rstest]
#[case("AUTH")]
#[case("SENTINEL")]
#[tokio::test]
async fn what_a_sentinel_says_is_sealed(#[case] refused: &'static str) {
    const SECRET: &str = "hunter22-hunter22";
    let fake = Fake::answering(move |_, words| {
        if words[0] == refused {
            error(&format!("ERR \u{1b}[2J you said {SECRET}"))
        } else {
            Act::Say(b"+OK\r\n".to_vec())
        }
    });
    let mut plan = led_by(&[fake.port], NAME);
    plan.targets[0].auth = auth(None, SECRET);
    let error = settle(plan, Clock::start()).await.expect_err("it refuses");
    let told = error.to_string();
    assert!(told.contains("␛[2J you said …"), "{told}");
    assert!(!told.contains(SECRET), "{told}");
}

/// It logs each attempt, as a server does.
#[tokio::test]
async fn a_sentinel_that_refuses_is_asked_rarely() {
    let fake = Fake::answering(|_, words| match words[0] {
        "SENTINEL" => error("NOAUTH Authentication required."),
        _ => error("ERR unknown command"),
    });
    let scene = Scene::open(led_by(&[fake.port], NAME));
    let asked = |times: usize| {
        let questions = fake.asked().into_iter();
        let questions = questions.filter(|(_, line)| line.starts_with("SENTINEL"));
        questions.count() >= times
    };
    wait("it is asked", || asked(1)).await;
    let first = scene.clock.elapsed();
    wait("it is asked again", || asked(2)).await;
    let apart = scene.clock.elapsed().saturating_sub(first);
    assert!(apart > Duration::from_secs(4), "{apart:?}");
}
