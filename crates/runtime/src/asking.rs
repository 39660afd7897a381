use std::fmt;
use std::pin::Pin;
use std::task::{self, Poll};

use catga_core::{Answer, Context, InPlace, Query, ReadLevel, Replied};
use catga_host::BoxFuture;

use crate::CallOptions;
use crate::node::Inner;

pin_project_lite::pin_project! {
    /// A query on its way: await it for the answer.
    #[must_use = "a query that is not awaited is not asked"]
    pub struct Asking<'a, M: Query> {
        node: &'a Inner,
        // Taken at the first poll.
        message: Option<M>,
        context: Option<Box<Context>>,
        level: ReadLevel,
        #[pin]
        running: Running<'a, M>,
    }
}

pin_project_lite::pin_project! {
    #[project = RunningProjection]
    enum Running<'a, M: Query> {
        NotYet,
        /// A local read goes straight to its handler, and allocates nothing.
        Local { #[pin] call: InPlace<'a, Replied<M::Reply, M::Error>> },
        /// Any other read waits first.
        Waited { call: BoxFuture<'a, Answer<M::Reply, M::Error>> },
    }
}

impl<'a, M: Query> Asking<'a, M> {
    pub(crate) fn new(node: &'a Inner, message: M) -> Self {
        Self {
            node,
            message: Some(message),
            context: None,
            level: M::LEVEL,
            running: Running::NotYet,
        }
    }

    /// What this call reads, in place of what its type says.
    pub fn level(mut self, level: ReadLevel) -> Self {
        self.level = level;
        self
    }
}

impl<M: Query> CallOptions for Asking<'_, M> {
    fn context_mut(&mut self) -> &mut Context {
        self.context.get_or_insert_default()
    }
}

impl<'a, M: Query> Future for Asking<'a, M> {
    type Output = Answer<M::Reply, M::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Some(message) = this.message.take() {
            let (node, context) = (*this.node, this.context.take());
            let seen = context.as_ref().is_some_and(|context| context.after.is_some());
            this.running.set(if *this.level == ReadLevel::Local && !seen {
                Running::Local { call: node.dispatch(message, context) }
            } else {
                Running::Waited { call: Box::pin(node.read(message, context, *this.level)) }
            });
        }
        match this.running.project() {
            RunningProjection::Local { call } => call.poll(cx).map(|replied| replied.answer),
            RunningProjection::Waited { call } => call.as_mut().poll(cx),
            RunningProjection::NotYet => unreachable!("the call was started above"),
        }
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
