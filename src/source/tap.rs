//! A stream that remembers what crossed it: enough to tell afterwards why a conversation failed.
//!
//! The client library reports "broken pipe" where the server had said why: Redis greets a client
//! that it has no room for with `-ERR max number of clients reached` and hangs up, and the
//! library drops a reply that nobody asked for. The words pass through here first.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The longest reply that is taken, in bytes. `INFO` of a node with thousands of commands and
/// databases stays far below.
pub(crate) const LONGEST_REPLY: usize = 4 << 20;

/// How much of the beginning of a reply is kept, in bytes: a status line or a greeting.
const KEPT: usize = 256;

/// How a stream ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The other side closed it in order.
    Closed,
    /// The operating system says so.
    Failed(io::ErrorKind, String),
    /// The TLS layer says so: an alert, a broken record.
    Tls(String),
    /// More than [`LONGEST_REPLY`] bytes came as one reply.
    TooLong,
}

/// What crossed the stream so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    /// The first bytes since the last question, or of the connection if it never answered.
    pub(crate) first: Vec<u8>,
    /// Bytes received since the last question, or since the last reply or push that came whole.
    pub(crate) received: usize,
    /// Whether a question was ever answered.
    pub(crate) answered: bool,
    /// How the stream ended, if it did.
    pub(crate) end: Option<End>,
}

/// The shared memory of a [`Tap`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Witness(Arc<Mutex<Record>>);

impl Witness {
    /// A question is about to be asked.
    pub(crate) fn asked(&self) {
        self.with(|record| {
            if record.answered {
                record.first.clear();
                record.received = 0;
            }
        });
    }

    /// The question was answered.
    pub(crate) fn answered(&self) {
        self.with(|record| record.answered = true);
        self.whole();
    }

    /// A reply or a push came whole, asked for or not: what comes now belongs to another.
    pub(crate) fn whole(&self) {
        self.with(|record| record.received = 0);
    }

    /// What is known now.
    pub(crate) fn record(&self) -> Record {
        self.with(|record| record.clone())
    }

    fn with<T>(&self, f: impl FnOnce(&mut Record) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts `bytes`; whether they are still acceptable.
    fn took(&self, bytes: &[u8]) -> bool {
        self.with(|record| {
            let room = KEPT.saturating_sub(record.first.len()).min(bytes.len());
            record.first.extend_from_slice(&bytes[..room]);
            record.received = record.received.saturating_add(bytes.len());
            if record.received > LONGEST_REPLY {
                record.end = Some(End::TooLong);
            }
            record.received <= LONGEST_REPLY
        })
    }

    fn ended(&self, end: End) {
        self.with(|record| {
            record.end.get_or_insert(end);
        });
    }

    fn failed(&self, error: &io::Error) {
        let tls = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<rustls::Error>());
        self.ended(match tls {
            Some(tls) => End::Tls(tls.to_string()),
            None => End::Failed(error.kind(), error.to_string()),
        });
    }
}

/// The stream.
pub(crate) struct Tap<S> {
    inner: S,
    witness: Witness,
}

impl<S> Tap<S> {
    pub(crate) fn new(inner: S, witness: Witness) -> Self {
        Self { inner, witness }
    }
}

impl<S: AsyncRead + Unpin> Tap<S> {
    /// After a failed write: what had arrived before the other side hung up is still readable.
    fn last_words(&mut self, cx: &mut Context<'_>) {
        let mut space = [0u8; KEPT];
        let mut buffer = ReadBuf::new(&mut space);
        if let Poll::Ready(Ok(())) = Pin::new(&mut self.inner).poll_read(cx, &mut buffer) {
            self.witness.took(buffer.filled());
        }
    }

    fn note_write<T>(&mut self, cx: &mut Context<'_>, result: &io::Result<T>) {
        if let Err(error) = result {
            self.last_words(cx);
            self.witness.failed(error);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let asked_for = buf.remaining();
        let result = ready!(Pin::new(&mut self.inner).poll_read(cx, buf));
        if let Err(error) = &result {
            self.witness.failed(error);
            return Poll::Ready(result);
        }
        let fresh = &buf.filled()[before..];
        if fresh.is_empty() && asked_for > 0 {
            self.witness.ended(End::Closed);
        } else if !self.witness.took(fresh) {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.inner).poll_write(cx, buf));
        self.note_write(cx, &result);
        Poll::Ready(result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = ready!(Pin::new(&mut self.inner).poll_flush(cx));
        self.note_write(cx, &result);
        Poll::Ready(result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_reply_is_that_of_one_not_of_all() {
        let part = vec![b'x'; LONGEST_REPLY / 4 * 3];
        let witness = Witness::default();
        for _ in 0..3 {
            assert!(witness.took(&part));
            witness.whole();
        }
        assert_eq!(witness.record().received, 0);
        assert!(witness.took(&part));
        assert!(!witness.took(&part), "both are of one");
        assert_eq!(witness.record().end, Some(End::TooLong));
    }
}
