//! `MONITOR`, because the user asked for it: every command that the server runs, for some seconds.
//!
//! It can halve the server's throughput while it runs, so it is never sent otherwise, runs on a
//! connection of its own for five seconds at most, and ends at once when it falls behind: what we do
//! not read piles up in the server's memory.

use std::time::Duration;

use jiff::SignedDuration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{timeout, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use super::dial::{Stream, dial};
use super::{Clock, commands, seal};
use crate::config::{Auth, MONITOR_RANGE, Settings};
use crate::model::{MonitorEnd, Monitored, Observation, Tally};

/// How much later than the first lines came, by the server's clock, a line may come.
const BEHIND: SignedDuration = SignedDuration::from_millis(500);
/// What is read at most.
const MOST_BYTES: usize = 64 << 20;
/// The longest line that is understood; more of it is skipped.
const LONGEST_LINE: usize = 16 << 10;

/// A monitor that runs.
pub(super) type Running = AbortOnDropHandle<Observation>;

/// Begins.
pub(super) fn begin(settings: Settings, clock: Clock, time: Duration) -> Running {
    let time = time.clamp(*MONITOR_RANGE.start(), *MONITOR_RANGE.end());
    AbortOnDropHandle::new(tokio::spawn(async move {
        let monitored = watch(&settings, clock, time).await;
        Observation::Monitored {
            moment: clock.now(),
            monitored: monitored.map_err(|words| seal::words(&words, &settings.auth)),
        }
    }))
}

/// What it has seen; never returns when none runs.
pub(super) async fn seen(running: &mut Option<Running>) -> Option<Observation> {
    match running {
        Some(task) => {
            let seen = task.await.ok();
            *running = None;
            seen
        }
        None => std::future::pending().await,
    }
}

async fn watch(settings: &Settings, clock: Clock, time: Duration) -> Result<Monitored, String> {
    let mut stream = dial(settings, clock, true)
        .await
        .map_err(|failure| failure.sentence())?;
    let mut lines = Lines::default();
    if let Some(auth) = commands::auth(&settings.auth) {
        ask(&mut *stream, &mut lines, settings, &auth).await?;
    }
    ask(&mut *stream, &mut lines, settings, &commands::monitor()).await?;
    let begun = clock.elapsed();
    let mut reader = Reader {
        tally: Tally::default(),
        least_late: None,
        clock,
    };
    let end = tokio::time::Instant::now() + time;
    let why = loop {
        if lines.bytes > MOST_BYTES || reader.take(&mut lines) {
            break MonitorEnd::Behind;
        }
        match timeout_at(end, lines.read(&mut *stream)).await {
            Err(_) => break MonitorEnd::Time,
            Ok(false) => break MonitorEnd::Closed,
            Ok(true) if tokio::time::Instant::now() >= end => break MonitorEnd::Time,
            Ok(true) => {}
        }
    };
    let took = clock.elapsed().saturating_sub(begun);
    Ok(reader.tally.end(took, why))
}

/// Sends a command and reads its answer, which must be `+OK`.
async fn ask(
    stream: &mut dyn Stream,
    lines: &mut Lines,
    settings: &Settings,
    command: &redis::Cmd,
) -> Result<(), String> {
    let answer = timeout(settings.timeout, async {
        stream
            .write_all(&command.get_packed_command())
            .await
            .map_err(|error| error.to_string())?;
        loop {
            if let Some(line) = lines.next() {
                return Ok(line);
            }
            if !lines.read(stream).await {
                return Err("the connection was closed".to_owned());
            }
        }
    });
    let answer = answer.await.map_err(|_| "no reply in time".to_owned())??;
    if answer.starts_with('+') {
        return Ok(());
    }
    let grant = match (answer.starts_with("-NOPERM"), &settings.auth) {
        (true, Auth { user, .. }) => {
            let user = user.as_deref().unwrap_or("default");
            format!("; grant it: ACL SETUSER {user} +monitor")
        }
        _ => String::new(),
    };
    Err(format!("{}{grant}", answer.trim_start_matches('-')))
}

struct Reader {
    tally: Tally,
    /// The least time from a line's own to its coming.
    least_late: Option<SignedDuration>,
    clock: Clock,
}

impl Reader {
    /// Takes in what has come; whether we are behind.
    fn take(&mut self, lines: &mut Lines) -> bool {
        let now = self.clock.now().at;
        while let Some(line) = lines.next() {
            let Some(at) = line
                .strip_prefix('+')
                .and_then(|line| self.tally.line(line))
            else {
                continue;
            };
            let late = now.duration_since(at);
            let least = *self.least_late.get_or_insert(late);
            self.least_late = Some(least.min(late));
            if late > least.saturating_add(BEHIND) {
                return true;
            }
        }
        false
    }
}

/// Lines out of a stream, with bounds.
#[derive(Default)]
struct Lines {
    buffer: Vec<u8>,
    /// How far the buffer has been given out.
    given: usize,
    /// The rest of a line that was too long is on its way.
    skipping: bool,
    bytes: usize,
}

impl Lines {
    /// Reads what is there; `false` at the end of the stream.
    async fn read(&mut self, stream: &mut dyn Stream) -> bool {
        self.buffer.drain(..self.given);
        self.given = 0;
        if self.buffer.len() > LONGEST_LINE {
            self.skipping = true;
            self.buffer.clear();
        }
        match stream.read_buf(&mut self.buffer).await {
            Ok(0) | Err(_) => false,
            Ok(n) => {
                self.bytes += n;
                true
            }
        }
    }

    fn next(&mut self) -> Option<String> {
        loop {
            let rest = &self.buffer[self.given..];
            let end = rest.iter().position(|byte| *byte == b'\n')?;
            let line = String::from_utf8_lossy(&rest[..end]).into_owned();
            self.given += end + 1;
            if !std::mem::take(&mut self.skipping) {
                return Some(line.trim_end_matches('\r').to_owned());
            }
        }
    }
}
