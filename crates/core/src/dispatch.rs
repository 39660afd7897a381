use std::sync::Arc;

use stackfuture::StackFuture;

use crate::{
    Answer, Call, CatchPanic, Context, Delivery, Failure, Fault, FaultCode, FieldFaults, Handle,
    Layer, Message, MessageId, Plain, Position, Request, Service, Subscriber, SubscriberError,
};

/// How large a handler's future may be and still be kept in place. A larger one is boxed: it works
/// the same and costs one allocation.
pub const IN_PLACE_BYTES: usize = 448;

/// A future kept in the space of its caller, so that dispatch through a trait object allocates
/// nothing.
pub type InPlace<'a, T> = StackFuture<'a, T, IN_PLACE_BYTES>;

/// Keeps `future` in place if it is small enough, else in a box.
#[inline]
pub fn in_place<'a, F>(future: F) -> InPlace<'a, F::Output>
where
    F: Future + Send + 'a,
    F::Output: 'a,
{
    StackFuture::from_or_box(future)
}

/// An answer, and what became of the call where there is more to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replied<R, E> {
    /// The reply, the refusal or the fault.
    pub answer: Answer<R, E>,
    /// None where nothing was recorded: the handler took no transaction.
    pub report: Option<Box<Report>>,
}

/// What became of a durable command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The command's id: a retry with it is safe.
    pub message_id: MessageId,
    /// Where its effect stands; none if it is not known to have one.
    pub position: Option<Position>,
    /// True if the answering node's views show the effect already.
    pub visible: bool,
}

impl Report {
    /// A report of a command that has no known effect yet.
    pub const fn new(message_id: MessageId) -> Self {
        Self { message_id, position: None, visible: false }
    }
}

/// Calls the one handler of `M`, whatever service it belongs to and wherever it runs.
pub trait Dispatch<M: Request>: Send + Sync + 'static {
    /// Answers `message`.
    fn dispatch<'a>(
        &'a self,
        message: M,
        context: Option<Box<Context>>,
    ) -> InPlace<'a, Replied<M::Reply, M::Error>>;
}

/// Gives an event to one subscriber in place.
pub(crate) trait Deliver<E>: Send + Sync + 'static {
    fn deliver<'a>(&'a self, event: &'a E) -> InPlace<'a, Result<(), SubscriberError>>;
}

/// What a call carries that carries nothing.
pub static NO_CONTEXT: Context = Context {
    message_id: None,
    key: None,
    correlation: None,
    causation: None,
    principal: None,
    tenant: None,
    trace: None,
    deadline: None,
    after: None,
};

/// Runs handlers without a transaction: on this node, on the caller's task.
#[derive(Debug)]
pub struct PlainDispatch<S, L> {
    service: Arc<S>,
    layers: Arc<L>,
}

impl<S: Service, L: Layer> PlainDispatch<S, L> {
    /// Runs the handlers of `service` within `layers`.
    pub fn new(service: Arc<S>, layers: Arc<L>) -> Self {
        Self { service, layers }
    }
}

impl<M, S, L> Dispatch<M> for PlainDispatch<S, L>
where
    M: Request,
    S: Service + Handle<M, Scope = Plain>,
    L: Layer,
{
    #[inline]
    fn dispatch<'a>(
        &'a self,
        message: M,
        context: Option<Box<Context>>,
    ) -> InPlace<'a, Replied<M::Reply, M::Error>> {
        let Some(context) = context else {
            let call = PlainCall { service: &*self.service, message, context: &NO_CONTEXT };
            return in_place(answered(self.layers.around(call), M::NAME));
        };
        in_place(async move {
            let call = PlainCall { service: &*self.service, message, context: &context };
            answered(self.layers.around(call), M::NAME).await
        })
    }
}

async fn answered<F, R, E>(call: F, name: &'static str) -> Replied<R, E>
where
    F: Future<Output = Answer<R, E>>,
{
    let answer = match CatchPanic::new(call).await {
        Ok(answer) => answer,
        Err(panic) => Err(Failure::Fault(handler_panicked(name, &panic))),
    };
    Replied { answer, report: None }
}

/// What is wrong with `message`, all of it, as one fault.
///
/// # Errors
/// If anything is.
#[inline]
pub fn check<M: Message>(message: &M) -> Result<(), Fault> {
    let mut faults = FieldFaults::default();
    message.check(&mut faults);
    faults.into_fault().map_or(Ok(()), Err)
}

/// The fault of a handler of the message `name` that panicked with `panic`.
#[cold]
pub fn handler_panicked(name: &str, panic: &str) -> Fault {
    Fault::new(FaultCode::Panicked, format!("the handler of `{name}` panicked: {panic}"))
}

struct PlainCall<'a, S, M> {
    service: &'a S,
    message: M,
    context: &'a Context,
}

impl<M, S> Call for PlainCall<'_, S, M>
where
    M: Request,
    S: Handle<M, Scope = Plain>,
{
    type Message = M;
    type Outcome = Answer<M::Reply, M::Error>;

    fn message(&self) -> &M {
        &self.message
    }

    fn context(&self) -> &Context {
        self.context
    }

    #[inline]
    async fn proceed(self) -> Self::Outcome {
        check(&self.message)?;
        self.service.handle(self.message, ()).await
    }
}

/// Delivers ephemeral events to one subscriber, within the handler layers.
pub(crate) struct InPlaceSubscriber<H, L> {
    subscriber: H,
    layers: Arc<L>,
    delivery: Delivery,
}

impl<H: Subscriber, L> InPlaceSubscriber<H, L> {
    pub(crate) fn new(subscriber: H, layers: Arc<L>) -> Self {
        Self { subscriber, layers, delivery: Delivery::new(H::NAME, None, 1) }
    }
}

impl<H: Subscriber, L: Layer> Deliver<H::Event> for InPlaceSubscriber<H, L> {
    #[inline]
    fn deliver<'a>(&'a self, event: &'a H::Event) -> InPlace<'a, Result<(), SubscriberError>> {
        let call = DeliveryCall {
            subscriber: &self.subscriber,
            event,
            delivery: &self.delivery,
            context: &NO_CONTEXT,
        };
        in_place(delivered(self.layers.around(call)))
    }
}

async fn delivered(
    call: impl Future<Output = Result<(), SubscriberError>>,
) -> Result<(), SubscriberError> {
    match CatchPanic::new(call).await {
        Ok(outcome) => outcome,
        Err(panic) => Err(SubscriberError::new(format_args!("the subscriber panicked: {panic}"))),
    }
}

struct DeliveryCall<'a, H: Subscriber> {
    subscriber: &'a H,
    event: &'a H::Event,
    delivery: &'a Delivery,
    context: &'a Context,
}

impl<H: Subscriber> Call for DeliveryCall<'_, H> {
    type Message = H::Event;
    type Outcome = Result<(), SubscriberError>;

    fn message(&self) -> &H::Event {
        self.event
    }

    fn context(&self) -> &Context {
        self.context
    }

    #[inline]
    fn proceed(self) -> impl Future<Output = Self::Outcome> + Send {
        self.subscriber.deliver(self.event, self.delivery)
    }
}

/// Delivers a recorded event to `subscriber` within `layers`; a panic is a failed delivery.
///
/// # Errors
/// What the subscriber said, or that it panicked.
pub async fn deliver_recorded<H: Subscriber, L: Layer>(
    subscriber: &H,
    layers: &L,
    event: &H::Event,
    delivery: &Delivery,
) -> Result<(), SubscriberError> {
    let context = Context {
        causation: delivery.meta.as_ref().map(|meta| meta.message_id),
        correlation: delivery.meta.as_ref().and_then(|meta| meta.correlation.clone()),
        ..Context::default()
    };
    delivered(layers.around(DeliveryCall { subscriber, event, delivery, context: &context })).await
}

/// The name of a message type, for messages about it.
#[cold]
pub(crate) fn no_handler<M: Message>() -> Fault {
    Fault::new(
        FaultCode::NoHandler,
        format!(
            "nothing on this node handles `{}`; add a service that does to the builder",
            M::NAME
        ),
    )
}
