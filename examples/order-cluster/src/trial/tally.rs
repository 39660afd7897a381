use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::findings::{Findings, Wrong};
use super::pauses::Pauses;

/// What happens while clients are at work, counted by all of them.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Read by whoever decides on the next kill while the clients count on.
    acknowledged: AtomicUsize,
    under_way: AtomicUsize,
    /// Locked for a count, never while anything waits.
    rest: Mutex<Rest>,
}

#[derive(Debug, Default)]
pub(super) struct Rest {
    pub(super) cancelled: usize,
    /// Keys that were answered and asked again.
    pub(super) repeated: usize,
    /// Those that were answered by one node and asked again at another.
    pub(super) repeated_elsewhere: usize,
    /// Those that were answered before a kill and asked again after it.
    pub(super) repeated_after_kill: usize,
    /// Requests that were answered only when they were repeated.
    pub(super) retried: usize,
    /// Attempts that a kill cut off.
    pub(super) cut_off: usize,
    pub(super) kills: usize,
    pub(super) kills_under_load: usize,
    pub(super) kills_while_starting: usize,
    /// Times that a node was killed while it took over what the others have.
    pub(super) interrupted: usize,
    pub(super) longest_restart: Duration,
    /// How many terms have begun.
    pub(super) elections: u64,
    pub(super) pauses: Pauses,
    pub(super) findings: Findings,
}

impl Tally {
    pub(super) fn lock(&self) -> MutexGuard<'_, Rest> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An order was acknowledged, in an attempt that began at `sent`.
    pub(super) fn acknowledge(&self, sent: Instant) {
        self.lock().pauses.acknowledged(sent);
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn acknowledged(&self) -> usize {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// A request is under way until what this gives is dropped.
    pub(super) fn begin(&self) -> UnderWay<'_> {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(&self.under_way)
    }

    pub(super) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }

    pub(super) fn cut_off(&self) {
        self.lock().cut_off += 1;
    }

    pub(super) fn unexpected(&self, what: String) {
        self.lock().findings.add(Wrong::Unexpected, what);
    }
}

/// A request under way.
pub(super) struct UnderWay<'a>(&'a AtomicUsize);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
