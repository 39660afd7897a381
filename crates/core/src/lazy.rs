use std::pin::Pin;
use std::task::{Context, Poll};

use crate::{Fault, Settled};

pin_project_lite::pin_project! {
    /// A call that is made at the first poll, or ends there with a fault.
    ///
    /// An `async fn` would hold what it is made from beside what is made; this holds one of them.
    #[project = LazyProjection]
    #[must_use = "futures do nothing unless polled"]
    pub(crate) enum Lazy<C, F> {
        Made { #[pin] call: F },
        // Taken when it is made.
        NotYet { make: Option<C> },
    }
}

impl<C, F> Lazy<C, F>
where
    C: FnOnce() -> Result<F, Fault>,
{
    #[inline]
    pub(crate) const fn new(make: C) -> Self {
        Self::NotYet { make: Some(make) }
    }
}

impl<C, F> Future for Lazy<C, F>
where
    C: FnOnce() -> Result<F, Fault>,
    F: Future,
    F::Output: Settled,
{
    type Output = F::Output;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        if let LazyProjection::NotYet { make } = self.as_mut().project() {
            let make = make.take().expect("a call that ended is not polled again");
            match make() {
                Ok(call) => self.set(Self::Made { call }),
                Err(fault) => return Poll::Ready(F::Output::fault(fault)),
            }
        }
        match self.project() {
            LazyProjection::Made { call } => call.poll(cx),
            LazyProjection::NotYet { .. } => unreachable!("the call was made above"),
        }
    }
}
