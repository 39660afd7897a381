//! Effects from a seed: ids come again, conditions hold or not, streams and tags are shared.

use bytes::Bytes;
use catga_core::{Condition, MessageId, Offset, SessionId, StreamName, Tag};
use catga_engine::{Effect, OutsideKey, RecordWrite, RecordedAnswer};

use crate::conformance::Random;
use crate::conformance::effects::{attempt, event};

/// How many streams there are, and records of the same names.
const STREAMS: usize = 8;

pub(crate) fn random_effect(random: &mut Random, session: SessionId) -> Effect {
    let sequence = 1 + random.below(60) as u64;
    let id = MessageId::new(session, sequence);
    let mut effect = Effect::new(id, attempt(id, random.next()));
    effect.payload_hash = sequence + u64::from(random.below(20) == 0);
    if random.below(5) == 0 {
        effect.key = Some(OutsideKey { scope: "s".to_owned(), key: random.below(10).to_string() });
    }
    let answer = Bytes::from(random.next().to_string());
    effect.answer = match random.below(3) {
        0 => RecordedAnswer::None,
        1 => RecordedAnswer::Reply(answer),
        _ => RecordedAnswer::Refusal(answer),
    };
    for _ in 0..random.below(4) {
        let mut event = event(stream(random).as_str(), random.next());
        event.tags = (0..random.below(3)).map(|_| tag(random)).collect();
        effect.events.push(event);
    }
    if random.below(3) == 0 {
        effect.records.push(RecordWrite {
            key: stream(random),
            value: (random.below(3) > 0).then(|| Bytes::from_static(b"value")),
        });
    }
    effect.trail.correlation = (random.below(2) == 0).then(|| "correlation".into());
    effect.conditions = (0..random.below(2)).map(|_| condition(random)).collect();
    effect
}

fn condition(random: &mut Random) -> Condition {
    match random.below(4) {
        0 => Condition::StreamAbsent { stream: stream(random) },
        1 => Condition::StreamAt { stream: stream(random), version: random.below(3) as u64 },
        2 => Condition::TagQuiet { tag: tag(random), after: Offset(random.below(50) as u64) },
        _ => Condition::RecordAt { key: stream(random), offset: None },
    }
}

fn stream(random: &mut Random) -> StreamName {
    StreamName::new("s", &(random.below(STREAMS) as u64))
}

/// Every record that a random effect may write.
pub(crate) fn random_records() -> impl Iterator<Item = StreamName> {
    (0..STREAMS as u64).map(|number| StreamName::new("s", &number))
}

fn tag(random: &mut Random) -> Tag {
    Tag::new("t", &(random.below(4) as u64))
}
