//! A whole replica in memory as bytes, and back.
//!
//! Layout, all numbers 64-bit little-endian: the magic and the format's version; the length of
//! the engine's checkpoint and the checkpoint; for each piece of the history its length and the
//! piece, an encoded [`Entry`]; and the XXH3 of all that. So two replicas that hold the same give
//! the same bytes.

use std::collections::HashMap;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use catga_core::{Fault, FaultCode, NewEvent, Offset, StreamName, payload_hash};
use catga_engine::{Engine, Entry, Limits};

use crate::heads::Heads;
use crate::history::History;

/// Names the format: a snapshot of a replica.
const MAGIC: &[u8; 8] = b"catgasnp";

/// The version of the layout.
const FORMAT: u64 = 1;

/// How many effects a piece of the history holds: large enough that its frame is nothing, small
/// enough that it stays far below the largest entry that is read.
const PIECE_EFFECTS: usize = 64;

/// The snapshot of an engine and the history of what it counted.
pub(super) fn write(engine: &Engine<Heads>, history: &History) -> Bytes {
    let mut data = BytesMut::new();
    data.put_slice(MAGIC);
    data.put_u64_le(FORMAT);
    put(&mut data, &engine.checkpoint_with(&engine.state().recent.state));
    let mut effects = history.effects().peekable();
    while effects.peek().is_some() {
        let piece = Entry {
            engine: engine.version(),
            effects: effects.by_ref().take(PIECE_EFFECTS).collect(),
            ..Entry::default()
        };
        put(&mut data, &piece.encode());
    }
    let hash = payload_hash(&data);
    data.put_u64_le(hash);
    data.freeze()
}

/// What [`write`] wrote. Payloads share `data`.
///
/// # Errors
/// When the bytes are not a snapshot that this build reads, or are damaged.
pub(super) fn read(
    data: &Bytes,
    limits: Limits,
    incarnation: u64,
) -> Result<(Engine<Heads>, History), Fault> {
    let mut rest = checked(data)?;
    let engine = Engine::restore(&take(&mut rest)?, limits)
        .map_err(|error| unreadable(format_args!("its engine: {error}")))?;
    let mut history = History::new(incarnation, Offset::ZERO);
    let mut lengths: HashMap<StreamName, u64> = HashMap::new();
    while rest.has_remaining() {
        let piece = Entry::decode(&take(&mut rest)?)
            .map_err(|error| unreadable(format_args!("its history: {error}")))?;
        for effect in piece.effects {
            let version = |event: &NewEvent| {
                let length = lengths.entry(event.stream.clone()).or_default();
                *length += 1;
                *length
            };
            let versions: Vec<u64> = effect.events.iter().map(version).collect();
            history.push(effect, &versions);
        }
    }
    if history.offset() != engine.offset() {
        let (held, counted) = (history.offset(), engine.offset());
        let what = format_args!("its history has {held} effects, its engine counted {counted}");
        return Err(unreadable(what));
    }
    Ok((engine.with_state(Heads::of), history))
}

/// What stands between the head and the checksum of `data`.
fn checked(data: &Bytes) -> Result<Bytes, Fault> {
    const HEAD: usize = 16;
    const HASH: usize = 8;
    if data.len() < HEAD + HASH || data[..8] != *MAGIC {
        return Err(unreadable("it does not begin as one"));
    }
    let (body, mut hash) = data.split_at(data.len() - HASH);
    if hash.get_u64_le() != payload_hash(body) {
        return Err(unreadable("its checksum differs"));
    }
    let format = (&body[8..HEAD]).get_u64_le();
    if format != FORMAT {
        return Err(unreadable(format_args!(
            "its format is {format}, and this build reads {FORMAT}"
        )));
    }
    Ok(data.slice(HEAD..data.len() - HASH))
}

fn put(data: &mut BytesMut, part: &[u8]) {
    data.put_u64_le(part.len() as u64);
    data.put_slice(part);
}

fn take(rest: &mut Bytes) -> Result<Bytes, Fault> {
    let length = rest.try_get_u64_le().ok();
    let length = length.and_then(|length| usize::try_from(length).ok());
    match length {
        Some(length) if length <= rest.len() => Ok(rest.split_to(length)),
        _ => Err(unreadable("a part of it is cut off")),
    }
}

#[cold]
fn unreadable(what: impl std::fmt::Display) -> Fault {
    let message = format!("cannot read the snapshot of a replica: {what}");
    Fault::new(FaultCode::Unreadable, message)
}
