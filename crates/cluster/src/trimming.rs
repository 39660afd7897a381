use std::sync::atomic::Ordering;

use catga_core::Fault;
use catga_journal::LogIndex;
use openraft::async_runtime::Select2;
use openraft::errors::Fatal;
use openraft::{AsyncRuntime, LogIdOptionExt};

use crate::raft_log::stopped;
use crate::{LogId, RaftLog, Rt, TypeConfig};

/// Snapshots, and the log below them that is dropped.
impl RaftLog {
    /// Makes a snapshot of what is applied.
    pub(crate) async fn make_snapshot(&self) -> Result<(), Fault> {
        let applied = self.raft.watch_apply_progress().get();
        let mut snapshots = self.raft.watch_snapshot_progress();
        let covers = move |last: &Option<LogId>| last.index() >= applied.index();
        while !covers(&snapshots.get()) {
            // One that was being built already may come first, so until it covers.
            self.raft.trigger().snapshot().await.map_err(stopped)?;
            let built = snapshots.wait_until(covers);
            match Rt::select2(built, Rt::sleep(self.options.snapshot_timeout)).await {
                Select2::First(_) => break,
                Select2::Second(()) => {}
            }
            if self.stopped.load(Ordering::Acquire) {
                return Err(Fault::internal("the log stopped before its snapshot was made"));
            }
        }
        Ok(())
    }

    /// Drops the log up to `upto`, behind a snapshot that covers it.
    pub(crate) async fn purge(&self, upto: LogIndex) -> Result<(), Fatal<TypeConfig>> {
        let applied = self.raft.watch_apply_progress().get();
        let upto = applied.index().min(Some(upto.index));
        let mut snapshots = self.raft.watch_snapshot_progress();
        let covers = move |last: &Option<LogId>| last.index() >= upto;
        if !covers(&snapshots.get()) {
            self.raft.trigger().snapshot().await?;
            // One that was being built already may come first, so until it covers; or not in
            // time, and then the next trim will.
            let built = snapshots.wait_until(covers);
            Rt::select2(built, Rt::sleep(self.options.snapshot_timeout)).await;
        }
        match upto {
            // openraft itself goes no further than the snapshot.
            Some(upto) => self.raft.trigger().purge_log(upto).await,
            None => Ok(()),
        }
    }
}
