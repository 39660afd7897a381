use std::sync::Arc;

use bytes::Bytes;

use super::TableName;
use super::block::{self, Place};
use super::build::Build;
use super::shared::Shared;
use super::table::{BLOCK, Table};
use crate::segment::{Scan, SegmentError};

/// Some tables that are made one, a part at a time.
#[derive(Debug)]
pub(super) struct Merge {
    inputs: Vec<Arc<Table>>,
    /// One for each input.
    cursors: Vec<Cursor>,
    output: Build,
    /// True if no older table lies below: then what was deleted need not be known any more.
    is_lowest: bool,
}

/// How far a table was read.
#[derive(Debug)]
struct Cursor {
    table: Arc<Table>,
    scan: Scan,
    /// The block that was read last.
    block: Bytes,
    /// How many were read.
    blocks: usize,
    /// The next change, which is in that block; none at the end.
    next: Option<Place>,
}

impl Merge {
    /// Begins to merge `inputs`, which follow each other in age, newest first.
    pub(super) fn start(
        shared: &Shared,
        inputs: &[Arc<Table>],
        is_lowest: bool,
    ) -> Result<Self, SegmentError> {
        let cursors = inputs.iter().map(Cursor::open).collect::<Result<_, _>>()?;
        let keys = inputs.iter().map(|table| table.footer.count).sum();
        let output = Build::create(shared, keys)?;
        Ok(Self { inputs: inputs.to_vec(), cursors, output, is_lowest })
    }

    pub(super) fn inputs(&self) -> &[Arc<Table>] {
        &self.inputs
    }

    pub(super) fn output(&self) -> TableName {
        self.output.name()
    }

    /// Merges about `bytes` more bytes; true if all are. What was written is durable then.
    pub(super) async fn advance(&mut self, bytes: u64) -> Result<bool, SegmentError> {
        let mut merged = 0;
        loop {
            let is_done = self.merge(&mut merged, bytes)?;
            self.output.sync().await?;
            if is_done || merged >= bytes {
                return Ok(is_done);
            }
        }
    }

    /// Goes on until `bytes` are merged, or enough to be synced; true if all are.
    fn merge(&mut self, merged: &mut u64, bytes: u64) -> Result<bool, SegmentError> {
        while *merged < bytes && !self.output.is_sync_due() {
            let heads = self.cursors.iter().enumerate();
            let heads = heads.filter_map(|(place, cursor)| Some((cursor.key()?, place)));
            // Of equal keys the first: its table is the newest.
            let Some((_, newest)) = heads.min() else { return Ok(true) };
            let block = self.cursors[newest].block.clone();
            let Some(change) = self.cursors[newest].next.clone() else { return Ok(true) };
            let (key, value) = (change.key(&block), change.value(&block));
            if value.is_some() || !self.is_lowest {
                self.output.push(key, value)?;
            }
            for cursor in &mut self.cursors {
                if cursor.key() == Some(key) {
                    *merged += cursor.step()?;
                }
            }
        }
        Ok(false)
    }

    /// The table that takes the place of the inputs; none if nothing is left of them.
    pub(super) async fn finish(self, shared: &Shared) -> Result<Option<Arc<Table>>, SegmentError> {
        self.output.finish(shared).await
    }

    pub(super) fn discard(&self, shared: &Shared) {
        self.output.discard(shared);
    }
}

impl Cursor {
    fn open(table: &Arc<Table>) -> Result<Self, SegmentError> {
        let reader = &table.reader;
        let scan = reader.scan_between(reader.start(), table.footer.blocks_end);
        let (table, block) = (Arc::clone(table), Bytes::new());
        let mut cursor = Self { table, scan, block, blocks: 0, next: None };
        cursor.step()?;
        Ok(cursor)
    }

    fn key(&self) -> Option<&[u8]> {
        self.next.as_ref().map(|next| next.key(&self.block))
    }

    /// Goes on to the next change, or to the end; gives the bytes of what it leaves behind.
    fn step(&mut self) -> Result<u64, SegmentError> {
        let reader = &self.table.reader;
        let left = self.next.take();
        let mut at = left.as_ref().map_or(0, Place::end);
        let bytes = left.map_or(0, |left| left.len() as u64);
        if at == self.block.len() {
            if self.blocks == self.table.footer.blocks {
                return Ok(bytes);
            }
            let Some(frame) = self.scan.next()? else { return Err(self.scan.missing()) };
            if frame.kind != BLOCK || frame.position != self.blocks as u64 {
                return Err(reader.damaged(frame.at, "another block stands there"));
            }
            (self.block, at) = (frame.payload, 0);
            self.blocks += 1;
        }
        let next = block::change_at(&self.block, at);
        let begins = || self.table.footer.place(self.blocks - 1).0;
        let next = next.ok_or_else(|| reader.damaged(begins(), "a block cannot be read"))?;
        self.next = Some(next);
        Ok(bytes)
    }
}
