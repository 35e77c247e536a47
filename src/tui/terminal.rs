//! The terminal: taken, given back whatever happens, and listened to.

use std::io::{self, BufWriter, IsTerminal as _, Stdout, Write};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};

use color_eyre::config::{HookBuilder, Theme};
use color_eyre::eyre::{Result, WrapErr as _, bail};
use crossterm::cursor::{Hide, Show};
use crossterm::event::{self, Event};
use crossterm::style::ResetColor;
use crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{execute, queue};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::End;

/// A frame is collected here and leaves in one piece.
const FRAME_BYTES: usize = 64 * 1024;
/// Exit code of a Rust program that panicked.
const PANICKED: i32 = 101;

/// The terminal that the dashboard draws on.
pub type Tty = Terminal<CrosstermBackend<BufWriter<Stdout>>>;

static TAKEN: AtomicBool = AtomicBool::new(false);

/// Installs the hooks for panics and error reports. Call it first in `main`.
///
/// A panic on any thread, a task of the runtime too, gives the terminal back, prints one report on
/// the normal screen and ends the program with 101, in every profile. Without that, a panic in a
/// task of an unwinding build (tests, benchmarks) would leave the dashboard running without its
/// poller.
pub fn install_hooks() -> Result<()> {
    let mut builder = HookBuilder::default()
        .display_env_section(false)
        .panic_section("this is a fault of amr-top; your server is not affected, it was only read");
    if !io::stderr().is_terminal() || std::env::var_os("NO_COLOR").is_some() {
        builder = builder.theme(Theme::new());
    }
    let (panic_hook, eyre_hook) = builder.try_into_hooks()?;
    eyre_hook.install()?;
    std::panic::set_hook(Box::new(move |info| {
        // Held to the end: no other thread draws over the report.
        let mut screen = io::stdout().lock();
        leave(&mut screen);
        let _ = writeln!(io::stderr(), "{}", panic_hook.panic_report(info));
        std::process::exit(PANICKED);
    }));
    Ok(())
}

/// Gives the terminal back when dropped. Must be dropped after the [`Tty`], which may still hold a
/// part of a frame: bind it first.
#[derive(Debug)]
#[must_use = "the terminal is given back when this is dropped"]
pub struct Taken(());

impl Drop for Taken {
    fn drop(&mut self) {
        leave(&mut io::stdout().lock());
    }
}

/// Takes the terminal over: raw mode, alternate screen, no cursor. No mouse capture, so that text
/// can be selected.
pub fn take() -> Result<(Taken, Tty)> {
    if !io::stdout().is_terminal() {
        bail!("amr-top needs a terminal; use 'amr-top check' in scripts and pipes");
    }
    TAKEN.store(true, Ordering::SeqCst);
    let taken = Taken(());
    enable_raw_mode().wrap_err("cannot take over the terminal")?;
    let mut out = BufWriter::with_capacity(FRAME_BYTES, io::stdout());
    execute!(out, EnterAlternateScreen, Hide).wrap_err("cannot take over the terminal")?;
    let terminal = Terminal::new(CrosstermBackend::new(out))
        .wrap_err("cannot find out the size of the terminal")?;
    Ok((taken, terminal))
}

/// Gives the terminal back once; errors have nowhere to go.
fn leave(screen: &mut impl Write) {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let _ = queue!(screen, ResetColor, Show, LeaveAlternateScreen);
        let _ = screen.flush();
        let _ = disable_raw_mode();
    }
}

/// Keys and resizes, read on a thread of their own.
///
/// Not crossterm's `EventStream`: when the terminal goes away without a signal, crossterm's reader
/// never returns from its read loop, and a stream would take the event loop with it. Here the loop
/// stays free and learns of it from [`ends`].
pub fn events() -> io::Result<mpsc::Receiver<io::Result<Event>>> {
    let (sender, receiver) = mpsc::channel(64);
    std::thread::Builder::new()
        .name("keys".to_owned())
        .spawn(move || {
            loop {
                let event = event::read();
                let last = event.is_err();
                if sender.blocking_send(event).is_err() || last {
                    break;
                }
            }
        })?;
    Ok(receiver)
}

/// Reasons to leave that are not keys: SIGTERM, SIGHUP, SIGINT, and a terminal that went away.
pub fn ends() -> io::Result<mpsc::Receiver<End>> {
    let (sender, receiver) = mpsc::channel(4);
    watch_terminal(sender.clone())?;
    let mut terminate = Caught::new(SignalKind::terminate())?;
    let mut hang_up = Caught::new(SignalKind::hangup())?;
    let mut interrupt = Caught::new(SignalKind::interrupt())?;
    tokio::spawn(async move {
        let end = tokio::select! {
            end = terminate.next() => end,
            end = hang_up.next() => end,
            end = interrupt.next() => end,
        };
        let _ = sender.send(end).await;
    });
    Ok(receiver)
}

struct Caught {
    signal: Signal,
    number: u8,
}

impl Caught {
    fn new(kind: SignalKind) -> io::Result<Self> {
        Ok(Self {
            signal: signal(kind)?,
            number: u8::try_from(kind.as_raw_value()).unwrap_or(u8::MAX),
        })
    }

    async fn next(&mut self) -> End {
        if self.signal.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
        End::Signal(self.number)
    }
}

/// Says when the terminal on standard input is gone. A thread waits for nothing but the hang-up.
fn watch_terminal(sender: mpsc::Sender<End>) -> io::Result<()> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Ok(());
    }
    let tty = stdin.as_fd().try_clone_to_owned()?;
    std::thread::Builder::new()
        .name("terminal".to_owned())
        .spawn(move || {
            loop {
                match poll(&mut [PollFd::new(&tty, PollFlags::empty())], None) {
                    Ok(0) | Err(Errno::INTR) => {}
                    Ok(_) => break,
                    // Cannot be watched: signals must do.
                    Err(_) => return,
                }
            }
            let _ = sender.blocking_send(End::TerminalGone);
        })?;
    Ok(())
}
