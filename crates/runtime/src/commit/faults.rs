//! What the way into the journal says when a command does not get through.

use catga_core::{Fault, FaultCode, MessageId};
use catga_engine::{OutsideKey, Rejection};

pub(crate) fn rejected(id: MessageId, key: Option<&OutsideKey>, rejection: Rejection) -> Fault {
    match rejection {
        Rejection::Expired => expired(id),
        Rejection::PayloadMismatch => mismatch(id, key),
        Rejection::EngineVersion => Fault::new(
            FaultCode::LogUnavailable,
            "the journal does not understand this effect yet; finish the upgrade of all nodes",
        ),
    }
}

pub(super) fn keys_exhausted(most: usize) -> Fault {
    Fault::new(
        FaultCode::KeysExhausted,
        format!(
            "{most} idempotency keys are remembered, and no more may be (`limits.keys`); try again \
             later, or without a key"
        ),
    )
}

pub(super) fn mismatch(id: MessageId, key: Option<&OutsideKey>) -> Fault {
    let what = match key {
        Some(key) => format!("the key `{}`", key.key),
        None => format!("the id {id}"),
    };
    Fault::new(
        FaultCode::PayloadMismatch,
        format!("{what} was used before with another payload; use a new one for a new command"),
    )
}

pub(super) fn expired(id: MessageId) -> Fault {
    Fault::new(
        FaultCode::Expired,
        format!(
            "the id {id} is older than what the journal remembers, so it is not known whether it \
             took effect; look at the state before you send a new command"
        ),
    )
}

pub(super) fn in_doubt(what: &str) -> Fault {
    let message = format!("{what}; the command may have taken effect: retry it with the same id");
    Fault::new(FaultCode::DeadlineInDoubt, message)
}

pub(crate) fn too_late() -> Fault {
    Fault::new(
        FaultCode::DeadlineBeforeStart,
        "the deadline passed before the command was proposed; it has no effect",
    )
}

pub(crate) fn unencodable(name: &str, error: impl std::fmt::Display) -> Fault {
    Fault::internal(format!("cannot encode what belongs to `{name}`: {error}"))
}
