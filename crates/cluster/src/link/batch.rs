use std::io::{self, IoSlice};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::frame::{HEADER_BYTES, Header};

/// How many bytes are gathered for one write: enough that the cost of a write does not count.
pub(super) const BATCH_BYTES: usize = 256 << 10;

/// How many pieces one write takes: several hundred small frames go in a few.
const SLICES_MAX: usize = 64;

/// Frames that are written together.
#[derive(Debug)]
pub(super) struct Batch<H> {
    pieces: Vec<Bytes>,
    headers: BytesMut,
    bytes: usize,
    frames: u64,
    /// What is let go of once it is written.
    held: Vec<H>,
}

impl<H> Batch<H> {
    pub(super) fn new() -> Self {
        let (pieces, held) = (Vec::new(), Vec::new());
        Self { pieces, headers: BytesMut::new(), bytes: 0, frames: 0, held }
    }

    /// Adds a frame.
    pub(super) fn push(&mut self, header: &Header, payload: Vec<Bytes>) {
        let encoded = header.encode(&payload);
        self.headers.extend_from_slice(&encoded);
        self.pieces.push(self.headers.split_to(HEADER_BYTES).freeze());
        self.bytes += HEADER_BYTES + payload.iter().map(Bytes::len).sum::<usize>();
        self.pieces.extend(payload);
        self.frames += 1;
    }

    /// Keeps `held` until the batch is written.
    pub(super) fn hold(&mut self, held: H) {
        self.held.push(held);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes >= BATCH_BYTES
    }

    pub(super) fn frames(&self) -> u64 {
        self.frames
    }

    /// Writes all of it. `wrote` hears each time how many bytes the stream has taken.
    ///
    /// # Cancel safety
    /// None: what was written cannot be told, and the stream is of no use any more.
    pub(super) async fn write<W: AsyncWrite + Unpin>(
        &mut self,
        to: &mut W,
        mut wrote: impl FnMut(usize),
    ) -> io::Result<()> {
        let mut pieces = self.pieces.as_mut_slice();
        while !pieces.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let count = pieces.len().min(SLICES_MAX);
            for (slice, piece) in slices.iter_mut().zip(&*pieces) {
                *slice = IoSlice::new(piece);
            }
            let mut written = to.write_vectored(&slices[..count]).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            wrote(written);
            let mut whole = 0;
            for piece in &mut *pieces {
                if written < piece.len() {
                    _ = piece.split_to(written);
                    break;
                }
                written -= piece.len();
                whole += 1;
            }
            pieces = &mut pieces[whole..];
        }
        to.flush().await?;
        self.pieces.clear();
        (self.bytes, self.frames) = (0, 0);
        self.held.clear();
        Ok(())
    }
}
