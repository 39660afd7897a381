use bytes::{Bytes, BytesMut};

use super::frame::{ALIGN, FRAME_BYTES, FrameHead};
use super::{Frame, FrameKind, SegmentError, SegmentReader};

/// How many bytes are read at once.
const READ: usize = 256 << 10;

/// Reads the frames of a file one after the other, those of the file's owner only, and then knows
/// how the file [ends](Self::tail).
#[derive(Debug)]
pub struct Scan {
    reader: SegmentReader,
    /// Where the next frame begins.
    at: u64,
    /// Where to end; at the end of the file if nothing is said.
    limit: Option<u64>,
    /// What was read from `at` on.
    ahead: Bytes,
    /// How far some frame says that the file was synced.
    synced: u64,
    sealed: bool,
    ended: bool,
}

/// How a file ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tail {
    /// It was sealed: it gets no more.
    Sealed {
        /// Where its last frame ends.
        end: u64,
    },
    /// After its last frame nothing was written.
    Clean {
        /// Where its last frame ends.
        end: u64,
    },
    /// After its last good frame stands what is left of writes that were never synced. It must be
    /// cut before anything is written there.
    Torn {
        /// Where its last good frame ends.
        end: u64,
    },
    /// Something that was synced is not as it was written.
    Damaged {
        /// Where the first frame that is not good begins.
        at: u64,
    },
}

impl Scan {
    pub(super) fn new(reader: SegmentReader, at: u64) -> Self {
        let ahead = Bytes::new();
        Self { reader, at, limit: None, ahead, synced: 0, sealed: false, ended: false }
    }

    pub(super) fn between(reader: SegmentReader, at: u64, end: u64) -> Self {
        Self { limit: Some(end), ..Self::new(reader, at) }
    }

    /// Where the next frame begins, or where the good frames end.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// Why there is no good frame where the next one should begin.
    pub(crate) fn missing(&self) -> SegmentError {
        let what = "frames are missing there";
        self.reader.read(self.at).err().unwrap_or_else(|| self.reader.damaged(self.at, what))
    }

    fn len(&self) -> Result<u64, SegmentError> {
        self.limit.map_or_else(|| self.reader.len(), Ok)
    }

    /// The next frame of the file's owner; none where the good frames end.
    ///
    /// # Errors
    /// When the machine cannot read.
    #[expect(clippy::should_implement_trait, reason = "it can fail, and goes on to be asked")]
    pub fn next(&mut self) -> Result<Option<Frame>, SegmentError> {
        while !self.ended {
            let Some(frame) = self.step()? else {
                self.ended = true;
                break;
            };
            match frame.kind {
                FrameKind::BATCH | FrameKind::MARK => self.note_synced(&frame),
                FrameKind::SEAL => (self.sealed, self.ended) = (true, true),
                _ => return Ok(Some(frame)),
            }
        }
        Ok(None)
    }

    /// How far what was read so far says that the file was synced.
    pub fn synced(&self) -> u64 {
        self.synced
    }

    /// How the file ends; looks at all that stands behind the last good frame.
    ///
    /// # Errors
    /// When the machine cannot read.
    pub fn tail(mut self) -> Result<Tail, SegmentError> {
        while self.next()?.is_some() {}
        let end = self.at;
        if self.sealed {
            return Ok(Tail::Sealed { end });
        }
        // From here on only what is said of the sync counts, and whether anything stands there.
        let len = self.len()?;
        let mut anything = false;
        let mut at = end;
        while at < len {
            self.fill_ahead(at, len)?;
            if let Some(zeros) = self.zeros() {
                at += zeros;
                self.ahead = Bytes::new();
                continue;
            }
            anything = true;
            at = self.look_for_marks(at, len)?;
        }
        Ok(if self.synced > end {
            Tail::Damaged { at: end }
        } else if anything {
            Tail::Torn { end }
        } else {
            Tail::Clean { end }
        })
    }

    fn note_synced(&mut self, frame: &Frame) {
        if let Some((synced, _)) = frame.payload.split_first_chunk() {
            self.synced = self.synced.max(u64::from_le_bytes(*synced));
        }
    }

    /// The frame that begins where the last one ended, if a good one does.
    fn step(&mut self) -> Result<Option<Frame>, SegmentError> {
        if self.ahead.len() < FRAME_BYTES {
            self.fill_ahead(self.at, self.len()?)?;
        }
        let Some(head) = FrameHead::decode(&self.ahead).filter(|head| head.is_at(self.at)) else {
            return Ok(None);
        };
        let whole = FRAME_BYTES + head.len as usize;
        if self.ahead.len() < whole {
            let len = self.len()?;
            if self.at + whole as u64 > len {
                return Ok(None);
            }
            self.read_ahead(self.at, whole.max(READ), len)?;
        }
        match self.reader.parse(self.at, &self.ahead) {
            Ok(frame) => {
                let end = frame.end();
                let used = usize::try_from(end - self.at).unwrap_or(usize::MAX);
                self.ahead = self.ahead.slice(used.min(self.ahead.len())..);
                self.at = end;
                Ok(Some(frame))
            }
            Err(SegmentError::Damaged { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Looks at each place in what was read for a frame that says how far the file was synced;
    /// gives back where to go on.
    fn look_for_marks(&mut self, start: u64, len: u64) -> Result<u64, SegmentError> {
        let mut at = start;
        let mut bytes = self.ahead.clone();
        while bytes.len() >= FRAME_BYTES + 8 {
            let mark = FrameHead::decode(&bytes)
                .filter(|head| head.is_at(at))
                .filter(|head| [FrameKind::BATCH.0, FrameKind::MARK.0].contains(&head.kind));
            if mark.is_some()
                && let Ok(frame) = self.reader.parse(at, &bytes)
            {
                self.note_synced(&frame);
            }
            bytes = bytes.slice(ALIGN as usize..);
            at += ALIGN;
        }
        self.ahead = Bytes::new();
        // What was too short for a mark is read again with what follows, unless nothing does.
        Ok(if start + (at - start) + bytes.len() as u64 >= len || at == start { len } else { at })
    }

    /// How many bytes were read, if all of them are zero.
    fn zeros(&self) -> Option<u64> {
        self.ahead.iter().all(|byte| *byte == 0).then_some(self.ahead.len() as u64)
    }

    fn fill_ahead(&mut self, at: u64, len: u64) -> Result<(), SegmentError> {
        self.read_ahead(at, READ, len)
    }

    fn read_ahead(&mut self, at: u64, bytes: usize, len: u64) -> Result<(), SegmentError> {
        let there = usize::try_from(len.saturating_sub(at)).unwrap_or(usize::MAX);
        let mut ahead = BytesMut::zeroed(bytes.min(there));
        self.reader.fill(&mut ahead, at)?;
        self.ahead = ahead.freeze();
        Ok(())
    }
}
