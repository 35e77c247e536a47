//! What the command line, the environment and files mean together: plain settings, checked.

mod login;
mod node_map;
mod resolve;
mod target;

use std::fmt;
use std::io;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

pub use login::Environment;
pub use node_map::NodeMap;
pub use resolve::{Resolved, resolve, watched};
pub(crate) use target::is_sentinel_name;

use crate::model::{Assumptions, NodeId, Watch};

/// What is to be watched.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The nodes that the user named, one at least; the first gives its name to the whole.
    pub targets: Vec<Settings>,
    /// Whether others may be found from them.
    pub discover: bool,
    /// How announced addresses are reached, where they cannot be reached as they are.
    pub node_map: NodeMap,
    /// Who tells which node is the primary, where that is not given: the endpoint of the first target
    /// is then a Sentinel's until [`settle`](crate::source::sentinel::settle) has asked it.
    pub sentinel: Option<Sentinel>,
}

/// Sentinels that watch the same primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentinel {
    /// The name under which they know it.
    pub name: String,
    /// Where they are, asked in this order.
    pub endpoints: Vec<Endpoint>,
    /// Who we say we are to them; `None` for what the servers are told, or nothing where they refuse
    /// that.
    pub auth: Option<Auth>,
}

impl Plan {
    /// One node, and no other.
    pub fn one(settings: Settings) -> Self {
        Self {
            targets: vec![settings],
            discover: false,
            node_map: NodeMap::default(),
            sentinel: None,
        }
    }
}

/// Where to connect and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the server is.
    pub endpoint: Endpoint,
    /// Credentials, if any.
    pub auth: Auth,
    /// TLS, `None` for plain text.
    pub tls: Option<Tls>,
    /// Time between polls.
    pub interval: Duration,
    /// Time to wait for a connection.
    pub connect_timeout: Duration,
    /// Time to wait for a reply.
    pub timeout: Duration,
    /// What the user knows and the server hides.
    pub assumptions: Assumptions,
    /// Whether to keep a second connection on which the server tells at once of a flush.
    pub tripwire: bool,
    /// Keys and prefixes to watch by name.
    pub watch: Vec<Watch>,
    /// Keys to sample every minute; `None` for none.
    pub sample: Option<u16>,
    /// How long to run `MONITOR` after the first answer; `None` not to, which is what is right
    /// unless the user asks for it.
    pub monitor: Option<Duration>,
}

/// How long `MONITOR` may run.
pub const MONITOR_RANGE: RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_secs(5);
/// How long it runs when the user does not say.
pub const MONITOR_TIME: Duration = Duration::from_secs(3);

/// The address of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Over the network.
    Tcp {
        /// Host name or address, without brackets.
        host: String,
        /// Port.
        port: u16,
    },
    /// A socket in the file system.
    Unix(PathBuf),
}

/// Who we say we are.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Auth {
    /// ACL user; `None` for the default user.
    pub user: Option<String>,
    /// Password; never shown, logged or exported.
    pub password: Option<String>,
}

/// How to check the server's certificate and to show ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Authorities to trust instead of the system's, PEM.
    pub ca: Option<PathBuf>,
    /// Our certificate, PEM.
    pub cert: Option<PathBuf>,
    /// Its key, PEM.
    pub key: Option<PathBuf>,
    /// The name that the certificate must carry, when it is not the host's.
    pub sni: Option<String>,
    /// Accept any certificate.
    pub insecure: bool,
}

/// What is wrong with what was typed. No message ever holds a password.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not a host.
    #[error("'{0}' is not a host; give HOST, HOST:PORT, [IPV6]:PORT or a redis:// URL")]
    Host(String),
    /// Not a port.
    #[error("the port is not a number from 1 to 65535; give HOST:PORT")]
    Port,
    /// A scheme of another protocol.
    #[error(
        "'{0}://' is not a scheme of Redis; use redis://, rediss:// (TLS), redis+unix:///PATH or \
         redis-sentinel://HOST/NAME"
    )]
    Scheme(String),
    /// Credentials without a scheme.
    #[error("credentials need a URL; put redis:// or rediss:// before it")]
    NoScheme,
    /// A password that breaks the URL.
    #[error(
        "the user name or password in the URL has a character that must be percent-encoded \
         (/ is %2F, ? is %3F, # is %23, % is %25, @ is %40); or leave it out and use \
         --password-file, --ask-pass or AMR_TOP_PASSWORD"
    )]
    UnescapedPassword,
    /// More than a database number behind the host.
    #[error("the URL has a path that is not a database number; end it after the port")]
    Path,
    /// A Sentinel without the name of what it watches.
    #[error(
        "a Sentinel is asked by the name of a primary; write \
         redis-sentinel://HOST:26379/NAME, as in redis-sentinel://10.0.0.1,10.0.0.2/mymaster"
    )]
    SentinelName,
    /// A login for Sentinels, and none.
    #[error(
        "--sentinel-user and --sentinel-password-file are for Sentinels; the TARGET is \
         redis-sentinel://HOST:26379/NAME then"
    )]
    NoSentinel,
    /// Several Sentinels' worth of targets, or one beside other targets.
    #[error("a redis-sentinel:// URL is the only TARGET; its Sentinels find the others")]
    SentinelAlone,
    /// Not an absolute path of a socket.
    #[error("a socket needs an absolute path; write redis+unix:///run/redis.sock")]
    SocketPath,
    /// TLS over a socket.
    #[error("TLS options make no sense with a socket; leave them out")]
    TlsOverSocket,
    /// Half a client certificate.
    #[error("--cert and --key belong together; give both")]
    HalfCertificate,
    /// Polling too often or too seldom.
    #[error("interval '{0}' is out of range; choose from 100ms to 1h")]
    Interval(String),
    /// A wait too long to be meant.
    #[error("{option} '{given}' is too long; choose at most {most}")]
    TooLong {
        /// The option.
        option: &'static str,
        /// What was typed.
        given: String,
        /// The longest time.
        most: &'static str,
    },
    /// An address that is no address.
    #[error(
        "'--node-map {0}' is not ANNOUNCED=REACHABLE; write 10.0.0.3:6379=localhost:7003 or 10.0.0.3=gateway"
    )]
    NodeMap(String),
    /// A key that cannot be watched.
    #[error("'--watch {given}': {why}")]
    Watch {
        /// What was typed.
        given: String,
        /// Why not, and what to write instead.
        why: String,
    },
    /// Watching takes time.
    #[error(
        "--watch and --sample need time to watch; use them with the dashboard or with check --for"
    )]
    WatchAtOnce,
    /// A user without a password.
    #[error(
        "user '{0}' is given without a password; use --password-file, --ask-pass or \
         AMR_TOP_PASSWORD"
    )]
    NoPassword(String),
    /// An environment variable that is no text.
    #[error("the environment variable {0} is not UTF-8; use --password-file")]
    NotText(&'static str),
    /// A file without a password.
    #[error("'{}' holds no password; its first line must be the password", .0.display())]
    EmptyPasswordFile(PathBuf),
    /// A file that cannot be read.
    #[error("cannot read '{}' ({source}); check the path and its permissions", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The terminal gave no password.
    #[error("cannot ask for a password ({0}); use --password-file or AMR_TOP_PASSWORD")]
    Prompt(io::Error),
}

impl ConfigError {
    /// Whether the words on the command line are wrong, as opposed to files and terminals.
    pub fn is_usage(&self) -> bool {
        !matches!(
            self,
            Self::Unreadable { .. } | Self::EmptyPasswordFile(_) | Self::Prompt(_)
        )
    }
}

impl Settings {
    /// The name that the node is shown under: no credentials.
    pub fn node(&self) -> NodeId {
        NodeId::new(&self.endpoint.to_string())
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth")
            .field("user", &self.user)
            .field("password", &self.password.as_ref().map(|_| "…"))
            .finish()
    }
}
