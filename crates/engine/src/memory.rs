use std::collections::HashMap;

use bytes::Bytes;
use catga_core::{Offset, StreamName, Tag};

use crate::hashing::FixedState;
use crate::{RecordHead, State, StreamHead};

/// The whole [`State`] in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryState {
    streams: HashMap<StreamName, StreamHead, FixedState>,
    records: HashMap<StreamName, RecordHead, FixedState>,
    tags: HashMap<Tag, Offset, FixedState>,
}

impl MemoryState {
    /// A state in which nothing exists.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every stream, by name.
    pub(crate) fn sorted_streams(&self) -> Vec<(&StreamName, &StreamHead)> {
        sorted(&self.streams)
    }

    /// Every record, by key.
    pub(crate) fn sorted_records(&self) -> Vec<(&StreamName, &RecordHead)> {
        sorted(&self.records)
    }

    /// Every tag, by name.
    pub(crate) fn sorted_tags(&self) -> Vec<(&Tag, &Offset)> {
        sorted(&self.tags)
    }
}

fn sorted<K: Ord, V>(map: &HashMap<K, V, FixedState>) -> Vec<(&K, &V)> {
    let mut all: Vec<_> = map.iter().collect();
    all.sort_unstable_by_key(|(key, _)| *key);
    all
}

impl State for MemoryState {
    fn get_stream(&self, name: &StreamName) -> Option<StreamHead> {
        self.streams.get(name).copied()
    }

    fn put_stream(&mut self, name: &StreamName, head: StreamHead) {
        // Not `entry`, which would clone the name of every stream that exists already.
        match self.streams.get_mut(name) {
            Some(slot) => *slot = head,
            None => drop(self.streams.insert(name.clone(), head)),
        }
    }

    fn get_record(&self, key: &StreamName) -> Option<RecordHead> {
        self.records.get(key).cloned()
    }

    fn put_record(&mut self, key: &StreamName, head: Option<RecordHead>) {
        let Some(head) = head else {
            self.records.remove(key);
            return;
        };
        // A copy, because a small value that shares its entry's bytes would hold on to all of them.
        let value = Bytes::copy_from_slice(&head.value);
        let head = RecordHead { value, ..head };
        match self.records.get_mut(key) {
            Some(slot) => *slot = head,
            None => drop(self.records.insert(key.clone(), head)),
        }
    }

    fn get_tag(&self, tag: &Tag) -> Option<Offset> {
        self.tags.get(tag).copied()
    }

    fn put_tag(&mut self, tag: &Tag, last: Offset) {
        match self.tags.get_mut(tag) {
            Some(slot) => *slot = last,
            None => drop(self.tags.insert(tag.clone(), last)),
        }
    }
}
