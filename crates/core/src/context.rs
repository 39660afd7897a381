use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::{MessageId, Position, Report};

/// What a call carries besides its message. Everything is optional: a plain local call makes none
/// of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Context {
    /// The command's id, when the caller retries one that it knows.
    pub message_id: Option<MessageId>,
    /// A key from outside (`Idempotency-Key`), scoped by principal and command.
    pub key: Option<Arc<str>>,
    /// What the call belongs to, from the first caller on.
    pub correlation: Option<Arc<str>>,
    /// The message that caused this one.
    pub causation: Option<MessageId>,
    /// Who calls.
    pub principal: Option<Arc<str>>,
    /// On whose behalf.
    pub tenant: Option<Arc<str>>,
    /// W3C trace context.
    pub trace: Option<TraceContext>,
    /// How long the caller waits, from now; 10 s if it does not say.
    pub deadline: Option<Duration>,
    /// What the caller has seen: nothing older may answer it.
    pub after: Option<Position>,
}

/// What goes with a message on its way to the handler.
#[derive(Clone, Debug, Default)]
pub struct Envelope {
    /// What the call carries.
    pub context: Context,
    /// Where a durable handler's dispatcher tells what became of the command, if its caller asks.
    pub report: Option<Arc<OnceLock<Report>>>,
}

/// The W3C trace context of a call (<https://www.w3.org/TR/trace-context/>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceContext {
    /// The trace.
    pub trace_id: u128,
    /// The caller's span.
    pub span_id: u64,
    /// Trace flags; bit 0 is sampled.
    pub flags: u8,
}

impl TraceContext {
    /// Reads a `traceparent` header; none if it is not one of version 00 or later.
    pub fn parse(traceparent: &str) -> Option<Self> {
        let mut parts = traceparent.split('-');
        let (version, trace, span, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let hex = |text: &str, len: usize| {
            text.len() == len && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        if !hex(version, 2) || version == "ff" || (version == "00" && parts.next().is_some()) {
            return None;
        }
        if !hex(trace, 32) || !hex(span, 16) || !hex(flags, 2) {
            return None;
        }
        let context = Self {
            trace_id: u128::from_str_radix(trace, 16).ok()?,
            span_id: u64::from_str_radix(span, 16).ok()?,
            flags: u8::from_str_radix(flags, 16).ok()?,
        };
        (context.trace_id != 0 && context.span_id != 0).then_some(context)
    }

    /// The `traceparent` header of this context.
    pub fn to_traceparent(self) -> String {
        format!("00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, self.flags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traceparent_is_read_and_written() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context = TraceContext::parse(text).expect("a valid header");
        assert_eq!(context.to_traceparent(), text);
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ] {
            assert_eq!(TraceContext::parse(bad), None, "{bad}");
        }
    }
}
