use std::sync::Arc;

use crate::{Durable, Handle, Plain, Request, Subscriber};

/// A set of handlers over some state of its own: what a program adds to a node.
///
/// `#[service]` on an impl block writes this and one [`Handle`] for each method.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a service",
    note = "put `#[service]` on the impl block with its handlers"
)]
pub trait Service: Sized + Send + Sync + 'static {
    /// The service's name in errors, logs and metrics.
    const NAME: &'static str;

    /// Names every handler and subscriber of the service to `registrar`.
    fn register<R: Registrar<Self>>(registrar: &mut R);
}

/// Who collects the handlers of a service.
pub trait Registrar<S: Service> {
    /// Adds the handler of `M`, whose scope decides where it runs.
    fn handler<M>(&mut self)
    where
        M: Request,
        S: Handle<M>,
        Self: Sized,
    {
        <S::Scope as crate::Scope>::register::<S, M, Self>(self);
    }

    /// Adds a handler that takes a transaction.
    fn durable<M>(&mut self)
    where
        M: Request,
        S: Handle<M, Scope = Durable>;

    /// Adds a handler that runs where it is called.
    fn plain<M>(&mut self)
    where
        M: Request,
        S: Handle<M, Scope = Plain>;

    /// Adds a subscriber that is made from the service.
    fn subscriber<H: Subscriber>(&mut self, make: fn(Arc<S>) -> H);
}
