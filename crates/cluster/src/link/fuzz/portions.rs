use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};

/// Bytes that come in portions of other lengths each time, and then end.
#[derive(Debug)]
pub(super) struct Portions {
    left: Vec<u8>,
    /// The lengths of the next ones, over and over; none for everything at once.
    lengths: Vec<u8>,
    next: usize,
}

impl Portions {
    pub(super) fn new(bytes: &[u8], lengths: &[u8]) -> Self {
        Self { left: bytes.to_vec(), lengths: lengths.to_vec(), next: 0 }
    }
}

impl AsyncRead for Portions {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let length = self.lengths.get(self.next % self.lengths.len().max(1));
        let length = length.map_or(usize::MAX, |length| usize::from(*length).max(1));
        let length = length.min(self.left.len()).min(buf.remaining());
        buf.put_slice(&self.left[..length]);
        self.left.drain(..length);
        self.next += 1;
        Poll::Ready(Ok(()))
    }
}
