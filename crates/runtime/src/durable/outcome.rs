use catga_core::{Answer, DecodeError, Failure, Fault, FaultCode, Format, Offset, Request};
use catga_journal::RecordedOutcome;

use crate::commit::{Call, unencodable};

/// The answer that `outcome` holds.
pub(super) fn decode_outcome<M: Request>(outcome: &RecordedOutcome) -> Answer<M::Reply, M::Error> {
    let unreadable = |error| {
        Failure::Fault(Fault::new(
            FaultCode::Unreadable,
            format!("the recorded answer of `{}` cannot be read: {error}", M::NAME),
        ))
    };
    if outcome.refused {
        Err(Failure::Domain(M::Format::decode(&outcome.payload).map_err(unreadable)?))
    } else {
        M::Format::decode(&outcome.payload).map_err(unreadable)
    }
}

/// The payload of a command cannot be read again; if it is another node's, perhaps by this build
/// alone.
#[cold]
pub(super) fn undecodable<M: Request>(call: &Call<'_>, error: &DecodeError) -> Fault {
    if call.forwarded.is_none() {
        return unencodable(M::NAME, error);
    }
    let message = format!("the leader cannot read `{}` as it was sent: {error}", M::NAME);
    Fault::new(FaultCode::InvalidMessage, message)
}

#[cold]
pub(super) fn blind<M: Request>(at: Offset) -> Fault {
    Fault::new(
        FaultCode::StreamExists,
        format!(
            "the handler of `{}` emits to a stream that exists since offset {at} without loading \
             it; load it and decide, or use `append_any`",
            M::NAME
        ),
    )
}
