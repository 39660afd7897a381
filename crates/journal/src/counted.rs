use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use catga_core::Offset;
use catga_host::BoxFuture;

/// The wait for a command's effect to count on this node: ready with its offset.
///
/// It never ends if the effect never counts, nor if the journal has stopped, so whoever waits has
/// a deadline. Dropping it only stops waiting.
#[must_use = "futures do nothing unless polled"]
pub struct Counted(BoxFuture<'static, Offset>);

impl Counted {
    /// A wait that `future` ends. What it waits for is noted before this is made, not at the first
    /// poll.
    pub fn new(future: impl Future<Output = Offset> + Send + 'static) -> Self {
        Self(Box::pin(future))
    }
}

impl Future for Counted {
    type Output = Offset;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Offset> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counted").finish_non_exhaustive()
    }
}
