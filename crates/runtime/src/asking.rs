use std::fmt;
use std::future::IntoFuture;

use catga_core::{Answer, Context, Envelope, Query, ReadLevel};

use crate::node::Inner;
use crate::{CallOptions, Sent};

/// A query that is about to be asked: say more about the call, then await it for the answer.
///
/// It is small; the future that it becomes ([`Sent`]) holds the whole call. Where a function takes
/// a future, as `join_all` does, give it [`into_future`](IntoFuture::into_future).
#[must_use = "a query that is not awaited is not asked"]
pub struct Asking<'a, M: Query> {
    node: &'a Inner,
    message: M,
    envelope: Option<Box<Envelope>>,
    level: ReadLevel,
}

impl<'a, M: Query> Asking<'a, M> {
    #[inline]
    pub(crate) fn new(node: &'a Inner, message: M) -> Self {
        Self { node, message, envelope: None, level: M::LEVEL }
    }

    /// What this call reads, in place of what its type says.
    pub fn level(mut self, level: ReadLevel) -> Self {
        self.level = level;
        self
    }
}

impl<M: Query> CallOptions for Asking<'_, M> {
    fn context_mut(&mut self) -> &mut Context {
        &mut self.envelope.get_or_insert_default().context
    }
}

impl<'a, M: Query> IntoFuture for Asking<'a, M> {
    type Output = Answer<M::Reply, M::Error>;
    type IntoFuture = Sent<'a, M>;

    #[inline]
    fn into_future(self) -> Sent<'a, M> {
        let Self { node, message, envelope, level } = self;
        let seen = envelope.as_ref().is_some_and(|envelope| envelope.context.after.is_some());
        if level == ReadLevel::Local && !seen {
            // Straight to its handler: a local read allocates nothing.
            return Sent::new(node, message, envelope);
        }
        Sent::waiting(node, message, envelope, level)
    }
}

impl<M: Query> fmt::Debug for Asking<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asking")
            .field("message", &M::NAME)
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}
