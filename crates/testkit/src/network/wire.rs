use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep, sleep_until};

use super::sim_network::{SimNetwork, Weak};

/// The task that lets things arrive when they are due, for as long as there is a network.
pub(super) struct Wire {
    network: Weak,
    sleep: Pin<Box<Sleep>>,
}

impl Wire {
    pub(super) fn new(network: &SimNetwork) -> Self {
        let sleep = Box::pin(sleep_until(Instant::now()));
        Self { network: network.downgrade(), sleep }
    }
}

impl Future for Wire {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let Some(network) = self.network.upgrade() else {
                return Poll::Ready(());
            };
            let Some(due) = network.with(|net| net.run_due(cx.waker())) else {
                return Poll::Pending;
            };
            self.sleep.as_mut().reset(due);
            ready!(self.sleep.as_mut().poll(cx));
        }
    }
}
