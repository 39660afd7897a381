use std::fmt;
use std::io;
use std::sync::Arc;

use catga_host::BoxFuture;

use crate::SnapshotStore;

/// Where a node of a log keeps what must survive.
pub struct Store<S> {
    /// The log, as openraft wants it.
    pub log: S,
    /// The newest snapshot.
    pub snapshots: Arc<dyn SnapshotStore>,
    /// What both stand on.
    pub ground: Arc<dyn Ground>,
}

/// What a log needs to know of that on which it stands, besides what openraft asks of it.
pub trait Ground: Send + Sync + 'static {
    /// True while there is no room for what would be appended: it is refused then, before openraft
    /// hears of it, since what room is left is for votes and for what is under way.
    fn is_full(&self) -> bool {
        false
    }

    /// From now on nothing waits for room: the node is about to end.
    fn stop_waiting(&self) {}

    /// Ready once all that was handed to the log before the call is durable.
    ///
    /// # Errors
    /// When it never will be.
    fn flushed(&self) -> BoxFuture<'_, io::Result<()>>;

    /// Makes durable what waits, and lets go of everything. The log is not used any more.
    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

impl<S> fmt::Debug for Store<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}
