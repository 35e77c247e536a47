//! An address that can be cut off: what is sent to it waits until it is reachable again.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A way to a server.
pub(crate) struct Relay {
    port: u16,
    open: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Relay {
    /// A port that is not a server's yet.
    pub(crate) async fn bind() -> (TcpListener, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        (listener, port)
    }

    /// The way through this port to a server.
    pub(crate) fn to((listener, port): (TcpListener, u16), server: u16) -> Self {
        let (open, is_open) = watch::channel(true);
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(pass(near, server, is_open.clone()));
            }
        });
        Self { port, open, task }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Nothing comes through any more, and nobody is told so.
    pub(crate) fn cut(&self) {
        self.open.send_replace(false);
    }

    pub(crate) fn mend(&self) {
        self.open.send_replace(true);
    }
}

async fn pass(near: TcpStream, server: u16, mut is_open: watch::Receiver<bool>) {
    if is_open.wait_for(|open| *open).await.is_err() {
        return;
    }
    let server = SocketAddr::from(([127, 0, 0, 1], server));
    let Ok(far) = TcpStream::connect(server).await else {
        return;
    };
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    let there = carry(near_in, far_out, is_open.clone());
    let back = carry(far_in, near_out, is_open);
    tokio::join!(there, back);
}

async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut is_open: watch::Receiver<bool>,
) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(n @ 1..) = from.read(&mut bytes).await {
        if is_open.wait_for(|open| *open).await.is_err() {
            break;
        }
        if to.write_all(&bytes[..n]).await.is_err() {
            break;
        }
    }
}
