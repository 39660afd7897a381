//! The index: a sorted map from keys to values, as immutable tables on disk.
//!
//! It is a log-structured merge-tree (O'Neil, Cheng, Gawlick, O'Neil, Acta Informatica 1996)
//! without a level in memory: whoever changes it brings a batch, which becomes a table; a key is
//! looked for from the newest table to the oldest. Where [four of about a size](tiers) have come
//! together they are [merged](merge) into one, so that the number of tables grows with the
//! logarithm of what they hold, and so does how often a key is written.
//!
//! An index is a value: to change it gives a new one, and the old one goes on to be readable as
//! long as somebody has it. Which of them counts is the business of the checkpoint that names its
//! tables.

pub(crate) mod arriving;
mod block;
mod build;
mod compaction;
mod filter;
mod footer;
mod merge;
mod shared;
mod table;
mod tiers;
pub(crate) mod verify;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use catga_host::Files;

use self::shared::Shared;
use self::table::Table;
use crate::segment::SegmentError;

pub(crate) use self::shared::table_path;

/// What a table's file is called; greater ones were begun later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TableName(pub(crate) u64);

/// What a table is, whichever node has it: two with the same length and hash hold the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TableMark {
    /// What it is called on the node that says it.
    pub(crate) name: TableName,
    /// How long its file is.
    pub(crate) length: u64,
    /// The hash over its blocks.
    pub(crate) hash: u64,
}

impl TableMark {
    /// True if the other holds the same, whatever it is called.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (self.length, self.hash) == (other.length, other.hash)
    }
}

/// One key and what it stands for from now on; none if it is deleted.
pub(crate) type Change = (Bytes, Option<Bytes>);

/// How an index bounds its work.
#[derive(Clone, Copy, Debug)]
struct Options {
    /// How many bytes one change may merge, however small it is itself.
    work_bytes: u64,
    /// How many times its own size one change may merge.
    work_times: u64,
    /// Tables below this are all of one size.
    tier_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        // What a disk takes in less than the second that lies between two checkpoints; four times
        // a batch of the usual size.
        Self { work_bytes: 64 << 20, work_times: 8, tier_bytes: 16 << 20 }
    }
}

/// A sorted map on disk.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    shared: Arc<Shared>,
    /// Newest first.
    tables: Arc<Vec<Arc<Table>>>,
}

impl Index {
    /// An index without keys in the directory `dir`.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub(crate) fn empty(files: Arc<dyn Files>, dir: PathBuf) -> Result<Self, SegmentError> {
        Self::with_options(files, dir, Options::default())
    }

    fn with_options(
        files: Arc<dyn Files>,
        dir: PathBuf,
        options: Options,
    ) -> Result<Self, SegmentError> {
        let shared = Arc::new(Shared::new(files, dir, options)?);
        Ok(Self { shared, tables: Arc::default() })
    }

    /// The index with these [`tables`](Self::tables). Reads what is kept of each in memory: a key
    /// for each block, and the filter.
    ///
    /// # Errors
    /// When one is missing, or damaged in what is read of it here.
    pub(crate) fn open(
        files: Arc<dyn Files>,
        dir: PathBuf,
        tables: &[TableName],
    ) -> Result<Self, SegmentError> {
        Self::empty(files, dir)?.holding(tables)
    }

    fn holding(self, tables: &[TableName]) -> Result<Self, SegmentError> {
        let open = |name: &TableName| Ok(Arc::new(Table::open(&self.shared, *name)?));
        let tables = tables.iter().map(open).collect::<Result<_, SegmentError>>()?;
        Ok(Self { shared: self.shared, tables: Arc::new(tables) })
    }

    /// What `key` stands for.
    ///
    /// # Errors
    /// When a table cannot be read or is damaged. A damaged one is then put aside, so that the
    /// next start finds it missing and makes the index anew.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Bytes>, SegmentError> {
        let hash = filter::hash(key);
        for table in &*self.tables {
            if let Some(value) = table.get(key, hash).map_err(|e| self.shared.put_aside(e))? {
                return Ok(value);
            }
        }
        Ok(None)
    }

    /// This index with `changes`, which are sorted by key and have each key once. They are durable
    /// when it returns.
    ///
    /// # Errors
    /// When the machine refuses, as for want of room, or a table is damaged that was to be merged.
    /// This index is as it was, and may be changed again.
    ///
    /// # Cancel safety
    /// As after an error.
    pub(crate) async fn with(&self, changes: Vec<Change>) -> Result<Self, SegmentError> {
        let tables = compaction::add(&self.shared, &self.tables, changes).await;
        let tables = tables.map_err(|error| self.shared.put_aside(error))?;
        Ok(Self { shared: Arc::clone(&self.shared), tables: Arc::new(tables) })
    }

    /// The names of its tables, newest first.
    pub(crate) fn tables(&self) -> Vec<TableName> {
        self.tables.iter().map(|table| table.name()).collect()
    }

    /// What its tables are, newest first.
    pub(crate) fn marks(&self) -> Vec<TableMark> {
        self.tables.iter().map(|table| table.mark()).collect()
    }

    /// A name for a table that comes from elsewhere.
    pub(crate) fn fresh(&self) -> TableName {
        self.shared.fresh()
    }

    /// An index without keys in the same directory.
    ///
    /// # Errors
    /// As [`empty`](Self::empty).
    pub(crate) fn emptied(&self) -> Result<Self, SegmentError> {
        let Shared { files, dir, options, .. } = &*self.shared;
        Self::with_options(Arc::clone(files), dir.clone(), *options)
    }

    /// Removes all tables but those in `keep` and the one that is being made.
    pub(crate) fn remove_others(&self, keep: &[TableName]) -> io::Result<()> {
        self.shared.remove_others(keep)
    }

    /// The error of a value that is not `what` it should be.
    #[cold]
    pub(crate) fn foreign(&self, what: &'static str) -> SegmentError {
        SegmentError::Foreign { path: self.shared.dir.clone(), what }
    }
}
