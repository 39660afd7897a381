use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use catga_core::{Fault, FaultCode};
use catga_host::BoxFuture;
use tokio::sync::oneshot;

use crate::Committed;

/// A commit on its way. Dropping it neither cancels nor disproves it.
#[must_use = "a commit that nobody waits for has an outcome that nobody knows"]
pub struct Pending(Way);

/// How the verdict comes.
enum Way {
    /// From whoever applies the effect; nothing is boxed for it.
    Sent(oneshot::Receiver<Result<Committed, Fault>>),
    Boxed(BoxFuture<'static, Result<Committed, Fault>>),
}

impl Pending {
    /// A commit whose verdict `future` brings.
    pub fn new(future: impl Future<Output = Result<Committed, Fault>> + Send + 'static) -> Self {
        Self(Way::Boxed(Box::pin(future)))
    }

    /// A commit whose verdict is sent.
    pub(crate) fn sent(receiver: oneshot::Receiver<Result<Committed, Fault>>) -> Self {
        Self(Way::Sent(receiver))
    }

    /// A commit that failed at once.
    #[cold]
    pub(crate) fn refused(fault: Fault) -> Self {
        Self::new(std::future::ready(Err(fault)))
    }
}

impl Future for Pending {
    type Output = Result<Committed, Fault>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Way::Sent(receiver) => {
                Pin::new(receiver).poll(cx).map(|sent| sent.unwrap_or_else(|_| Err(lost())))
            }
            Way::Boxed(future) => future.as_mut().poll(cx),
        }
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}

/// Whoever had to answer is gone.
#[cold]
fn lost() -> Fault {
    let message = "the journal ended before it answered; retry with the same id to learn";
    Fault::new(FaultCode::InDoubt, message)
}
