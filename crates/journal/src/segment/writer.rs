use std::path::Path;
use std::sync::Arc;

use catga_host::{Files, Open};

use super::frame::{ALIGN, FRAME_BYTES, end_of, put};
use super::head::HEAD_BYTES;
use super::{FrameKind, Head, SegmentError, SegmentReader};

/// What a batch takes besides its frames.
const BATCH_BYTES: usize = FRAME_BYTES + 8;

/// What is kept free for the frames of the format's own: the last mark and the seal.
const RESERVED: u64 = (BATCH_BYTES + FRAME_BYTES) as u64;

/// Appends frames to a file, a batch at a time.
///
/// [`push`](Self::push) collects, [`write`](Self::write) hands what was collected to the machine
/// in one piece, [`sync`](Self::sync) makes durable what was written.
#[derive(Debug)]
pub struct SegmentWriter {
    reader: SegmentReader,
    /// Where the next batch goes.
    end: u64,
    /// How far the file is known to be synced.
    synced: u64,
    /// How far the newest frame in the file says that it is.
    marked: u64,
    /// What was reserved; frames go no further.
    capacity: u64,
    /// The batch that is being collected, with its first frame.
    batch: Vec<u8>,
}

impl SegmentWriter {
    /// Makes a new file with room for `capacity` bytes. Neither it nor its name is durable yet.
    ///
    /// # Errors
    /// When the machine refuses; for want of room, nothing is left behind.
    pub fn create(
        files: &dyn Files,
        path: &Path,
        head: Head,
        capacity: u64,
    ) -> Result<Self, SegmentError> {
        let io = |error| SegmentError::io(path, error);
        let file = files.open(path, Open::Create).map_err(io)?;
        let made = file.allocate(capacity).and_then(|()| file.write_at(&head.encode(), 0));
        if let Err(error) = made {
            // What was reserved is wanted elsewhere. If that fails too, the first failure counts.
            let _ = files.remove(path);
            return Err(io(error));
        }
        let reader = SegmentReader::new(file, Arc::new(path.to_owned()), head);
        Ok(Self::new(reader, HEAD_BYTES as u64, 0, capacity))
    }

    /// Goes on writing to a file that was read up to `end`, where its last good frame ends, and
    /// which is as long as what was reserved for it. What is behind `end` must be zero, or never be
    /// looked at.
    ///
    /// # Errors
    /// When the machine refuses.
    pub fn resume(
        files: &dyn Files,
        reader: &SegmentReader,
        end: u64,
    ) -> Result<Self, SegmentError> {
        let io = |error| SegmentError::io(reader.path(), error);
        let file = files.open(reader.path(), Open::Write).map_err(io)?;
        let capacity = file.len().map_err(io)?.max(end);
        let reader = SegmentReader::new(file, Arc::clone(&reader.path), reader.head);
        Ok(Self::new(reader, end, 0, capacity))
    }

    fn new(reader: SegmentReader, end: u64, synced: u64, capacity: u64) -> Self {
        Self { reader, end, synced, marked: synced, capacity, batch: Vec::new() }
    }

    /// A reader of the same file.
    pub fn reader(&self) -> &SegmentReader {
        &self.reader
    }

    /// Where what was written ends.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// True if a frame with a payload of `len` bytes still has room beside what was collected.
    pub fn has_room(&self, len: usize) -> bool {
        let batch = if self.batch.is_empty() { BATCH_BYTES } else { self.batch.len() };
        end_of(self.end + batch as u64, len) + RESERVED <= self.capacity
    }

    /// True if nothing was collected.
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// Adds a frame to the batch; its payload is `parts`, one after the other. Gives back where in
    /// the file it will begin.
    pub fn push(&mut self, kind: FrameKind, position: u64, parts: &[&[u8]]) -> u64 {
        if self.batch.is_empty() {
            self.put(FrameKind::BATCH, 0, &[&self.synced.to_le_bytes()]);
        }
        let at = self.end + self.batch.len() as u64;
        self.put(kind, position, parts);
        at
    }

    fn put(&mut self, kind: FrameKind, position: u64, parts: &[&[u8]]) {
        let at = self.end + self.batch.len() as u64;
        put(&mut self.batch, self.reader.head.salt, at, kind, position, parts);
    }

    /// Hands what was collected to the machine. It can be read from then on.
    ///
    /// # Errors
    /// When the machine refuses; the batch is kept, and may be written again at the same place.
    pub fn write(&mut self) -> Result<(), SegmentError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let written = self.reader.file.write_at(&self.batch, self.end);
        written.map_err(|error| SegmentError::io(&self.reader.path, error))?;
        self.marked = self.synced;
        self.end += self.batch.len() as u64;
        self.batch.clear();
        // One large batch must not hold on to its memory for ever.
        self.batch.shrink_to(1 << 20);
        Ok(())
    }

    /// Writes again what stands from `start` to the end. To be synced.
    ///
    /// After a sync that failed a machine may show what is on no disk, and think it is: only what
    /// is written anew is sure to be synced.
    ///
    /// # Errors
    /// When the machine refuses.
    pub fn write_again(&mut self, start: u64) -> Result<(), SegmentError> {
        const PIECE: u64 = 256 << 10;
        let mut at = start;
        while at < self.end {
            let len = (self.end - at).min(PIECE);
            let mut piece = vec![0; usize::try_from(len).unwrap_or_default()];
            self.reader.fill(&mut piece, at)?;
            let written = self.reader.file.write_at(&piece, at);
            written.map_err(|error| SegmentError::io(&self.reader.path, error))?;
            at += len;
        }
        Ok(())
    }

    /// Makes durable what was written.
    ///
    /// # Errors
    /// When the machine cannot; nobody knows then what of it is durable, and the file must not be
    /// written any more.
    pub async fn sync(&mut self) -> Result<(), SegmentError> {
        let end = self.end;
        let synced = self.reader.file.sync().await;
        synced.map_err(|error| SegmentError::io(&self.reader.path, error))?;
        self.synced = end;
        Ok(())
    }

    /// Writes how far the file is synced, if no frame says so yet: from then on what stands below
    /// is damage where it is not good. Durable with the next sync.
    ///
    /// # Errors
    /// When the machine refuses.
    pub fn mark(&mut self) -> Result<(), SegmentError> {
        if self.marked >= self.synced || !self.batch.is_empty() || !self.has_room(0) {
            return Ok(());
        }
        self.put(FrameKind::MARK, 0, &[&self.synced.to_le_bytes()]);
        self.write()
    }

    /// Ends the file: it gets no more frames. To be synced like any other.
    ///
    /// # Errors
    /// When the machine refuses.
    pub fn seal(&mut self) -> Result<(), SegmentError> {
        self.put(FrameKind::SEAL, 0, &[]);
        self.write()
    }

    /// Ends the file where its last frame ends: what stands behind, and what was reserved, is gone.
    /// To be synced.
    ///
    /// # Errors
    /// When the machine refuses.
    pub(crate) fn shorten(&mut self) -> Result<(), SegmentError> {
        let shortened = self.reader.file.set_len(self.end);
        shortened.map_err(|error| SegmentError::io(&self.reader.path, error))?;
        self.capacity = self.end;
        Ok(())
    }

    /// Makes what stands behind the last frame zero, as it must be before anything is written
    /// there: a piece of an old frame must not pass for a part of a new batch. To be synced.
    ///
    /// # Errors
    /// When the machine refuses.
    pub fn cut(&mut self) -> Result<(), SegmentError> {
        const PIECE: usize = 64 << 10;
        let io = |error| SegmentError::io(&self.reader.path, error);
        let file = &self.reader.file;
        let len = file.len().map_err(io)?;
        let mut piece = vec![0; PIECE];
        let mut at = self.end;
        while at < len {
            let bytes = usize::try_from(len - at).unwrap_or(PIECE).min(PIECE);
            file.read_at(&mut piece[..bytes], at).map_err(io)?;
            if piece[..bytes].iter().any(|byte| *byte != 0) {
                piece.fill(0);
                file.write_at(&piece[..bytes], at).map_err(io)?;
            }
            at += bytes as u64;
        }
        debug_assert!(self.end.is_multiple_of(ALIGN), "frames end at multiples of the alignment");
        Ok(())
    }
}
