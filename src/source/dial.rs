//! From an address to a stream: the name is looked up, a socket connected, TLS agreed on.
//!
//! Done here and not by the client library, so that each stage can fail with its own reason, the
//! whole takes no longer than the connect timeout, and the name in the certificate may differ
//! from the host that is dialled.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::{Clock, failure, tls};
use crate::config::{Endpoint, Settings, Tls};
use crate::model::{Failure, FailureKind};

/// Bytes both ways.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Connects. `proven` says that this endpoint has answered before, spoken to in this way.
pub(crate) async fn dial(
    settings: &Settings,
    clock: Clock,
    proven: bool,
) -> Result<Box<dyn Stream>, Failure> {
    let budget = Budget {
        clock,
        whole: settings.connect_timeout,
        until: clock.elapsed() + settings.connect_timeout,
    };
    match &settings.endpoint {
        Endpoint::Unix(path) => Ok(Box::new(unix(path, budget).await?)),
        Endpoint::Tcp { host, port } => {
            let secured = match &settings.tls {
                Some(tls) => Some(prepare(tls.clone(), host.clone()).await?),
                None => None,
            };
            let stream = tcp(host, *port, budget).await?;
            match secured {
                Some(client) => Ok(Box::new(handshake(client, stream, budget, proven).await?)),
                None => Ok(Box::new(stream)),
            }
        }
    }
}

/// The time that all stages share.
#[derive(Clone, Copy)]
struct Budget {
    clock: Clock,
    whole: Duration,
    until: Duration,
}

impl Budget {
    fn left(self) -> Duration {
        self.until.saturating_sub(self.clock.elapsed())
    }
}

async fn unix(path: &Path, budget: Budget) -> Result<UnixStream, Failure> {
    match timeout(budget.left(), UnixStream::connect(path)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(failure::connecting(&error)),
        Err(_) => Err(failure::connect_timeout(budget.whole)),
    }
}

async fn prepare(tls: Tls, host: String) -> Result<tls::Client, Failure> {
    let prepared = tokio::task::spawn_blocking(move || tls::client(&tls, &host)).await;
    let told = |detail: String| Failure {
        kind: FailureKind::Tls,
        detail,
    };
    prepared
        .map_err(|error| told(error.to_string()))?
        .map_err(|error| told(error.to_string()))
}

async fn tcp(host: &str, port: u16, budget: Budget) -> Result<TcpStream, Failure> {
    let addresses: Vec<SocketAddr> = match timeout(budget.left(), lookup_host((host, port))).await {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(error)) => return Err(failure::unknown_host(&error.to_string())),
        Err(_) => return Err(failure::unknown_host("the name server does not answer")),
    };
    let mut failure = failure::unknown_host("no address under this name");
    for (index, address) in addresses.iter().enumerate() {
        // A dead address must leave time for the next one.
        let share = budget.left() / u32::try_from(addresses.len() - index).unwrap_or(1);
        failure = match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Small requests must not wait for the acknowledgement of earlier ones. A refusal
                // costs milliseconds of precision and nothing else.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => failure::connecting(&error),
            Err(_) => failure::connect_timeout(budget.whole),
        };
    }
    Err(failure)
}

async fn handshake(
    (config, name): tls::Client,
    stream: TcpStream,
    budget: Budget,
    proven: bool,
) -> Result<impl Stream + use<>, Failure> {
    let connector = TlsConnector::from(config);
    match timeout(budget.left(), connector.connect(name, stream)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(failure::handshake(&error)),
        Err(_) => Err(failure::silent_handshake(budget.whole, proven)),
    }
}
