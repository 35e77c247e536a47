//! What the outside world says, before anybody has thought about it.

use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::Timestamp;

use super::clients::Clients;
use super::denied::Denied;
use super::events::{Heard, Listening};
use super::monitored::Monitored;
use super::slowlog::SlowEntry;
use super::topology::Topology;
use super::ttl_sample::TtlSample;
use super::watched::{KeyRead, Watching};

/// When something was observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// Monotonic time since the program (or the recording) began. Rates come from this.
    pub elapsed: Duration,
    /// Wall-clock time here, for people and reports; may jump.
    pub at: Timestamp,
}

impl Moment {
    /// Time from an earlier moment to this one; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        self.elapsed.saturating_sub(earlier.elapsed)
    }

    /// The same in seconds.
    pub fn seconds_since(self, earlier: Self) -> f64 {
        self.since(earlier).as_secs_f64()
    }
}

/// Time between polls that is allowed.
pub const INTERVAL_RANGE: RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_secs(3_600);

/// One thing that a source has to say about its node.
#[derive(Clone, Debug)]
pub enum Observation {
    /// The server answered `INFO`.
    Answer {
        /// When the whole reply had arrived.
        moment: Moment,
        /// From the request to the whole reply.
        round_trip: Duration,
        /// The reply as text; invalid UTF-8 already replaced.
        info: Box<str>,
    },
    /// A poll or a dial failed.
    Failed {
        /// When it was known to have failed.
        moment: Moment,
        /// Why.
        failure: Failure,
        /// How long until the next attempt.
        retry_in: Duration,
    },
    /// The server pushed that a database was emptied: a flush, `DEBUG RELOAD`, or a full
    /// synchronisation of a replica.
    Emptied {
        /// When the push arrived.
        moment: Moment,
    },
    /// Whether the server tells of emptied databases at once: the tripwire stands, or why not.
    Tripwire {
        /// When that was known.
        moment: Moment,
        /// Why there is none: inert.
        stands: Result<(), String>,
    },
    /// The server was asked for its slow log.
    SlowLog {
        /// When the reply had arrived.
        moment: Moment,
        /// The entries that were not told before, the newest first, or why there are none: inert.
        log: Result<Vec<SlowEntry>, String>,
    },
    /// Watched keys were read.
    Keys {
        /// When the whole reply had arrived.
        moment: Moment,
        /// Those of which there is something to tell.
        read: Vec<KeyRead>,
    },
    /// Keys were sampled.
    Sampled {
        /// When that was done.
        moment: Moment,
        /// The sample, or why there is none: inert.
        sampled: Result<TtlSample, String>,
    },
    /// Something about the watch on keys itself.
    Watching {
        /// When that was known.
        moment: Moment,
        /// What.
        told: Watching,
    },
    /// The server published removals.
    Heard {
        /// When that was told; the events came before.
        moment: Moment,
        /// What was heard since the last time.
        heard: Heard,
    },
    /// Something about listening itself.
    Listening {
        /// When that was known.
        moment: Moment,
        /// What.
        told: Listening,
    },
    /// The server was asked who is connected.
    Clients {
        /// When the reply had arrived.
        moment: Moment,
        /// Those who matter, or why it is not known: inert.
        clients: Result<Clients, String>,
    },
    /// The server was asked whom its access rules stopped.
    Denied {
        /// When the reply had arrived.
        moment: Moment,
        /// Attempts to take keys away, or why they are not known: inert.
        denied: Result<Vec<Denied>, String>,
    },
    /// A cluster node was asked who belongs to its cluster.
    Topology {
        /// When the reply had arrived.
        moment: Moment,
        /// Its view, or why there is none: inert.
        topology: Result<Topology, String>,
    },
    /// The server was watched with `MONITOR`, because the user asked for it.
    Monitored {
        /// When that ended.
        moment: Moment,
        /// What it showed, or why it did not run: inert.
        monitored: Result<Monitored, String>,
    },
}

impl Observation {
    /// When it was observed.
    pub fn moment(&self) -> Moment {
        match self {
            Self::Answer { moment, .. }
            | Self::Failed { moment, .. }
            | Self::Emptied { moment }
            | Self::Tripwire { moment, .. }
            | Self::SlowLog { moment, .. }
            | Self::Keys { moment, .. }
            | Self::Sampled { moment, .. }
            | Self::Watching { moment, .. }
            | Self::Heard { moment, .. }
            | Self::Listening { moment, .. }
            | Self::Clients { moment, .. }
            | Self::Denied { moment, .. }
            | Self::Topology { moment, .. }
            | Self::Monitored { moment, .. } => *moment,
        }
    }
}

/// Why a poll brought no sample. A finding, not an error of this program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong, by what an operator can do about it.
    pub kind: FailureKind,
    /// The words of the operating system or the server, inert.
    pub detail: String,
}

/// Kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// Nothing listens on that port.
    Refused,
    /// No connection within the connect timeout: filtered, routed away, or the host is gone.
    ConnectTimeout,
    /// Connected, but no reply within the timeout: the server hangs or the flow is dead.
    Hanging,
    /// The connection ended while it was in use.
    Closed,
    /// The name resolves to nothing.
    UnknownHost,
    /// Another fault of the network.
    Network,
    /// The server wants a password and none was given.
    PasswordNeeded,
    /// User name or password is wrong.
    PasswordWrong,
    /// The user may not run `INFO`.
    NotPermitted,
    /// The handshake failed: certificate, name, protocol.
    Tls,
    /// A plain connection was made to a port that speaks TLS.
    TlsExpected,
    /// TLS was spoken to a port that does not speak it.
    PlainExpected,
    /// The server has no room for another client (`maxclients`).
    TooManyClients,
    /// Protected mode: the server only talks to its own host.
    ProtectedMode,
    /// The answer is not the Redis protocol, or not an `INFO` document.
    Rubbish,
    /// A Sentinel answered; the detail is what to give instead.
    Sentinel,
    /// The server answered with another error.
    Server,
}

impl FailureKind {
    /// Whether the instance itself is out of reach, as opposed to refusing us: the first is
    /// evidence of instance failure, the second says nothing about the data.
    pub fn is_outage(self) -> bool {
        matches!(
            self,
            Self::Refused
                | Self::ConnectTimeout
                | Self::Hanging
                | Self::Closed
                | Self::UnknownHost
                | Self::Network
        )
    }

    /// What is wrong, in a few words.
    pub fn problem(self) -> &'static str {
        match self {
            Self::Refused => "connection refused: nothing listens on this port",
            Self::ConnectTimeout => "no connection: the host does not answer",
            Self::Hanging => "connected, but the server does not answer",
            Self::Closed => "the connection was closed",
            Self::UnknownHost => "the host name resolves to nothing",
            Self::Network => "network failure",
            Self::PasswordNeeded => "the server wants a password",
            Self::PasswordWrong => "the user name or password is wrong",
            Self::NotPermitted => "this user may not run INFO",
            Self::Tls => "the TLS handshake failed",
            Self::TlsExpected => "the connection was dropped at once: this looks like a TLS port",
            Self::PlainExpected => "no TLS answer: this looks like a plain-text port",
            Self::TooManyClients => "the server has no room for another client",
            Self::ProtectedMode => "the server is in protected mode",
            Self::Rubbish => "the answer is not that of a Redis server",
            Self::Sentinel => "this is a Sentinel, which holds no keys",
            Self::Server => "the server answered with an error",
        }
    }

    /// What to try next.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Refused => "is the server running, and is the port right?",
            Self::ConnectTimeout => "check the address, firewall and private endpoint",
            Self::Hanging => {
                "look at the server's CPU, disk and slow log; a stopped process also looks like this"
            }
            Self::Closed => "the server may be restarting or failing over; trying again",
            Self::UnknownHost => "check the spelling, DNS and the private DNS zone",
            Self::Network => "check the route to the host",
            Self::PasswordNeeded => {
                "use --user and --password-file, --ask-pass, or AMR_TOP_PASSWORD"
            }
            Self::PasswordWrong => {
                "check --user and the password; Azure access keys change when regenerated"
            }
            Self::NotPermitted => "let the server's owner grant that rule",
            Self::Tls => {
                "give the authority with --cacert, the name with --sni; --insecure skips the check"
            }
            Self::TlsExpected => "try --tls or rediss://",
            Self::PlainExpected => "try without --tls, or redis:// instead of rediss://",
            Self::TooManyClients => "raise maxclients or close idle clients",
            Self::ProtectedMode => "connect from the server's own host, or set a password there",
            Self::Rubbish => "is this the right port? a web server or proxy may be answering",
            Self::Sentinel => "give redis-sentinel://HOST:PORT/NAME",
            Self::Server => "see the server's words",
        }
    }
}

impl Failure {
    /// One sentence: what is wrong, the server's own words, what to try.
    pub fn sentence(&self) -> String {
        if self.kind == FailureKind::Sentinel && !self.detail.is_empty() {
            format!("{}; give {}", self.kind.problem(), self.detail)
        } else if self.detail.is_empty() {
            format!("{}; {}", self.kind.problem(), self.kind.advice())
        } else {
            format!(
                "{} ({}); {}",
                self.kind.problem(),
                self.detail,
                self.kind.advice()
            )
        }
    }
}

/// The state of the connection as the header shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Connection {
    /// Nothing has been heard yet.
    #[default]
    Connecting,
    /// The last poll was answered.
    Live {
        /// When.
        since: Moment,
        /// How long the last answer took.
        round_trip: Duration,
    },
    /// The last attempt failed.
    Lost {
        /// Why.
        failure: Failure,
        /// When the outage began.
        since: Moment,
        /// When the next attempt is made, on the monotonic scale of [`Moment::elapsed`].
        next_try: Duration,
        /// Failed attempts in a row.
        attempts: u32,
    },
}
