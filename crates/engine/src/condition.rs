use catga_core::{Condition, Offset};

use crate::State;

/// Checks one condition.
///
/// # Errors
/// The offset of what it conflicts with when it does not hold; zero for an absence.
pub(crate) fn check(condition: &Condition, state: &impl State) -> Result<(), Offset> {
    let (holds, at) = match condition {
        Condition::StreamAt { stream, version } => {
            let head = state.get_stream(stream).unwrap_or_default();
            (head.version == *version, head.offset)
        }
        Condition::StreamAbsent { stream } => {
            let head = state.get_stream(stream).unwrap_or_default();
            (head.version == 0, head.offset)
        }
        Condition::RecordAt { key, offset } => {
            let found = state.get_record(key).map(|head| head.offset);
            (found == *offset, found.unwrap_or_default())
        }
        Condition::TagQuiet { tag, after } => {
            let last = state.get_tag(tag).unwrap_or_default();
            (last <= *after, last)
        }
        Condition::WrittenBy { stream, attempt } => {
            let head = state.get_stream(stream);
            let holds = head.is_some_and(|head| head.writer == *attempt);
            (holds, head.unwrap_or_default().offset)
        }
        // What this engine does not know how to check must not count.
        _ => (false, Offset::ZERO),
    };
    if holds { Ok(()) } else { Err(at) }
}
