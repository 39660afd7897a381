use std::fmt;
use std::pin::Pin;
use std::task::{self, Poll};

use catga_core::{Answer, Envelope, ReadLevel, Request, Slot};

use crate::node::Inner;

pin_project_lite::pin_project! {
    /// A command or a query on its way.
    ///
    /// Nothing happens before the first poll. Dropping it later neither cancels nor disproves a
    /// command; retry with the same id to learn what became of it.
    #[must_use = "futures do nothing unless polled"]
    pub struct Sent<'a, M: Request> {
        node: &'a Inner,
        // Taken at the first poll.
        message: Option<M>,
        envelope: Option<Box<Envelope>>,
        // What a query waits for before it is handled; none for what is handled at once.
        wait: Option<ReadLevel>,
        #[pin]
        slot: Slot<'a, Answer<M::Reply, M::Error>>,
    }
}

impl<'a, M: Request> Sent<'a, M> {
    /// A call that is handled at once.
    #[inline]
    pub(crate) fn new(node: &'a Inner, message: M, envelope: Option<Box<Envelope>>) -> Self {
        Self { node, message: Some(message), envelope, wait: None, slot: Slot::new() }
    }

    /// A query that waits for what its level and its context ask for.
    pub(crate) fn waiting(
        node: &'a Inner,
        message: M,
        envelope: Option<Box<Envelope>>,
        level: ReadLevel,
    ) -> Self {
        Self { node, message: Some(message), envelope, wait: Some(level), slot: Slot::new() }
    }
}

impl<M: Request> Future for Sent<'_, M> {
    type Output = Answer<M::Reply, M::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let node = *this.node;
        match (this.message.take(), *this.wait) {
            (Some(message), None) => node.start(message, this.envelope.take(), this.slot, cx),
            (Some(message), Some(level)) => {
                let envelope = this.envelope.take();
                this.slot.start(cx, || node.read(message, envelope, level))
            }
            (None, _) => this.slot.poll(cx).expect("a call that is not ready is in its slot"),
        }
    }
}

impl<M: Request> fmt::Debug for Sent<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sent").field("message", &M::NAME).finish_non_exhaustive()
    }
}
