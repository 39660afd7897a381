use std::fmt;
use std::future::IntoFuture;
use std::sync::{Arc, OnceLock};

use catga_core::{Answer, Command, Context, Envelope, Replied};

use crate::node::Inner;
use crate::{CallOptions, Sent};

/// A command that is about to be sent: say more about the call, then await it for the answer.
///
/// It is small; the future that it becomes ([`Sent`]) holds the whole call. Where a function takes
/// a future, as `join_all` does, give it [`into_future`](IntoFuture::into_future).
#[must_use = "a command that is not awaited is not sent"]
pub struct Sending<'a, M: Command> {
    node: &'a Inner,
    message: M,
    envelope: Option<Box<Envelope>>,
}

impl<'a, M: Command> Sending<'a, M> {
    #[inline]
    pub(crate) fn new(node: &'a Inner, message: M) -> Self {
        Self { node, message, envelope: None }
    }

    /// Answers with what became of the command besides its answer: its id and position.
    ///
    /// # Cancel safety
    /// As for the command itself: dropping the future neither cancels nor disproves it.
    pub async fn reported(mut self) -> Replied<M::Reply, M::Error> {
        let cell = Arc::new(OnceLock::new());
        self.envelope.get_or_insert_default().report = Some(cell.clone());
        let answer = self.await;
        Replied { answer, report: cell.get().copied() }
    }
}

impl<M: Command> CallOptions for Sending<'_, M> {
    fn context_mut(&mut self) -> &mut Context {
        &mut self.envelope.get_or_insert_default().context
    }
}

impl<'a, M: Command> IntoFuture for Sending<'a, M> {
    type Output = Answer<M::Reply, M::Error>;
    type IntoFuture = Sent<'a, M>;

    #[inline]
    fn into_future(self) -> Sent<'a, M> {
        Sent::new(self.node, self.message, self.envelope)
    }
}

impl<M: Command> fmt::Debug for Sending<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending").field("message", &M::NAME).finish_non_exhaustive()
    }
}
