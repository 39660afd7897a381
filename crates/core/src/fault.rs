use std::fmt;

use crate::FieldFault;

/// Why a command or a query has no answer of its own: ours, never the domain's.
///
/// It says whether the command ran ([`outcome`](Self::outcome)) and whether the same call may
/// succeed later ([`is_retryable`](Self::is_retryable)). A retry of a command with the same id is
/// always safe within the retention.
#[derive(Clone, PartialEq, Eq)]
pub struct Fault(Box<Inner>);

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    code: FaultCode,
    outcome: Outcome,
    message: String,
    fields: Vec<FieldFault>,
}

/// Whether the command behind a fault took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Proved: it had no effect and never will.
    NotExecuted,
    /// It may have had its effect, or may still have it. Retry with the same id to learn.
    Unknown,
}

/// The broad kind of a fault; what a caller usually branches on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// The message is malformed, or nobody handles it.
    Invalid,
    /// The caller may not do this.
    Denied,
    /// The same id with another payload, or a position of another incarnation.
    Mismatch,
    /// A message or a reply over its limit.
    TooLarge,
    /// A bounded queue stayed full.
    Overloaded,
    /// The node cannot do this now: it starts, stops, or waits for something that did not come.
    Unavailable,
    /// The deadline passed.
    Deadline,
    /// The id is older than what the journal remembers.
    Expired,
    /// The disk is full or failing.
    Storage,
    /// A panic, bytes that cannot be read, or a bug.
    Internal,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $kind:ident, $outcome:ident;)*) => {
        /// The exact, stable code of a fault; `docs/faults.md` has a paragraph on each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum FaultCode {
            $($(#[$doc])* $name,)*
        }

        impl FaultCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The code that is written as `text`; none if this build knows none.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| code.as_str() == text)
            }

            /// The code as it is written in answers, logs and metrics.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The kind that it belongs to.
            pub const fn kind(self) -> FaultKind {
                match self { $(Self::$name => FaultKind::$kind,)* }
            }

            /// What is known of the command unless the fault says otherwise.
            pub const fn outcome(self) -> Outcome {
                match self { $(Self::$name => Outcome::$outcome,)* }
            }
        }
    };
}

codes! {
    /// The payload cannot be read as the message, or a layer found it invalid.
    InvalidMessage = "invalid-message", Invalid, NotExecuted;
    /// No service of this node handles the message.
    NoHandler = "no-handler", Invalid, NotExecuted;
    /// A layer refused the caller.
    Denied = "denied", Denied, NotExecuted;
    /// The id or key was used before with another payload.
    PayloadMismatch = "payload-mismatch", Mismatch, NotExecuted;
    /// The position belongs to another incarnation of the journal.
    PositionUnknown = "position-unknown", Mismatch, NotExecuted;
    /// The command is over its limit.
    CommandTooLarge = "command-too-large", TooLarge, NotExecuted;
    /// The handler's reply, refusal or events are over their limit.
    AnswerTooLarge = "answer-too-large", TooLarge, NotExecuted;
    /// A bounded queue stayed full for as long as a caller may wait.
    Overloaded = "overloaded", Overloaded, NotExecuted;
    /// As many outside keys are remembered as may be.
    KeysExhausted = "keys-exhausted", Overloaded, NotExecuted;
    /// The node has not finished starting.
    Starting = "starting", Unavailable, NotExecuted;
    /// The node is draining or has stopped.
    ShuttingDown = "shutting-down", Unavailable, NotExecuted;
    /// The position that the caller has seen was not reached in time.
    PositionNotReached = "position-not-reached", Unavailable, NotExecuted;
    /// The handler created a stream that exists already, without loading it.
    StreamExists = "stream-exists", Mismatch, NotExecuted;
    /// Other commands won the race for the same stream again and again.
    Contention = "contention", Unavailable, NotExecuted;
    /// A projection panicked, and reading it is refused.
    ProjectionQuarantined = "projection-quarantined", Unavailable, NotExecuted;
    /// What is asked for is damaged on this node, which fetches it from another.
    HistoryDamaged = "history-damaged", Unavailable, NotExecuted;
    /// Another node leads, and this one could not pass the command on.
    NotLeader = "not-leader", Unavailable, NotExecuted;
    /// The log does not take entries now.
    LogUnavailable = "log-unavailable", Unavailable, NotExecuted;
    /// The deadline passed before the command was proposed.
    DeadlineBeforeStart = "deadline-before-start", Deadline, NotExecuted;
    /// The deadline passed while the outcome was in doubt.
    DeadlineInDoubt = "deadline-in-doubt", Deadline, Unknown;
    /// The id is below what the journal still remembers.
    Expired = "expired", Expired, Unknown;
    /// The disk has no room for the next segment.
    StorageFull = "storage-full", Storage, NotExecuted;
    /// A directory for backups cannot be written to, or read.
    BackupFailed = "backup-failed", Storage, NotExecuted;
    /// A handler, a layer or a service panicked.
    Panicked = "panicked", Internal, NotExecuted;
    /// What is stored cannot be read by this build.
    Unreadable = "unreadable", Internal, NotExecuted;
    /// The journal lost track of the entry; the command may have had its effect.
    InDoubt = "in-doubt", Internal, Unknown;
    /// A broken promise inside the framework, or a fault that a program raised itself.
    Internal = "internal", Internal, NotExecuted;
}

impl Fault {
    /// A fault with its code's usual outcome. `message` says what was attempted and what to do.
    #[cold]
    pub fn new(code: FaultCode, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            code,
            outcome: code.outcome(),
            message: message.into(),
            fields: Vec::new(),
        }))
    }

    /// A layer's refusal of the caller.
    #[cold]
    pub fn denied(message: impl Into<String>) -> Self {
        Self::new(FaultCode::Denied, message)
    }

    /// A layer's finding that the message is invalid.
    #[cold]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(FaultCode::InvalidMessage, message)
    }

    /// The message is invalid in each of `fields`.
    #[cold]
    pub fn invalid_fields(fields: Vec<FieldFault>) -> Self {
        let message: Vec<_> = fields.iter().map(ToString::to_string).collect();
        let mut fault = Self::invalid(message.join("; "));
        fault.0.fields = fields;
        fault
    }

    /// A fault of the program itself, such as a dependency that failed.
    #[cold]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(FaultCode::Internal, message)
    }

    /// The same fault, about `fields` of the message.
    #[must_use]
    pub fn with_fields(mut self, fields: Vec<FieldFault>) -> Self {
        self.0.fields = fields;
        self
    }

    /// The same fault with the outcome given.
    #[must_use]
    pub fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.0.outcome = outcome;
        self
    }

    /// The exact code.
    pub fn code(&self) -> FaultCode {
        self.0.code
    }

    /// The broad kind.
    pub fn kind(&self) -> FaultKind {
        self.0.code.kind()
    }

    /// Whether the command took effect.
    pub fn outcome(&self) -> Outcome {
        self.0.outcome
    }

    /// What was attempted, what went wrong, and what to do.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Which fields of the message are invalid; empty unless that is what is wrong.
    pub fn fields(&self) -> &[FieldFault] {
        &self.0.fields
    }

    /// True if the same call, with the same id, may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self.kind(),
            FaultKind::Overloaded
                | FaultKind::Unavailable
                | FaultKind::Deadline
                | FaultKind::Storage
        ) || self.0.code == FaultCode::InDoubt
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code.as_str(), self.0.message)
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fault")
            .field("code", &self.0.code)
            .field("outcome", &self.0.outcome)
            .field("message", &self.0.message)
            .finish()
    }
}

impl std::error::Error for Fault {}
