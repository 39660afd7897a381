use std::sync::{Mutex, PoisonError};

/// Which connection of one peer is its newest. Only what comes on that one is handed over, so that
/// nothing of an older one comes after it.
#[derive(Debug, Default)]
pub(super) struct Turn(Mutex<u64>);

impl Turn {
    /// From now on it is the turn of the connection numbered `number`.
    pub(super) fn pass(&self, number: u64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = number;
    }

    /// Runs `hand_over` while it is the turn of `number`; none if it is not. What it runs must be
    /// short: the newer connection waits for it.
    pub(super) fn of<T>(&self, number: u64, hand_over: impl FnOnce() -> T) -> Option<T> {
        let newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (*newest == number).then(hand_over)
    }
}
