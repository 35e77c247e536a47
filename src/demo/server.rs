//! A throw-away `redis-server` on a loopback port that cannot outlive this process.
//!
//! ```text
//!  this process ──stdin pipe──► sh (own process group, ignores INT TERM HUP) ──► redis-server
//!               ◄──stdout───── "started PID", "ended STATUS"
//! ```
//!
//! **The leash.** The shell reads commands from a pipe that only this process holds. However this
//! process ends (drop, panic with abort, Ctrl-C, `kill -9`), the kernel closes the pipe; the shell
//! then kills the server, a stopped one too, and removes its folder. The shell makes the folder
//! itself, so that there is no moment in which a folder has no keeper.
//!
//! The program only ever writes to servers that stand on such a leash.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::keeper::Keeper;

/// Time for the server to answer after its start.
const READY: Duration = Duration::from_secs(10);
/// Time between two looks whether it answers.
const LOOK: Duration = Duration::from_millis(5);
/// Ports that are tried before giving up.
const PORT_TRIES: u32 = 20;
/// Below the ranges from which Linux and macOS take ports for outgoing connections: a client that
/// dials a dead server over and over could otherwise end up connected to itself and hold its port.
/// Also leaves room for the cluster bus, 10,000 above.
const PORTS: std::ops::Range<u16> = 20_000..30_000;

/// Why a throw-away server did not run.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// No `redis-server` on `PATH`.
    #[error(
        "no 'redis-server' on PATH: install it, for example with 'apt-get install redis-server'"
    )]
    NotFound,
    /// The shell that keeps the server did not start or made no folder.
    #[error("cannot keep a throw-away server: {0}; is the temporary folder writable?")]
    Supervisor(#[source] io::Error),
    /// The server ended instead of answering.
    #[error("redis-server ended with status {status} at once; its log:\n{log}")]
    Ended {
        /// Exit status, 128 + signal.
        status: i32,
        /// What it had logged.
        log: String,
    },
    /// The server did not answer in time.
    #[error("redis-server did not answer within {} s; its log:\n{log}", .after.as_secs())]
    Silent {
        /// How long it was waited for.
        after: Duration,
        /// What it had logged.
        log: String,
    },
    /// The server was still running when it should have ended.
    #[error("redis-server was still running after {} s; its log:\n{log}", .after.as_secs())]
    StillRunning {
        /// How long it was waited for.
        after: Duration,
        /// What it had logged.
        log: String,
    },
    /// The server does not run.
    #[error("redis-server does not run")]
    NotRunning,
    /// The signal could not be sent.
    #[error("cannot signal redis-server: {0}")]
    Signal(#[source] io::Error),
    /// An argument cannot be passed on.
    #[error("an argument holds a line break: '{0}'")]
    Argument(String),
}

/// A signal for the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Hangs: it keeps its connections and answers nothing.
    Stop,
    /// Goes on.
    Cont,
    /// Ends in good order, saving where it is set to.
    Term,
    /// Ends at once and saves nothing.
    Kill,
}

impl From<Signal> for rustix::process::Signal {
    fn from(signal: Signal) -> Self {
        match signal {
            Signal::Stop => Self::STOP,
            Signal::Cont => Self::CONT,
            Signal::Term => Self::TERM,
            Signal::Kill => Self::KILL,
        }
    }
}

/// A running throw-away server. Dropping it ends the server and removes its folder.
#[derive(Debug)]
pub struct Server {
    port: u16,
    dir: PathBuf,
    /// A TLS-only server does not answer a plain PING.
    plain: bool,
    keeper: Keeper,
}

impl Server {
    /// Starts the `redis-server` of `PATH`; see [`Server::start_with`].
    pub fn start(args: &[&str]) -> Result<Self, ServerError> {
        Self::start_with(&find().ok_or(ServerError::NotFound)?, args)
    }

    /// Starts a server and waits until it answers.
    ///
    /// It listens on `127.0.0.1` on a free port and saves nothing, unless `args` hold `--bind` or
    /// `--save`. In `args`, `{port}` stands for the port and `{dir}` for the folder, which is also
    /// the working directory. With `--tls-port {port}` among them there is no plain-text port; the
    /// server then counts as ready when its log says so.
    pub fn start_with(binary: &Path, args: &[&str]) -> Result<Self, ServerError> {
        let keeper = Keeper::spawn().map_err(ServerError::Supervisor)?;
        let dir = keeper.folder()?;
        let mut server = Self {
            port: 0,
            dir,
            plain: !args.contains(&"--tls-port"),
            keeper,
        };
        let mut tries = 0;
        loop {
            server.port = free_port().map_err(ServerError::Supervisor)?;
            tries += 1;
            let mark = server.log().len();
            server.command_line(binary, args)?;
            match server.launch() {
                Err(ServerError::Ended { log, .. })
                    if tries < PORT_TRIES && is_port_taken(log.get(mark..).unwrap_or(&log)) => {}
                Err(error) => return Err(error),
                Ok(()) => return Ok(server),
            }
        }
    }

    /// The port, plain or TLS.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The process id of `redis-server` itself; of the last one where it has ended.
    pub fn pid(&self) -> u32 {
        self.keeper.life.facts().pid
    }

    /// Its folder and working directory: log, dumps, append-only files.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Everything that it has logged, over all its starts.
    pub fn log(&self) -> String {
        std::fs::read(self.dir.join("server.log"))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Whether the process exists; a stopped one does.
    pub fn is_running(&self) -> bool {
        self.keeper.life.facts().running
    }

    /// Sends a signal to `redis-server`.
    pub fn signal(&self, signal: Signal) -> Result<(), ServerError> {
        let facts = self.keeper.life.facts();
        let pid = i32::try_from(facts.pid)
            .ok()
            .and_then(rustix::process::Pid::from_raw)
            .filter(|_| facts.running)
            .ok_or(ServerError::NotRunning)?;
        rustix::process::kill_process(pid, signal.into())
            .map_err(|errno| ServerError::Signal(errno.into()))
    }

    /// Waits until `redis-server` has ended, however it did.
    pub fn wait_exit(&self, within: Duration) -> Result<(), ServerError> {
        if self.keeper.life.has_ended(within) {
            Ok(())
        } else {
            Err(ServerError::StillRunning {
                after: within,
                log: self.log(),
            })
        }
    }

    /// Starts it again with the same port, folder and arguments, and waits until it answers. One
    /// that still runs is killed first.
    pub fn restart(&self) -> Result<(), ServerError> {
        self.keeper.say("stop")?;
        self.wait_exit(READY)?;
        self.launch()
    }

    fn command_line(&self, binary: &Path, args: &[&str]) -> Result<(), ServerError> {
        let port = self.port.to_string();
        let mut line = vec![binary.to_string_lossy().into_owned()];
        let mut default = |name: &str, value: &str| {
            if !args.contains(&name) {
                line.extend([name.to_owned(), value.to_owned()]);
            }
        };
        default("--port", if self.plain { &port } else { "0" });
        default("--bind", "127.0.0.1");
        default("--save", "");
        default("--daemonize", "no");
        let dir = self.dir.to_string_lossy();
        line.extend(
            args.iter()
                .map(|arg| arg.replace("{port}", &port).replace("{dir}", &dir)),
        );
        self.keeper.say("clear")?;
        for arg in line {
            if arg.contains('\n') {
                return Err(ServerError::Argument(arg));
            }
            self.keeper.say(&format!("arg {arg}"))?;
        }
        Ok(())
    }

    fn launch(&self) -> Result<(), ServerError> {
        let deadline = now() + READY;
        let mark = self.log().len();
        let life = &self.keeper.life;
        let starts = life.facts().starts;
        self.keeper.say("start")?;
        if !life.wait(READY, |facts| facts.starts > starts) {
            return Err(Keeper::gone());
        }
        while now() < deadline {
            if self.is_ready(mark) {
                return Ok(());
            }
            if life.has_ended(LOOK) {
                return Err(ServerError::Ended {
                    status: life.facts().status,
                    log: self.log(),
                });
            }
        }
        Err(ServerError::Silent {
            after: READY,
            log: self.log(),
        })
    }

    fn is_ready(&self, mark: usize) -> bool {
        if self.plain {
            answers(self.port)
        } else {
            self.log()
                .get(mark..)
                .is_some_and(|log| log.contains("eady to accept connections"))
        }
    }
}

/// The `redis-server` of `PATH`.
pub fn find() -> Option<PathBuf> {
    find_named("redis-server")
}

/// The server of this name on `PATH`: `redis-server`, `valkey-server`.
pub fn find_named(name: &str) -> Option<PathBuf> {
    find_in(&std::env::var_os("PATH")?, name)
}

fn find_in(path: &OsStr, name: &str) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    std::env::split_paths(path)
        .map(|folder| folder.join(name))
        .find(|file| {
            file.metadata()
                .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
        })
}

/// Whether anything that speaks the protocol answers: `+PONG`, but also `-NOAUTH` or `-LOADING`.
fn answers(port: u16) -> bool {
    let ask = || -> io::Result<bool> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"PING\r\n")?;
        let mut first = [0];
        stream.read_exact(&mut first)?;
        Ok(matches!(first[0], b'+' | b'-'))
    };
    ask().unwrap_or(false)
}

/// A port on which nothing listens, taken at random: servers start in many processes at once.
fn free_port() -> io::Result<u16> {
    use std::hash::{BuildHasher, RandomState};
    let mut last = io::ErrorKind::AddrInUse.into();
    for attempt in 0..200u32 {
        let random = RandomState::new().hash_one((attempt, std::process::id()));
        let span = u64::from(PORTS.end - PORTS.start);
        let port = PORTS.start + u16::try_from(random % span).unwrap_or_default();
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => return Ok(port),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn is_port_taken(log: &str) -> bool {
    log.contains("Address already in use") || log.contains("Address in use")
}

#[expect(
    clippy::disallowed_methods,
    reason = "deadlines for a process that we started; no observation gets its time from here"
)]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_looked_for_in_the_whole_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = std::env::join_paths([Path::new("/nowhere"), folder.path()]).unwrap();
        assert_eq!(find_in(&path, "redis-server"), None);
        let binary = folder.path().join("redis-server");
        std::fs::write(&binary, "").unwrap();
        assert_eq!(
            find_in(&path, "redis-server"),
            None,
            "a file that cannot be run"
        );
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&binary, mode).unwrap();
        assert_eq!(find_in(&path, "redis-server"), Some(binary));
    }

    #[test]
    fn ports_are_free_and_leave_room_for_the_cluster_bus() {
        let port = free_port().unwrap();
        assert!(PORTS.contains(&port));
        assert!(PORTS.end.checked_add(10_000).is_some());
    }
}
