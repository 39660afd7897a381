use std::fmt;

use crate::{Fault, Wire};

/// What a handler returns: a reply, a refusal of the domain, or a fault.
///
/// Both kinds of failure convert with `?`.
pub type Answer<R, E = NoError> = Result<R, Failure<E>>;

/// Why there is no reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure<E> {
    /// A refusal: the domain's own error. It is recorded, so that a retry hears it again.
    Domain(E),
    /// A fault of the framework or of something that the handler needs. It is never recorded.
    Fault(Fault),
}

impl<E> Failure<E> {
    /// The refusal, if this is one.
    pub fn refusal(&self) -> Option<&E> {
        match self {
            Self::Domain(error) => Some(error),
            Self::Fault(_) => None,
        }
    }

    /// The fault, if this is one.
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Domain(_) => None,
            Self::Fault(fault) => Some(fault),
        }
    }
}

impl<E: DomainError> From<E> for Failure<E> {
    fn from(error: E) -> Self {
        Self::Domain(error)
    }
}

impl<E> From<Fault> for Failure<E> {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl<E: fmt::Display> fmt::Display for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(error) => error.fmt(f),
            Self::Fault(fault) => fault.fmt(f),
        }
    }
}

impl<E: std::error::Error> std::error::Error for Failure<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // Displayed above as a whole, so only what lies behind it is a source.
        match self {
            Self::Domain(error) => error.source(),
            Self::Fault(_) => None,
        }
    }
}

/// The error type of a service's domain: an ordinary error enum that can be sent.
///
/// `#[derive(DomainError)]` writes it; each variant may say its code and kind with
/// `#[refusal(code = "order.not-found", kind = NotFound)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a domain error",
    note = "derive `DomainError`, serde's two traits and `thiserror::Error` (or write `Display` \
            and `Error`) on `{Self}`"
)]
pub trait DomainError: std::error::Error + Wire {
    /// The stable, written code of this refusal, such as `order.not-found`.
    fn code(&self) -> &'static str;

    /// What kind of refusal it is; HTTP takes its status from it.
    fn kind(&self) -> RefusalKind {
        RefusalKind::Conflict
    }

    /// True for an error that says nothing about the domain's state and may pass by itself, such
    /// as a dependency that is down. It is not recorded, so a retry runs again.
    fn is_transient(&self) -> bool {
        false
    }
}

/// What kind of refusal a [`DomainError`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusalKind {
    /// The state does not allow it (HTTP 409).
    Conflict,
    /// What it is about does not exist (HTTP 404).
    NotFound,
    /// What was asked for makes no sense (HTTP 400).
    Invalid,
    /// The caller may not do it (HTTP 403).
    Forbidden,
    /// Something that it needs is away for now (HTTP 503).
    Unavailable,
}

/// The error of a message whose handler never refuses. It has no values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum NoError {}

impl fmt::Display for NoError {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl std::error::Error for NoError {}

impl DomainError for NoError {
    fn code(&self) -> &'static str {
        match *self {}
    }
}
