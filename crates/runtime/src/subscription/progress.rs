use std::sync::Arc;

use bytes::Bytes;
use catga_core::Offset;
use catga_engine::RecordWrite;

use super::held::Held;
use super::place::{Cursor, Place};
use super::records::{Keys, UnreadableRecord, cursor_value, held_value};

/// How far a subscriber is, as its owner has it in memory. What it becomes is made beside it first,
/// since it becomes that only when the effect which says so has counted.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    pub(super) cursor: Cursor,
    /// Up to here the requests about dead letters were followed. Without any it means nothing.
    pub(super) followed: Offset,
    held: Arc<Held>,
    /// The record of it says something else.
    held_changed: bool,
}

impl Progress {
    /// That of a subscriber which begins after `upto`.
    pub(super) fn beginning(upto: Offset) -> Self {
        let (cursor, held) = (Cursor::at(upto), Arc::default());
        Self { cursor, followed: upto, held, held_changed: false }
    }

    /// That in the values of the two records.
    ///
    /// # Errors
    /// When this build cannot read one of them.
    pub(super) fn read(
        keys: &Keys,
        cursor: &[u8],
        held: Option<&Bytes>,
    ) -> Result<Self, UnreadableRecord> {
        let (cursor, followed) = keys.read_cursor(cursor)?;
        let held = held.map(|held| keys.read_held(held)).transpose()?.unwrap_or_default();
        Ok(Self { cursor, followed, held: Arc::new(held), held_changed: false })
    }

    /// What it is once the event at `place`, the next one, was dealt with.
    pub(super) fn past(&self, place: Place) -> Self {
        Self { cursor: Cursor::after(place), ..self.clone() }
    }

    pub(super) fn held(&self) -> &Held {
        &self.held
    }

    pub(super) fn held_mut(&mut self) -> &mut Held {
        self.held_changed = true;
        Arc::make_mut(&mut self.held)
    }

    /// What an effect writes that records it.
    pub(super) fn writes(&self, keys: &Keys) -> Vec<RecordWrite> {
        let value = Some(cursor_value(self.cursor, self.followed));
        let mut writes = vec![RecordWrite { key: keys.cursor.clone(), value }];
        if self.held_changed {
            writes.push(RecordWrite { key: keys.held.clone(), value: held_value(&self.held) });
        }
        writes
    }

    /// The same, once it is recorded.
    pub(super) fn recorded(self) -> Self {
        Self { held_changed: false, ..self }
    }
}
