use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// Whether a node takes calls.
#[derive(Debug)]
pub(crate) struct Lifecycle(AtomicU8);

const RUNNING: u8 = 0;
const DRAINING: u8 = 1;
const STOPPED: u8 = 2;

impl Lifecycle {
    pub(crate) fn running() -> Arc<Self> {
        Arc::new(Self(AtomicU8::new(RUNNING)))
    }

    #[inline]
    pub(crate) fn is_running(&self) -> bool {
        self.0.load(Ordering::Relaxed) == RUNNING
    }

    /// Refuses new calls from now on; true if nobody did before.
    pub(crate) fn drain(&self) -> bool {
        self.0.compare_exchange(RUNNING, DRAINING, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    pub(crate) fn stop(&self) {
        self.0.store(STOPPED, Ordering::Release);
    }
}
