use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use catga_journal::{Applier, LogSnapshot};
use futures_util::{Stream, StreamExt};
use openraft::alias::SnapshotMetaOf;
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::{EntryPayload, RaftSnapshotBuilder, SnapshotMeta};

use crate::batch::{Batch, log_index};
use crate::{LogId, Membership, Snapshot, SnapshotStore, TypeConfig};

/// What openraft applies to: an [`Applier`], and what the applier need not know.
///
/// The applier sees the application's entries only. How far the log itself has come, with the
/// entries that Raft makes for itself, and who its members are, is kept here and in the snapshots;
/// a restart finds it out again from the last snapshot and the log.
pub struct Machine {
    /// Never locked, only taken by `&mut`: openraft wants a `Sync` machine, an applier is not.
    applier: Mutex<Box<dyn Applier>>,
    snapshots: Arc<dyn SnapshotStore>,
    applied: Option<LogId>,
    membership: Membership,
    batch: Batch,
}

impl Machine {
    /// A machine that delivers to `applier` and keeps snapshots in `snapshots`.
    pub fn new(applier: Box<dyn Applier>, snapshots: Arc<dyn SnapshotStore>) -> Self {
        Self {
            applier: Mutex::new(applier),
            snapshots,
            applied: None,
            membership: Membership::default(),
            batch: Batch::default(),
        }
    }

    fn applier(&mut self) -> &mut dyn Applier {
        let applier = self.applier.get_mut();
        &mut **applier.unwrap_or_else(PoisonError::into_inner)
    }

    fn apply_batch(&mut self) -> io::Result<()> {
        let applier = self.applier.get_mut();
        let applier = applier.unwrap_or_else(PoisonError::into_inner);
        self.batch.apply(&mut **applier)
    }

    /// The state as of now, for a snapshot.
    fn view(&mut self) -> View {
        let meta =
            SnapshotMeta { last_log_id: self.applied, last_membership: self.membership.clone() };
        let snapshot = self.applier().snapshot().map_err(io::Error::other);
        View {
            snapshot: Some(snapshot.map(|snapshot| Snapshot { meta, snapshot })),
            store: Arc::clone(&self.snapshots),
        }
    }
}

impl RaftStateMachine<TypeConfig> for Machine {
    type SnapshotData = LogSnapshot;
    type SnapshotBuilder = View;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, Membership), io::Error> {
        Ok((self.applied, self.membership.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> Result<(), io::Error>
    where
        S: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + Send,
    {
        while let Some(next) = entries.next().await {
            let (entry, answer) = next?;
            match entry.payload {
                EntryPayload::Blank => {}
                EntryPayload::Normal(bytes) => self.batch.push(&entry.log_id, bytes.0),
                EntryPayload::Membership(members) => {
                    self.membership = Membership::new(Some(entry.log_id), members);
                }
            }
            if let Some(answer) = answer {
                self.batch.answer(answer);
            }
            self.applied = Some(entry.log_id);
            if self.batch.is_full() {
                self.apply_batch()?;
            }
        }
        self.apply_batch()
    }

    async fn try_create_snapshot_builder(&mut self, force: bool) -> Option<View> {
        // Ahead while the log is replayed at a start: such a snapshot would hold more than it
        // says. That is safe, since entries held are not applied again, but no use.
        let ahead = self.applier().applied() > self.applied.as_ref().map(log_index);
        (force || !ahead).then(|| self.view())
    }

    async fn get_snapshot_builder(&mut self) -> View {
        self.view()
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMetaOf<TypeConfig>,
        snapshot: LogSnapshot,
    ) -> Result<(), io::Error> {
        // Durable first: the log below it is dropped once it is installed.
        let stored = self.snapshots.load().await?;
        if stored.is_none_or(|stored| stored.meta.last_log_id < meta.last_log_id) {
            let (meta, snapshot) = (meta.clone(), snapshot.clone());
            self.snapshots.save(Snapshot { meta, snapshot }).await?;
        }
        // An applier that kept its state over a restart may hold more already.
        let applier = self.applier();
        if snapshot.upto >= applier.applied() {
            applier.install(snapshot).map_err(io::Error::other)?;
        }
        self.applied = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot>, io::Error> {
        self.snapshots.load().await
    }
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine").field("applied", &self.applied).finish_non_exhaustive()
    }
}

/// A state as it was at one moment; saving it does not hold up the machine.
pub struct View {
    /// Taken when it is built.
    snapshot: Option<io::Result<Snapshot>>,
    store: Arc<dyn SnapshotStore>,
}

impl RaftSnapshotBuilder<TypeConfig> for View {
    type SnapshotData = LogSnapshot;

    async fn build_snapshot(&mut self) -> Result<Snapshot, io::Error> {
        let snapshot = self.snapshot.take();
        let snapshot =
            snapshot.ok_or_else(|| io::Error::other("this view was built already"))??;
        self.store.save(snapshot.clone()).await?;
        Ok(snapshot)
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").finish_non_exhaustive()
    }
}
