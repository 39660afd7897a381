//! What readers get: from memory under the lock, from disk without it.

use catga_core::{Fault, FaultCode, Offset, RecordedEvent, StreamName, StreamSlice};
use catga_engine::RecordHead;

use super::shared::Shared;
use crate::heads::{Sought, record_head};
use crate::stored::storage_fault;
use crate::{Filter, Page, RecordedOutcome};

pub(super) fn outcome(shared: &Shared, offset: Offset) -> Result<RecordedOutcome, Fault> {
    let (recent, stored) = shared.read(|state| {
        let recent = state.history.outcome(offset);
        let frozen = || state.frozen.iter().find_map(|frozen| frozen.outcome(offset));
        (recent.or_else(frozen), state.stored.clone())
    })?;
    if let Some(outcome) = recent {
        return Ok(outcome);
    }
    match stored {
        Some(stored) if offset != Offset::ZERO && offset <= stored.offset() => {
            stored.outcome(offset)
        }
        _ => {
            let applied = shared.applied.get();
            let message = format!(
                "no answer is recorded at offset {offset}: this node has applied {applied}"
            );
            Err(Fault::new(FaultCode::PositionNotReached, message))
        }
    }
}

pub(super) fn stream(shared: &Shared, stream: &StreamName) -> Result<StreamSlice, Fault> {
    let mut events = Vec::new();
    let below = shared.read(|state| {
        state.history.stream_back(stream, &mut events);
        let below = !is_whole(&events) && state.stored.is_some();
        below.then(|| (state.frozen.clone(), state.stored.clone()))
    })?;
    if let Some((frozen, stored)) = below {
        for history in frozen.iter().rev() {
            if is_whole(&events) {
                break;
            }
            history.stream_back(stream, &mut events);
        }
        if let Some(stored) = stored.filter(|_| !is_whole(&events)) {
            stored.stream_back(shared.incarnation, stream, &mut events)?;
        }
    }
    events.reverse();
    let dense = events.iter().zip(1..).all(|(event, version)| event.meta.version == version);
    if !dense {
        let message = format!("the history of stream `{}` has a hole", stream.as_str());
        return Err(Fault::new(FaultCode::Unreadable, message));
    }
    Ok(StreamSlice { events })
}

/// True if the events, newest first, go back to the first of their stream.
fn is_whole(events: &[RecordedEvent]) -> bool {
    events.last().is_some_and(|oldest| oldest.meta.version == 1)
}

pub(super) fn record(shared: &Shared, key: &StreamName) -> Result<Option<RecordHead>, Fault> {
    let recent = shared.read(|state| state.engine.state().record(key))?;
    match recent {
        Sought::Found(head) => Ok(head),
        Sought::Below(index) => record_head(&index, key).map_err(storage_fault),
    }
}

pub(super) fn page(
    shared: &Shared,
    after: Offset,
    filter: &Filter,
    limit: usize,
) -> Result<Page, Fault> {
    /// Where the next effect is.
    enum At {
        Here(Page),
        Frozen(std::sync::Arc<crate::history::History>),
        Stored(crate::stored::Stored),
    }
    let at = shared.read(|state| {
        let stored = state.stored.as_ref().filter(|stored| after < stored.offset());
        if after >= state.history.base() {
            return At::Here(state.history.page(after, filter, limit));
        }
        match state.frozen.iter().find(|frozen| after < frozen.offset()) {
            Some(frozen) if after >= frozen.base() => At::Frozen(frozen.clone()),
            _ => match stored {
                Some(stored) => At::Stored(stored.clone()),
                // Nothing is below: a replica in memory starts at zero.
                None => At::Here(state.history.page(after, filter, limit)),
            },
        }
    })?;
    match at {
        At::Here(page) => Ok(page),
        At::Frozen(history) => Ok(history.page(after, filter, limit)),
        At::Stored(stored) => stored.page(shared.incarnation, after, filter, limit),
    }
}
