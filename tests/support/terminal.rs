//! The real program in a pseudo-terminal, and what is on its screen.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use portable_pty::{CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};
use vt100::{MouseProtocolMode, Parser, Screen};

/// The longest that anything is waited for; machines that test are slow at times.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Default)]
struct Seen {
    parser: Parser,
    raw: Vec<u8>,
    ended: bool,
    hung_up: bool,
}

type Shared = Arc<(Mutex<Seen>, Condvar)>;

/// A run of the program.
pub(crate) struct Run {
    master: Option<Box<dyn MasterPty + Send>>,
    writer: Option<Box<dyn Write + Send>>,
    seen: Shared,
    exit: Receiver<ExitStatus>,
    pid: Pid,
    /// The terminal's settings before the program, as text.
    settings: String,
}

/// The program with arguments, in a folder, with nothing of our environment that it listens to.
pub(crate) fn program(arguments: &[&str], folder: &Path) -> CommandBuilder {
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_amr-top"));
    command.args(arguments);
    command.cwd(folder);
    command.env("TERM", "xterm-256color");
    command.env("LANG", "C.UTF-8");
    for name in [
        "NO_COLOR",
        "AMR_TOP_PASSWORD",
        "REDISCLI_AUTH",
        "AMR_TOP_TEST_PANIC",
        "RUST_BACKTRACE",
    ] {
        command.env_remove(name);
    }
    command
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize {
        rows,
        cols: columns,
        pixel_width: 0,
        pixel_height: 0,
    }
}

fn side(cells: u16) -> NonZeroU16 {
    NonZeroU16::new(cells).expect("a terminal has cells")
}

impl Run {
    /// Starts a command in a terminal of this size.
    pub(crate) fn start(command: CommandBuilder, columns: u16, rows: u16) -> Self {
        let pair = native_pty_system()
            .openpty(size(columns, rows))
            .expect("a pseudo-terminal");
        let seen = Shared::default();
        seen.0.lock().expect("nobody panicked").parser = Parser::new(side(rows), side(columns), 0);
        let settings = settings(pair.master.as_ref());
        let mut child = pair.slave.spawn_command(command).expect("the program");
        drop(pair.slave);
        let pid = child
            .process_id()
            .and_then(|pid| i32::try_from(pid).ok())
            .and_then(Pid::from_raw)
            .expect("a process id");
        let reader = pair.master.try_clone_reader().expect("a reader");
        let writer = pair.master.take_writer().expect("a writer");
        let shared = Arc::clone(&seen);
        thread::spawn(move || watch(reader, &shared));
        let (sender, exit) = mpsc::channel();
        thread::spawn(move || {
            if let Ok(status) = child.wait() {
                let _ = sender.send(status);
            }
        });
        Self {
            master: Some(pair.master),
            writer: Some(writer),
            seen,
            exit,
            pid,
            settings,
        }
    }

    /// Waits until the screen is as wanted, or panics with the last screen.
    pub(crate) fn wait_for(&self, what: &str, wanted: impl Fn(&Screen) -> bool) {
        let guard = lock(&self.seen);
        let (guard, outcome) = self
            .seen
            .1
            .wait_timeout_while(guard, PATIENCE, |seen| {
                !wanted(seen.parser.screen()) && !seen.ended
            })
            .unwrap_or_else(PoisonError::into_inner);
        let good = wanted(guard.parser.screen());
        let why = if outcome.timed_out() {
            "in time"
        } else {
            "before the program ended"
        };
        assert!(
            good,
            "{what}: not {why}; the last screen:\n{}",
            guard.parser.screen().contents()
        );
    }

    /// Waits until a text is on the screen.
    pub(crate) fn see(&self, text: &str) {
        self.wait_for(&format!("'{text}' on the screen"), |screen| {
            screen.contents().contains(text)
        });
    }

    /// Waits until a text is on the screen no more.
    pub(crate) fn see_no(&self, text: &str) {
        self.wait_for(&format!("no '{text}' on the screen"), |screen| {
            !screen.contents().contains(text)
        });
    }

    /// What is on the screen.
    pub(crate) fn screen(&self) -> String {
        lock(&self.seen).parser.screen().contents()
    }

    /// Everything that the program ever wrote.
    pub(crate) fn raw(&self) -> Vec<u8> {
        lock(&self.seen).raw.clone()
    }

    /// Sends keys as a terminal does.
    pub(crate) fn keys(&mut self, keys: &str) {
        let writer = self.writer.as_mut().expect("the terminal is open");
        writer.write_all(keys.as_bytes()).expect("keys");
        writer.flush().expect("keys");
    }

    /// Resizes the terminal. What it shows is mangled first, as terminals do.
    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        let mut seen = lock(&self.seen);
        seen.parser.screen_mut().set_size(side(rows), side(columns));
        seen.parser.process(b"\x1b[H\x1b[2Jmangled by the terminal");
        drop(seen);
        self.master
            .as_ref()
            .expect("the terminal is open")
            .resize(size(columns, rows))
            .expect("a new size");
    }

    /// Sends a signal to the program.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).expect("the program runs");
    }

    /// Takes the terminal away, as soon as the program has written once more.
    pub(crate) fn hang_up(&mut self) {
        lock(&self.seen).hung_up = true;
        self.writer = None;
        self.master = None;
    }

    /// Waits until the program has ended; its exit code.
    pub(crate) fn exit(&self) -> u32 {
        let status = self.exit.recv_timeout(PATIENCE).unwrap_or_else(|error| {
            panic!(
                "still running ({error}); the last screen:\n{}",
                self.screen()
            )
        });
        status.exit_code()
    }

    /// Waits for the end and checks that the terminal is as it was before; the exit code and
    /// what stands on the normal screen.
    pub(crate) fn given_back(&self) -> (u32, String) {
        let code = self.exit();
        let guard = lock(&self.seen);
        let (seen, _) = self
            .seen
            .1
            .wait_timeout_while(guard, PATIENCE, |seen| !seen.ended)
            .unwrap_or_else(PoisonError::into_inner);
        let screen = seen.parser.screen();
        let text = screen.contents();
        assert!(seen.ended, "the terminal is still held");
        assert!(!screen.alternate_screen(), "alternate screen left:\n{text}");
        assert!(!screen.hide_cursor(), "cursor shown:\n{text}");
        assert!(!screen.bracketed_paste(), "no bracketed paste");
        assert_eq!(screen.mouse_protocol_mode(), MouseProtocolMode::None);
        assert_eq!(screen.fgcolor(), vt100::Color::Default);
        if let Some(master) = &self.master {
            assert_eq!(settings(master.as_ref()), self.settings, "raw mode is off");
        }
        (code, text)
    }

    /// Whether the terminal is in raw mode.
    pub(crate) fn is_raw(&self) -> bool {
        let master = self.master.as_ref().expect("the terminal is open");
        settings(master.as_ref()) != self.settings
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if matches!(self.exit.try_recv(), Err(mpsc::TryRecvError::Empty)) {
            let _ = kill_process(self.pid, Signal::KILL);
        }
    }
}

fn settings(master: &dyn MasterPty) -> String {
    format!("{:?}", master.get_termios())
}

fn lock(seen: &Shared) -> MutexGuard<'_, Seen> {
    seen.0.lock().unwrap_or_else(PoisonError::into_inner)
}

fn watch(mut reader: Box<dyn Read + Send>, shared: &Shared) {
    let mut some = [0; 16 * 1024];
    loop {
        let count = reader.read(&mut some).unwrap_or(0);
        let mut seen = lock(shared);
        if seen.hung_up || count == 0 {
            seen.ended = true;
        } else {
            seen.raw.extend_from_slice(&some[..count]);
            seen.parser.process(&some[..count]);
        }
        let ended = seen.ended;
        drop(seen);
        shared.1.notify_all();
        if ended {
            return;
        }
    }
}
