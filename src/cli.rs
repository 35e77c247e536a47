//! What can be typed.

mod notes;
mod units;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueHint};

pub use units::{bytes, duration, show_duration};

use self::notes::{CHECK_NOTES, EXAMPLES};
use crate::demo::Incident;
use crate::report::{Causes, Format};

/// The policies that Redis and Valkey know.
pub const POLICIES: [&str; 10] = [
    "noeviction",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
    "allkeys-lrm",
    "volatile-lrm",
];

const ONLY_ARGUMENTS: &str = "{about}\n\n{usage-heading} {usage}\n\n{positionals}";

/// Tells why keys vanished from Redis: Azure Managed Redis, Redis, Valkey. Read-only.
#[derive(Debug, Parser)]
#[command(
    name = "amr-top",
    version,
    about,
    after_help = EXAMPLES,
    max_term_width = 100,
    subcommand_precedence_over_arg = true
)]
pub struct Cli {
    /// What to do; without one, the dashboard opens.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Server: HOST, HOST:PORT, redis://, rediss:// or redis+unix:// URL; others that belong to it
    /// are found from it [default: 127.0.0.1:6379]
    #[arg(value_name = "TARGET", value_hint = ValueHint::Hostname)]
    pub targets: Vec<String>,

    /// Options that every command shares.
    #[command(flatten)]
    pub options: Options,
}

/// Commands besides the dashboard.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Diagnose without the screen and report
    #[command(after_help = CHECK_NOTES)]
    Check(Check),
    /// Export one snapshot to a file: report, numbers and the raw INFO reply
    Snapshot(Snapshot),
    /// Play a data-loss incident on throw-away local servers and watch it
    Demo(Demo),
    /// Print the smallest access rule (ACL SETUSER) that this program needs on a server
    Acl(Acl),
    /// Print shell completions
    #[command(help_template = ONLY_ARGUMENTS)]
    Completions {
        /// Shell to complete in
        shell: clap_complete::Shell,
    },
    /// Print the manual page (roff)
    #[command(help_template = ONLY_ARGUMENTS)]
    Man,
}

/// `amr-top check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Server to diagnose, with those that belong to it [default: 127.0.0.1:6379]
    #[arg(id = "target", value_name = "TARGET", value_hint = ValueHint::Hostname)]
    pub targets: Vec<String>,

    /// How long to watch, from the first reply
    #[arg(long = "for", value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub watch: Duration,

    /// Look once: only totals since the server's start are known
    #[arg(long, conflicts_with = "watch")]
    pub once: bool,

    /// Form of the report
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = format_parser())]
    pub format: Format,

    /// Causes that give exit code 3: any, none, or a list like flush,eviction
    #[arg(long, value_name = "CAUSES", default_value = "any", value_parser = Causes::parse)]
    pub fail_on: Causes,

    /// Run MONITOR for so long, 5s at most, and name who took keys away; it can halve the server's
    /// throughput meanwhile, and is never run without this option
    #[arg(long, value_name = "TIME", value_parser = monitor_time, conflicts_with = "once")]
    pub monitor: Option<Duration>,

    /// Read a saved INFO reply instead of a server (- is standard input); give it a second time
    /// with a later reply to see what happened in between
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["target", "once", "watch", "monitor"],
        value_hint = ValueHint::FilePath
    )]
    pub info: Vec<PathBuf>,
}

/// How long `MONITOR` may run: it is a burden on the server.
fn monitor_time(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    let range = Duration::from_millis(100)..=Duration::from_secs(5);
    if range.contains(&time) {
        Ok(time)
    } else {
        Err("choose from 100ms to 5s".to_owned())
    }
}

/// `amr-top snapshot`.
#[derive(Debug, Args)]
pub struct Snapshot {
    /// Server to look at, with those that belong to it [default: 127.0.0.1:6379]
    #[arg(value_name = "TARGET", value_hint = ValueHint::Hostname)]
    pub targets: Vec<String>,

    /// File to write, never overwritten; .json, .md or .txt decides the form; - is standard output
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: PathBuf,

    /// Form of the export, whatever the file is called
    #[arg(long, value_name = "FORMAT", value_parser = format_parser())]
    pub format: Option<Format>,
}

/// `amr-top acl`.
#[derive(Debug, Args)]
pub struct Acl {
    /// Server to ask for its version [default: 127.0.0.1:6379]
    #[arg(value_name = "TARGET", value_hint = ValueHint::Hostname)]
    pub target: Option<String>,

    /// Kind of server, instead of asking one
    #[arg(long = "for", value_name = "KIND", conflicts_with = "target", value_parser = DIALECTS)]
    pub kind: Option<String>,
}

/// Kinds of servers whose access rules differ.
pub const DIALECTS: [&str; 5] = [
    "redis-6.0",
    "redis-6.2",
    "redis-7",
    "valkey-8",
    "valkey-8.1",
];

/// `amr-top demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// Incident to play
    #[arg(long, value_name = "NAME", value_enum, default_value_t)]
    pub incident: Incident,
}

/// Options that every command shares.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Time between polls, 100ms to 1h
    #[arg(short, long, global = true, value_name = "TIME", default_value = "1s", value_parser = duration)]
    pub interval: Duration,

    /// Time to wait for a connection
    #[arg(long, global = true, value_name = "TIME", default_value = "2s", value_parser = duration)]
    pub connect_timeout: Duration,

    /// Time to wait for a reply
    #[arg(long, global = true, value_name = "TIME", default_value = "2s", value_parser = duration)]
    pub timeout: Duration,

    /// Draw without colours
    #[arg(long, global = true)]
    pub no_color: bool,

    /// Draw with ASCII characters only
    #[arg(long, global = true)]
    pub ascii: bool,

    /// Leave addresses, names, users and arguments of commands out of what is exported
    #[arg(long, global = true)]
    pub redact: bool,

    /// Which servers belong to it.
    #[command(flatten)]
    pub nodes: Nodes,

    /// Who we say we are.
    #[command(flatten)]
    pub login: Login,

    /// How the connection is protected.
    #[command(flatten)]
    pub tls: TlsOptions,

    /// What the server hides.
    #[command(flatten)]
    pub known: Known,

    /// What is looked at by name.
    #[command(flatten)]
    pub watched: WatchedKeys,
}

impl Options {
    /// The same without what belongs to the user's own server.
    #[must_use]
    pub fn without_secrets(&self) -> Self {
        Self {
            nodes: Nodes::default(),
            login: Login::default(),
            tls: TlsOptions::default(),
            known: Known::default(),
            ..self.clone()
        }
    }
}

/// Which servers belong to it.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Replicas, clusters")]
pub struct Nodes {
    /// Look at the named servers alone, not at their replicas, primaries and cluster nodes
    #[arg(long, global = true)]
    pub no_discover: bool,

    /// Where a node is reached that announces an address which cannot be, as in
    /// 10.0.0.3:6379=localhost:7003 or 10.0.0.3=gateway; may be given again
    #[arg(long, global = true, value_name = "ANNOUNCED=REACHABLE")]
    pub node_map: Vec<String>,
}

/// Who we say we are.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Login")]
pub struct Login {
    /// ACL user
    #[arg(long, global = true, value_name = "NAME")]
    pub user: Option<String>,

    /// File whose first line is the password
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub password_file: Option<PathBuf>,

    /// Ask for the password
    #[arg(long, global = true)]
    pub ask_pass: bool,

    /// ACL user on the Sentinels, where it is another than on the servers
    #[arg(long, global = true, value_name = "NAME")]
    pub sentinel_user: Option<String>,

    /// File whose first line is the Sentinels' password, where it is another than the servers'
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub sentinel_password_file: Option<PathBuf>,
}

/// How the connection is protected.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "TLS")]
pub struct TlsOptions {
    /// Use TLS, as rediss:// does; on by default for *.redis.azure.net (port 10000)
    #[arg(long, global = true)]
    pub tls: bool,

    /// Certificate authorities to trust instead of the system's, PEM
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub cacert: Option<PathBuf>,

    /// Client certificate, PEM; needs --key
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub cert: Option<PathBuf>,

    /// Key of the client certificate, PEM; needs --cert
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub key: Option<PathBuf>,

    /// Server name that the certificate must carry
    #[arg(long, global = true, value_name = "NAME")]
    pub sni: Option<String>,

    /// Accept any certificate
    #[arg(long, global = true)]
    pub insecure: bool,
}

/// What the user knows and the server hides.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Where the server hides them")]
pub struct Known {
    /// Memory limit, as in redis.conf: 4gb, 512mb, 100M
    #[arg(long, global = true, value_name = "BYTES", value_parser = bytes)]
    pub maxmemory: Option<u64>,

    /// Eviction policy
    #[arg(
        long,
        global = true,
        value_name = "POLICY",
        value_parser = PossibleValuesParser::new(POLICIES)
    )]
    pub eviction_policy: Option<String>,
}

/// What is looked at by name.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Watched keys (dashboard and check --for)")]
pub struct WatchedKeys {
    /// Key whose fate is told at once, or a narrow prefix: 'session:*'; may be given again
    #[arg(id = "watched", long = "watch", global = true, value_name = "KEY")]
    pub watch: Vec<String>,

    /// Sample so many keys every minute (1 to 1000): how soon they expire. SCAN reaps expired keys
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub sample: Option<u16>,
}

fn format_parser() -> impl clap::builder::TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.map(Format::id))
        .map(|id| Format::from_id(&id).unwrap_or_default())
}

impl Cli {
    /// Reads the command line and checks what clap cannot say.
    pub fn read(args: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut cli = Self::try_parse_from(args)?;
        cli.settle_target()?;
        Ok(cli)
    }

    /// Accepts `amr-top HOST check` as `amr-top check HOST`, and nothing more.
    fn settle_target(&mut self) -> Result<(), clap::Error> {
        let Some(command) = &mut self.command else {
            return Ok(());
        };
        let before = std::mem::take(&mut self.targets);
        if before.is_empty() {
            return Ok(());
        }
        let place = match command {
            Command::Check(check) if check.info.is_empty() => &mut check.targets,
            Command::Snapshot(snapshot) => &mut snapshot.targets,
            _ => return Err(misplaced("this command takes no TARGET before it")),
        };
        if !place.is_empty() {
            let message = "TARGETs are given before and after the command; put them on one side";
            return Err(misplaced(message));
        }
        *place = before;
        Ok(())
    }
}

fn misplaced(message: &str) -> clap::Error {
    Cli::command().error(ErrorKind::ArgumentConflict, message)
}

/// Shell completions as a script.
pub fn completions(shell: clap_complete::Shell) -> Vec<u8> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "amr-top", &mut out);
    out
}

/// The manual page: the program, then each command.
pub fn man() -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut out)?;
    Ok(out)
}

#[cfg(test)]
mod tests;
