use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{self, Poll};

use catga_core::{Answer, Command, Context, Replied};

use crate::CallOptions;
use crate::node::Inner;
use crate::sent::Sent;

pin_project_lite::pin_project! {
    /// A command that is about to be sent: say more about the call, and await it for the answer.
    ///
    /// Nothing happens before the first poll. Dropping it later neither cancels nor disproves the
    /// command; retry with the same id to learn what became of it.
    #[must_use = "a command that is not awaited is not sent"]
    pub struct Sending<'a, M: Command> {
        #[pin]
        sent: Sent<'a, M>,
    }
}

impl<'a, M: Command> Sending<'a, M> {
    #[inline]
    pub(crate) fn new(node: &'a Inner, message: M) -> Self {
        Self { sent: Sent::new(node, message, None) }
    }

    /// Answers with what became of the command besides its answer: its id and position.
    ///
    /// # Cancel safety
    /// As for the command itself: dropping the future neither cancels nor disproves it.
    pub async fn reported(mut self) -> Replied<M::Reply, M::Error> {
        let cell = Arc::new(OnceLock::new());
        self.sent.envelope_mut().report = Some(cell.clone());
        let answer = self.await;
        Replied { answer, report: cell.get().copied() }
    }
}

impl<M: Command> CallOptions for Sending<'_, M> {
    fn context_mut(&mut self) -> &mut Context {
        &mut self.sent.envelope_mut().context
    }
}

impl<M: Command> Future for Sending<'_, M> {
    type Output = Answer<M::Reply, M::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        self.project().sent.poll(cx)
    }
}

impl<M: Command> fmt::Debug for Sending<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending").field("message", &M::NAME).finish_non_exhaustive()
    }
}
