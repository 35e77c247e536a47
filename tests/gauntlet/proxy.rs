//! A proxy that delays every byte, and can be pointed at another server or cut.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// A port that leads to another one.
pub(crate) struct Proxy {
    port: u16,
    /// Where it leads; `None` for nowhere.
    target: Arc<watch::Sender<Option<u16>>>,
}

impl Proxy {
    /// Starts it on a free port of the loopback.
    pub(crate) fn start(runtime: &Runtime, target: u16, delay: Duration) -> Self {
        let listener = runtime
            .block_on(TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))))
            .expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (target, aim) = watch::channel(Some(target));
        runtime.spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(carry(near, aim.clone(), delay));
            }
        });
        Self {
            port,
            target: Arc::new(target),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Leads elsewhere from now on; connections to the old target end.
    pub(crate) fn lead_to(&self, target: Option<u16>) {
        self.target.send_replace(target);
    }
}

/// Carries bytes both ways until one end closes or the target changes.
async fn carry(near: TcpStream, mut aim: watch::Receiver<Option<u16>>, delay: Duration) {
    let Some(port) = *aim.borrow_and_update() else {
        return;
    };
    let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await else {
        return;
    };
    let (near_in, near_out) = near.into_split();
    let (far_in, far_out) = far.into_split();
    tokio::select! {
        () = pump(near_in, far_out, delay) => {}
        () = pump(far_in, near_out, delay) => {}
        _ = aim.changed() => {}
    }
}

async fn pump(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    delay: Duration,
) {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let Ok(n @ 1..) = from.read(&mut bytes).await else {
            return;
        };
        tokio::time::sleep(delay).await;
        if to.write_all(&bytes[..n]).await.is_err() {
            return;
        }
    }
}
