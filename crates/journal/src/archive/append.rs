use std::sync::Arc;

use bytes::Bytes;
use catga_core::payload_hash;

use super::places::PLACES_MAX;
use super::sealed::Sealed;
use super::tail::Tail;
use super::{Archive, PLACES, RECORD};
use crate::segment::{FileKind, Head, SYNC_BYTES, SegmentError, SegmentWriter};

/// The least that can be reserved for a new file.
const HEAD_ONLY: u64 = 64;

/// Adds `records` to `archive`.
pub(super) async fn append(
    archive: &Archive,
    records: impl Iterator<Item = Result<Bytes, SegmentError>>,
) -> Result<Archive, SegmentError> {
    archive.tail.check(&archive.shared)?;
    let mut appender = Appender { archive: archive.clone(), writer: None, created: Vec::new() };
    match appender.run(records).await {
        Ok(()) => Ok(appender.archive),
        Err(error) => {
            appender.give_back(archive);
            Err(error)
        }
    }
}

/// An archive that is being added to.
struct Appender {
    archive: Archive,
    /// That of the tail, once there is a record for it.
    writer: Option<SegmentWriter>,
    /// The first offsets of new segments.
    created: Vec<u64>,
}

impl Appender {
    async fn run(
        &mut self,
        records: impl Iterator<Item = Result<Bytes, SegmentError>>,
    ) -> Result<(), SegmentError> {
        for record in records {
            let record = record?;
            let mut writer = match self.writer.take() {
                Some(writer) => writer,
                None => self.open(&record)?,
            };
            let tail = &mut self.archive.tail;
            let at = writer.push(RECORD, tail.last() + 1, &[&record]);
            tail.push(at, &record);
            if tail.weight >= self.archive.shared.options.segment_bytes {
                self.seal(writer).await?;
                continue;
            }
            if at - writer.end() >= SYNC_BYTES {
                writer.write()?;
                writer.sync().await?;
            }
            self.writer = Some(writer);
        }
        if let Some(mut writer) = self.writer.take() {
            writer.write()?;
            writer.sync().await?;
        }
        if !self.created.is_empty() {
            let shared = &self.archive.shared;
            let synced = shared.files.sync_dir(&shared.dir).await;
            synced.map_err(|error| SegmentError::io(&shared.dir, error))?;
        }
        Ok(())
    }

    /// The writer of the tail, which is to get `record` next.
    fn open(&mut self, record: &Bytes) -> Result<SegmentWriter, SegmentError> {
        let Archive { shared, tail, .. } = &mut self.archive;
        if let Some(reader) = &tail.reader {
            let mut writer = SegmentWriter::resume(&*shared.files, reader, tail.end)?;
            if reader.len()? > tail.end {
                writer.shorten()?;
            }
            return Ok(writer);
        }
        let path = shared.path(tail.first);
        // What an attempt before left behind.
        shared.remove(tail.first).map_err(|error| SegmentError::io(&path, error))?;
        // So that nothing that another history has there passes for this one's.
        let salt = payload_hash(record);
        let head = Head { kind: FileKind::History, first: tail.first, salt, note: 0 };
        // Nothing is reserved: a write that finds no room is tried again, with all behind it.
        let writer = SegmentWriter::create(&*shared.files, &path, head, HEAD_ONLY)?;
        self.created.push(tail.first);
        tail.reader = Some(writer.reader().clone());
        Ok(writer)
    }

    /// Ends the tail, whose records `writer` has; the next record goes into another segment.
    async fn seal(&mut self, mut writer: SegmentWriter) -> Result<(), SegmentError> {
        writer.write()?;
        let tail = &self.archive.tail;
        let mut first = tail.first;
        for payload in tail.places.frames(tail.end) {
            writer.push(PLACES, first, &[&payload]);
            first += PLACES_MAX;
        }
        writer.write()?;
        writer.seal()?;
        writer.sync().await?;
        let (first, last, hash) = (tail.first, tail.last(), tail.hash);
        let sealed = Sealed { first, last, length: writer.end(), hash };
        Arc::make_mut(&mut self.archive.sealed).push(sealed);
        self.archive.tail = Tail::before(last + 1);
        Ok(())
    }

    /// Gives back the room that a failed attempt took; the log may need it. If that fails too, the
    /// next attempt does it.
    fn give_back(self, before: &Archive) {
        let shared = &before.shared;
        for first in self.created {
            let _ = shared.remove(first);
        }
        if let Some(reader) = &before.tail.reader {
            let writer = SegmentWriter::resume(&*shared.files, reader, before.tail.end);
            let _ = writer.and_then(|mut writer| writer.shorten());
        }
    }
}
