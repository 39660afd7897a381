use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};

use catga_cluster::{LogId, TypeConfig, Vote};
use openraft::alias::EntryOf;
use openraft::storage::{IOFlushed, LogState, RaftLogStorage};
use openraft::{OptionalSend, RaftLogReader};
use tokio::sync::oneshot;

use super::disk::{Contents, Disk, Write};

/// openraft's log on a simulated [`Disk`].
#[derive(Clone, Debug)]
pub struct MemoryStore(Disk);

impl MemoryStore {
    pub fn new(disk: Disk) -> Self {
        Self(disk)
    }
}

impl RaftLogReader<TypeConfig> for MemoryStore {
    async fn try_get_log_entries<R: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: R,
    ) -> Result<Vec<EntryOf<TypeConfig>>, io::Error> {
        let start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(before) => before + 1,
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(last) => last + 1,
            Bound::Excluded(end) => *end,
            Bound::Unbounded => u64::MAX,
        };
        self.0.read(|contents| read(contents, start, end))
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        Ok(self.0.read(|contents| contents.vote))
    }

    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<EntryOf<TypeConfig>>, io::Error> {
        let entries = self.0.read(|contents| read(contents, start, end))?;
        match entries.first() {
            Some(first) if first.log_id.index != start => {
                Err(io::Error::other(format!("entry {start} was asked for and is gone")))
            }
            None if start < end => {
                Err(io::Error::other(format!("entry {start} was asked for and is not there")))
            }
            _ => Ok(entries),
        }
    }
}

/// All entries from `start` to before `end` that the log has: never some with one left out, since
/// openraft takes what it gets for all there is.
fn read(contents: &Contents, start: u64, end: u64) -> io::Result<Vec<EntryOf<TypeConfig>>> {
    if start >= end {
        return Ok(Vec::new());
    }
    let entries: Vec<_> = contents.log.range(start..end).map(|(_, e)| e.clone()).collect();
    let first = contents.log.keys().next().map(|first| start.max(*first));
    let last = contents.log.keys().next_back().map(|last| (*last).min(end - 1));
    let expected = match (first, last) {
        (Some(first), Some(last)) if first <= last => last - first + 1,
        _ => 0,
    };
    if entries.len() as u64 != expected {
        return Err(io::Error::other(format!(
            "the log from {start} to {end} has a hole: {} entries instead of {expected}",
            entries.len()
        )));
    }
    Ok(entries)
}

impl RaftLogStorage<TypeConfig> for MemoryStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, io::Error> {
        Ok(self.0.read(|contents| {
            let last = contents.log.values().next_back();
            LogState {
                last_purged_log_id: contents.purged,
                last_log_id: last.map(|last| last.log_id).or(contents.purged),
            }
        }))
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        let (flushed, wait) = oneshot::channel();
        self.0.write(Write::Vote(*vote, flushed));
        wait.await.map_err(io::Error::other)
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        self.0.write(Write::Committed(committed));
        Ok(())
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        Ok(self.0.read(|contents| contents.committed))
    }

    async fn append<I>(
        &mut self,
        entries: I,
        flushed: IOFlushed<TypeConfig>,
    ) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = EntryOf<TypeConfig>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<_> = entries.into_iter().collect();
        let mut before = self.0.read(|contents| contents.log.keys().next_back().copied());
        for entry in &entries {
            let index = entry.log_id.index;
            if before.is_some_and(|before| index != before + 1) {
                return Err(io::Error::other(format!("entry {index} after {before:?}")));
            }
            before = Some(index);
        }
        self.0.write(Write::Append(entries, flushed));
        Ok(())
    }

    async fn truncate_after(&mut self, kept: Option<LogId>) -> Result<(), io::Error> {
        self.0.write(Write::TruncateAfter(kept));
        Ok(())
    }

    async fn purge(&mut self, upto: LogId) -> Result<(), io::Error> {
        self.0.write(Write::Purge(upto));
        Ok(())
    }
}
