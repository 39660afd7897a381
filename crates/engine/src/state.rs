use bytes::Bytes;
use catga_core::{AttemptId, Offset, StreamName, Tag};

/// The heads that conditions are checked against.
///
/// The engine asks by key only, and only for keys that stand in the entry, so that a shell which
/// keeps them on disk can fetch them before it applies the entry.
///
/// # Contract
/// 1. A `get_` gives back what the last `put_` of that key gave, at once.
/// 2. What was never put, or was removed, is absent.
/// 3. Nothing else changes it, and nothing in it depends on the node.
pub trait State {
    /// The head of a stream; none if it has no event.
    fn get_stream(&self, name: &StreamName) -> Option<StreamHead>;
    /// Moves the head of a stream.
    fn put_stream(&mut self, name: &StreamName, head: StreamHead);

    /// Appends one event to a stream; gives back the event's version.
    ///
    /// The same as `get_stream` and `put_stream`, for a state that can do both in one step.
    fn append(&mut self, name: &StreamName, offset: Offset, writer: AttemptId) -> u64 {
        let version = self.get_stream(name).unwrap_or_default().version + 1;
        self.put_stream(name, StreamHead { version, offset, writer });
        version
    }

    /// A record; none if it does not exist.
    fn get_record(&self, key: &StreamName) -> Option<RecordHead>;
    /// Writes a record, or deletes it.
    fn put_record(&mut self, key: &StreamName, head: Option<RecordHead>);

    /// The offset of the last event with the tag; none if there is no such event.
    fn get_tag(&self, tag: &Tag) -> Option<Offset>;
    /// Notes the offset of the last event with the tag.
    fn put_tag(&mut self, tag: &Tag, last: Offset);
}

/// The end of one stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamHead {
    /// How many events it has.
    pub version: u64,
    /// The offset of the effect that wrote the last one.
    pub offset: Offset,
    /// The attempt that decided that effect.
    pub writer: AttemptId,
}

/// One record as it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordHead {
    /// The offset of the effect that wrote it last; its fencing token.
    pub offset: Offset,
    /// Its value.
    pub value: Bytes,
}
