use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connection::Socket;
use super::sim_network::SimNetwork;

/// One end of a connection, as the process that made or accepted it holds it.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) network: SimNetwork,
    pub(super) socket: Socket,
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.network.with(|net| net.poll_read(self.socket, cx, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.network.with(|net| net.poll_write(self.socket, cx, data))
    }

    /// What is written is on its way.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.network.with(|net| net.shut_down(self.socket)))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.network.with(|net| net.close(self.socket));
    }
}
