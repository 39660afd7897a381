use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use catga_host::{BoxFuture, Host};
use hyper::rt::{Sleep, Timer};

/// The timer of one connection, for the heads of its requests, on the host's clock.
///
/// hyper asks for a new deadline at each request, and nearly none of them ever passes. So there is
/// one sleep per connection, which is left running and begun again only when it has ended: a
/// request then costs no visit to the runtime's timers.
pub(crate) struct HeadTimer {
    /// What the host's clock is counted from.
    base: Instant,
    /// Of this connection alone, so that no two of them meet in its counter.
    clock: Arc<Clock>,
}

struct Clock {
    host: Arc<dyn Host>,
    /// The sleep that runs, if one does. Only the connection's own task locks it.
    running: Mutex<Option<BoxFuture<'static, ()>>>,
}

impl HeadTimer {
    pub(crate) fn new(host: Arc<dyn Host>) -> Self {
        let base = Instant::now();
        Self { base, clock: Arc::new(Clock { host, running: Mutex::default() }) }
    }

    fn until(&self, deadline: Duration) -> Pin<Box<dyn Sleep>> {
        Box::pin(Until { deadline, clock: self.clock.clone() })
    }
}

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.until(self.clock.host.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.until(deadline.saturating_duration_since(self.base))
    }

    fn now(&self) -> Instant {
        self.base + self.clock.host.now()
    }
}

/// Ends once the deadline has passed on the host's clock.
struct Until {
    deadline: Duration,
    clock: Arc<Clock>,
}

impl Future for Until {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Clock { host, running } = &*self.clock;
        let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            // It ends at this deadline, or at one before.
            if let Some(sleep) = running.as_mut() {
                if sleep.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                *running = None;
            }
            let now = host.now();
            if now >= self.deadline {
                return Poll::Ready(());
            }
            *running = Some(host.sleep(self.deadline - now));
        }
    }
}

impl Sleep for Until {}

#[cfg(test)]
mod tests {
    use catga_host::TokioHost;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_deadline_counts_from_its_own_beginning() {
        let host: Arc<dyn Host> = Arc::new(TokioHost::current());
        let timer = HeadTimer::new(host.clone());
        let wait = Duration::from_secs(10);
        // Dropped before its time, as for a head that came.
        let mut first = timer.sleep_until(timer.now() + wait);
        assert!(is_pending(&mut first).await);
        drop(first);
        tokio::time::advance(Duration::from_secs(6)).await;
        let begun = host.now();
        timer.sleep_until(timer.now() + wait).await;
        let took = host.now() - begun;
        assert!(took >= wait && took < wait + Duration::from_secs(1), "{took:?}");
    }

    async fn is_pending(sleep: &mut Pin<Box<dyn Sleep>>) -> bool {
        std::future::poll_fn(|cx| Poll::Ready(sleep.as_mut().poll(cx).is_pending())).await
    }
}
