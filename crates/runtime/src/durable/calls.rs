use catga_core::{Answer, Call, Context, Durable, Handle, Layer, Report, Request, Service, Tx};

use super::{DurableDispatch, held};

/// The call as the edge layers see it.
pub(super) struct EdgeCall<'a, S, E, H, M> {
    pub(super) dispatch: &'a DurableDispatch<S, E, H>,
    /// There until the handler takes it.
    pub(super) message: &'a mut Option<M>,
    pub(super) context: &'a Context,
    pub(super) report: &'a mut Option<Report>,
}

impl<M, S, E, H> Call for EdgeCall<'_, S, E, H, M>
where
    M: Request,
    S: Service + Handle<M, Scope = Durable>,
    E: Layer,
    H: Layer,
{
    type Message = M;
    type Outcome = Answer<M::Reply, M::Error>;

    fn message(&self) -> &M {
        held(self.message)
    }

    fn context(&self) -> &Context {
        self.context
    }

    fn proceed(self) -> impl Future<Output = Self::Outcome> + Send {
        self.dispatch.execute(self.message, self.context, self.report)
    }
}

/// One attempt as the handler layers see it.
pub(super) struct HandlerCall<'a, S, M> {
    pub(super) service: &'a S,
    /// There until the handler takes it.
    pub(super) message: &'a mut Option<M>,
    pub(super) context: &'a Context,
    pub(super) tx: &'a mut Tx,
}

impl<M, S> Call for HandlerCall<'_, S, M>
where
    M: Request,
    S: Handle<M, Scope = Durable>,
{
    type Message = M;
    type Outcome = Answer<M::Reply, M::Error>;

    fn message(&self) -> &M {
        held(self.message)
    }

    fn context(&self) -> &Context {
        self.context
    }

    fn proceed(self) -> impl Future<Output = Self::Outcome> + Send {
        let message = self.message.take().expect("it was there when the attempt began");
        self.service.handle(message, self.tx)
    }
}
