use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::segment::SegmentError;

/// Which segments readers found damaged, for whoever mends them. It outlives the archive that found
/// it: mending gives another one.
#[derive(Debug, Default)]
pub(crate) struct Damage {
    /// By their first offsets.
    segments: Mutex<BTreeSet<u64>>,
    noticed: Notify,
}

impl Damage {
    /// Notes that the segment which begins with `first` cannot be read.
    #[cold]
    pub(crate) fn note(&self, first: u64, error: &SegmentError) {
        if self.lock().insert(first) {
            tracing::error!(%error, "a part of the history is damaged; another node is asked for it");
            self.noticed.notify_one();
        }
    }

    /// The segment which begins with `first` is good again.
    pub(crate) fn is_mended(&self, first: u64) {
        self.lock().remove(&first);
    }

    /// Those that are damaged, by their first offsets.
    pub(crate) fn segments(&self) -> BTreeSet<u64> {
        self.lock().clone()
    }

    /// Ready once more was noted, since the last time.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub(crate) async fn noticed(&self) {
        self.noticed.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
