use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use catga_core::{
    Delivery, Layer, Message, Offset, RecordedEvent, StartFrom, Subscriber, SubscriberError,
    deliver_recorded,
};
use catga_host::{BoxFuture, Host};
use catga_journal::{Filter, Journal};
use tokio::sync::Notify;

use crate::{SubscriberState, SubscriberStatus};

/// How many events are read from the journal at once.
const PAGE: usize = 128;

/// The wait before the second try; it doubles from try to try.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);

/// No wait between two tries is longer.
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// All subscribers of a node that get recorded events.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions(pub(crate) Vec<Arc<Subscription>>);

/// One subscriber with a cursor of this node's own.
pub(crate) struct Subscription {
    name: &'static str,
    events: &'static [&'static str],
    from: StartFrom,
    target: Box<dyn Target>,
    status: Mutex<SubscriberStatus>,
    resumed: Notify,
}

/// A subscriber and its layers, without their types.
trait Target: Send + Sync {
    fn deliver<'a>(
        &'a self,
        event: &'a RecordedEvent,
        attempt: u32,
    ) -> BoxFuture<'a, Result<(), Undelivered>>;
}

/// Why an event was not delivered.
enum Undelivered {
    /// The subscriber failed; a later try may succeed.
    Failed(SubscriberError),
    /// This build cannot read the event: trying again does not help.
    Unreadable(String),
}

struct Typed<H, L> {
    subscriber: H,
    layers: Arc<L>,
}

impl<H: Subscriber, L: Layer> Target for Typed<H, L> {
    fn deliver<'a>(
        &'a self,
        recorded: &'a RecordedEvent,
        attempt: u32,
    ) -> BoxFuture<'a, Result<(), Undelivered>> {
        Box::pin(async move {
            let event = recorded
                .decode::<H::Event>()
                .map_err(|error| Undelivered::Unreadable(error.to_string()))?;
            let delivery = Delivery::new(H::NAME, Some(recorded.meta.clone()), attempt);
            deliver_recorded(&self.subscriber, &*self.layers, &event, &delivery)
                .await
                .map_err(Undelivered::Failed)
        })
    }
}

impl Subscription {
    pub(crate) fn new<H: Subscriber, L: Layer>(subscriber: H, layers: Arc<L>) -> Self {
        let status = SubscriberStatus {
            name: H::NAME,
            cursor: Offset::ZERO,
            state: SubscriberState::Running,
        };
        Self {
            name: H::NAME,
            events: const { &[<H::Event as Message>::NAME] },
            from: H::FROM,
            target: Box::new(Typed { subscriber, layers }),
            status: Mutex::new(status),
            resumed: Notify::new(),
        }
    }

    /// Delivers what comes, in order, until the journal closes. `now` is where the journal was
    /// when the node started.
    pub(crate) async fn run(
        self: Arc<Self>,
        host: Arc<dyn Host>,
        journal: Arc<dyn Journal>,
        now: Offset,
        attempts: u32,
    ) {
        let mut cursor = match self.from {
            StartFrom::Now => now,
            StartFrom::Start => Offset::ZERO,
        };
        let filter = Filter::Names(self.events);
        loop {
            self.set(|status| status.cursor = cursor);
            if !journal.applied().reach(cursor.next()).await {
                return;
            }
            match journal.page(cursor, &filter, PAGE).await {
                Ok(page) => {
                    for event in &page.events {
                        self.deliver(&*host, event, attempts).await;
                        // An effect may hold several events; the cursor passes it with its last,
                        // so a pause in between repeats the earlier ones: at least once.
                        let before = Offset(event.meta.position.offset.0 - 1);
                        self.set(|status| status.cursor = before);
                    }
                    cursor = page.upto;
                }
                Err(fault) => self.pause(fault.to_string()).await,
            }
        }
    }

    /// Delivers one event: tries again with growing waits, then pauses until somebody resumes it.
    async fn deliver(&self, host: &dyn Host, event: &RecordedEvent, attempts: u32) {
        let mut attempt = 1;
        loop {
            match self.target.deliver(event, attempt).await {
                Ok(()) => return self.set(|status| status.state = SubscriberState::Running),
                Err(Undelivered::Failed(error)) if attempt < attempts => {
                    let position = event.meta.position;
                    tracing::warn!(subscriber = self.name, %position, attempt, %error, "delivery failed");
                    let error = error.to_string();
                    self.set(|status| {
                        status.state = SubscriberState::Retrying { attempts: attempt, error };
                    });
                    host.sleep(backoff(attempt, host.random())).await;
                    attempt += 1;
                }
                Err(Undelivered::Failed(error)) => {
                    self.pause(format!("it failed {attempt} times; last: {error}")).await;
                    attempt = 1;
                }
                Err(Undelivered::Unreadable(error)) => {
                    self.pause(error).await;
                    attempt = 1;
                }
            }
        }
    }

    async fn pause(&self, error: String) {
        tracing::error!(subscriber = self.name, error, "subscriber paused");
        self.set(|status| status.state = SubscriberState::Paused { error });
        self.resumed.notified().await;
        self.set(|status| status.state = SubscriberState::Running);
    }

    fn set(&self, change: impl FnOnce(&mut SubscriberStatus)) {
        change(&mut self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, SubscriberStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The wait before the next try: doubling, and up to half of it left to chance, so that
/// subscribers that failed together do not come back together.
fn backoff(attempt: u32, random: u64) -> Duration {
    let doubled = FIRST_BACKOFF.saturating_mul(1u32.checked_shl(attempt - 1).unwrap_or(u32::MAX));
    let longest = doubled.min(LONGEST_BACKOFF);
    let share = (random >> 32) as f64 / f64::from(u32::MAX);
    longest.mul_f64(1.0 - share / 2.0)
}

impl Subscriptions {
    pub(crate) fn status(&self) -> Vec<SubscriberStatus> {
        self.0.iter().map(|subscription| subscription.lock().clone()).collect()
    }

    pub(crate) fn complaints(&self) -> Vec<String> {
        let complaint = |status: SubscriberStatus| match status.state {
            SubscriberState::Paused { error } => {
                Some(format!("subscriber `{}` is paused: {error}", status.name))
            }
            SubscriberState::Running | SubscriberState::Retrying { .. } => None,
        };
        self.status().into_iter().filter_map(complaint).collect()
    }

    pub(crate) fn resume(&self, name: &str) -> bool {
        let Some(subscription) = self.0.iter().find(|subscription| subscription.name == name)
        else {
            return false;
        };
        let paused = matches!(subscription.lock().state, SubscriberState::Paused { .. });
        if paused {
            subscription.resumed.notify_one();
        }
        paused
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Subscription").field(&*self.lock()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_never_vanish() {
        assert_eq!(backoff(1, 0), FIRST_BACKOFF);
        assert_eq!(backoff(3, 0), FIRST_BACKOFF * 4);
        assert_eq!(backoff(64, 0), LONGEST_BACKOFF);
        assert_eq!(backoff(2, u64::MAX), FIRST_BACKOFF);
    }
}
