//! The shell that keeps a throw-away server on its leash, and what it tells; see
//! [`super::server`].

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::server::ServerError;

const SUPERVISOR: &str = include_str!("supervisor.sh");

/// Time for the shell to make the folder.
const READY: Duration = Duration::from_secs(10);

/// The shell that keeps the server.
#[derive(Debug)]
pub(super) struct Keeper {
    shell: Mutex<Child>,
    /// The leash.
    commands: Mutex<Option<ChildStdin>>,
    pub(super) life: Arc<Life>,
}

/// What the keeper has told, and a bell for who waits for news.
#[derive(Debug, Default)]
pub(super) struct Life {
    facts: Mutex<Facts>,
    bell: Condvar,
}

#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) dir: Option<PathBuf>,
    /// The server's process, the last one where it has ended.
    pub(super) pid: u32,
    pub(super) running: bool,
    /// Exit status of the last one that ended.
    pub(super) status: i32,
    /// How often it was started.
    pub(super) starts: u64,
    /// The keeper tells nothing any more.
    closed: bool,
}

impl Keeper {
    pub(super) fn spawn() -> io::Result<Self> {
        let mut shell = Command::new("sh")
            .args(["-c", SUPERVISOR, "amr-top-demo"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let (commands, stdout) = (shell.stdin.take(), shell.stdout.take());
        let keeper = Self {
            shell: Mutex::new(shell),
            commands: Mutex::new(commands),
            life: Arc::default(),
        };
        let life = Arc::clone(&keeper.life);
        std::thread::Builder::new()
            .name("throw-away server".into())
            .spawn(move || {
                let lines = stdout
                    .map(BufReader::new)
                    .into_iter()
                    .flat_map(BufRead::lines);
                for line in lines.map_while(Result::ok) {
                    life.learn(&line);
                }
                life.close();
            })?;
        Ok(keeper)
    }

    pub(super) fn say(&self, line: &str) -> Result<(), ServerError> {
        match lock(&self.commands).as_mut() {
            Some(commands) => commands
                .write_all(format!("{line}\n").as_bytes())
                .map_err(ServerError::Supervisor),
            None => Err(Self::gone()),
        }
    }

    pub(super) fn gone() -> ServerError {
        ServerError::Supervisor(io::Error::other("its keeper has ended"))
    }

    pub(super) fn folder(&self) -> Result<PathBuf, ServerError> {
        self.life.wait(READY, |facts| facts.dir.is_some());
        self.life.facts().dir.clone().ok_or_else(Self::gone)
    }
}

impl Drop for Keeper {
    /// Lets go of the leash and waits until all is cleaned up.
    fn drop(&mut self) {
        *lock(&self.commands) = None;
        // Its status says nothing: it ends itself together with its process group.
        let _ = lock(&self.shell).wait();
    }
}

impl Life {
    pub(super) fn facts(&self) -> MutexGuard<'_, Facts> {
        lock(&self.facts)
    }

    /// Takes in a line of the keeper; others are noise.
    fn learn(&self, line: &str) {
        let mut facts = self.facts();
        match line.split_once(' ') {
            Some(("dir", dir)) => facts.dir = Some(dir.into()),
            Some(("started", pid)) => {
                facts.pid = pid.parse().unwrap_or(0);
                facts.running = true;
                facts.starts += 1;
            }
            Some(("ended", status)) => {
                facts.status = status.parse().unwrap_or(-1);
                facts.running = false;
            }
            _ => return,
        }
        self.bell.notify_all();
    }

    fn close(&self) {
        let mut facts = self.facts();
        (facts.running, facts.closed) = (false, true);
        self.bell.notify_all();
    }

    /// Waits for something to be true, at the longest `within`; says whether it is.
    pub(super) fn wait(&self, within: Duration, is_true: impl Fn(&Facts) -> bool) -> bool {
        let waiting = |facts: &mut Facts| !is_true(facts) && !facts.closed;
        let facts = self
            .bell
            .wait_timeout_while(self.facts(), within, waiting)
            .map_or_else(|poisoned| poisoned.into_inner().0, |(facts, _)| facts);
        is_true(&facts)
    }

    pub(super) fn has_ended(&self, within: Duration) -> bool {
        self.wait(within, |facts| !facts.running)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_are_learnt_and_noise_is_not() {
        let life = Life::default();
        life.learn("noise");
        life.learn("started 12");
        assert!(life.facts().running && life.facts().pid == 12);
        assert!(!life.has_ended(Duration::ZERO));
        life.learn("ended 137");
        assert!(life.has_ended(Duration::ZERO) && life.facts().status == 137);
        life.learn("started 13");
        life.close();
        assert!(
            life.has_ended(Duration::ZERO),
            "nothing outlives its keeper"
        );
    }
}
