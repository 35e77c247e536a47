//! An application's ordinary work beside an incident: reads, overwrites, new keys, keys with a
//! long TTL, and deletes of keys that are not there. It never removes a key.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

/// Keys that are written over and over.
const HOT: u64 = 200;
/// One operation of each kind in this time.
const PACE: Duration = Duration::from_millis(12);
/// Of so many writes, one makes a new key.
const NEW: u64 = 5;

/// A running load; dropping it ends it.
pub(crate) struct Load {
    counts: Arc<Counts>,
    stop: CancellationToken,
}

#[derive(Default)]
struct Counts {
    created: AtomicU64,
    done: AtomicU64,
}

/// What the load consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mix {
    /// Everything.
    Usual,
    /// No key has a TTL.
    WithoutTtl,
}

#[derive(Clone, Copy)]
enum Work {
    Read,
    Write,
    WriteWithTtl,
    Invalidate,
}

impl Load {
    /// Starts it against a port. The hot keys are created here and now, through `redis`.
    pub(crate) fn start(
        runtime: &Runtime,
        port: u16,
        redis: &mut redis::Connection,
        mix: Mix,
    ) -> Self {
        let load = Self {
            counts: Arc::default(),
            stop: CancellationToken::new(),
        };
        let mut pipeline = redis::pipe();
        for n in 0..HOT {
            pipeline.cmd("SET").arg(format!("load:hot:{n}")).arg("x");
        }
        pipeline.exec(redis).expect("the hot keys are written");
        load.counts.created.fetch_add(HOT, Ordering::SeqCst);
        for work in [
            Work::Read,
            Work::Write,
            match mix {
                Mix::Usual => Work::WriteWithTtl,
                Mix::WithoutTtl => Work::Read,
            },
            Work::Invalidate,
        ] {
            let (counts, stop) = (Arc::clone(&load.counts), load.stop.clone());
            runtime.spawn(async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = toil(work, port, &counts) => {}
                }
            });
        }
        load
    }

    /// Keys that it has created so far.
    pub(crate) fn created(&self) -> u64 {
        self.counts.created.load(Ordering::SeqCst)
    }

    /// Operations that were answered so far.
    pub(crate) fn done(&self) -> u64 {
        self.counts.done.load(Ordering::SeqCst)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Works for ever, over a new connection when the old one has ended.
async fn toil(work: Work, port: u16, counts: &Counts) {
    let mut tick = tokio::time::interval(PACE);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut connection: Option<MultiplexedConnection> = None;
    for n in 0.. {
        tick.tick().await;
        let live = match connection.take() {
            Some(live) => Some(live),
            None => connect(port).await,
        };
        let Some(mut live) = live else { continue };
        let (command, creates) = work.command(n);
        let reply = command.query_async::<redis::Value>(&mut live).await;
        let lost = reply.as_ref().is_err_and(|error| error.code().is_none());
        if reply.is_ok() {
            counts.done.fetch_add(1, Ordering::SeqCst);
            let keys = u64::from(creates);
            counts.created.fetch_add(keys, Ordering::SeqCst);
        }
        connection = (!lost).then_some(live);
    }
}

async fn connect(port: u16) -> Option<MultiplexedConnection> {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}/")).ok()?;
    client.get_multiplexed_async_connection().await.ok()
}

impl Work {
    /// The n-th command, and whether it makes a key.
    fn command(self, n: u64) -> (redis::Cmd, bool) {
        let creates = n.is_multiple_of(NEW);
        let (mut command, creates) = match self {
            Self::Read => (redis::cmd("GET"), false),
            Self::Write | Self::WriteWithTtl => (redis::cmd("SET"), creates),
            Self::Invalidate => (redis::cmd("DEL"), false),
        };
        let hot = format!("load:hot:{}", n * 7 % HOT);
        match self {
            Self::Read => command.arg(hot),
            Self::Write if creates => command.arg(format!("load:new:{n}")).arg("x"),
            Self::Write => command.arg(hot).arg("y"),
            // The newest of its keys again and again, then the next one.
            Self::WriteWithTtl => command
                .arg(format!("load:session:{}", n / NEW))
                .arg("x")
                .arg("EX")
                .arg(300),
            Self::Invalidate => command.arg(format!("load:absent:{n}")),
        };
        (command, creates)
    }
}
