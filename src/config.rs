//! What the command line, the environment and files mean together: plain settings, checked.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::model::{Assumptions, NodeId};

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
}

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

/// Time between polls that is allowed.
pub const INTERVAL_RANGE: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_secs(3_600);

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
