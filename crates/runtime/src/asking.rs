use std::fmt;
use std::pin::Pin;
use std::task::{self, Poll};

use catga_core::{Answer, Context, Query, ReadLevel};

use crate::CallOptions;
use crate::node::Inner;
use crate::sent::Sent;

pin_project_lite::pin_project! {
    /// A query that is about to be asked: say more about the call, and await it for the answer.
    #[must_use = "a query that is not awaited is not asked"]
    pub struct Asking<'a, M: Query> {
        level: ReadLevel,
        #[pin]
        sent: Sent<'a, M>,
    }
}

impl<'a, M: Query> Asking<'a, M> {
    #[inline]
    pub(crate) fn new(node: &'a Inner, message: M) -> Self {
        Self { level: M::LEVEL, sent: Sent::new(node, message, None) }
    }

    /// What this call reads, in place of what its type says.
    pub fn level(mut self, level: ReadLevel) -> Self {
        self.level = level;
        self
    }
}

impl<M: Query> CallOptions for Asking<'_, M> {
    fn context_mut(&mut self) -> &mut Context {
        &mut self.sent.envelope_mut().context
    }
}

impl<M: Query> Future for Asking<'_, M> {
    type Output = Answer<M::Reply, M::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.sent.poll_at(cx, *this.level)
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
