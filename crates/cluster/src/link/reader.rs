use std::sync::Arc;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::frame::{Frame, HEADER_BYTES, Header, PAYLOAD_MAX, ReadError};
use super::pulse::Pulse;

/// How much is read at once. It is what memory grows by, whatever lengths a peer announces.
const READ_BYTES: usize = 64 << 10;

/// Other parts of a connection get a turn after so many bytes, even if there is more to read.
const TURN_BYTES: usize = 256 << 10;

/// Reads frames from a stream.
#[derive(Debug)]
pub(super) struct FrameReader<R> {
    from: R,
    buffer: BytesMut,
    /// What hears of each byte.
    pulse: Option<Arc<Pulse>>,
    since_turn: usize,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Reads from `from`, after what is in `buffer`.
    pub(super) fn new(from: R, buffer: BytesMut) -> Self {
        Self { from, buffer, pulse: None, since_turn: 0 }
    }

    /// Tells `pulse` from now on of every byte.
    pub(super) fn tell(&mut self, pulse: Arc<Pulse>) {
        self.pulse = Some(pulse);
    }

    /// The next frame.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(super) async fn next(&mut self) -> Result<Frame, ReadError> {
        self.next_within(PAYLOAD_MAX).await
    }

    /// The next frame, whose payload has at most `max` bytes. Cancel safe as [`next`](Self::next).
    pub(super) async fn next_within(&mut self, max: usize) -> Result<Frame, ReadError> {
        loop {
            if let Some(frame) = self.parse(max)? {
                if let Some(pulse) = &self.pulse {
                    pulse.traffic.received_frame();
                }
                return Ok(frame);
            }
            self.fill().await?;
        }
    }

    /// Takes `expected`, if that is what comes next. Otherwise gives what comes instead, as soon as it
    /// differs, and takes nothing. Cancel safe as [`next`](Self::next).
    pub(super) async fn differs_from(
        &mut self,
        expected: &[u8],
    ) -> Result<Option<&[u8]>, ReadError> {
        loop {
            let compared = self.buffer.len().min(expected.len());
            if self.buffer[..compared] != expected[..compared] {
                return Ok(Some(&self.buffer));
            }
            if compared == expected.len() {
                self.buffer.advance(compared);
                return Ok(None);
            }
            self.fill().await?;
        }
    }

    /// Reads and forgets, until the stream ends or has brought `max` bytes.
    pub(super) async fn drain(&mut self, max: usize) {
        let mut left = max;
        self.buffer.clear();
        while left > 0 && self.fill().await.is_ok() {
            left = left.saturating_sub(self.buffer.len());
            self.buffer.clear();
        }
    }

    fn parse(&mut self, max: usize) -> Result<Option<Frame>, ReadError> {
        let Some(bytes) = self.buffer.first_chunk::<HEADER_BYTES>().copied() else {
            return Ok(None);
        };
        let (header, length) = Header::decode(&bytes, max)?;
        if self.buffer.len() < HEADER_BYTES + length {
            return Ok(None);
        }
        self.buffer.advance(HEADER_BYTES);
        let payload = self.buffer.split_to(length).freeze();
        Header::check(&bytes, &payload)?;
        Ok(Some(Frame { header, payload }))
    }

    async fn fill(&mut self) -> Result<(), ReadError> {
        if self.since_turn >= TURN_BYTES {
            self.since_turn = 0;
            tokio::task::yield_now().await;
        }
        if self.buffer.capacity() - self.buffer.len() < READ_BYTES / 4 {
            self.buffer.reserve(READ_BYTES);
        }
        match self.from.read_buf(&mut self.buffer).await {
            Ok(0) if self.buffer.is_empty() => Err(ReadError::Ended),
            Ok(0) => Err(ReadError::Truncated),
            Ok(bytes) => {
                self.since_turn += bytes;
                if let Some(pulse) = &self.pulse {
                    pulse.heard(bytes);
                }
                Ok(())
            }
            Err(error) => Err(ReadError::Stream(error)),
        }
    }
}
