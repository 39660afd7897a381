use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};

use crate::guarded::Guarded;
use crate::lazy::Lazy;
use crate::{
    Answer, Call, Context, Delivery, Envelope, Failure, Fault, FaultCode, FieldFaults, Handle,
    Layer, Message, MessageId, Plain, Position, Request, Scope, Service, Slot, Subscriber,
    SubscriberError,
};

/// An answer, and what became of the call where there is more to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replied<R, E> {
    /// The reply, the refusal or the fault.
    pub answer: Answer<R, E>,
    /// None where nothing was recorded: the handler took no transaction.
    pub report: Option<Report>,
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
    /// Begins to answer `message`, in `slot`. If that takes more than one poll, the call goes on
    /// with [`Slot::poll`].
    fn start<'a>(
        &'a self,
        message: M,
        envelope: Option<Box<Envelope>>,
        slot: Pin<&mut Slot<'a, Answer<M::Reply, M::Error>>>,
        cx: &mut task::Context<'_>,
    ) -> Poll<Answer<M::Reply, M::Error>>;
}

/// Gives an event to one subscriber in place.
pub(crate) trait Deliver<E>: Send + Sync + 'static {
    /// Begins to deliver `event`, in `slot`.
    fn start<'a>(
        &'a self,
        event: &'a E,
        slot: Pin<&mut Slot<'a, Delivered>>,
        cx: &mut task::Context<'_>,
    ) -> Poll<Delivered>;
}

/// How a delivery ended.
pub(crate) type Delivered = Result<(), SubscriberError>;

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
    fn start<'a>(
        &'a self,
        message: M,
        envelope: Option<Box<Envelope>>,
        slot: Pin<&mut Slot<'a, Answer<M::Reply, M::Error>>>,
        cx: &mut task::Context<'_>,
    ) -> Poll<Answer<M::Reply, M::Error>> {
        let service = &*self.service;
        match envelope {
            None => slot.start(cx, || {
                let call = PlainCall { service, message, context: &NO_CONTEXT };
                Guarded::new(self.layers.around(call), handler_panicked::<M, M::Reply, M::Error>)
            }),
            Some(envelope) => slot.start(cx, || async move {
                let call = PlainCall { service, message, context: &envelope.context };
                let call = self.layers.around(call);
                Guarded::new(call, handler_panicked::<M, M::Reply, M::Error>).await
            }),
        }
    }
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

/// The answer of a handler of `M` that panicked.
#[cold]
pub fn handler_panicked<M: Message, R, E>(panic: &str) -> Answer<R, E> {
    let message = format!("the handler of `{}` panicked: {panic}", M::NAME);
    Err(Failure::Fault(Fault::new(FaultCode::Panicked, message)))
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
    fn proceed(self) -> impl Future<Output = Self::Outcome> + Send {
        let Self { service, message, .. } = self;
        Lazy::new(move || check(&message).map(|()| service.handle(message, ())))
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
    fn start<'a>(
        &'a self,
        event: &'a H::Event,
        slot: Pin<&mut Slot<'a, Delivered>>,
        cx: &mut task::Context<'_>,
    ) -> Poll<Delivered> {
        slot.start(cx, || {
            let call = DeliveryCall {
                subscriber: &self.subscriber,
                event,
                delivery: &self.delivery,
                context: &NO_CONTEXT,
                scope: H::Scope::argument(None).expect("what runs in place records nothing"),
            };
            Guarded::new(self.layers.around(call), subscriber_panicked)
        })
    }
}

#[cold]
fn subscriber_panicked(panic: &str) -> Delivered {
    Err(SubscriberError::new(format_args!("the subscriber panicked: {panic}")))
}

struct DeliveryCall<'a, H: Subscriber> {
    subscriber: &'a H,
    event: &'a H::Event,
    delivery: &'a Delivery,
    context: &'a Context,
    scope: <H::Scope as Scope>::Argument<'a>,
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
        self.subscriber.deliver(self.event, self.delivery, self.scope)
    }
}

/// Delivers a recorded event to `subscriber` within `layers`; a panic is a failed delivery.
/// `context` is that of the event.
///
/// # Errors
/// What the subscriber said, or that it panicked.
pub async fn deliver_recorded<'a, H: Subscriber, L: Layer>(
    subscriber: &'a H,
    layers: &'a L,
    event: &'a H::Event,
    delivery: &'a Delivery,
    context: &'a Context,
    scope: <H::Scope as Scope>::Argument<'a>,
) -> Result<(), SubscriberError> {
    let call = DeliveryCall { subscriber, event, delivery, context, scope };
    Guarded::new(layers.around(call), subscriber_panicked).await
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
