use std::fmt;
use std::pin::Pin;
use std::task::{self, Poll};

use catga_core::{Answer, Command, Context, InPlace, Replied, in_place};

use crate::CallOptions;
use crate::node::Inner;

pin_project_lite::pin_project! {
    /// A command on its way: await it for the answer.
    ///
    /// Nothing happens before the first poll. Dropping it later neither cancels nor disproves the
    /// command; retry with the same id to learn what became of it.
    #[must_use = "a command that is not awaited is not sent"]
    pub struct Sending<'a, M: Command> {
        node: &'a Inner,
        // Taken at the first poll.
        message: Option<M>,
        context: Option<Box<Context>>,
        #[pin]
        running: Option<InPlace<'a, Replied<M::Reply, M::Error>>>,
    }
}

impl<'a, M: Command> Sending<'a, M> {
    pub(crate) fn new(node: &'a Inner, message: M) -> Self {
        Self { node, message: Some(message), context: None, running: None }
    }

    /// Answers with what became of the command besides its answer: its id and position.
    ///
    /// # Cancel safety
    /// As for the command itself: dropping the future neither cancels nor disproves it.
    pub async fn reported(mut self) -> Replied<M::Reply, M::Error> {
        match self.message.take() {
            Some(message) => self.node.dispatch(message, self.context.take()).await,
            // Only a future that was polled before has no message, and this one owned it.
            None => unreachable!("a command is reported on before it is first polled"),
        }
    }
}

impl<M: Command> CallOptions for Sending<'_, M> {
    fn context_mut(&mut self) -> &mut Context {
        self.context.get_or_insert_default()
    }
}

impl<M: Command> Future for Sending<'_, M> {
    type Output = Answer<M::Reply, M::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Some(message) = this.message.take() {
            this.running.set(Some(this.node.dispatch(message, this.context.take())));
        }
        match this.running.as_pin_mut() {
            Some(running) => running.poll(cx).map(|replied| replied.answer),
            None => unreachable!("the call was started above"),
        }
    }
}

impl<M: Command> fmt::Debug for Sending<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending").field("message", &M::NAME).finish_non_exhaustive()
    }
}

/// A future that is ready with `replied`; for calls that are refused before they are dispatched.
pub(crate) fn ready<'a, R, E>(replied: Replied<R, E>) -> InPlace<'a, Replied<R, E>>
where
    R: Send + 'a,
    E: Send + 'a,
{
    in_place(std::future::ready(replied))
}
