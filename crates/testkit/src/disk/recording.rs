use super::change::Change;
use super::state::State;

/// What happened to a disk since [`SimDisk::record`](super::SimDisk::record): what it held then,
/// and every change since. Clones share what was written.
#[derive(Clone, Debug)]
pub struct Recording {
    pub(super) base: State,
    pub(super) changes: Vec<Change>,
}

impl Recording {
    pub(super) fn of(base: State) -> Self {
        Self { base, changes: Vec::new() }
    }

    /// How many changes there were.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// True if nothing has changed.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}
