//! The heads that the engine decides by: those that changed lately in memory, all others on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use catga_core::{AttemptId, Condition, MessageId, Offset, SessionId, StreamName, Tag};
use catga_engine::{Entry, MemoryState, RecordHead, State, StreamHead};

use crate::index::{Change, Index};
use crate::segment::SegmentError;

/// The heads of a replica.
///
/// The engine asks while it applies an entry, and cannot wait then: so what lies on disk is
/// [fetched](Self::fetch) before, by the keys that stand in the entry. A replica in memory has
/// nothing below and fetches nothing.
#[derive(Debug, Default)]
pub(crate) struct Heads {
    /// What changed since the last checkpoint began, or ever.
    pub(crate) recent: Changed,
    below: Option<Below>,
    fetched: Fetched,
}

/// Heads that changed.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    pub(crate) state: MemoryState,
    /// Records that were deleted; those below would show otherwise.
    deleted: BTreeSet<StreamName>,
}

/// What lies below the recent changes.
#[derive(Clone, Debug)]
struct Below {
    /// What checkpoints under way write down; newest last.
    frozen: Vec<Arc<Changed>>,
    index: Index,
}

/// What was found below for the entry that is applied next; none is absent.
#[derive(Debug, Default)]
struct Fetched {
    streams: BTreeMap<StreamName, Option<StreamHead>>,
    records: BTreeMap<StreamName, Option<RecordHead>>,
    tags: BTreeMap<Tag, Option<Offset>>,
}

/// Where a reader finds a record.
pub(crate) enum Sought {
    /// In memory: this is what it is, or that it is absent.
    Found(Option<RecordHead>),
    /// Nothing in memory knows it: on disk.
    Below(Index),
}

impl Heads {
    /// What memory knows of a record, for a reader that goes to disk without the lock.
    pub(crate) fn record(&self, key: &StreamName) -> Sought {
        let frozen = || self.below.iter().flat_map(Below::newest_first);
        match self.recent.record(key).or_else(|| frozen().find_map(|it| it.record(key))) {
            Some(head) => Sought::Found(head),
            None => match &self.below {
                Some(below) => Sought::Below(below.index.clone()),
                None => Sought::Found(None),
            },
        }
    }

    /// Heads in memory, which hold those of `state`.
    pub(crate) fn of(state: MemoryState) -> Self {
        Self { recent: Changed { state, ..Changed::default() }, ..Self::default() }
    }

    /// Heads of which `index` holds all.
    pub(crate) fn over(index: Index) -> Self {
        Self { below: Some(Below { frozen: Vec::new(), index }), ..Self::default() }
    }

    /// Finds below whatever the engine may ask for while it applies `entry`.
    ///
    /// # Errors
    /// When the disk cannot be read or is damaged.
    pub(crate) fn fetch(&mut self, entry: &Entry) -> Result<(), SegmentError> {
        let Some(below) = &self.below else { return Ok(()) };
        let (recent, fetched) = (&self.recent, &mut self.fetched);
        fetched.streams.clear();
        fetched.records.clear();
        fetched.tags.clear();
        for effect in &entry.effects {
            for event in &effect.events {
                fetched.stream(recent, below, &event.stream)?;
            }
            for condition in &effect.conditions {
                match condition {
                    Condition::StreamAt { stream, .. }
                    | Condition::StreamAbsent { stream }
                    | Condition::WrittenBy { stream, .. } => {
                        fetched.stream(recent, below, stream)?;
                    }
                    Condition::RecordAt { key, .. } => fetched.record(recent, below, key)?,
                    Condition::TagQuiet { tag, .. } => fetched.tag(recent, below, tag)?,
                    // A condition that this build does not know stops the engine, not this.
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Sets what changed lately aside for a checkpoint; later changes go above it.
    pub(crate) fn freeze(&mut self) -> Arc<Changed> {
        let frozen = Arc::new(std::mem::take(&mut self.recent));
        if let Some(below) = &mut self.below {
            below.frozen.push(Arc::clone(&frozen));
        }
        frozen
    }

    /// A checkpoint of the oldest `count` frozen changes is durable in `index`; gives them back,
    /// since to drop them takes long.
    pub(crate) fn settle(&mut self, count: usize, index: Index) -> Vec<Arc<Changed>> {
        match &mut self.below {
            Some(below) => {
                below.index = index;
                below.frozen.drain(..count.min(below.frozen.len())).collect()
            }
            None => Vec::new(),
        }
    }
}

impl Fetched {
    fn stream(
        &mut self,
        recent: &Changed,
        below: &Below,
        name: &StreamName,
    ) -> Result<(), SegmentError> {
        if recent.state.get_stream(name).is_none() && !self.streams.contains_key(name) {
            let frozen = || below.newest_first().find_map(|changed| changed.state.get_stream(name));
            let head = match frozen() {
                Some(head) => Some(head),
                None => stream_head(&below.index, name)?,
            };
            self.streams.insert(name.clone(), head);
        }
        Ok(())
    }

    fn record(
        &mut self,
        recent: &Changed,
        below: &Below,
        key: &StreamName,
    ) -> Result<(), SegmentError> {
        if recent.record(key).is_none() && !self.records.contains_key(key) {
            let head = match below.newest_first().find_map(|changed| changed.record(key)) {
                Some(head) => head,
                None => record_head(&below.index, key)?,
            };
            self.records.insert(key.clone(), head);
        }
        Ok(())
    }

    fn tag(&mut self, recent: &Changed, below: &Below, tag: &Tag) -> Result<(), SegmentError> {
        if recent.state.get_tag(tag).is_none() && !self.tags.contains_key(tag) {
            let frozen = || below.newest_first().find_map(|changed| changed.state.get_tag(tag));
            let last = match frozen() {
                Some(last) => Some(last),
                None => tag_last(&below.index, tag)?,
            };
            self.tags.insert(tag.clone(), last);
        }
        Ok(())
    }
}

impl Below {
    fn newest_first(&self) -> impl Iterator<Item = &Arc<Changed>> {
        self.frozen.iter().rev()
    }
}

impl Changed {
    /// What it knows of a record: nothing, that it was deleted, or its head.
    fn record(&self, key: &StreamName) -> Option<Option<RecordHead>> {
        match self.state.get_record(key) {
            Some(head) => Some(Some(head)),
            None => self.deleted.contains(key).then_some(None),
        }
    }

    /// Writes a record, or notes that it was deleted.
    pub(crate) fn put_record(&mut self, key: &StreamName, head: Option<RecordHead>) {
        match &head {
            Some(_) => _ = self.deleted.remove(key),
            None => _ = self.deleted.insert(key.clone()),
        }
        self.state.put_record(key, head);
    }

    /// Everything that changed in these layers, oldest first, as the index takes it: sorted, and of
    /// each key the newest.
    pub(crate) fn newest<'a>(layers: impl DoubleEndedIterator<Item = &'a Self>) -> Vec<Change> {
        let mut changes: Vec<Change> = layers.rev().flat_map(Self::changes).collect();
        // Of equal keys the newest stays in front.
        changes.sort_by(|(one, _), (other, _)| one.cmp(other));
        changes.dedup_by(|older, newest| older.0 == newest.0);
        changes
    }

    /// Everything that changed, as the index keeps it.
    pub(crate) fn changes(&self) -> impl Iterator<Item = (Bytes, Option<Bytes>)> + '_ {
        let streams = self
            .state
            .streams()
            .map(|(name, head)| (key(STREAM, name.as_str()), Some(encode_stream(head))));
        let records = self
            .state
            .records()
            .map(|(name, head)| (key(RECORD, name.as_str()), Some(encode_record(head))));
        let deleted = self.deleted.iter().map(|name| (key(RECORD, name.as_str()), None));
        let tags = self.state.tags().map(|(tag, last)| {
            (key(TAG, tag.as_str()), Some(Bytes::copy_from_slice(&last.0.to_le_bytes())))
        });
        streams.chain(records).chain(deleted).chain(tags)
    }
}

impl State for Heads {
    fn get_stream(&self, name: &StreamName) -> Option<StreamHead> {
        let fetched = || self.fetched.streams.get(name).copied().flatten();
        self.recent.state.get_stream(name).or_else(fetched)
    }

    fn put_stream(&mut self, name: &StreamName, head: StreamHead) {
        self.recent.state.put_stream(name, head);
    }

    fn append(&mut self, name: &StreamName, offset: Offset, writer: AttemptId) -> u64 {
        if self.below.is_none() {
            return self.recent.state.append(name, offset, writer);
        }
        let version = self.get_stream(name).unwrap_or_default().version + 1;
        self.put_stream(name, StreamHead { version, offset, writer });
        version
    }

    fn get_record(&self, key: &StreamName) -> Option<RecordHead> {
        match self.recent.record(key) {
            Some(known) => known,
            None => self.fetched.records.get(key).cloned().flatten(),
        }
    }

    fn put_record(&mut self, key: &StreamName, head: Option<RecordHead>) {
        if self.below.is_some() {
            self.recent.put_record(key, head);
        } else {
            self.recent.state.put_record(key, head);
        }
    }

    fn get_tag(&self, tag: &Tag) -> Option<Offset> {
        let fetched = || self.fetched.tags.get(tag).copied().flatten();
        self.recent.state.get_tag(tag).or_else(fetched)
    }

    fn put_tag(&mut self, tag: &Tag, last: Offset) {
        self.recent.state.put_tag(tag, last);
    }
}

const STREAM: u8 = b's';
const RECORD: u8 = b'r';
const TAG: u8 = b't';

fn key(kind: u8, name: &str) -> Bytes {
    let mut key = BytesMut::with_capacity(1 + name.len());
    key.put_u8(kind);
    key.put_slice(name.as_bytes());
    key.freeze()
}

/// The head of a stream as of the last checkpoint.
///
/// # Errors
/// When the disk cannot be read or is damaged.
pub(crate) fn stream_head(
    index: &Index,
    name: &StreamName,
) -> Result<Option<StreamHead>, SegmentError> {
    let value = index.get(&key(STREAM, name.as_str()))?;
    value
        .map(|value| decode_stream(&value).ok_or_else(|| index.foreign("a stream's head")))
        .transpose()
}

/// A record as of the last checkpoint.
///
/// # Errors
/// When the disk cannot be read or is damaged.
pub(crate) fn record_head(
    index: &Index,
    name: &StreamName,
) -> Result<Option<RecordHead>, SegmentError> {
    let Some(mut value) = index.get(&key(RECORD, name.as_str()))? else { return Ok(None) };
    let offset = value.try_get_u64_le().map_err(|_| index.foreign("a record's head"))?;
    Ok(Some(RecordHead { offset: Offset(offset), value }))
}

fn tag_last(index: &Index, tag: &Tag) -> Result<Option<Offset>, SegmentError> {
    let Some(mut value) = index.get(&key(TAG, tag.as_str()))? else { return Ok(None) };
    let last = value.try_get_u64_le().map_err(|_| index.foreign("a tag's offset"))?;
    Ok(Some(Offset(last)))
}

fn encode_stream(head: &StreamHead) -> Bytes {
    let AttemptId { message, term, sequence } = head.writer;
    let numbers =
        [head.version, head.offset.0, message.session.0, message.sequence, term, sequence];
    let mut value = BytesMut::with_capacity(48);
    numbers.into_iter().for_each(|number| value.put_u64_le(number));
    value.freeze()
}

fn decode_stream(mut value: &[u8]) -> Option<StreamHead> {
    let mut numbers = [0; 6];
    for number in &mut numbers {
        *number = value.try_get_u64_le().ok()?;
    }
    let [version, offset, session, message, term, sequence] = numbers;
    let message = MessageId::new(SessionId(session), message);
    let writer = AttemptId { message, term, sequence };
    value.is_empty().then_some(StreamHead { version, offset: Offset(offset), writer })
}

fn encode_record(head: &RecordHead) -> Bytes {
    let mut value = BytesMut::with_capacity(8 + head.value.len());
    value.put_u64_le(head.offset.0);
    value.put_slice(&head.value);
    value.freeze()
}

#[cfg(test)]
mod tests;
