//! The tripwire: a second connection on which the server says at once that a database was emptied.
//!
//! With client-side caching switched on (`CLIENT TRACKING ON OPTIN`, RESP3) and no key read, a
//! server pushes exactly one thing: that all keys are invalid. It does so on `FLUSHALL` and
//! `FLUSHDB` of any database, from clients, scripts, transactions and its own primary, on
//! `DEBUG RELOAD`, and on a replica's full synchronisation. That costs the server nothing that can
//! be measured and sets nothing on it.
//!
//! A server that refuses (no RESP3, no permission, a proxy) is not asked again; one that hangs up
//! is.

use std::time::Duration;

use redis::{Cmd, PushInfo, PushKind, Value};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::connection::{Connection, Trouble};
use super::schedule::BackOff;
use super::{Clock, commands, seal};
use crate::config::Settings;
use crate::model::{Failure, FailureKind, Moment, Observation};

/// Pushes that wait to be told; more at once are the same news.
const WAITING: usize = 8;

/// A tripwire. Goes when dropped.
pub(super) struct Tripwire {
    told: mpsc::Receiver<Observation>,
    _task: AbortOnDropHandle<()>,
}

impl Tripwire {
    /// Sets it up in the background.
    pub(super) fn set_up(settings: Settings, clock: Clock) -> Self {
        let (out, told) = mpsc::channel(WAITING);
        let task = tokio::spawn(stand(settings, clock, out));
        Self {
            told,
            _task: AbortOnDropHandle::new(task),
        }
    }

    /// What it has to tell; never returns when it has gone for good.
    async fn next(&mut self) -> Observation {
        match self.told.recv().await {
            Some(observation) => observation,
            None => std::future::pending().await,
        }
    }
}

/// What the tripwire tells next; never returns when there is none.
pub(super) async fn told(tripwire: &mut Option<Tripwire>) -> Observation {
    match tripwire {
        Some(tripwire) => tripwire.next().await,
        None => std::future::pending().await,
    }
}

/// Stands until it is refused or nobody listens any more.
async fn stand(settings: Settings, clock: Clock, out: mpsc::Sender<Observation>) {
    let mut back_off = BackOff::new();
    loop {
        let begun = clock.elapsed();
        match trip(&settings, clock, &out).await {
            Ok(()) => back_off.lived(clock.elapsed().saturating_sub(begun)),
            Err(failure) if is_refusal(failure.kind) => {
                let words = match failure.kind {
                    FailureKind::Server => failure.detail,
                    kind => format!("{} {}", kind.problem(), failure.detail),
                };
                let told = Observation::Tripwire {
                    moment: clock.now(),
                    stands: Err(seal::words(words.trim(), &settings.auth)),
                };
                let _ = out.send(told).await;
                return;
            }
            Err(_) => {}
        }
        if out.is_closed() {
            return;
        }
        sleep(back_off.wait(Duration::from_secs(1))).await;
    }
}

/// Whether asking again would bring the same answer.
pub(super) fn is_refusal(kind: FailureKind) -> bool {
    !kind.is_outage() && kind != FailureKind::TooManyClients
}

/// One connection, from its set-up to its end.
async fn trip(
    settings: &Settings,
    clock: Clock,
    out: &mpsc::Sender<Observation>,
) -> Result<(), Failure> {
    let teller = out.clone();
    let pushed = move |push: PushInfo| {
        if is_emptied(&push) {
            let moment = clock.now();
            // A full channel holds the same news already.
            let _ = teller.try_send(Observation::Emptied { moment });
        }
    };
    let patience = settings.connect_timeout + settings.timeout;
    let opening = Connection::open_pushed(settings, clock, pushed);
    let mut connection = timeout(patience, opening)
        .await
        .map_err(|_| silent("no answer to HELLO"))??;
    switch_on(&mut connection, &commands::tripwire(), settings).await?;
    let stands = Observation::Tripwire {
        moment: clock.now(),
        stands: Ok(()),
    };
    if out.send(stands).await.is_ok() {
        tokio::select! {
            () = connection.over() => {}
            () = out.closed() => {}
        }
    }
    Ok(())
}

/// Switches client-side caching on by `command`.
pub(super) async fn switch_on(
    connection: &mut Connection,
    command: &Cmd,
    settings: &Settings,
) -> Result<(), Failure> {
    match connection.ask(command).await {
        Ok(Value::Okay) => Ok(()),
        Ok(_) => Err(refused("an odd reply to CLIENT TRACKING")),
        Err(Trouble::Timeout) => Err(silent("no answer to CLIENT TRACKING")),
        Err(Trouble::Rubbish(words)) => Err(refused(&words)),
        Err(Trouble::Error(error)) if error.is_io_error() => Err(silent("hung up")),
        Err(Trouble::Error(error)) => {
            let (code, said) = (error.code(), error.detail());
            let (code, said) = (code.unwrap_or_default(), said.unwrap_or_default());
            let grant = if code == "NOPERM" {
                let user = settings.auth.user.as_deref().unwrap_or("default");
                format!("; grant it: ACL SETUSER {user} +client|tracking")
            } else {
                String::new()
            };
            Err(refused(&format!("{code} {said}{grant}")))
        }
    }
}

pub(super) fn refused(words: &str) -> Failure {
    Failure {
        kind: FailureKind::Server,
        detail: words.trim().to_owned(),
    }
}

pub(super) fn silent(words: &str) -> Failure {
    Failure {
        kind: FailureKind::Hanging,
        detail: words.to_owned(),
    }
}

/// `invalidate` with nil instead of keys.
fn is_emptied(push: &PushInfo) -> bool {
    push.kind == PushKind::Invalidate && push.data.iter().all(|data| *data == Value::Nil)
}

/// When the next poll may follow a push at the earliest: a client that flushes in a loop must not
/// make us poll in a loop.
pub(super) fn poll_after(push: Moment, last_poll: Duration) -> Duration {
    const BETWEEN: Duration = Duration::from_millis(50);
    push.elapsed.max(last_poll + BETWEEN)
}
