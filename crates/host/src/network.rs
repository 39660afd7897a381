use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::BoxFuture;

/// A stream of bytes both ways.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Duplex for T {}

/// Where a host accepts connections.
pub trait Accept: Send + Sync + 'static {
    /// The next connection and where it comes from.
    ///
    /// # Cancel safety
    /// A connection is not lost when the future is dropped.
    fn accept(&self) -> BoxFuture<'_, io::Result<(Connection, SocketAddr)>>;

    /// The address that it listens on, the port filled in.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

/// An address that is being listened on.
pub struct Listener(Box<dyn Accept>);

impl Listener {
    /// A listener of some host.
    pub fn new(accept: impl Accept) -> Self {
        Self(Box::new(accept))
    }

    /// The next connection and where it comes from.
    ///
    /// # Errors
    /// When the machine refuses, such as for want of file descriptors; accepting may go on.
    ///
    /// # Cancel safety
    /// A connection is not lost when the future is dropped.
    pub async fn accept(&self) -> io::Result<(Connection, SocketAddr)> {
        self.0.accept().await
    }

    /// The address that it listens on, the port filled in.
    ///
    /// # Errors
    /// When the machine cannot tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("local_addr", &self.local_addr().ok()).finish()
    }
}

/// One connection of a [`Listener`].
pub struct Connection(Stream);

enum Stream {
    Tcp(TcpStream),
    Other(Box<dyn Duplex>),
}

impl Connection {
    /// A connection of some host.
    pub fn new(stream: impl Duplex) -> Self {
        Self(Stream::Other(Box::new(stream)))
    }

    /// A connection of the machine itself.
    pub(crate) fn tcp(stream: TcpStream) -> Self {
        Self(Stream::Tcp(stream))
    }

    /// The same connection, whose reader and writer are woken by the current runtime from now on:
    /// by no detour through the one that accepted it. One that the machine does not know stays as
    /// it is.
    ///
    /// # Errors
    /// When the machine refuses, such as for want of memory; the connection is lost then.
    pub fn here(self) -> io::Result<Self> {
        match self.0 {
            Stream::Tcp(stream) => Ok(Self::tcp(TcpStream::from_std(stream.into_std()?)?)),
            other => Ok(Self(other)),
        }
    }

    fn stream(self: Pin<&mut Self>) -> Pin<&mut dyn Duplex> {
        match &mut self.get_mut().0 {
            Stream::Tcp(stream) => Pin::new(stream),
            Stream::Other(stream) => Pin::new(&mut **stream),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream().poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.0 {
            Stream::Tcp(stream) => stream.is_write_vectored(),
            Stream::Other(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(cx)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}
