use std::cell::Cell;

use bytes::Bytes;
use serde::Serialize;

use crate::{EncodeError, Format};

/// More room than this is given back: one large payload must not keep its room for ever.
const ROOM_MAX: usize = 64 << 10;

thread_local! {
    /// Where payloads are written, since how long one gets is known only then.
    static ROOM: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// `value` in the format `F`, in exactly the bytes that it takes: a journal keeps many of them.
///
/// # Errors
/// When the value cannot be expressed.
pub fn encoded<F: Format, T: Serialize + ?Sized>(value: &T) -> Result<Bytes, EncodeError> {
    // Taken, so that a value that encodes another one within finds a room of its own.
    let mut room = ROOM.take();
    room.clear();
    let bytes = F::encode(value, &mut room).map(|()| Bytes::copy_from_slice(&room));
    if room.capacity() <= ROOM_MAX {
        ROOM.set(room);
    }
    bytes
}
