use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use catga_core::{AttemptId, MessageId, Offset, SessionId, StreamName, Tag, Timestamp};
use xxhash_rust::xxh3::xxh3_64;

use super::bytes::Reader;
use super::{FORMAT, MAGIC, NUMBER_MAX, RestoreError};
use crate::keys::Alias;
use crate::rolling::Rolling;
use crate::session::{Kept, Recorded, Session};
use crate::sessions::{STARTS_REMEMBERED, Start};
use crate::{
    ENGINE_VERSION, Engine, Limits, MemoryState, OutsideKey, RecordHead, State, StreamHead,
};

type Result<T> = std::result::Result<T, RestoreError>;

const fn corrupt(what: &'static str) -> RestoreError {
    RestoreError::Corrupt { what }
}

impl Engine<MemoryState> {
    /// The engine that wrote these bytes. With the entries after it, it becomes the same engine as
    /// one that applied every entry, given the same `limits`.
    ///
    /// # Errors
    /// When the bytes are not a checkpoint that this build reads, or are damaged.
    pub fn restore(bytes: &Bytes, limits: Limits) -> Result<Self> {
        let body = bytes.strip_prefix(MAGIC).ok_or(RestoreError::NotACheckpoint)?;
        let (body, checksum) = body.split_last_chunk().ok_or(RestoreError::NotACheckpoint)?;
        let written = &bytes[..bytes.len() - checksum.len()];
        if xxh3_64(written) != u64::from_le_bytes(*checksum) {
            return Err(RestoreError::Checksum);
        }
        let mut from = Reader(body);
        let found = from.number("format")?;
        if found != FORMAT {
            return Err(RestoreError::Format { found });
        }
        let version = from.number_to(u64::from(u32::MAX), "engine version")? as u32;
        if version > ENGINE_VERSION {
            return Err(RestoreError::NewerEngine { version });
        }
        let mut engine = Self::new(MemoryState::new(), limits);
        engine.version = version;
        engine.offset = Offset(from.number_to(NUMBER_MAX, "offset")?);
        engine.time_ms = from.number("time")?;
        engine.wall = Timestamp::from_millis(from.number("wall time")?);
        engine.rolling = Rolling::new(from.number("hash")?);
        engine.read_sessions(&mut from)?;
        engine.read_keys(&mut from)?;
        engine.read_state(&mut from)?;
        if from.0.is_empty() { Ok(engine) } else { Err(corrupt("end")) }
    }

    fn read_sessions(&mut self, from: &mut Reader<'_>) -> Result<()> {
        let mut former = "";
        for place in 0..from.count(8, "nodes")? {
            let node = ascending(from.text("node")?, &mut former, place, "node")?;
            let starts = self.read_starts(from)?;
            let session = self.read_session(from, node)?;
            if !self.sessions.restore(starts, session) {
                return Err(corrupt("session"));
            }
        }
        Ok(())
    }

    fn read_starts(&self, from: &mut Reader<'_>) -> Result<VecDeque<Start>> {
        let count = from.count(16, "starts")?;
        let mut starts = VecDeque::with_capacity(count);
        let mut former = 0;
        for _ in 0..count {
            let nonce = from.number("start")?;
            let offset = self.read_offset(from)?;
            if offset.0 <= former {
                return Err(corrupt("start"));
            }
            former = offset.0;
            starts.push_back(Start { nonce, offset });
        }
        if starts.is_empty() || starts.len() > STARTS_REMEMBERED {
            return Err(corrupt("starts"));
        }
        Ok(starts)
    }

    fn read_session(&self, from: &mut Reader<'_>, node: &str) -> Result<Session> {
        let mut session = Session::new(Arc::from(node));
        session.low_water = from.number("mark")?;
        let count = from.count(24, "ids")?;
        for _ in 0..count {
            let sequence = from.number("id")?;
            let least =
                session.ids.back().map_or(session.low_water, |(last, _)| last.saturating_add(1));
            let recorded = self.read_recorded(from)?.ok_or(corrupt("id"))?;
            if sequence < least {
                return Err(corrupt("id"));
            }
            session.ids.push_back((sequence, recorded));
        }
        for _ in 0..from.count(32, "kept ids")? {
            let sequence = from.number("kept id")?;
            let since_ms = from.number_to(self.time_ms, "kept id")?;
            let last = session.kept.last_key_value();
            if sequence >= session.low_water || last.is_some_and(|(last, _)| *last >= sequence) {
                return Err(corrupt("kept id"));
            }
            let recorded = self.read_recorded(from)?;
            session.kept.insert(sequence, Kept { since_ms, recorded });
        }
        Ok(session)
    }

    fn read_keys(&mut self, from: &mut Reader<'_>) -> Result<()> {
        let mut former_ms = 0;
        for _ in 0..from.count(56, "keys")? {
            let (scope, key) = (from.text("key")?.to_owned(), from.text("key")?.to_owned());
            let key = OutsideKey { scope, key };
            let id = read_id(from)?;
            let recorded = self.read_recorded(from)?.ok_or(corrupt("key"))?;
            let since_ms = from.number_to(self.time_ms, "key")?;
            let Recorded { offset, payload_hash } = recorded;
            let alias = Alias { id, offset, payload_hash, since_ms };
            if since_ms < former_ms || !self.keys.record(Arc::new(key), alias) {
                return Err(corrupt("key"));
            }
            former_ms = since_ms;
        }
        Ok(())
    }

    fn read_state(&mut self, from: &mut Reader<'_>) -> Result<()> {
        let mut former = "";
        for place in 0..from.count(56, "streams")? {
            let name = ascending(from.text("stream")?, &mut former, place, "stream")?;
            let version = from.number_to(NUMBER_MAX, "stream")?;
            let offset = self.read_offset(from)?;
            let message = read_id(from)?;
            let (term, sequence) = (from.number("stream")?, from.number("stream")?);
            let writer = AttemptId { message, term, sequence };
            let head = StreamHead { version, offset, writer };
            self.state.put_stream(&StreamName::from_stored(name), head);
        }
        former = "";
        for place in 0..from.count(24, "records")? {
            let key = ascending(from.text("record")?, &mut former, place, "record")?;
            let offset = self.read_offset(from)?;
            let value = Bytes::copy_from_slice(from.bytes("record")?);
            let head = RecordHead { offset, value };
            self.state.put_record(&StreamName::from_stored(key), Some(head));
        }
        former = "";
        for place in 0..from.count(16, "tags")? {
            let tag = ascending(from.text("tag")?, &mut former, place, "tag")?;
            let last = self.read_offset(from)?;
            self.state.put_tag(&Tag::from_stored(tag), last);
        }
        Ok(())
    }

    /// The offset of an effect that counted.
    fn read_offset(&self, from: &mut Reader<'_>) -> Result<Offset> {
        match from.number_to(self.offset.0, "offset")? {
            0 => Err(corrupt("offset")),
            offset => Ok(Offset(offset)),
        }
    }

    /// The effect by which an id counted; none is written as offset zero.
    fn read_recorded(&self, from: &mut Reader<'_>) -> Result<Option<Recorded>> {
        let offset = Offset(from.number_to(self.offset.0, "offset")?);
        let payload_hash = from.number("payload hash")?;
        let recorded = Recorded { offset, payload_hash };
        Ok((offset != Offset::ZERO).then_some(recorded))
    }
}

fn read_id(from: &mut Reader<'_>) -> Result<MessageId> {
    let (session, sequence) = (from.number("id")?, from.number("id")?);
    Ok(MessageId::new(SessionId(session), sequence))
}

/// Refuses names out of order, which are names twice or bytes that no engine writes.
fn ascending<'a>(
    name: &'a str,
    former: &mut &'a str,
    place: usize,
    what: &'static str,
) -> Result<&'a str> {
    if place > 0 && name <= *former {
        return Err(corrupt(what));
    }
    *former = name;
    Ok(name)
}
