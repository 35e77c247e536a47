//! Watching a server without a screen: from the poller's channel to a [`History`].

use std::future::Future;
use std::time::Duration;

use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

use crate::model::{FailureKind, History, Observation};

/// When to stop watching.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// So long after the first observation.
    For(Duration),
    /// The first answer.
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
    observations: &mut Receiver<Observation>,
    history: &mut History,
    until: Until,
    patience: Patience,
    interrupted: impl Future<Output = ()>,
) {
    tokio::select! {
        () = interrupted => {}
        () = observe(observations, history, until, patience) => {}
    }
    // What has come meanwhile was seen too.
    while let Ok(observation) = observations.try_recv() {
        history.observe(observation);
    }
}

async fn observe(
    observations: &mut Receiver<Observation>,
    history: &mut History,
    until: Until,
    patience: Patience,
) {
    // Running out of patience is not an error: what came is reported.
    let _ = match until {
        Until::Answered => timeout(patience.answer, answer(observations, history)).await,
        Until::For(time) => {
            let Ok(Some(first)) = timeout(patience.answer, observations.recv()).await else {
                return;
            };
            let begun = first.moment().elapsed;
            if take(history, first) == Next::GiveUp {
                return;
            }
            let enough = begun + time.saturating_sub(SLACK.min(patience.interval / 2));
            let watching = keep_on(observations, history, enough);
            timeout(time + patience.answer, watching).await
        }
    };
}

/// A poll that is due at the end may come a little early.
const SLACK: Duration = Duration::from_millis(250);

/// Until the first answer, and what the witnesses say to it: the slow log comes last.
async fn answer(observations: &mut Receiver<Observation>, history: &mut History) {
    while let Some(observation) = observations.recv().await {
        let answered = matches!(observation, Observation::Answer { .. });
        if take(history, observation) == Next::GiveUp {
            return;
        }
        if answered {
            while let Some(next) = observations.recv().await {
                let is_last = matches!(next, Observation::SlowLog { .. });
                if is_attempt(&next) {
                    return;
                }
                history.observe(next);
                if is_last {
                    return;
                }
            }
            return;
        }
    }
}

/// Until an observation that is not before `enough`.
async fn keep_on(
    observations: &mut Receiver<Observation>,
    history: &mut History,
    enough: Duration,
) {
    while let Some(observation) = observations.recv().await {
        // A push alone tells nothing: what went is in the answer after it.
        let is_enough = is_attempt(&observation) && observation.moment().elapsed >= enough;
        if take(history, observation) == Next::GiveUp || is_enough {
            return;
        }
    }
}

fn is_attempt(observation: &Observation) -> bool {
    matches!(
        observation,
        Observation::Answer { .. } | Observation::Failed { .. }
    )
}

#[derive(PartialEq, Eq)]
enum Next {
    KeepOn,
    GiveUp,
}

fn take(history: &mut History, observation: Observation) -> Next {
    let hopeless = is_hopeless(&observation) && history.last_sample().is_none();
    history.observe(observation);
    if hopeless { Next::GiveUp } else { Next::KeepOn }
}

/// Failures that trying again within seconds does not mend: somebody has to do something.
fn is_hopeless(observation: &Observation) -> bool {
    match observation {
        Observation::Failed { failure, .. } => matches!(
            failure.kind,
            FailureKind::PasswordNeeded
                | FailureKind::PasswordWrong
                | FailureKind::NotPermitted
                | FailureKind::Tls
                | FailureKind::TlsExpected
                | FailureKind::PlainExpected
                | FailureKind::ProtectedMode
                | FailureKind::Rubbish
        ),
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
                if sender.send(observation).await.is_err() {
                    return;
                }
            }
            std::future::pending::<()>().await;
        });
        let node = NodeId::new("h:1");
        let mut history = History::new(node, Assumptions::default(), Duration::from_secs(99));
        observe(&mut receiver, &mut history, until, PATIENCE).await;
        feed.abort();
        history.window().polls()
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
            sender.send(observation).await.expect("there is room");
        }
        let node = NodeId::new("h:1");
        let mut history = History::new(node, Assumptions::default(), Duration::from_secs(99));
        observe(&mut receiver, &mut history, Until::Answered, PATIENCE).await;
        assert_eq!(history.window().polls(), 1);
        assert_eq!(history.window().witnesses().slow_log(), Some(vec![]));
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
