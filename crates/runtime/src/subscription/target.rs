use std::sync::Arc;
use std::time::Duration;

use catga_core::{
    Delivery, Layer, RecordedEvent, Scope, Subscriber, SubscriberError, Tx, deliver_recorded,
};
use catga_host::BoxFuture;

/// The wait before the second try; it doubles from try to try.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);

/// No wait between two tries is longer.
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// A subscriber and its layers, without their types.
pub(super) trait Target: Send + Sync {
    /// True if its deliveries take a transaction.
    fn records(&self) -> bool;

    fn deliver<'a>(
        &'a self,
        event: &'a RecordedEvent,
        attempt: u32,
        tx: Option<&'a mut Tx>,
    ) -> BoxFuture<'a, Result<(), Undelivered>>;
}

/// Why an event was not delivered.
pub(super) enum Undelivered {
    /// The subscriber failed; a later try may succeed.
    Failed(SubscriberError),
    /// This build cannot read the event: trying again does not help.
    Unreadable(String),
}

pub(super) struct Typed<H, L> {
    pub(super) subscriber: H,
    pub(super) layers: Arc<L>,
}

impl<H: Subscriber, L: Layer> Target for Typed<H, L> {
    fn records(&self) -> bool {
        H::Scope::RECORDS
    }

    fn deliver<'a>(
        &'a self,
        recorded: &'a RecordedEvent,
        attempt: u32,
        tx: Option<&'a mut Tx>,
    ) -> BoxFuture<'a, Result<(), Undelivered>> {
        Box::pin(async move {
            let event = recorded
                .decode::<H::Event>()
                .map_err(|error| Undelivered::Unreadable(error.to_string()))?;
            let delivery = Delivery::new(H::NAME, Some(recorded.meta.clone()), attempt);
            let context = recorded.meta.context();
            let scope = H::Scope::argument(tx).expect("who takes a transaction is given one");
            let (subscriber, layers) = (&self.subscriber, &*self.layers);
            deliver_recorded(subscriber, layers, &event, &delivery, &context, scope)
                .await
                .map_err(Undelivered::Failed)
        })
    }
}

/// The wait before the next try: doubling, and up to half of it left to chance, so that
/// subscribers that failed together do not come back together.
pub(super) fn backoff(attempt: u32, random: u64) -> Duration {
    let doubled = FIRST_BACKOFF.saturating_mul(1u32.checked_shl(attempt - 1).unwrap_or(u32::MAX));
    let longest = doubled.min(LONGEST_BACKOFF);
    let share = (random >> 32) as f64 / f64::from(u32::MAX);
    longest.mul_f64(1.0 - share / 2.0)
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
