//! Watching servers without a screen: from the pollers' channel to a [`Deployment`].

use std::future::Future;
use std::time::Duration;

use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

use crate::model::{Deployment, FailureKind, Member, Observation, Told};

/// When to stop watching.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// So long after the first observation.
    For(Duration),
    /// The first answer of every node.
    Answered,
}

/// How long to wait for what does not come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For one answer, the connection included.
    pub(super) answer: Duration,
    /// Time between polls.
    pub(super) interval: Duration,
}

/// Watches until it is time, or `interrupted`, or trying on makes no sense.
pub(super) async fn watch(
    told: &mut Receiver<Told>,
    deployment: &mut Deployment,
    until: Until,
    patience: Patience,
    interrupted: impl Future<Output = ()>,
) {
    tokio::select! {
        () = interrupted => {}
        () = observe(told, deployment, until, patience) => {}
    }
    // What has come meanwhile was seen too.
    while let Ok(said) = told.try_recv() {
        deployment.observe(said);
    }
}

async fn observe(
    told: &mut Receiver<Told>,
    deployment: &mut Deployment,
    until: Until,
    patience: Patience,
) {
    // Running out of patience is not an error: what came is reported.
    let _ = match until {
        Until::Answered => timeout(patience.answer, answer(told, deployment)).await,
        Until::For(time) => {
            let Ok(Some(first)) = timeout(patience.answer, told.recv()).await else {
                return;
            };
            let begun = first.moment().elapsed;
            if take(deployment, first) == Next::GiveUp {
                return;
            }
            let enough = begun + time.saturating_sub(SLACK.min(patience.interval / 2));
            let watching = keep_on(told, deployment, enough);
            timeout(time + patience.answer, watching).await
        }
    };
}

/// A poll that is due at the end may come a little early.
const SLACK: Duration = Duration::from_millis(250);

/// Until every node that is known has answered or failed, and the witnesses have said what they know
/// or the first node is polled again.
async fn answer(told: &mut Receiver<Told>, deployment: &mut Deployment) {
    let mut answered = false;
    while let Some(said) = told.recv().await {
        let is_answer = matches!(&said, Told::Node(_, Observation::Answer { .. }));
        let is_again = answered && is_attempt_of_first(&said, deployment);
        let is_known = deployment.looking() == 0;
        if is_again && is_known || take(deployment, said) == Next::GiveUp {
            return;
        }
        answered |= is_answer;
        let is_known = answered && deployment.looking() == 0;
        if is_known && deployment.members().iter().all(has_testified) {
            return;
        }
    }
}

/// Whether the slow log of a node was read, or cannot be; the last of the witnesses.
fn has_testified(member: &Member) -> bool {
    let window = member.history().window();
    let witnesses = window.witnesses();
    window.last_sample().is_none()
        || witnesses.slow_log().is_some()
        || witnesses.no_slow_log().is_some()
}

/// Until something that is not before `enough` came of polling the first node.
async fn keep_on(told: &mut Receiver<Told>, deployment: &mut Deployment, enough: Duration) {
    while let Some(said) = told.recv().await {
        // A push alone tells nothing: what went is in the answer after it.
        let is_enough = is_attempt_of_first(&said, deployment) && said.moment().elapsed >= enough;
        if take(deployment, said) == Next::GiveUp || is_enough {
            return;
        }
    }
}

fn is_attempt_of_first(told: &Told, deployment: &Deployment) -> bool {
    let is_first = |node| node == deployment.first().node();
    match told {
        Told::Node(node, Observation::Answer { .. } | Observation::Failed { .. }) => is_first(node),
        _ => false,
    }
}

#[derive(PartialEq, Eq)]
enum Next {
    KeepOn,
    GiveUp,
}

fn take(deployment: &mut Deployment, told: Told) -> Next {
    let hopeless = is_hopeless(&told, deployment);
    deployment.observe(told);
    if hopeless { Next::GiveUp } else { Next::KeepOn }
}

/// Failures of the first node, before it ever answered, that trying again within seconds does not
/// mend: somebody has to do something.
fn is_hopeless(told: &Told, deployment: &Deployment) -> bool {
    let first = deployment.first();
    match told {
        Told::Node(node, Observation::Failed { failure, .. }) => {
            let is_first = node == first.node() && first.history().last_sample().is_none();
            is_first
                && matches!(
                    failure.kind,
                    FailureKind::PasswordNeeded
                        | FailureKind::PasswordWrong
                        | FailureKind::NotPermitted
                        | FailureKind::Tls
                        | FailureKind::TlsExpected
                        | FailureKind::PlainExpected
                        | FailureKind::ProtectedMode
                        | FailureKind::Rubbish
                        | FailureKind::Sentinel
                )
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use tokio::sync::mpsc;

    use super::*;
    use crate::model::{Assumptions, Failure, Moment, NodeId};

    const PATIENCE: Patience = Patience {
        answer: Duration::from_secs(4),
        interval: Duration::from_secs(1),
    };

    fn at(ms: u64) -> Moment {
        Moment {
            elapsed: Duration::from_millis(ms),
            at: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    fn told(said: Observation) -> Told {
        Told::Node(NodeId::new("h:1"), said)
    }

    fn nothing_yet() -> Deployment {
        let keep = Duration::from_secs(99);
        Deployment::new(NodeId::new("h:1"), Assumptions::default(), keep)
    }

    fn answered(ms: u64) -> Observation {
        Observation::Answer {
            moment: at(ms),
            round_trip: Duration::ZERO,
            info: "# Server\r\nredis_version:7\r\n".into(),
        }
    }

    fn failed(ms: u64, kind: FailureKind) -> Observation {
        Observation::Failed {
            moment: at(ms),
            failure: Failure {
                kind,
                detail: String::new(),
            },
            retry_in: Duration::from_secs(1),
        }
    }

    /// Polls that are taken in before the watch ends by itself.
    async fn taken(observations: Vec<Observation>, until: Until) -> u64 {
        let (sender, mut receiver) = mpsc::channel(1);
        let feed = tokio::spawn(async move {
            for observation in observations {
                if sender.send(told(observation)).await.is_err() {
                    return;
                }
            }
            std::future::pending::<()>().await;
        });
        let mut deployment = nothing_yet();
        observe(&mut receiver, &mut deployment, until, PATIENCE).await;
        feed.abort();
        deployment.first().history().window().polls()
    }

    #[rstest]
    #[case(vec![answered(0), answered(1_000), answered(1_990), answered(3_000)], 3)]
    #[case(vec![answered(500), answered(1_500), answered(2_499), answered(9_000)], 3)]
    #[case(vec![failed(0, FailureKind::Refused), answered(900), answered(2_000), answered(3_000)], 3)]
    #[case(vec![failed(0, FailureKind::PasswordNeeded), answered(1_000)], 1)]
    #[case(vec![answered(0), failed(900, FailureKind::PasswordNeeded), answered(2_000)], 3)]
    #[tokio::test]
    async fn two_seconds_count_from_the_first_word(
        #[case] observations: Vec<Observation>,
        #[case] expected: u64,
    ) {
        let until = Until::For(Duration::from_secs(2));
        assert_eq!(taken(observations, until).await, expected);
    }

    #[tokio::test]
    async fn once_waits_for_the_slow_log() {
        let (sender, mut receiver) = mpsc::channel(4);
        for observation in [
            answered(0),
            Observation::SlowLog {
                moment: at(1),
                log: Ok(Vec::new()),
            },
            answered(2),
        ] {
            sender.send(told(observation)).await.expect("there is room");
        }
        let mut deployment = nothing_yet();
        observe(&mut receiver, &mut deployment, Until::Answered, PATIENCE).await;
        assert_eq!(deployment.first().history().window().polls(), 1);
        assert_eq!(
            deployment.first().history().window().witnesses().slow_log(),
            Some(vec![])
        );
    }

    #[rstest]
    #[case(vec![answered(0), answered(1)], 1)]
    #[case(vec![failed(0, FailureKind::Refused), answered(1), answered(2)], 2)]
    #[case(vec![failed(0, FailureKind::NotPermitted), answered(1)], 1)]
    #[tokio::test]
    async fn once_is_one_answer(#[case] observations: Vec<Observation>, #[case] expected: u64) {
        assert_eq!(taken(observations, Until::Answered).await, expected);
    }
}
