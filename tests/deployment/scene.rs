//! Servers, a watch on all of them, and what is understood of it.

use std::path::PathBuf;
use std::time::Duration;

use amr_top::config::{NodeMap, Plan};
use amr_top::demo::server::{Server, find_named};
use amr_top::diagnosis::{Cause, Diagnosis, Level, Mechanism, Verdict, diagnose_deployment};
use amr_top::model::{Assumptions, Deployment, NodeId, Told};
use amr_top::source::Clock;
use amr_top::source::deployment::{Wish, watch_deployment};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::support::settings;

/// Time for anything that must happen at all.
pub(crate) const DEADLINE: Duration = Duration::from_secs(40);

/// A server of this kind, `redis-server` or `valkey-server`.
pub(crate) fn server(kind: &str, args: &[&str]) -> Server {
    let binary: PathBuf = find_named(kind)
        .unwrap_or_else(|| panic!("no '{kind}' on PATH: 'tests/run.sh' installs it"));
    Server::start_with(&binary, args).unwrap_or_else(|error| panic!("{error}"))
}

/// A client that may do anything.
pub(crate) fn client(server: &Server) -> redis::Connection {
    redis::Client::open(format!("redis://{}/", server.address()))
        .and_then(|client| client.get_connection())
        .unwrap_or_else(|error| panic!("{error}; the server's log:\n{}", server.log()))
}

/// Runs one command, written as in `redis-cli`.
pub(crate) fn run(redis: &mut redis::Connection, line: &str) {
    let _: redis::Value = ask(redis, line);
}

/// The answer to one command, written as in `redis-cli`.
pub(crate) fn ask<T: redis::FromRedisValue>(redis: &mut redis::Connection, line: &str) -> T {
    let mut words = line.split(' ');
    let mut command = redis::cmd(words.next().unwrap_or_default());
    words.for_each(|word| {
        command.arg(word);
    });
    command
        .query(redis)
        .unwrap_or_else(|error| panic!("{line}: {error}"))
}

/// A field of `INFO`.
pub(crate) fn field(redis: &mut redis::Connection, name: &str) -> String {
    let info: String = redis::cmd("INFO")
        .arg("all")
        .query(redis)
        .expect("INFO is answered");
    let value = info
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.unwrap_or_default().trim().to_owned()
}

/// A field of `INFO replication` of a server whose clients Sentinels may cut off at any time; `None`
/// where they did.
pub(crate) fn replication(server: &Server, name: &str) -> Option<String> {
    let client = redis::Client::open(format!("redis://{}/", server.address()));
    let mut redis = client.and_then(|client| client.get_connection()).ok()?;
    let info: String = redis::cmd("INFO")
        .arg("replication")
        .query(&mut redis)
        .ok()?;
    let value = info
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.map(|value| value.trim().to_owned())
}

/// Keys of all databases.
pub(crate) fn keys(redis: &mut redis::Connection) -> u64 {
    redis::cmd("DBSIZE")
        .query(redis)
        .expect("DBSIZE is answered")
}

/// Writes so many keys of so many bytes.
pub(crate) fn fill(redis: &mut redis::Connection, prefix: &str, count: u32, bytes: usize) {
    let value = "v".repeat(bytes);
    for chunk in (0..count).collect::<Vec<_>>().chunks(200) {
        let mut pipe = redis::pipe();
        for n in chunk {
            pipe.cmd("SET").arg(format!("{prefix}:{n}")).arg(&value);
        }
        pipe.exec(redis).expect("keys are written");
    }
}

/// Waits until something holds that is asked of the servers, not of the watch.
pub(crate) async fn wait(what: &str, mut holds: impl FnMut() -> bool) {
    let clock = Clock::start();
    let mut look = tokio::time::interval(Duration::from_millis(10));
    while !holds() {
        assert!(clock.elapsed() < DEADLINE, "not in {DEADLINE:?}: {what}");
        look.tick().await;
    }
}

/// A replica of a server, which has all its data.
pub(crate) async fn replica(kind: &str, of: &Server, args: &[&str]) -> Server {
    let port = of.port().to_string();
    let mut all = vec!["--replicaof", "127.0.0.1", &port];
    all.extend(args);
    let replica = server(kind, &all);
    follows(&replica, of).await;
    replica
}

/// Waits until a replica has what its primary has.
pub(crate) async fn follows(replica: &Server, of: &Server) {
    let (mut own, mut its) = (client(replica), client(of));
    wait("the replica has caught up", || {
        field(&mut own, "master_link_status") == "up"
            && field(&mut own, "slave_repl_offset") == field(&mut its, "master_repl_offset")
    })
    .await;
}

pub(crate) fn id(server: &Server) -> NodeId {
    NodeId::new(&server.address())
}

/// Everything that can be found from a server.
pub(crate) fn plan(from: &Server) -> Plan {
    plan_from(from.port())
}

/// Everything that can be found from a port of this host.
pub(crate) fn plan_from(port: u16) -> Plan {
    Plan {
        targets: vec![settings(port)],
        discover: true,
        node_map: NodeMap::default(),
        sentinel: None,
    }
}

/// A watch on everything that can be found from one server.
pub(crate) struct Scene {
    pub(crate) deployment: Deployment,
    pub(crate) clock: Clock,
    told: mpsc::Receiver<Told>,
    _wishes: mpsc::Sender<Wish>,
    stop: CancellationToken,
    /// Causes that may be told as losses; `None` for any.
    may_be: Option<Vec<Cause>>,
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Scene {
    /// Watches from one server on.
    pub(crate) fn from(server: &Server) -> Self {
        Self::open(plan(server))
    }

    pub(crate) fn open(plan: Plan) -> Self {
        let clock = Clock::start();
        let first = plan.targets[0].node();
        let keep = Duration::from_secs(600);
        let deployment = Deployment::new(first, Assumptions::default(), keep);
        let (out, told) = mpsc::channel(64);
        let (wishes, asked) = mpsc::channel(8);
        let stop = CancellationToken::new();
        tokio::spawn(watch_deployment(plan, clock, asked, out, stop.clone()));
        Self {
            deployment,
            clock,
            told,
            _wishes: wishes,
            stop,
            may_be: None,
        }
    }

    /// Watches until so many nodes have answered some polls each.
    pub(crate) async fn found(server: &Server, nodes: usize) -> Self {
        let mut scene = Self::from(server);
        scene
            .until("all nodes answer", |deployment| {
                let mut members = deployment.members().iter();
                deployment.members().len() >= nodes
                    && members.all(|member| member.history().window().polls() >= 3)
            })
            .await;
        scene
    }

    /// From now on no loss may be told, at any time.
    pub(crate) fn must_stay_healthy(&mut self) {
        self.may_be = Some(Vec::new());
    }

    /// From now on only these may be told as losses.
    pub(crate) fn may_only_be(&mut self, causes: &[Cause]) {
        self.may_be = Some(causes.to_vec());
    }

    pub(crate) async fn hear(&mut self) {
        match tokio::time::timeout(DEADLINE, self.told.recv()).await {
            Ok(Some(told)) => {
                self.deployment.observe(told);
            }
            ended => panic!("nothing is told: {ended:?}\n{}", self.story()),
        }
        if let Some(may_be) = &self.may_be {
            let diagnosis = self.diagnosis();
            let losses = diagnosis.verdicts.iter().filter(|v| v.is_loss_in_window());
            let wrong: Vec<&Verdict> = losses.filter(|v| !may_be.contains(&v.cause)).collect();
            assert!(
                wrong.is_empty(),
                "called a loss: {wrong:#?}\n{}",
                self.story()
            );
        }
    }

    /// Listens until something is known.
    pub(crate) async fn until(&mut self, what: &str, mut holds: impl FnMut(&Deployment) -> bool) {
        let deadline = self.clock.elapsed() + DEADLINE;
        while !holds(&self.deployment) {
            assert!(
                self.clock.elapsed() < deadline,
                "not in {DEADLINE:?}: {what}\n{}",
                self.story()
            );
            self.hear().await;
        }
    }

    /// Listens until the diagnosis says so, and returns it.
    pub(crate) async fn judged(
        &mut self,
        what: &str,
        mut holds: impl FnMut(&Diagnosis) -> bool,
    ) -> Diagnosis {
        let deadline = self.clock.elapsed() + DEADLINE;
        loop {
            let diagnosis = self.diagnosis();
            if holds(&diagnosis) {
                return diagnosis;
            }
            assert!(
                self.clock.elapsed() < deadline,
                "not in {DEADLINE:?}: {what}\n{}",
                self.story()
            );
            self.hear().await;
        }
    }

    /// Listens until two primaries are told to part, of which nothing is lost yet.
    pub(crate) async fn splits(&mut self) {
        let split = self
            .judged("both take writes", |diagnosis| {
                let verdict = diagnosis.of(Cause::Replication);
                verdict.is_some_and(|v| v.mechanism == Some(Mechanism::SplitBrain))
            })
            .await;
        let verdict = split.of(Cause::Replication).expect("a verdict");
        assert_eq!(
            verdict.level,
            Level::AtRisk,
            "nothing is lost yet: {verdict:#?}"
        );
    }

    /// Listens until a node has been found and has answered.
    pub(crate) async fn hears_of(&mut self, node: &NodeId) {
        self.until(&format!("{node} answers"), |deployment| {
            let place = deployment.place(node);
            let member = place.map(|place| &deployment.members()[place]);
            member.is_some_and(|member| member.history().last_sample().is_some())
        })
        .await;
    }

    /// Listens until every node has been polled so many times more. What was told before this and
    /// is still on its way does not count.
    pub(crate) async fn polls(&mut self, more: u64) {
        let now = self.clock.elapsed();
        self.until("a poll of now", |deployment| {
            let mut members = deployment.members().iter();
            members.all(|member| {
                let end = member.history().window().end();
                end.is_some_and(|end| end.elapsed >= now)
            })
        })
        .await;
        let count = |deployment: &Deployment| -> Vec<u64> {
            let members = deployment.members().iter();
            members.map(|m| m.history().window().polls()).collect()
        };
        let before = count(&self.deployment);
        let enough = |deployment: &Deployment| {
            let now = count(deployment);
            before.iter().zip(&now).all(|(was, is)| *is >= was + more)
        };
        self.until("some polls more", enough).await;
    }

    pub(crate) fn diagnosis(&self) -> Diagnosis {
        diagnose_deployment(&self.deployment, None)
    }

    /// What was seen last of a server.
    pub(crate) fn offset(&self, server: &Server) -> u64 {
        let place = self.deployment.place(&id(server));
        let member = &self.deployment.members()[place.expect("is known")];
        let sample = member.history().last_sample();
        sample
            .and_then(|sample| sample.replication.offset)
            .unwrap_or(0)
    }

    /// Listens until a server's newest reading shows what is on it now.
    pub(crate) async fn sees_all_of(&mut self, server: &Server) {
        let offset: u64 = field(&mut client(server), "master_repl_offset")
            .parse()
            .expect("a number");
        let deadline = self.clock.elapsed() + DEADLINE;
        while self.offset(server) < offset {
            assert!(self.clock.elapsed() < deadline, "{}", self.story());
            self.hear().await;
        }
    }

    pub(crate) fn story(&self) -> String {
        use amr_top::report::{Report, Scene, Style};
        let diagnosis = self.diagnosis();
        Report::new(&Scene::whole(&self.deployment), &diagnosis, &[]).text(Style::default())
    }

    /// The sentences of all changes, in the order in which they happened.
    pub(crate) fn changes(&self) -> Vec<String> {
        let mut all: Vec<_> = self.deployment.changes().collect();
        for member in self.deployment.members() {
            all.extend(member.history().changes());
        }
        all.sort_by_key(|change| change.moment);
        all.iter().map(|change| change.kind.sentence()).collect()
    }
}

/// The verdict on a cause, which must be the top cause, confirmed.
pub(crate) fn confirmed(diagnosis: &Diagnosis, cause: Cause) -> &Verdict {
    assert_eq!(
        diagnosis.top_cause,
        Some(cause),
        "{:#?}",
        diagnosis.verdicts
    );
    let verdict = diagnosis.of(cause).expect("a verdict");
    assert_eq!(verdict.level, Level::Confirmed, "{verdict:#?}");
    verdict
}

/// Whether a number is within a twentieth of the truth.
pub(crate) fn is_about(told: u64, truth: u64) -> bool {
    told.abs_diff(truth) * 20 <= truth
}
