use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::{BoxFuture, Host};

/// Ends with `future`, or with [`Elapsed`] when `duration` has passed on the host's clock.
///
/// The timer is made only when the future is not ready at once.
pub fn timeout<'h, F: Future>(host: &'h dyn Host, duration: Duration, future: F) -> Timeout<'h, F> {
    Timeout { future, timer: Timer::NotYet { host, duration } }
}

/// The time was up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time was up")
    }
}

impl std::error::Error for Elapsed {}

pin_project_lite::pin_project! {
    /// The future of [`timeout`].
    #[must_use = "futures do nothing unless polled"]
    pub struct Timeout<'h, F> {
        #[pin]
        future: F,
        timer: Timer<'h>,
    }
}

enum Timer<'h> {
    NotYet { host: &'h dyn Host, duration: Duration },
    Running(BoxFuture<'static, ()>),
}

impl<F: Future> Future for Timeout<'_, F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        // The future goes first: what is ready counts even when the time is up as well.
        if let Poll::Ready(output) = this.future.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        if let Timer::NotYet { host, duration } = this.timer {
            *this.timer = Timer::Running(host.sleep(*duration));
        }
        match this.timer {
            Timer::Running(sleep) => sleep.as_mut().poll(cx).map(|()| Err(Elapsed)),
            Timer::NotYet { .. } => unreachable!("the timer was started above"),
        }
    }
}

impl<F> fmt::Debug for Timeout<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeout").finish_non_exhaustive()
    }
}
