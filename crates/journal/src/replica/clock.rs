use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use catga_core::Timestamp;
use catga_host::Host;

/// Measures the journal's time between entries.
///
/// Time counts from the last entry that this node proposed or saw another propose: journal time
/// must never advance by more than what has passed, so a node that begins to lead does not count
/// the time that others have counted already.
#[derive(Debug)]
pub(super) struct Clock {
    host: Arc<dyn Host>,
    /// Up to here time is counted, on the host's monotonic clock.
    counted: Mutex<Duration>,
}

impl Clock {
    pub(super) fn new(host: Arc<dyn Host>) -> Self {
        let counted = Mutex::new(host.now());
        Self { host, counted }
    }

    /// The milliseconds that the next entry adds, and its wall time.
    pub(super) fn stamp(&self) -> (u64, Timestamp) {
        let now = self.host.now();
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed_ms = now.saturating_sub(*counted).as_millis() as u64;
        // Not `now`: what is less than a millisecond is left for the next entry.
        *counted += Duration::from_millis(elapsed_ms);
        (elapsed_ms, Timestamp::from_millis(self.host.wall_ms()))
    }

    /// The milliseconds that an entry would add now.
    pub(super) fn uncounted_ms(&self) -> u64 {
        let counted = *self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        self.host.now().saturating_sub(counted).as_millis() as u64
    }

    /// What the node's own wall clock says, by which nothing must be decided: for a bug on purpose.
    #[cfg(feature = "planted")]
    pub(super) fn wall_ms(&self) -> u64 {
        self.host.wall_ms()
    }

    /// An entry of another node was applied: it has counted the time up to now.
    pub(super) fn seen(&self) {
        let now = self.host.now();
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        *counted = now.max(*counted);
    }
}
