use crate::{Answer, CommandKind, Kind, QueryKind, Registrar, Request, Service, Tx};

/// A service's handler of one message.
///
/// `#[service]` on an impl block writes this for each of its methods; the first argument's type
/// says what a method handles. Written by hand:
///
/// ```
/// # use catga_core::*;
/// # fn demo<CreateOrder, Order, OrderError, F>()
/// # where F: Format, OrderError: DomainError, Order: Wire,
/// #     CreateOrder: Request<Kind = CommandKind, Reply = Order, Error = OrderError> {}
/// struct Orders;
///
/// impl<M> Handle<M> for Orders
/// where
///     M: Request<Kind = CommandKind, Reply = u64>,
/// {
///     type Scope = Durable;
///
///     async fn handle(&self, _message: M, tx: &mut Tx) -> Answer<u64, M::Error> {
///         Ok(tx.now().as_millis())
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "the service `{Self}` has no handler for `{M}`",
    label = "no method of a `#[service]` block of `{Self}` takes `{M}`",
    note = "add `async fn …(&self, message: {M}) -> Answer<Reply, Error>` to the `#[service]` \
            block; a command's handler may also take `tx: &mut Tx`"
)]
pub trait Handle<M: Request>: Send + Sync + 'static {
    /// [`Durable`] for a handler that takes a [`Tx`], [`Plain`] for one that does not.
    type Scope: ScopeFor<M::Kind>;

    /// Answers `message`. It may run more than once for one command; its effect counts once.
    fn handle<'a>(
        &'a self,
        message: M,
        scope: <Self::Scope as Scope>::Argument<'a>,
    ) -> impl Future<Output = Answer<M::Reply, M::Error>> + Send + 'a;
}

/// What a handler gets besides its message: a transaction, or nothing.
pub trait Scope: Sized + Send + Sync + 'static {
    /// `&mut Tx` or `()`.
    type Argument<'a>: Send;

    /// True if what runs in it may record.
    const RECORDS: bool;

    /// The argument that `tx` gives; none if it takes a transaction and there is none.
    fn argument<'a>(tx: Option<&'a mut Tx>) -> Option<Self::Argument<'a>>;

    /// Registers the handler with the method of the registrar that fits.
    fn register<S, M, R>(registrar: &mut R)
    where
        S: Service + Handle<M, Scope = Self>,
        M: Request,
        R: Registrar<S>;
}

/// The scope of a handler whose effect is recorded: it takes a [`Tx`].
#[derive(Debug)]
pub struct Durable;

/// The scope of a handler with nothing to record: it runs on the node that was called.
#[derive(Debug)]
pub struct Plain;

impl Scope for Durable {
    type Argument<'a> = &'a mut Tx;

    const RECORDS: bool = true;

    fn argument<'a>(tx: Option<&'a mut Tx>) -> Option<Self::Argument<'a>> {
        tx
    }

    fn register<S, M, R>(registrar: &mut R)
    where
        S: Service + Handle<M, Scope = Self>,
        M: Request,
        R: Registrar<S>,
    {
        registrar.durable::<M>();
    }
}

impl Scope for Plain {
    type Argument<'a> = ();

    const RECORDS: bool = false;

    fn argument<'a>(_tx: Option<&'a mut Tx>) -> Option<Self::Argument<'a>> {
        Some(())
    }

    fn register<S, M, R>(registrar: &mut R)
    where
        S: Service + Handle<M, Scope = Self>,
        M: Request,
        R: Registrar<S>,
    {
        registrar.plain::<M>();
    }
}

/// The scopes that handlers of a kind of message may have.
#[diagnostic::on_unimplemented(
    message = "the handler of a query cannot take a `Tx`",
    label = "a query changes nothing, so there is nothing to record",
    note = "read through a `View`, or make the message a command"
)]
pub trait ScopeFor<K: Kind>: Scope {}

impl ScopeFor<CommandKind> for Durable {}
impl ScopeFor<CommandKind> for Plain {}
impl ScopeFor<QueryKind> for Plain {}
