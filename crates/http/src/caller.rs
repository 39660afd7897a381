use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue};
use catga_core::{Context, ReadLevel, TraceContext};

use crate::invalid::Invalid;
use crate::{body, prefer};

/// What a request's headers say of the call.
#[derive(Default)]
pub(crate) struct Caller {
    context: Context,
    /// True once something was put into the context: a call without options carries none.
    said: bool,
    pub(crate) level: Option<ReadLevel>,
    /// True if the body is said to be JSON.
    pub(crate) sends_json: bool,
    waits: bool,
    pub(crate) invalid: Vec<Invalid>,
}

impl Caller {
    /// Reads every header that means something here, in one pass.
    pub(crate) fn read(headers: &HeaderMap, is_command: bool) -> Self {
        let mut caller = Self::default();
        for (name, value) in headers {
            match name.as_str() {
                "content-type" => caller.sends_json = body::is_json(value),
                "idempotency-key" if is_command => caller.key(value),
                "catga-position" => caller.position(value),
                "catga-read" => caller.read_level(value, is_command),
                "prefer" => caller.prefer(value),
                "traceparent" => caller.trace_context(value),
                "x-correlation-id" => caller.correlation(value),
                _ => {}
            }
        }
        caller
    }

    /// What the call carries, if anything.
    pub(crate) fn take_context(&mut self) -> Option<Context> {
        std::mem::take(&mut self.said).then(|| self.context.clone())
    }

    /// The trace that the caller is in.
    pub(crate) fn trace_id(&self) -> Option<u128> {
        self.context.trace.map(|trace| trace.trace_id)
    }

    /// True if the caller can find out what became of the command, by its key.
    pub(crate) fn is_keyed(&self) -> bool {
        self.context.key.is_some()
    }

    /// How long the caller waits, if it said so.
    pub(crate) fn preference_applied(&self) -> Option<HeaderValue> {
        let wait = self.context.deadline.filter(|_| self.waits)?;
        HeaderValue::try_from(format!("wait={}", wait.as_secs_f64())).ok()
    }

    fn key(&mut self, value: &HeaderValue) {
        self.text("Idempotency-Key", value, |context| &mut context.key);
    }

    fn correlation(&mut self, value: &HeaderValue) {
        self.text("X-Correlation-Id", value, |context| &mut context.correlation);
    }

    /// Takes a header of 1 to 255 visible ASCII characters.
    fn text(
        &mut self,
        header: &'static str,
        value: &HeaderValue,
        slot: fn(&mut Context) -> &mut Option<Arc<str>>,
    ) {
        let bytes = value.as_bytes();
        let visible = bytes.iter().all(u8::is_ascii_graphic);
        match value.to_str() {
            Ok(text) if visible && (1..=255).contains(&bytes.len()) => {
                let slot = slot(&mut self.context);
                if slot.is_some() {
                    self.invalid.push(given_twice(header));
                    return;
                }
                *slot = Some(text.into());
                self.said = true;
            }
            _ => self.invalid.push(Invalid::header(
                header,
                "must be 1 to 255 visible ASCII characters without blanks",
            )),
        }
    }

    fn position(&mut self, value: &HeaderValue) {
        const HEADER: &str = "Catga-Position";
        let position = value.to_str().ok().and_then(|text| text.parse().ok());
        match position {
            Some(_) if self.context.after.is_some() => self.invalid.push(given_twice(HEADER)),
            Some(position) => {
                self.context.after = Some(position);
                self.said = true;
            }
            None => self.invalid.push(Invalid::header(
                HEADER,
                "must be a position as an answer carries it, such as `1a2b-0-ff`",
            )),
        }
    }

    fn read_level(&mut self, value: &HeaderValue, is_command: bool) {
        const HEADER: &str = "Catga-Read";
        let level = match value.as_bytes() {
            b"local" => ReadLevel::Local,
            b"session" => ReadLevel::Session,
            b"linearizable" => ReadLevel::Linearizable,
            _ => {
                let detail = "must be `local`, `session` or `linearizable`";
                self.invalid.push(Invalid::header(HEADER, detail));
                return;
            }
        };
        if is_command {
            self.invalid.push(Invalid::header(HEADER, "belongs on reads; this is a command"));
        } else if self.level.replace(level).is_some() {
            self.invalid.push(given_twice(HEADER));
        }
    }

    fn prefer(&mut self, value: &HeaderValue) {
        // Of several `wait`s the first counts (RFC 7240, section 2).
        let wait = value.to_str().ok().filter(|_| !self.waits).and_then(prefer::wait);
        match wait {
            Some(Ok(wait)) => {
                self.context.deadline = Some(wait);
                self.waits = true;
                self.said = true;
            }
            Some(Err(detail)) => self.invalid.push(Invalid::header("Prefer", detail)),
            None => {}
        }
    }

    fn trace_context(&mut self, value: &HeaderValue) {
        // One that cannot be read starts a trace of its own (W3C Trace Context, section 3.2.2).
        let trace = value.to_str().ok().and_then(TraceContext::parse);
        if trace.is_some() && self.context.trace.is_none() {
            self.context.trace = trace;
            self.said = true;
        }
    }
}

#[cold]
fn given_twice(header: &'static str) -> Invalid {
    Invalid::header(header, "is given more than once")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn read(headers: &[(&'static str, &'static str)], is_command: bool) -> Caller {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        Caller::read(&map, is_command)
    }

    #[test]
    fn a_request_that_says_nothing_carries_nothing() {
        let mut caller = read(&[("host", "a"), ("traceparent", "nonsense")], true);
        assert!(caller.take_context().is_none() && caller.invalid.is_empty());
        // A key means something on commands only.
        assert!(!read(&[("idempotency-key", "a b")], false).is_keyed());
    }

    #[test]
    fn every_header_is_taken() {
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let mut caller = read(
            &[
                ("idempotency-key", "k-1"),
                ("catga-position", "1a-0-ff"),
                ("prefer", "respond-async"),
                ("prefer", "wait=2"),
                ("prefer", "wait=3"),
                ("traceparent", trace),
                ("x-correlation-id", "c-1"),
            ],
            true,
        );
        assert_eq!(caller.invalid, []);
        assert_eq!(caller.preference_applied().expect("it waits"), "wait=2");
        assert_eq!(caller.trace_id(), Some(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736));
        let context = caller.take_context().expect("there is much to say");
        assert_eq!(context.key.as_deref(), Some("k-1"));
        assert_eq!(context.correlation.as_deref(), Some("c-1"));
        assert_eq!(context.deadline, Some(Duration::from_secs(2)));
        assert_eq!(context.after.map(|position| position.to_string()), Some("1a-0-ff".into()));
    }

    #[test]
    fn every_bad_header_is_named_at_once() {
        let caller = read(
            &[
                ("idempotency-key", ""),
                ("catga-position", "yesterday"),
                ("catga-read", "local"),
                ("prefer", "wait=never"),
                ("x-correlation-id", "a b"),
            ],
            true,
        );
        let headers: Vec<_> = caller.invalid.iter().filter_map(|invalid| invalid.header).collect();
        let all = ["Idempotency-Key", "Catga-Position", "Catga-Read", "Prefer", "X-Correlation-Id"];
        assert_eq!(headers.len(), all.len());
        assert!(all.iter().all(|header| headers.contains(header)), "{headers:?}");
        assert_eq!(read(&[("catga-read", "fast")], false).invalid.len(), 1);
        let twice = read(&[("catga-position", "1-0-1"), ("catga-position", "1-0-2")], false);
        assert_eq!(twice.invalid, [given_twice("Catga-Position")]);
    }
}
