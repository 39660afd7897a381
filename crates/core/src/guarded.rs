use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::panic_message;

pin_project_lite::pin_project! {
    /// A future that ends in an output made from the panic's message instead of unwinding.
    ///
    /// After a panic the inner future is never polled again; what it held is dropped with it.
    #[must_use = "futures do nothing unless polled"]
    pub(crate) struct Guarded<F, O> {
        #[pin]
        future: F,
        panicked: fn(&str) -> O,
    }
}

impl<F, O> Guarded<F, O> {
    #[inline]
    pub(crate) const fn new(future: F, panicked: fn(&str) -> O) -> Self {
        Self { future, panicked }
    }
}

impl<F: Future> Future for Guarded<F, F::Output> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let future = this.future;
        // Written where it is returned from: each further move of an answer costs as much as the
        // dispatch that found its handler.
        let mut polled = Poll::Pending;
        match catch_unwind(AssertUnwindSafe(|| polled = future.poll(cx))) {
            Ok(()) => polled,
            Err(panic) => Poll::Ready((this.panicked)(&panic_message(&*panic))),
        }
    }
}
