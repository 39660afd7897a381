use std::fmt;

use catga_core::Fault;

/// A node could not start. It names everything that was wrong, not only the first thing.
#[derive(Clone)]
pub struct StartError {
    faults: Vec<StartFault>,
}

/// One reason why a node could not start.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartFault {
    /// A message is referred to, and no service handles it.
    NoHandler {
        /// The message's written name.
        message: &'static str,
        /// The contract that refers to it.
        referred_by: &'static str,
    },
    /// Two services handle one message.
    TwoHandlers {
        /// The message's written name.
        message: &'static str,
        /// Both services.
        services: [&'static str; 2],
    },
    /// Two message types share a written name.
    SharedName {
        /// The name.
        name: &'static str,
        /// Both Rust types.
        types: [&'static str; 2],
    },
    /// Two subscribers share a written name.
    TwoSubscribers {
        /// The name.
        name: &'static str,
    },
    /// A subscriber of the whole cluster is one of an event that is not recorded.
    EphemeralInCluster {
        /// The subscriber's name.
        name: &'static str,
        /// The event's.
        event: &'static str,
    },
    /// Two projection types share a written name.
    TwoProjections {
        /// The name.
        name: &'static str,
    },
    /// A service could not be built.
    ServiceFailed {
        /// The Rust type of the service.
        service: &'static str,
        /// What it said.
        reason: String,
    },
    /// An option has a value that cannot work.
    BadOption {
        /// The option.
        option: &'static str,
        /// Its value.
        value: String,
        /// Why it cannot work.
        why: String,
    },
    /// An option that must be set is not.
    Missing {
        /// The option.
        option: &'static str,
        /// Why it must be.
        why: String,
    },
    /// The journal could not be opened.
    Journal(Fault),
}

impl StartError {
    pub(crate) fn new(faults: Vec<StartFault>) -> Self {
        Self { faults }
    }

    /// Everything that was wrong.
    pub fn faults(&self) -> &[StartFault] {
        &self.faults
    }
}

impl fmt::Display for StartFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHandler { message, referred_by } => write!(
                f,
                "`{message}` has no handler, but `{referred_by}` refers to it; add a service that \
                 handles it to the builder"
            ),
            Self::TwoHandlers { message, services: [one, other] } => write!(
                f,
                "`{message}` has two handlers, in `{one}` and in `{other}`; keep one of them"
            ),
            Self::SharedName { name, types: [one, other] } => write!(
                f,
                "`{name}` is the name of two messages, `{one}` and `{other}`; names are stored, \
                 so each needs its own"
            ),
            Self::TwoSubscribers { name } => write!(
                f,
                "two subscribers are called `{name}`; names are stored, so each needs its own"
            ),
            Self::EphemeralInCluster { name, event } => write!(
                f,
                "the subscriber `{name}` is one of the whole cluster, and its event `{event}` is \
                 ephemeral: no other node knows of it; make it `Each::Node`"
            ),
            Self::TwoProjections { name } => write!(
                f,
                "two projections are called `{name}`; names are stored, so each needs its own"
            ),
            Self::ServiceFailed { service, reason } => {
                write!(f, "the service `{service}` could not be built: {reason}")
            }
            Self::BadOption { option, value, why } => {
                write!(f, "option `{option}` cannot be {value}: {why}")
            }
            Self::Missing { option, why } => write!(f, "`{option}` is not set: {why}"),
            Self::Journal(fault) => write!(f, "the journal could not be opened: {fault}"),
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.faults {
            [one] => write!(f, "the node cannot start: {one}"),
            many => {
                write!(f, "the node cannot start, for {} reasons:", many.len())?;
                many.iter().try_for_each(|fault| write!(f, "\n  - {fault}"))
            }
        }
    }
}

/// The same as `Display`, since this is what a `main` that returns it prints.
impl fmt::Debug for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for StartError {}
