use std::pin::Pin;

use catga_core::{
    Condition, EventMeta, Fault, MessageId, NewEvent, Offset, Position, RecordedEvent, SessionId,
    Source, StreamName, StreamSlice, Timestamp,
};

/// Which life of the journal tests play in; any would do.
pub(crate) const INCARNATION: u64 = 1;

/// What was recorded before: each event as an effect of its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Past(Vec<RecordedEvent>);

impl Past {
    /// Records `event` as the journal would: the next offset, the next version of its stream.
    pub(crate) fn record(&mut self, event: NewEvent, at: Timestamp) {
        let offset = self.offset().next();
        let position = Position { incarnation: INCARNATION, partition: 0, offset };
        let version = self.of_stream(&event.stream).count() as u64 + 1;
        let mut meta = EventMeta::new(position, event.stream, version, at);
        meta.message_id = MessageId::new(SessionId(1), offset.0);
        self.0.push(RecordedEvent {
            name: event.name.into(),
            schema: event.schema,
            payload: event.payload,
            tags: event.tags.into(),
            meta,
        });
    }

    pub(crate) fn events(&self) -> &[RecordedEvent] {
        &self.0
    }

    pub(crate) fn of_stream(&self, stream: &StreamName) -> impl Iterator<Item = &RecordedEvent> {
        self.0.iter().filter(move |event| event.meta.stream == *stream)
    }

    /// How many effects have counted.
    pub(crate) fn offset(&self) -> Offset {
        Offset(self.0.len() as u64)
    }

    /// The event that an effect with this condition conflicts with, as the engine would find it.
    pub(crate) fn conflict(&self, condition: &Condition) -> Option<&RecordedEvent> {
        match condition {
            Condition::StreamAbsent { stream } => self.of_stream(stream).last(),
            Condition::StreamAt { stream, version } => {
                self.of_stream(stream).last().filter(|last| last.meta.version != *version)
            }
            Condition::TagQuiet { tag, after } => {
                let tagged = self.0.iter().filter(|event| event.tags.contains(tag));
                tagged.last().filter(|last| last.meta.position.offset > *after)
            }
            other => panic!("this test kit knows no way to check {other:?}"),
        }
    }
}

/// Transactions under test read from here.
impl Source for Past {
    fn read_stream<'a>(
        &'a self,
        stream: &'a StreamName,
    ) -> Pin<Box<dyn Future<Output = Result<StreamSlice, Fault>> + Send + 'a>> {
        let events = self.of_stream(stream).cloned().collect();
        Box::pin(async { Ok(StreamSlice { events }) })
    }
}
