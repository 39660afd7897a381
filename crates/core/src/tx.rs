mod loaded;

use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

pub use self::loaded::Loaded;
use crate::id::delivery_id;
use crate::{
    Aggregate, Condition, Context, EncodeError, EventMeta, Fault, FaultCode, FoldError, Folds,
    Message, MessageId, NewEvent, Offset, Position, RecordedEvent, StreamEvent, StreamKey,
    StreamName, Tag, Timestamp, derive_uuid, encoded,
};

/// What a handler decides: the events of one command, and the conditions under which they count;
/// or what a subscriber's delivery records.
///
/// A handler may run more than once for one command, but its effect counts once. Every attempt
/// sees the same [`new_id`](Self::new_id) and the same [`now`](Self::now). Input and output to the
/// outside world belong in subscribers.
pub struct Tx {
    shared: Arc<Shared>,
    /// How many ids were made. Attempts count alike, so their ids are alike. Atomic so that an id
    /// can be made among the arguments of another call on the transaction.
    ids: AtomicU64,
}

struct Shared {
    message_id: MessageId,
    incarnation: u64,
    now: Timestamp,
    /// Up to here the service's views were folded when the handler started.
    views: Offset,
    context: Context,
    source: Arc<dyn Source>,
    /// Uncontended: only this attempt and the aggregates that it loaded reach it.
    staged: Mutex<Staged>,
}

/// Where a transaction reads streams from.
pub trait Source: Send + Sync + 'static {
    /// All events of the stream, oldest first; none if it does not exist.
    fn read_stream<'a>(
        &'a self,
        stream: &'a StreamName,
    ) -> Pin<Box<dyn Future<Output = Result<StreamSlice, Fault>> + Send + 'a>>;
}

/// The events of one stream.
#[derive(Clone, Debug, Default)]
pub struct StreamSlice {
    /// Oldest first.
    pub events: Vec<RecordedEvent>,
}

/// What a handler left in its transaction.
#[derive(Debug, Default)]
pub struct Staged {
    /// The events, in the order in which they were emitted.
    pub events: Vec<NewEvent>,
    /// What must hold when they are applied.
    pub conditions: Vec<Condition>,
    /// The first thing that went wrong and could not be returned where it happened.
    error: Option<Fault>,
}

impl Tx {
    /// A transaction for one attempt at `message_id`.
    pub fn new(
        message_id: MessageId,
        incarnation: u64,
        now: Timestamp,
        views: Offset,
        context: Context,
        source: Arc<dyn Source>,
    ) -> Self {
        let staged = Mutex::default();
        Self::of(Shared { message_id, incarnation, now, views, context, source, staged })
    }

    /// A transaction for one attempt at delivering the event of `meta` to `subscriber`.
    ///
    /// Whichever node delivers, and however often: [`message_id`](Self::message_id) and
    /// [`new_id`](Self::new_id) are derived from the subscriber's name and the event's place, and
    /// [`now`](Self::now) is the event's time.
    pub fn for_delivery(
        subscriber: &str,
        meta: &EventMeta,
        views: Offset,
        source: Arc<dyn Source>,
    ) -> Self {
        let Position { incarnation, offset, .. } = meta.position;
        let message_id = delivery_id(subscriber, offset, meta.index);
        let (now, context, staged) = (meta.at, meta.context(), Mutex::default());
        Self::of(Shared { message_id, incarnation, now, views, context, source, staged })
    }

    fn of(shared: Shared) -> Self {
        Self { shared: Arc::new(shared), ids: AtomicU64::new(0) }
    }

    /// The command's id, the same for every attempt. In a delivery it stands for the delivery, and
    /// is the same whichever node delivers; what is recorded has another, of the node that did.
    pub fn message_id(&self) -> MessageId {
        self.shared.message_id
    }

    /// The wall time of the node where the command was called, the same for every attempt. In a
    /// delivery it is the time of the event, which is also the only one that repeats; what the
    /// delivery records has that time too.
    pub fn now(&self) -> Timestamp {
        self.shared.now
    }

    /// What the call carries: principal, tenant, correlation, trace.
    pub fn context(&self) -> &Context {
        &self.shared.context
    }

    /// A new id, derived from the message id: the n-th call gives every attempt the same.
    pub fn new_id<T: From<Uuid>>(&self) -> T {
        let shared = &self.shared;
        let counter = self.ids.fetch_add(1, Ordering::Relaxed);
        derive_uuid(shared.incarnation, shared.message_id, counter, shared.now).into()
    }

    /// Records `event` in its stream, which must not exist yet unless it was loaded here.
    ///
    /// So `emit` means create. To go on in a stream, [`load`](Self::load) it and emit there; to
    /// append whatever else happened to it, use [`append_any`](Self::append_any).
    pub fn emit<E: StreamEvent>(&mut self, event: E) {
        self.shared.stage(&event, Expect::Absent);
    }

    /// Records `event` as the first of its stream, which must not exist yet, and gives the
    /// aggregate that it makes.
    ///
    /// # Errors
    /// A fault when the aggregate cannot begin with such an event.
    pub fn create<E: StreamEvent>(&mut self, event: E) -> Result<Loaded<E::Stream>, Fault>
    where
        E::Stream: Aggregate + Folds<E>,
    {
        let stream = event.stream().ok_or_else(|| Fault::internal("the event names no stream"))?;
        let meta = self.shared.meta(stream.clone(), 1);
        let state = E::Stream::fold_event(None, &event, &meta).map_err(unreadable)?;
        self.shared.stage(&event, Expect::Absent);
        Ok(Loaded { state, version: 1, stream, shared: self.shared.clone() })
    }

    /// Records `event` at the end of its stream, whatever else was appended to it meanwhile.
    pub fn append_any<E: StreamEvent>(&mut self, event: E) {
        self.shared.stage(&event, Expect::Nothing);
    }

    /// The aggregate of stream `key`, folded from its events, or none if the stream does not
    /// exist.
    ///
    /// The effect counts only if the stream has had no other event when it is applied; this holds
    /// for an absent stream too.
    ///
    /// # Errors
    /// A fault when the stream cannot be read or folded.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the transaction as it was.
    pub async fn load<A: Aggregate>(
        &mut self,
        key: &(impl StreamKey + Sync + ?Sized),
    ) -> Result<Option<Loaded<A>>, Fault> {
        let stream = StreamName::of::<A>(key);
        let slice = self.shared.source.read_stream(&stream).await?;
        let committed = slice.events.len() as u64;
        let mut state = None;
        for event in &slice.events {
            state = Some(A::fold(state, event).map_err(unreadable)?);
        }
        let mut staged = self.shared.staged();
        let known = staged.conditions.iter().any(|condition| condition.is_on(&stream));
        if !known {
            staged.conditions.push(if committed == 0 {
                Condition::StreamAbsent { stream: stream.clone() }
            } else {
                Condition::StreamAt { stream: stream.clone(), version: committed }
            });
        }
        // What this transaction emitted to the stream before loading it belongs to its state.
        let mut version = committed;
        for event in staged.events.iter().filter(|event| event.stream == stream) {
            version += 1;
            let event = self.shared.as_recorded(event, version);
            state = Some(A::fold(state, &event).map_err(unreadable)?);
        }
        drop(staged);
        Ok(state.map(|state| Loaded { state, version, stream, shared: self.shared.clone() }))
    }

    /// Makes the effect depend on `tag`: it counts only if no event with the tag has come since
    /// the position of the views that this handler decided from.
    ///
    /// A view that is merely read is not a condition; without this, two commands may decide from
    /// the same state (write skew).
    pub fn require(&mut self, tag: Tag) {
        let after = self.shared.views;
        let mut staged = self.shared.staged();
        let condition = Condition::TagQuiet { tag, after };
        if !staged.conditions.contains(&condition) {
            staged.conditions.push(condition);
        }
    }

    /// Takes what the handler left; for runtimes.
    ///
    /// # Errors
    /// The first fault that `emit` could not return.
    pub fn finish(self) -> Result<Staged, Fault> {
        let mut staged = std::mem::take(&mut *self.shared.staged());
        match staged.error.take() {
            Some(fault) => Err(fault),
            None => Ok(staged),
        }
    }
}

impl fmt::Debug for Tx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx")
            .field("message_id", &self.shared.message_id)
            .field("now", &self.shared.now)
            .field("staged", &*self.shared.staged())
            .finish_non_exhaustive()
    }
}

/// What an event asks of its stream.
enum Expect {
    Absent,
    Nothing,
}

impl Shared {
    fn staged(&self) -> MutexGuard<'_, Staged> {
        self.staged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stage<E: StreamEvent>(&self, event: &E, expect: Expect) {
        let encoded = new_event(event);
        let mut staged = self.staged();
        let event = match encoded {
            Ok(event) => event,
            Err(error) => return staged.fail::<E>(error),
        };
        if matches!(expect, Expect::Absent)
            && !staged.conditions.iter().any(|condition| condition.is_on(&event.stream))
        {
            let condition = Condition::StreamAbsent { stream: event.stream.clone() };
            push(&mut staged.conditions, condition);
        }
        push(&mut staged.events, event);
    }

    /// An event of this transaction as a fold sees it. Its position is not known yet.
    fn as_recorded(&self, event: &NewEvent, version: u64) -> RecordedEvent {
        RecordedEvent {
            name: event.name.as_ref().into(),
            schema: event.schema,
            payload: event.payload.clone(),
            tags: event.tags.as_slice().into(),
            meta: self.meta(event.stream.clone(), version),
        }
    }

    fn meta(&self, stream: StreamName, version: u64) -> EventMeta {
        let position = Position { incarnation: self.incarnation, ..Position::default() };
        EventMeta {
            message_id: self.message_id,
            correlation: self.context.correlation.clone(),
            ..EventMeta::new(position, stream, version, self.now)
        }
    }
}

impl Staged {
    #[cold]
    fn fail<E: Message>(&mut self, error: EncodeError) {
        let message = format!("cannot encode event `{}`: {error}", E::NAME);
        self.error.get_or_insert_with(|| Fault::internal(message));
    }
}

impl Condition {
    /// True if this condition already fixes the state of `stream`.
    fn is_on(&self, stream: &StreamName) -> bool {
        match self {
            Self::StreamAt { stream: on, .. }
            | Self::StreamAbsent { stream: on }
            | Self::WrittenBy { stream: on, .. } => on == stream,
            Self::RecordAt { .. } | Self::TagQuiet { .. } => false,
        }
    }
}

fn new_event<E: StreamEvent>(event: &E) -> Result<NewEvent, EncodeError> {
    let payload = encoded::<E::Format, _>(event)?;
    let mut tags = Vec::new();
    event.tags(&mut tags);
    let stream =
        event.stream().ok_or_else(|| EncodeError::new("the event names no stream of its own"))?;
    let name = Cow::Borrowed(E::NAME);
    Ok(NewEvent { stream, name, schema: E::VERSION, tags, payload })
}

/// Most transactions leave one event and one condition, and both are large; a vector would begin
/// with room for four.
fn push<T>(list: &mut Vec<T>, item: T) {
    if list.is_empty() {
        list.reserve_exact(1);
    }
    list.push(item);
}

#[cold]
fn unreadable(error: FoldError) -> Fault {
    Fault::new(FaultCode::Unreadable, error.to_string())
}
