use std::pin::Pin;
use std::task::{self, Poll};

use catga_core::{Answer, Context, Envelope, ReadLevel, Request, Slot};

use crate::node::Inner;

pin_project_lite::pin_project! {
    /// One call, from what the caller says of it to its answer.
    pub(crate) struct Sent<'a, M: Request> {
        node: &'a Inner,
        // Taken at the first poll.
        message: Option<M>,
        envelope: Option<Box<Envelope>>,
        #[pin]
        slot: Slot<'a, Answer<M::Reply, M::Error>>,
    }
}

impl<'a, M: Request> Sent<'a, M> {
    #[inline]
    pub(crate) fn new(node: &'a Inner, message: M, envelope: Option<Box<Envelope>>) -> Self {
        Self { node, message: Some(message), envelope, slot: Slot::new() }
    }

    #[inline]
    pub(crate) fn context(&self) -> Option<&Context> {
        self.envelope.as_ref().map(|envelope| &envelope.context)
    }

    pub(crate) fn envelope_mut(&mut self) -> &mut Envelope {
        self.envelope.get_or_insert_default()
    }

    /// Goes on with a call that waits for what `level` asks for before it is handled.
    #[inline]
    pub(crate) fn poll_at(
        self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
        level: ReadLevel,
    ) -> Poll<Answer<M::Reply, M::Error>> {
        let seen = self.context().is_some_and(|context| context.after.is_some());
        if level == ReadLevel::Local && !seen {
            return self.poll(cx);
        }
        let this = self.project();
        match this.message.take() {
            Some(message) => {
                let (node, envelope) = (*this.node, this.envelope.take());
                this.slot.start(cx, || node.read(message, envelope, level))
            }
            None => go_on(this.slot, cx),
        }
    }
}

impl<M: Request> Future for Sent<'_, M> {
    type Output = Answer<M::Reply, M::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match this.message.take() {
            Some(message) => this.node.start(message, this.envelope.take(), this.slot, cx),
            None => go_on(this.slot, cx),
        }
    }
}

fn go_on<T>(slot: Pin<&mut Slot<'_, T>>, cx: &mut task::Context<'_>) -> Poll<T> {
    slot.poll(cx).expect("a call that is not ready is in its slot, and one that is has ended")
}
