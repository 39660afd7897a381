use bytes::{Buf, Bytes};

use super::filter::Filter;
use super::footer::Footer;
use super::shared::Shared;
use super::{TableMark, TableName, block};
use crate::segment::{FileKind, FrameKind, SegmentError, SegmentReader, frame_bytes};

/// A frame with some changes; its position is its number.
pub(super) const BLOCK: FrameKind = FrameKind::OWNER;

/// A frame with a part of the filter; its position is its number.
pub(super) const FILTER: FrameKind = FrameKind(FrameKind::OWNER.0 + 1);

/// The frame with the footer.
pub(super) const FOOTER: FrameKind = FrameKind(FrameKind::OWNER.0 + 2);

/// The frame that says where the footer is; only the seal follows.
pub(super) const TRAILER: FrameKind = FrameKind(FrameKind::OWNER.0 + 3);

/// How much of the filter is in one frame.
pub(super) const FILTER_PIECE: usize = 1 << 20;

/// One immutable table.
#[derive(Debug)]
pub(super) struct Table {
    name: TableName,
    pub(super) reader: SegmentReader,
    /// How long its file is.
    pub(super) bytes: u64,
    pub(super) footer: Footer,
    pub(super) filter: Filter,
}

impl Table {
    pub(super) fn new(
        name: TableName,
        reader: SegmentReader,
        bytes: u64,
        footer: Footer,
        filter: Filter,
    ) -> Self {
        Self { name, reader, bytes, footer, filter }
    }

    /// Opens the table called `name` by its end.
    ///
    /// # Errors
    /// When it cannot be read, or is damaged in its head, its footer or its filter.
    pub(super) fn open(shared: &Shared, name: TableName) -> Result<Self, SegmentError> {
        let path = shared.path(name);
        let table = Self::of(SegmentReader::open(&*shared.files, &path, FileKind::Index)?)?;
        if table.name() != name {
            let what = "it was written as another table";
            return Err(SegmentError::Foreign { path, what });
        }
        Ok(table)
    }

    /// The table in an open file, whatever it is called.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(super) fn of(reader: SegmentReader) -> Result<Self, SegmentError> {
        let name = TableName(reader.head().first);
        let bytes = reader.len()?;
        let (trailer, seal) = (frame_bytes(8), frame_bytes(0));
        let at = bytes.checked_sub(trailer + seal).filter(|at| *at >= reader.start());
        let at = at.ok_or_else(|| reader.damaged(bytes, "it ends before it is complete"))?;
        let mut trailer = reader.read_within(at, trailer as usize)?;
        let place = trailer.payload.try_get_u64_le().ok();
        let place = place.filter(|place| trailer.kind == TRAILER && *place < at);
        let place = place.ok_or_else(|| reader.damaged(at, "it does not say where its end is"))?;
        let found = reader.read_within(place, (at - place) as usize)?;
        let footer = (found.kind == FOOTER).then(|| Footer::decode(found.payload)).flatten();
        let footer = footer.filter(|footer| footer.blocks_end <= place);
        let footer = footer.ok_or_else(|| reader.damaged(place, "its footer cannot be read"))?;
        let filter = filter(&reader, &footer, place)?;
        Ok(Self { name, reader, bytes, footer, filter })
    }

    pub(super) fn name(&self) -> TableName {
        self.name
    }

    /// What it is, for another node.
    pub(super) fn mark(&self) -> TableMark {
        TableMark { name: self.name, length: self.bytes, hash: self.footer.hash }
    }

    /// What it has of `key`: nothing, that it was deleted, or its value.
    pub(super) fn get(&self, key: &[u8], hash: u64) -> Result<Option<Option<Bytes>>, SegmentError> {
        if !self.filter.may_have(hash) {
            return Ok(None);
        }
        let Some(number) = self.footer.block_with(key) else { return Ok(None) };
        let (at, end) = self.footer.place(number);
        let frame = self.reader.read_within(at, (end - at) as usize)?;
        if frame.kind != BLOCK || frame.position != number as u64 {
            return Err(self.reader.damaged(at, "another block stands there"));
        }
        let found = block::find(&frame.payload, key);
        let found = found.map_err(|()| self.reader.damaged(at, "a block cannot be read"))?;
        // A copy, since a small value must not hold on to its whole block.
        Ok(found.map(|value| value.map(Bytes::copy_from_slice)))
    }
}

/// Reads the filter, whose frames end where the footer begins.
fn filter(reader: &SegmentReader, footer: &Footer, end: u64) -> Result<Filter, SegmentError> {
    let mut scan = reader.scan_between(footer.blocks_end, end);
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < footer.filter_bytes {
        let Some(frame) = scan.next()? else { return Err(scan.missing()) };
        if frame.kind != FILTER {
            return Err(reader.damaged(frame.at, "a part of its filter is missing"));
        }
        bytes.extend_from_slice(&frame.payload);
    }
    let is_whole = bytes.len() as u64 == footer.filter_bytes;
    let filter = Filter::from_bytes(bytes).filter(|_| is_whole);
    filter.ok_or_else(|| reader.damaged(footer.blocks_end, "it has no filter"))
}
