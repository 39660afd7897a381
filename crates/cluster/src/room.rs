use std::fmt;
use std::sync::Arc;

use crate::Ground;
use crate::lacking::Lacking;

/// Whether there is room for entries: on this node's disk, and on those of others.
#[derive(Clone)]
pub(crate) struct Room {
    pub(crate) ground: Arc<dyn Ground>,
    pub(crate) lacking: Lacking,
}

impl Room {
    /// True while this node takes no entries, for lack of room.
    pub(crate) fn is_full(&self) -> bool {
        self.ground.is_full()
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room").field("lacking", &self.lacking).finish_non_exhaustive()
    }
}
