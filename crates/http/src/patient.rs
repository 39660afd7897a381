use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use catga_host::{BoxFuture, Connection, Host};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection whose other end must take something of what is written, now and then: one that
/// takes nothing for too long ends it. Reading has limits of its own.
pub(crate) struct Patient {
    connection: Connection,
    host: Arc<dyn Host>,
    patience: Duration,
    /// Runs while a write waits.
    waiting: Option<BoxFuture<'static, ()>>,
}

impl Patient {
    pub(crate) fn new(connection: Connection, host: Arc<dyn Host>, patience: Duration) -> Self {
        Self { connection, host, patience, waiting: None }
    }

    /// The connection alone.
    pub(crate) fn into_inner(self) -> Connection {
        self.connection
    }

    /// What `poll` says of the connection, or that it has said nothing for too long.
    fn within<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(Pin<&mut Connection>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if let Poll::Ready(done) = poll(Pin::new(&mut self.connection), cx) {
            self.waiting = None;
            return Poll::Ready(done);
        }
        let (host, patience) = (&self.host, self.patience);
        let waiting = self.waiting.get_or_insert_with(|| host.sleep(patience));
        ready!(waiting.as_mut().poll(cx));
        let why = format!("the client has taken nothing of its answer for {patience:?}");
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, why)))
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_read(cx, buf)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.within(cx, |connection, cx| connection.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.within(cx, |connection, cx| connection.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.connection.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.within(cx, |connection, cx| connection.poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.within(cx, |connection, cx| connection.poll_shutdown(cx))
    }
}
