use std::any::Any;

use crate::{Answer, Context, DomainError, Failure, Fault, Message, SubscriberError};

/// Behaviour around calls: authorise, validate, limit, measure.
///
/// An *edge layer* runs once per call, on the node that was called; what it refuses is not
/// recorded. A *handler layer* runs around every attempt of a handler and every delivery to a
/// subscriber. The layer that is added first is the outermost.
///
/// ```
/// # use catga_core::*;
/// struct OnlyKnownCallers;
///
/// impl Layer for OnlyKnownCallers {
///     async fn around<C: Call>(&self, call: C) -> C::Outcome {
///         if call.context().principal.is_none() {
///             return C::Outcome::fault(Fault::denied("say who you are"));
///         }
///         call.proceed().await
///     }
/// }
/// ```
pub trait Layer: Send + Sync + 'static {
    /// Goes around one call: does something before, after, or instead of
    /// [`proceed`](Call::proceed).
    fn around<C: Call>(&self, call: C) -> impl Future<Output = C::Outcome> + Send;
}

/// One call on its way to the handler.
pub trait Call: Sized + Send {
    /// What is handled: a command, a query, or an event.
    type Message: Message;
    /// What comes back.
    type Outcome: Settled;

    /// The message.
    fn message(&self) -> &Self::Message;

    /// What the call carries besides the message.
    fn context(&self) -> &Context;

    /// Goes on to the next layer, and after the last one to the handler.
    fn proceed(self) -> impl Future<Output = Self::Outcome> + Send;

    /// The written name of the message.
    fn name(&self) -> &'static str {
        Self::Message::NAME
    }

    /// The message as a `T`, if it is one.
    fn message_as<T: Message>(&self) -> Option<&T> {
        (self.message() as &dyn Any).downcast_ref()
    }
}

/// What a call ended in, as a layer sees it.
pub trait Settled: Send {
    /// Success, refusal or fault.
    fn class(&self) -> Class<'_>;

    /// The outcome of a call that a layer ends with a fault.
    fn fault(fault: Fault) -> Self;
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class<'a> {
    /// It succeeded.
    Done,
    /// The domain refused it; its code.
    Refused(&'static str),
    /// It failed.
    Failed(&'a Fault),
    /// A subscriber failed and will get the event again; what it said.
    Undelivered(&'a str),
}

impl<R: Send, E: DomainError> Settled for Answer<R, E> {
    fn class(&self) -> Class<'_> {
        match self {
            Ok(_) => Class::Done,
            Err(Failure::Domain(error)) => Class::Refused(error.code()),
            Err(Failure::Fault(fault)) => Class::Failed(fault),
        }
    }

    fn fault(fault: Fault) -> Self {
        Err(Failure::Fault(fault))
    }
}

impl Settled for Result<(), SubscriberError> {
    fn class(&self) -> Class<'_> {
        match self {
            Ok(()) => Class::Done,
            Err(error) => Class::Undelivered(error.reason()),
        }
    }

    fn fault(fault: Fault) -> Self {
        Err(SubscriberError::new(fault))
    }
}

/// No layer: goes straight on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Identity;

impl Layer for Identity {
    #[inline]
    fn around<C: Call>(&self, call: C) -> impl Future<Output = C::Outcome> + Send {
        call.proceed()
    }
}

/// Two layers, one around the other.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stack<Outer, Inner> {
    outer: Outer,
    inner: Inner,
}

impl<Outer, Inner> Stack<Outer, Inner> {
    /// `outer` around `inner`.
    pub const fn new(outer: Outer, inner: Inner) -> Self {
        Self { outer, inner }
    }
}

impl<Outer: Layer, Inner: Layer> Layer for Stack<Outer, Inner> {
    #[inline]
    fn around<C: Call>(&self, call: C) -> impl Future<Output = C::Outcome> + Send {
        self.outer.around(Within { inner: &self.inner, call })
    }
}

/// A call that still has inner layers to pass.
struct Within<'a, Inner, C> {
    inner: &'a Inner,
    call: C,
}

impl<Inner: Layer, C: Call> Call for Within<'_, Inner, C> {
    type Message = C::Message;
    type Outcome = C::Outcome;

    fn message(&self) -> &Self::Message {
        self.call.message()
    }

    fn context(&self) -> &Context {
        self.call.context()
    }

    #[inline]
    fn proceed(self) -> impl Future<Output = Self::Outcome> + Send {
        self.inner.around(self.call)
    }
}

impl<L: Layer> Layer for std::sync::Arc<L> {
    #[inline]
    fn around<C: Call>(&self, call: C) -> impl Future<Output = C::Outcome> + Send {
        (**self).around(call)
    }
}
