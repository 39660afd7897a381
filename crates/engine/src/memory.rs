use bytes::Bytes;
use catga_core::{AttemptId, Offset, StreamName, Tag};

use crate::sharded::Sharded;
use crate::{RecordHead, State, StreamHead};

/// The whole [`State`] in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryState {
    pub(crate) streams: Sharded<StreamName, StreamHead>,
    pub(crate) records: Sharded<StreamName, RecordHead>,
    pub(crate) tags: Sharded<Tag, Offset>,
}

impl MemoryState {
    /// A state in which nothing exists.
    pub fn new() -> Self {
        Self::default()
    }

    /// The head of every stream, in no order that means anything.
    pub fn streams(&self) -> impl Iterator<Item = (&StreamName, &StreamHead)> {
        self.streams.iter()
    }

    /// Every record, in no order that means anything.
    pub fn records(&self) -> impl Iterator<Item = (&StreamName, &RecordHead)> {
        self.records.iter()
    }

    /// The last offset of every tag, in no order that means anything.
    pub fn tags(&self) -> impl Iterator<Item = (&Tag, &Offset)> {
        self.tags.iter()
    }
}

impl State for MemoryState {
    fn get_stream(&self, name: &StreamName) -> Option<StreamHead> {
        self.streams.get(name).copied()
    }

    fn put_stream(&mut self, name: &StreamName, head: StreamHead) {
        self.streams.put(name, head);
    }

    fn append(&mut self, name: &StreamName, offset: Offset, writer: AttemptId) -> u64 {
        let head = self.streams.or_default(name);
        let version = head.version + 1;
        *head = StreamHead { version, offset, writer };
        version
    }

    fn get_record(&self, key: &StreamName) -> Option<RecordHead> {
        self.records.get(key).cloned()
    }

    fn put_record(&mut self, key: &StreamName, head: Option<RecordHead>) {
        let Some(head) = head else {
            return self.records.remove(key);
        };
        // A copy, because a small value that shares its entry's bytes would hold on to all of them.
        let value = Bytes::copy_from_slice(&head.value);
        self.records.put(key, RecordHead { value, ..head });
    }

    fn get_tag(&self, tag: &Tag) -> Option<Offset> {
        self.tags.get(tag).copied()
    }

    fn put_tag(&mut self, tag: &Tag, last: Offset) {
        self.tags.put(tag, last);
    }
}
