use bytes::Bytes;
use catga_core::{AttemptId, MessageId};
use xxhash_rust::xxh3::xxh3_64;

use super::bytes::Writer;
use super::{FORMAT, MAGIC};
use crate::session::{Recorded, Session};
use crate::{Engine, MemoryState, State};

impl Engine<MemoryState> {
    /// The whole engine as bytes. Two engines that hold the same give the same bytes.
    pub fn checkpoint(&self) -> Bytes {
        self.checkpoint_with(&self.state)
    }
}

impl<S: State> Engine<S> {
    /// The engine as bytes, with the heads of `state` in place of its own: none, for a shell that
    /// keeps the heads elsewhere.
    pub fn checkpoint_with(&self, state: &MemoryState) -> Bytes {
        let mut out = Writer::default();
        out.0.extend_from_slice(MAGIC);
        out.number(FORMAT);
        out.number(u64::from(self.version));
        out.number(self.offset.0);
        out.number(self.time_ms);
        out.number(self.wall.as_millis());
        out.number(self.rolling.hash());
        self.write_sessions(&mut out);
        self.write_keys(&mut out);
        write_state(state, &mut out);
        let checksum = xxh3_64(&out.0);
        out.number(checksum);
        out.0.into()
    }

    fn write_sessions(&self, out: &mut Writer) {
        let nodes = self.sessions.iter();
        out.count(nodes.len());
        for (starts, session) in nodes {
            out.bytes(session.node.as_bytes());
            out.count(starts.len());
            for start in starts {
                out.number(start.nonce);
                out.number(start.offset.0);
            }
            self.write_session(session, out);
        }
    }

    fn write_session(&self, session: &Session, out: &mut Writer) {
        out.number(session.low_water);
        out.count(session.ids.len());
        for (sequence, recorded) in session.ids.iter() {
            out.number(*sequence);
            write_recorded(*recorded, out);
        }
        out.count(session.kept(self.time_ms, &self.limits).count());
        for (sequence, kept) in session.kept(self.time_ms, &self.limits) {
            out.number(sequence);
            out.number(kept.since_ms);
            // Offset zero is no effect: it has not counted.
            write_recorded(kept.recorded.unwrap_or_default(), out);
        }
    }

    fn write_keys(&self, out: &mut Writer) {
        out.count(self.keys.iter(self.time_ms, &self.limits).count());
        for (key, alias) in self.keys.iter(self.time_ms, &self.limits) {
            out.bytes(key.scope.as_bytes());
            out.bytes(key.key.as_bytes());
            write_id(alias.id, out);
            out.number(alias.offset.0);
            out.number(alias.payload_hash);
            out.number(alias.since_ms);
        }
    }
}

fn write_state(state: &MemoryState, out: &mut Writer) {
    let streams = state.streams.sorted();
    out.count(streams.len());
    for (name, head) in streams {
        let AttemptId { message, term, sequence } = head.writer;
        out.bytes(name.as_str().as_bytes());
        out.number(head.version);
        out.number(head.offset.0);
        write_id(message, out);
        out.number(term);
        out.number(sequence);
    }
    let records = state.records.sorted();
    out.count(records.len());
    for (key, head) in records {
        out.bytes(key.as_str().as_bytes());
        out.number(head.offset.0);
        out.bytes(&head.value);
    }
    let tags = state.tags.sorted();
    out.count(tags.len());
    for (tag, last) in tags {
        out.bytes(tag.as_str().as_bytes());
        out.number(last.0);
    }
}

fn write_recorded(recorded: Recorded, out: &mut Writer) {
    out.number(recorded.offset.0);
    out.number(recorded.payload_hash);
}

fn write_id(id: MessageId, out: &mut Writer) {
    out.number(id.session.0);
    out.number(id.sequence);
}
