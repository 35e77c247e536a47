//! The commands that need no screen: `check` and `snapshot`.
//!
//! They watch by the same poller and judge by the same rules as the dashboard, then write one
//! report. Ctrl-C ends the watch early; what was seen until then is reported.

mod acl;
mod files;
mod watch;

use std::borrow::Cow;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub use acl::acl;
pub use files::InfoFileError;

use self::watch::{Patience, Until};
use crate::cli::{Check, Options, Snapshot};
use crate::config::{self, ConfigError, Environment, Plan, Resolved};
use crate::diagnosis::{Diagnosis, Scope, diagnose_deployment};
use crate::model::{Assumptions, Connection, Deployment, Failure, NodeId};
use crate::report::{
    self, Causes, Exit, ExportError, Format, Report, Scene, Style, exit_code, export_to,
};
use crate::source::Clock;
use crate::source::deployment::watch_deployment;
use crate::source::sentinel::{SentinelError, settle};

/// Observations that may wait to be taken in.
const CHANNEL: usize = 16;
/// How long to watch on when `MONITOR` is over: what it showed has to come.
const AFTER_MONITOR: Duration = Duration::from_secs(1);
/// Columns nobody reads beyond.
const WIDEST: usize = 160;

/// Why a headless command wrote no report.
#[derive(Debug, thiserror::Error)]
pub enum HeadlessError {
    /// The command line, or a file that it names.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A saved reply.
    #[error(transparent)]
    Info(#[from] InfoFileError),
    /// The file to write.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// A file name that does not tell its form.
    #[error("'{0}' does not end in .json, .md or .txt; add --format text, json or markdown")]
    NoFormat(String),
    /// Standard output.
    #[error("cannot write to standard output ({0})")]
    Output(io::Error),
    /// The Sentinels.
    #[error(transparent)]
    Sentinel(#[from] SentinelError),
    /// The runtime.
    #[error("cannot start ({0}); is a limit on threads or files reached?")]
    Runtime(io::Error),
}

impl HeadlessError {
    /// How the program ends.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Config(error) if error.is_usage() => Exit::Usage,
            Self::Info(InfoFileError::TooMany(_)) | Self::NoFormat(_) => Exit::Usage,
            _ => Exit::Failed,
        }
    }
}

/// What was seen.
struct Seen {
    deployment: Deployment,
    notices: Vec<String>,
    /// The widest scope that the exit code counts.
    reach: Scope,
}

impl Seen {
    /// Why nothing was read at all; `None` when there was an answer.
    fn nothing(&self) -> Option<Nothing<'_>> {
        let mut members = self.deployment.members().iter();
        if members.any(|member| member.history().last_sample().is_some()) {
            return None;
        }
        match self.deployment.first().history().connection() {
            Connection::Lost { failure, .. } => Some(Nothing::Failed(failure)),
            _ => Some(Nothing::Silent),
        }
    }
}

/// Why there is no sample.
enum Nothing<'a> {
    Failed(&'a Failure),
    /// Stopped before anything was heard.
    Silent,
}

impl Nothing<'_> {
    fn sentence(&self) -> String {
        match self {
            Self::Failed(failure) => failure.sentence(),
            Self::Silent => "stopped before the server answered".into(),
        }
    }

    /// Whether the instance is out of reach, which is a finding; otherwise it refuses us.
    fn is_outage(&self) -> bool {
        matches!(self, Self::Failed(failure) if failure.kind.is_outage())
    }
}

/// `amr-top check`.
pub fn check(check: &Check, options: &Options) -> Result<Exit, HeadlessError> {
    if check.once || !check.info.is_empty() {
        needs_time(options)?;
    }
    let seen = if check.info.is_empty() {
        let until = if check.once {
            Until::Answered
        } else {
            Until::For(check.watch)
        };
        look(&check.targets, options, until, check.monitor)?
    } else {
        read(&check.info, options)?
    };
    let (diagnosis, deployment) = judged(&seen, options);
    let report = Report::new(&Scene::whole(&deployment), &diagnosis, &notices(&seen));
    let written = put(&report.render(check.format, style(options, check.format)))?;
    tell_nothing(&seen);
    Ok(match written {
        Written::Cut => Exit::Clean,
        Written::Whole => verdict(&seen, &diagnosis, &check.fail_on),
    })
}

/// One look is over before a key could change.
fn needs_time(options: &Options) -> Result<(), ConfigError> {
    let crate::cli::WatchedKeys { watch, sample } = &options.watched;
    if watch.is_empty() && sample.is_none() {
        Ok(())
    } else {
        Err(ConfigError::WatchAtOnce)
    }
}

/// `amr-top snapshot`.
pub fn snapshot(snapshot: &Snapshot, options: &Options) -> Result<Exit, HeadlessError> {
    needs_time(options)?;
    let format = format_of(snapshot)?;
    let seen = look(&snapshot.targets, options, Until::Answered, None)?;
    let (diagnosis, deployment) = judged(&seen, options);
    let report = Report::new(&Scene::whole(&deployment), &diagnosis, &notices(&seen));
    let content = report::Snapshot::new(report, deployment.first().history(), None);
    if snapshot.output.as_os_str() == "-" {
        let text = content.render(format, style(options, format));
        if put(&text)? == Written::Cut {
            return Ok(Exit::Clean);
        }
    } else {
        let style = Style {
            width: None,
            ascii: options.ascii,
        };
        export_to(&snapshot.output, &content.render(format, style))?;
    }
    tell_nothing(&seen);
    Ok(match seen.nothing() {
        Some(_) => Exit::Failed,
        None => Exit::Clean,
    })
}

/// What is reported: with `--redact`, without what may name people, keys and places.
fn judged<'s>(seen: &'s Seen, options: &Options) -> (Diagnosis, Cow<'s, Deployment>) {
    let diagnosis = diagnose_deployment(&seen.deployment, None);
    if options.redact {
        let deployment = seen.deployment.without_names();
        (diagnosis.without_names(), Cow::Owned(deployment))
    } else {
        (diagnosis, Cow::Borrowed(&seen.deployment))
    }
}

/// The exit code of a check. A check that could read nothing never says that all is well.
fn verdict(seen: &Seen, diagnosis: &Diagnosis, fail_on: &Causes) -> Exit {
    let found = exit_code(diagnosis, fail_on, seen.reach);
    match seen.nothing() {
        Some(nothing) if !nothing.is_outage() => Exit::Failed,
        Some(_) if found == Exit::Clean && *fail_on != Causes::None => Exit::Failed,
        None | Some(_) => found,
    }
}

/// The user's own notices, and why nothing was read.
fn notices(seen: &Seen) -> Vec<String> {
    let why = seen
        .nothing()
        .map(|nothing| format!("no reply was read: {}", nothing.sentence()));
    seen.notices.iter().cloned().chain(why).collect()
}

/// One sentence for whoever waits at the terminal, when nothing was read.
fn tell_nothing(seen: &Seen) {
    if let Some(nothing) = seen.nothing() {
        let node: &NodeId = seen.deployment.first().node();
        // Nobody may be listening; the report says the same.
        let _ = writeln!(
            io::stderr().lock(),
            "amr-top: {node}: {}",
            nothing.sentence()
        );
    }
}

/// Watches servers; with `monitor`, so that what it shows still comes.
fn look(
    targets: &[String],
    options: &Options,
    until: Until,
    monitor: Option<Duration>,
) -> Result<Seen, HeadlessError> {
    let Resolved { mut plan, notices } =
        config::resolve(targets, options, &Environment::read(), |prompt| {
            rpassword::prompt_password(prompt)
        })?;
    plan.targets[0].monitor = monitor;
    let until = match (until, monitor) {
        (Until::For(time), Some(monitor)) => Until::For(time.max(monitor + AFTER_MONITOR)),
        (until, _) => until,
    };
    let (time, reach) = match until {
        Until::For(time) => (time, Scope::Window),
        Until::Answered => (Duration::ZERO, Scope::SinceStart),
    };
    for settings in &mut plan.targets {
        // One reading is over before a flush could be told.
        settings.tripwire = matches!(until, Until::For(_));
        if !time.is_zero() {
            // Two samples at least: one shows only totals.
            settings.interval = settings
                .interval
                .min(time)
                .max(*crate::model::INTERVAL_RANGE.start());
        }
    }
    let keep = time
        .saturating_mul(2)
        .saturating_add(Duration::from_secs(3_600));
    let runtime = Runtime::new().map_err(HeadlessError::Runtime)?;
    let plan = runtime.block_on(settle(plan, Clock::start()))?;
    let first = &plan.targets[0];
    let mut deployment = Deployment::new(first.node(), first.assumptions.clone(), keep);
    runtime.block_on(poll(plan, &mut deployment, until));
    // A name that is still being looked up must not hold the program back.
    runtime.shutdown_background();
    Ok(Seen {
        deployment,
        notices,
        reach,
    })
}

async fn poll(plan: Plan, deployment: &mut Deployment, until: Until) {
    let settings = &plan.targets[0];
    let patience = Patience {
        // A little more, so that the poller's own words about a timeout arrive.
        answer: settings.connect_timeout + settings.timeout + Duration::from_millis(250),
        interval: settings.interval,
    };
    // Listens from here on, so that no Ctrl-C is lost. Without a handler it ends the program,
    // which is what is wanted then.
    let signal = signal(SignalKind::interrupt()).ok();
    let interrupted = async move {
        match signal {
            Some(mut signal) => drop(signal.recv().await),
            None => std::future::pending().await,
        }
    };
    let stop = CancellationToken::new();
    let (sender, mut told) = mpsc::channel(CHANNEL);
    let (wishes, asked) = mpsc::channel(1);
    let clock = Clock::start();
    let poller = tokio::spawn(watch_deployment(plan, clock, asked, sender, stop.clone()));
    watch::watch(&mut told, deployment, until, patience, interrupted).await;
    stop.cancel();
    drop(wishes);
    // It stops at its next await; a panic in it has ended the program already.
    let _ = poller.await;
}

/// Reads saved replies.
fn read(files: &[std::path::PathBuf], options: &Options) -> Result<Seen, HeadlessError> {
    let assumptions = Assumptions {
        maxmemory_bytes: options.known.maxmemory,
        policy: options.known.eviction_policy.clone(),
        host: String::new(),
    };
    let (deployment, notices) = files::deployment(files, assumptions, Clock::start().now().at)?;
    // Two files are a window; one only has totals.
    let reach = if deployment.first().history().window().has_interval() {
        Scope::Window
    } else {
        Scope::SinceStart
    };
    Ok(Seen {
        deployment,
        notices,
        reach,
    })
}

fn format_of(snapshot: &Snapshot) -> Result<Format, HeadlessError> {
    if let Some(format) = snapshot.format {
        return Ok(format);
    }
    let path: &Path = &snapshot.output;
    if path.as_os_str() == "-" {
        return Ok(Format::Text);
    }
    let extension = path
        .extension()
        .map(|end| end.to_string_lossy().to_lowercase());
    match extension.as_deref() {
        Some("json") => Ok(Format::Json),
        Some("md" | "markdown") => Ok(Format::Markdown),
        Some("txt" | "text") => Ok(Format::Text),
        _ => Err(HeadlessError::NoFormat(path.display().to_string())),
    }
}

/// Wraps at the width of the terminal; a pipe gets whole lines.
fn style(options: &Options, format: Format) -> Style {
    let width = (format == Format::Text && io::stdout().is_terminal())
        .then(|| crossterm::terminal::size().ok())
        .flatten()
        .map(|(columns, _)| usize::from(columns).min(WIDEST));
    Style {
        width,
        ascii: options.ascii,
    }
}

/// Whether somebody read to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    Whole,
    /// The reader went away, which is its right.
    Cut,
}

fn put(text: &str) -> Result<Written, HeadlessError> {
    match print(text.as_bytes()) {
        Ok(()) => Ok(Written::Whole),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Written::Cut),
        Err(error) => Err(HeadlessError::Output(error)),
    }
}

fn print(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// Writes what was made for standard output: completions, the manual page.
pub fn print_page(bytes: &[u8]) -> Result<Exit, HeadlessError> {
    match print(bytes) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(HeadlessError::Output(error))
        }
        _ => Ok(Exit::Clean),
    }
}
