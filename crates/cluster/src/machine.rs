use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use catga_host::Host;
use catga_journal::{Applier, LogSnapshot, PendingSnapshot};
use futures_util::{Stream, StreamExt};
use openraft::alias::SnapshotMetaOf;
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::{EntryPayload, RaftSnapshotBuilder, SnapshotMeta};

use crate::applying::Applying;
use crate::batch::{Batch, log_index};
use crate::{LogId, Membership, Snapshot, SnapshotStore, TypeConfig};

/// What openraft applies to: an [`Applier`], and what the applier need not know.
///
/// The applier sees the application's entries only. How far the log itself has come, with the
/// entries that Raft makes for itself, and who its members are, is kept here and in the snapshots;
/// a restart finds it out again from the last snapshot and the log.
pub struct Machine {
    applier: Applying,
    snapshots: Arc<dyn SnapshotStore>,
    applied: Option<LogId>,
    membership: Membership,
    batch: Batch,
}

impl Machine {
    /// A machine that delivers to `applier`, on a thread of its own, and keeps snapshots in
    /// `snapshots`.
    pub fn new(
        host: &Arc<dyn Host>,
        applier: Box<dyn Applier>,
        snapshots: Arc<dyn SnapshotStore>,
    ) -> Self {
        Self {
            applier: Applying::start(host, applier),
            snapshots,
            applied: None,
            membership: Membership::default(),
            batch: Batch::default(),
        }
    }

    async fn apply_batch(&mut self) -> io::Result<()> {
        self.applier.apply(std::mem::take(&mut self.batch)).await
    }

    /// The state as of now, for a snapshot.
    async fn view(&mut self) -> View {
        let meta =
            SnapshotMeta { last_log_id: self.applied, last_membership: self.membership.clone() };
        let pending = self.applier.snapshot().await;
        View { pending: Mutex::new(Some((meta, pending))), store: Arc::clone(&self.snapshots) }
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
                self.apply_batch().await?;
            }
        }
        if self.batch.is_empty() { Ok(()) } else { self.apply_batch().await }
    }

    async fn try_create_snapshot_builder(&mut self, force: bool) -> Option<View> {
        // Ahead while the log is replayed at a start: such a snapshot would hold more than it
        // says. That is safe, since entries held are not applied again, but no use.
        let applied = self.applier.applied().await.ok().flatten();
        let ahead = applied > self.applied.as_ref().map(log_index);
        if force || !ahead { Some(self.view().await) } else { None }
    }

    async fn get_snapshot_builder(&mut self) -> View {
        self.view().await
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMetaOf<TypeConfig>,
        snapshot: LogSnapshot,
    ) -> Result<(), io::Error> {
        // The log below it is dropped once this returns. First the state and then the snapshot,
        // which only names it where the applier keeps its own: were it the other way round, a
        // crash between the two would leave a snapshot that no state goes with.
        self.applier.install(snapshot.clone()).await?;
        let stored = self.snapshots.load().await?;
        if stored.is_none_or(|stored| stored.meta.last_log_id < meta.last_log_id) {
            let meta = meta.clone();
            self.snapshots.save(Snapshot { meta, snapshot }).await?;
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

/// What belongs to the state, and the state that was set aside.
type Begun = (SnapshotMetaOf<TypeConfig>, io::Result<PendingSnapshot>);

/// A state as it was at one moment; saving it does not hold up the machine.
pub struct View {
    /// Taken when it is built. Never locked: openraft wants a `Sync` builder.
    pending: Mutex<Option<Begun>>,
    store: Arc<dyn SnapshotStore>,
}

impl RaftSnapshotBuilder<TypeConfig> for View {
    type SnapshotData = LogSnapshot;

    async fn build_snapshot(&mut self) -> Result<Snapshot, io::Error> {
        let built = || io::Error::other("this view was built already");
        let pending = self.pending.get_mut().unwrap_or_else(PoisonError::into_inner);
        let (meta, pending) = pending.take().ok_or_else(built)?;
        let snapshot = pending?.build().await.map_err(io::Error::other)?;
        let snapshot = Snapshot { meta, snapshot };
        self.store.save(snapshot.clone()).await?;
        Ok(snapshot)
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").finish_non_exhaustive()
    }
}
