use std::io;

use catga_host::BoxFuture;
use catga_journal::LogSnapshot;
use openraft::alias::SnapshotOf;

use crate::TypeConfig;

/// An applier's state, with the place in the log and the membership that belong to it.
pub type Snapshot = SnapshotOf<TypeConfig, LogSnapshot>;

/// Where a node keeps its newest snapshot.
///
/// # Contract
/// 1. A snapshot is durable, with all that it refers to, when `save` returns.
/// 2. `load` gives the saved snapshot with the greatest last entry, also after a restart: one that
///    was begun early and is saved late takes the place of no newer one, for the log below the
///    newer one may be gone.
/// 3. When `save` fails or is interrupted, the former snapshot is whole.
pub trait SnapshotStore: Send + Sync + 'static {
    /// Makes `snapshot` durable.
    fn save(&self, snapshot: Snapshot) -> BoxFuture<'_, io::Result<()>>;

    /// The newest snapshot, if there is one.
    fn load(&self) -> BoxFuture<'_, io::Result<Option<Snapshot>>>;
}
