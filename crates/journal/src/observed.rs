//! What somebody sees who looks at all replicas of a thread, as the simulator does: each entry that
//! is applied, and each checkpoint. Only builds with the feature `planted` can be looked at so.

use bytes::Bytes;
use catga_core::NodeName;

use crate::{Delivered, LogIndex};

/// Looks at the replicas of a thread.
pub trait Observer: Send + Sync {
    /// The replica of `node` has applied an entry; `is_own` if it put that into the log itself.
    fn applied(&self, node: &NodeName, entry: &Delivered, is_own: bool);

    /// The replica of `node` writes a checkpoint that holds `engine`, up to the entry at `index`.
    fn checkpoint(&self, node: &NodeName, index: LogIndex, engine: &Bytes);
}

#[cfg(feature = "planted")]
thread_local! {
    /// A simulation runs on one thread.
    static HERE: std::cell::RefCell<Option<std::sync::Arc<dyn Observer>>> =
        const { std::cell::RefCell::new(None) };
}

/// Has `observer` look at the replicas of this thread from now on, or nobody.
#[cfg(feature = "planted")]
pub fn observe(observer: Option<std::sync::Arc<dyn Observer>>) {
    HERE.set(observer);
}

/// Shows something to whoever looks, if somebody does.
#[inline]
pub(crate) fn show(what: impl FnOnce(&dyn Observer)) {
    #[cfg(feature = "planted")]
    if let Some(observer) = HERE.with_borrow(Clone::clone) {
        what(&*observer);
    }
    #[cfg(not(feature = "planted"))]
    let _ = what;
}
