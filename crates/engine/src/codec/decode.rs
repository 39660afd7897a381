use bytes::Bytes;
use catga_core::{
    AttemptId, Condition, MessageId, NewEvent, Offset, SessionId, StreamName, Tag, Timestamp,
    TraceContext,
};

use super::fields::{Field, Fields};
use super::layout;
use crate::{
    DecodeEntryError, Directive, ENGINE_VERSION, Effect, Entry, MAX_ENTRY_BYTES, MAX_ENTRY_EFFECTS,
    OutsideKey, RecordWrite, RecordedAnswer, Trail,
};

type Result<T> = std::result::Result<T, DecodeEntryError>;

pub(crate) fn decode(bytes: &Bytes) -> Result<Entry> {
    use layout::entry::*;
    if bytes.len() > MAX_ENTRY_BYTES {
        return Err(DecodeEntryError::TooLarge { bytes: bytes.len() });
    }
    let mut entry = Entry::default();
    let mut effects = 0;
    let mut fields = Fields::new(bytes);
    while let Some(field) = fields.next()? {
        match field.number {
            ENGINE => entry.engine = field.number_32()?,
            ELAPSED_MS => entry.elapsed_ms = field.number()?,
            WALL_MS => entry.wall = Timestamp::from_millis(field.number()?),
            EFFECTS => effects += 1,
            _ => {}
        }
    }
    if effects > MAX_ENTRY_EFFECTS {
        return Err(DecodeEntryError::TooManyEffects { effects });
    }
    entry.effects.reserve_exact(effects);
    let mut decoder = Decoder { bytes, last: None };
    let mut fields = Fields::new(bytes);
    while let Some(field) = fields.next()? {
        if field.number == EFFECTS {
            let read = field.fields().and_then(|fields| decoder.effect(fields, &mut entry.effects));
            read.map_err(|error| blame(error, entry.engine))?;
        }
    }
    Ok(entry)
}

/// What cannot be read in an entry of a newer engine is not damage.
#[cold]
fn blame(error: DecodeEntryError, engine: u32) -> DecodeEntryError {
    if engine > ENGINE_VERSION { DecodeEntryError::NewerEngine { engine } } else { error }
}

struct Decoder<'a> {
    /// The whole entry, shared by its payloads.
    bytes: &'a Bytes,
    /// The stream named last: an effect's event and condition mostly name the same, so that one
    /// allocation serves both.
    last: Option<StreamName>,
}

impl Decoder<'_> {
    /// Reads an effect onto the end of the list, in place: it is too large to be moved for nothing.
    fn effect(&mut self, mut fields: Fields<'_>, into: &mut Vec<Effect>) -> Result<()> {
        use layout::effect::*;
        into.push(Effect::default());
        let effect = into.last_mut().expect("one was pushed");
        let mut attempt_message = None;
        while let Some(field) = fields.next()? {
            match field.number {
                SESSION => effect.id.session = SessionId(field.number()?),
                SEQUENCE => effect.id.sequence = field.number()?,
                TERM => effect.attempt.term = field.number()?,
                ATTEMPT => effect.attempt.sequence = field.number()?,
                ATTEMPT_MESSAGE => attempt_message = Some(message_id(&field)?),
                KEY => effect.key = Some(outside_key(&field)?),
                PAYLOAD_HASH => effect.payload_hash = field.fixed()?,
                AT_MS => effect.at = Timestamp::from_millis(field.number()?),
                LOW_WATER => effect.low_water = field.number()?,
                KEPT => field.numbers(&mut effect.kept)?,
                ANSWER => effect.answer = self.answer(&field)?,
                EVENTS => push(&mut effect.events, self.event(&field)?),
                RECORDS => push(&mut effect.records, self.record(&field)?),
                CONDITIONS => push(&mut effect.conditions, self.condition(&field)?),
                DIRECTIVE => effect.directive = Some(directive(&field)?),
                TRAIL => effect.trail = trail(&field)?,
                _ => {}
            }
        }
        effect.attempt.message = attempt_message.unwrap_or(effect.id);
        Ok(())
    }

    fn answer(&self, field: &Field<'_>) -> Result<RecordedAnswer> {
        use layout::answer::*;
        let mut answer = None;
        let mut fields = field.fields()?;
        while let Some(field) = fields.next()? {
            match field.number {
                REPLY => answer = Some(RecordedAnswer::Reply(self.shared(&field)?)),
                REFUSAL => answer = Some(RecordedAnswer::Refusal(self.shared(&field)?)),
                _ => {}
            }
        }
        answer.ok_or(DecodeEntryError::Unknown { field: "answer" })
    }

    fn event(&mut self, field: &Field<'_>) -> Result<NewEvent> {
        use layout::event::*;
        let (mut stream, mut name, mut schema) = (None, "", 0);
        let (mut tags, mut payload) = (Vec::new(), Bytes::new());
        let mut fields = field.fields()?;
        while let Some(field) = fields.next()? {
            match field.number {
                STREAM => stream = Some(self.stream(&field)?),
                NAME => name = field.text("event name")?,
                SCHEMA => schema = field.number_32()?,
                TAGS => push(&mut tags, tag(&field)?),
                PAYLOAD => payload = self.shared(&field)?,
                _ => {}
            }
        }
        let (stream, name) = (named(stream)?, name.to_owned().into());
        Ok(NewEvent { stream, name, schema, tags, payload })
    }

    fn record(&mut self, field: &Field<'_>) -> Result<RecordWrite> {
        use layout::record::*;
        let (mut key, mut value) = (None, None);
        let mut fields = field.fields()?;
        while let Some(field) = fields.next()? {
            match field.number {
                KEY => key = Some(self.stream(&field)?),
                VALUE => value = Some(self.shared(&field)?),
                _ => {}
            }
        }
        Ok(RecordWrite { key: named(key)?, value })
    }

    fn condition(&mut self, field: &Field<'_>) -> Result<Condition> {
        use layout::condition::*;
        let mut condition = None;
        let mut fields = field.fields()?;
        while let Some(field) = fields.next()? {
            condition = Some(match field.number {
                STREAM_AT => {
                    let (stream, version) = self.expected(&field)?;
                    Condition::StreamAt { stream, version: version.unwrap_or(0) }
                }
                STREAM_ABSENT => Condition::StreamAbsent { stream: self.stream(&field)? },
                RECORD_AT => {
                    let (key, offset) = self.expected(&field)?;
                    Condition::RecordAt { key, offset: offset.map(Offset) }
                }
                TAG_QUIET => tag_quiet(&field)?,
                WRITTEN_BY => self.written_by(&field)?,
                _ => continue,
            });
        }
        condition.ok_or(DecodeEntryError::Unknown { field: "condition" })
    }

    fn expected(&mut self, field: &Field<'_>) -> Result<(StreamName, Option<u64>)> {
        use layout::expected::*;
        let (mut name, mut number) = (None, None);
        let mut fields = field.fields()?;
        while let Some(field) = fields.next()? {
            match field.number {
                NAME => name = Some(self.stream(&field)?),
                NUMBER => number = Some(field.number()?),
                _ => {}
            }
        }
        Ok((named(name)?, number))
    }

    fn written_by(&mut self, field: &Field<'_>) -> Result<Condition> {
        use layout::written_by::*;
        let (mut stream, mut attempt) = (None, AttemptId::default());
        let mut fields = field.fields()?;
        while let Some(field) = fields.next()? {
            match field.number {
                STREAM => stream = Some(self.stream(&field)?),
                SESSION => attempt.message.session = SessionId(field.number()?),
                SEQUENCE => attempt.message.sequence = field.number()?,
                TERM => attempt.term = field.number()?,
                ATTEMPT => attempt.sequence = field.number()?,
                _ => {}
            }
        }
        Ok(Condition::WrittenBy { stream: named(stream)?, attempt })
    }

    /// The name of a stream or record.
    fn stream(&mut self, field: &Field<'_>) -> Result<StreamName> {
        let text = field.text("stream name")?;
        match &self.last {
            Some(last) if last.as_str() == text => Ok(last.clone()),
            _ => Ok(self.last.insert(StreamName::from_stored(text)).clone()),
        }
    }

    fn shared(&self, field: &Field<'_>) -> Result<Bytes> {
        Ok(self.bytes.slice_ref(field.bytes()?))
    }
}

/// Adds to a list that mostly has one item, and so begins with room for one.
fn push<T>(list: &mut Vec<T>, item: T) {
    if list.is_empty() {
        list.reserve_exact(1);
    }
    list.push(item);
}

fn named(name: Option<StreamName>) -> Result<StreamName> {
    name.ok_or(DecodeEntryError::Unknown { field: "stream name" })
}

fn tag(field: &Field<'_>) -> Result<Tag> {
    field.text("tag").map(Tag::from_stored)
}

fn tag_quiet(field: &Field<'_>) -> Result<Condition> {
    use layout::expected::*;
    let (mut name, mut after) = (None, Offset::ZERO);
    let mut fields = field.fields()?;
    while let Some(field) = fields.next()? {
        match field.number {
            NAME => name = Some(tag(&field)?),
            NUMBER => after = Offset(field.number()?),
            _ => {}
        }
    }
    let tag = name.ok_or(DecodeEntryError::Unknown { field: "tag" })?;
    Ok(Condition::TagQuiet { tag, after })
}

fn message_id(field: &Field<'_>) -> Result<MessageId> {
    use layout::message_id::*;
    let mut id = MessageId::default();
    let mut fields = field.fields()?;
    while let Some(field) = fields.next()? {
        match field.number {
            SESSION => id.session = SessionId(field.number()?),
            SEQUENCE => id.sequence = field.number()?,
            _ => {}
        }
    }
    Ok(id)
}

fn outside_key(field: &Field<'_>) -> Result<OutsideKey> {
    use layout::outside_key::*;
    let mut key = OutsideKey::default();
    let mut fields = field.fields()?;
    while let Some(field) = fields.next()? {
        match field.number {
            SCOPE => key.scope = field.text("key's scope")?.to_owned(),
            KEY => key.key = field.text("key")?.to_owned(),
            _ => {}
        }
    }
    Ok(key)
}

fn directive(field: &Field<'_>) -> Result<Directive> {
    use layout::directive::*;
    let mut directive = None;
    let mut fields = field.fields()?;
    while let Some(field) = fields.next()? {
        match field.number {
            OPEN_SESSION => directive = Some(open_session(&field)?),
            RAISE_ENGINE => directive = Some(Directive::RaiseEngine { to: field.number_32()? }),
            CLOSE_SESSION => directive = Some(close_session(&field)?),
            _ => {}
        }
    }
    directive.ok_or(DecodeEntryError::Unknown { field: "directive" })
}

fn open_session(field: &Field<'_>) -> Result<Directive> {
    use layout::open_session::*;
    let (mut node, mut nonce) = (String::new(), 0);
    let mut fields = field.fields()?;
    while let Some(field) = fields.next()? {
        match field.number {
            NODE => node = field.text("node")?.to_owned(),
            NONCE => nonce = field.number()?,
            _ => {}
        }
    }
    Ok(Directive::OpenSession { node, nonce })
}

fn close_session(field: &Field<'_>) -> Result<Directive> {
    let mut node = String::new();
    let mut fields = field.fields()?;
    while let Some(field) = fields.next()? {
        if field.number == layout::close_session::NODE {
            node = field.text("node")?.to_owned();
        }
    }
    Ok(Directive::CloseSession { node })
}

fn trail(field: &Field<'_>) -> Result<Trail> {
    use layout::trail::*;
    let mut trail = Trail::default();
    let mut fields = field.fields()?;
    while let Some(field) = fields.next()? {
        match field.number {
            CORRELATION => trail.correlation = Some(field.text("correlation")?.into()),
            CAUSATION => trail.causation = Some(message_id(&field)?),
            PRINCIPAL => trail.principal = Some(field.text("principal")?.into()),
            TENANT => trail.tenant = Some(field.text("tenant")?.into()),
            TRACE => trail.trace = Some(trace(&field)?),
            _ => {}
        }
    }
    Ok(trail)
}

fn trace(field: &Field<'_>) -> Result<TraceContext> {
    use layout::trace::*;
    let (mut high, mut low, mut span_id, mut flags) = (0, 0, 0, 0);
    let mut fields = field.fields()?;
    while let Some(field) = fields.next()? {
        match field.number {
            TRACE_ID_HIGH => high = field.fixed()?,
            TRACE_ID_LOW => low = field.fixed()?,
            SPAN_ID => span_id = field.fixed()?,
            FLAGS => flags = field.number()?,
            _ => {}
        }
    }
    let trace_id = u128::from(high) << 64 | u128::from(low);
    let flags = u8::try_from(flags).map_err(|_| DecodeEntryError::Invalid { field: "trace" })?;
    Ok(TraceContext { trace_id, span_id, flags })
}
