//! What callers write into headers and URLs: a text means one thing, or nothing.

use std::str::FromStr;

use catga_core::{Offset, Position, StreamName, Timestamp, TraceContext};
use catga_fuzz::{Choices, Counting, allocated};

const ITERATIONS: usize = 20_000;
const BYTES: usize = 128;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A text with something wrong, or any text.
fn changed(choices: &mut Choices<'_>, good: String) -> String {
    let mut bytes = if choices.byte() < 200 { good.into_bytes() } else { Vec::new() };
    choices.change(&mut bytes);
    bytes.extend_from_slice(choices.bytes(4));
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn one_text_is_one_position_and_one_position_is_one_text() {
    catga_fuzz::target!(ITERATIONS, BYTES, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let position = Position {
            incarnation: choices.number(),
            partition: choices.number() as u32,
            offset: Offset(choices.number()),
        };
        assert_eq!(position.to_string().parse(), Ok(position));
        let text = changed(&mut choices, position.to_string());
        let (read, took) = allocated(|| Position::from_str(&text));
        assert_eq!(took.total, 0, "every request may have one");
        if let Ok(read) = read {
            assert_eq!(read.to_string(), text);
        }
    });
}

#[test]
fn a_trace_is_read_as_it_is_written() {
    catga_fuzz::target!(ITERATIONS, BYTES, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let trace = TraceContext {
            trace_id: u128::from(choices.number()) << 64 | u128::from(choices.number()),
            span_id: choices.number(),
            flags: choices.byte(),
        };
        let written = |trace: &TraceContext| {
            let TraceContext { trace_id, span_id, flags } = trace;
            format!("00-{trace_id:032x}-{span_id:016x}-{flags:02x}")
        };
        let is_one = trace.trace_id != 0 && trace.span_id != 0;
        assert_eq!(TraceContext::parse(&written(&trace)), is_one.then_some(trace));
        let text = changed(&mut choices, written(&trace));
        if let Some(read) = TraceContext::parse(&text) {
            assert!(read.trace_id != 0 && read.span_id != 0);
            assert_eq!(TraceContext::parse(&written(&read)), Some(read));
            // A later version may have more behind it.
            assert_eq!(text[2..55], written(&read)[2..]);
        }
    });
}

#[test]
fn a_time_is_read_as_it_is_written() {
    catga_fuzz::target!(ITERATIONS, BYTES, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let time = Timestamp::from_millis(choices.number());
        assert_eq!(time.to_string().parse(), Ok(time));
        let text = changed(&mut choices, time.to_string());
        if let Ok(read) = Timestamp::from_str(&text) {
            assert_eq!(read.to_string().parse(), Ok(read));
        }
    });
}

/// No two keys are one stream, whatever is in them.
#[test]
fn other_keys_are_other_streams() {
    catga_fuzz::target!(ITERATIONS, BYTES, |input: &[u8]| {
        let mut choices = Choices::new(input);
        let part = |choices: &mut Choices<'_>| -> String {
            const PARTS: [&str; 8] = ["", "a", "/", "%", "2F", "25", "%2F", "%25"];
            let any = choices.text(3);
            (0..choices.below(4)).map(|_| *choices.one_of(&PARTS)).chain([&*any]).collect()
        };
        let key = |choices: &mut Choices<'_>| (part(choices), part(choices));
        let one = key(&mut choices);
        let escaped = |what: char, with: &str| (one.0.replace(what, with), one.1.clone());
        let joined = (format!("{}/{}", one.0, one.1), String::new());
        let others = [key(&mut choices), escaped('/', "%2F"), escaped('%', "%25"), joined];
        let name = |(one, two): &(String, String)| StreamName::new("order", &(&**one, &**two));
        for two in &others {
            assert_eq!(name(&one) == name(two), one == *two, "{} {}", name(&one), name(two));
        }
        let alone = StreamName::new("order", &*one.0);
        assert!(others.iter().all(|two| alone != name(two)));
    });
}
