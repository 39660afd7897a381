//! Syncs: they take time, and once that has passed they have happened, whether or not the process
//! that asked could hear of it.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::change::{Change, FileId};
use super::platter::Platter;
use super::sim_disk::SimDisk;

/// What is made durable.
pub(super) enum Target {
    File(FileId),
    Dir(Arc<Path>),
    /// A directory that was made, with all above it.
    Made(Arc<Path>),
}

/// A sync that is under way.
pub(super) struct UnderWay {
    due: Instant,
    /// What happened later is not covered.
    upto: u64,
    fails: Option<io::Error>,
    target: Target,
}

/// A sync, as whoever waits for it holds it. Dropped before its end, it does not happen.
pub(super) struct Syncing<'a> {
    disk: &'a SimDisk,
    number: u64,
    life: u64,
    takes: Duration,
}

impl Platter {
    /// Begins a sync that will fail, or end well.
    pub(super) fn begin_sync<'a>(
        &mut self,
        disk: &'a SimDisk,
        target: Target,
        fails: Option<io::Error>,
    ) -> Syncing<'a> {
        let (least, most) = (self.sync_time.start(), self.sync_time.end());
        let nanos = |time: &Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let takes = self.random.u64(nanos(least)..=nanos(most).max(nanos(least)));
        let takes = Duration::from_nanos(takes);
        self.syncs_begun += 1;
        let number = self.syncs_begun;
        let upto = self.state.seq;
        let due = Instant::now() + takes;
        self.under_way.insert(number, UnderWay { due, upto, fails, target });
        Syncing { disk, number, life: self.life, takes }
    }

    /// Ends the syncs whose time has passed, in their order, and gives up the others.
    pub(super) fn settle_syncs(&mut self) {
        let now = Instant::now();
        let mut due: Vec<_> = std::mem::take(&mut self.under_way).into_iter().collect();
        due.retain(|(_, sync)| sync.due <= now);
        due.sort_by_key(|(number, sync)| (sync.due, *number));
        for (_, sync) in due {
            // The process does not hear of it.
            drop(self.end_sync(sync));
        }
    }

    fn end_sync(&mut self, sync: UnderWay) -> io::Result<()> {
        let UnderWay { upto, fails, target, .. } = sync;
        let well = fails.is_none();
        match target {
            Target::File(file) => {
                self.perform(Change::Synced { file, upto, well });
                self.counts.syncs += u64::from(well);
                self.counts.failed_syncs += u64::from(!well);
            }
            Target::Dir(dir) => {
                self.perform(Change::DirSynced { dir, upto, well });
                self.sweep();
                self.counts.dir_syncs += u64::from(well);
                self.counts.failed_syncs += u64::from(!well);
            }
            Target::Made(dir) => self.perform(Change::DirMade(dir)),
        }
        fails.map_or(Ok(()), Err)
    }
}

impl Syncing<'_> {
    /// Waits until it has ended, and says how. `path` is what it is about.
    pub(super) async fn end(self, path: &Path) -> io::Result<()> {
        if !self.takes.is_zero() {
            tokio::time::sleep(self.takes).await;
        }
        let mut platter = self.disk.lock();
        platter.check_life(self.life, path)?;
        let sync = platter.under_way.remove(&self.number);
        sync.map_or(Ok(()), |sync| platter.end_sync(sync))
    }
}

impl Drop for Syncing<'_> {
    fn drop(&mut self) {
        self.disk.lock().under_way.remove(&self.number);
    }
}
