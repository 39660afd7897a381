use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What the code of the service does in the world outside, which all nodes share and which survives
/// them.
#[derive(Debug, Default)]
pub(crate) struct World(Mutex<Deeds>);

#[derive(Debug, Default)]
pub(crate) struct Deeds {
    /// What panicked once, and will not again.
    pub(crate) panicked: BTreeSet<String>,
    /// How often each event was taken.
    pub(crate) taken: BTreeMap<String, u64>,
    /// Handlers that panicked.
    pub(crate) panics: u64,
    /// Handlers that never end.
    pub(crate) stays: u64,
    /// Deliveries that did.
    pub(crate) broken_deliveries: u64,
}

impl World {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Deeds> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
