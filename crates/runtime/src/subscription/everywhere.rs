//! A subscriber that every node has, with a cursor of its own.

use std::sync::Arc;

use catga_core::{FaultCode, Offset, RecordedEvent, StartFrom};
use catga_host::Host;
use catga_journal::{Filter, Journal};

use super::target::{Undelivered, backoff};
use super::{PAGE, Subscription};
use crate::SubscriberState;
use crate::projector::MENDING_WAIT;

impl Subscription {
    /// Delivers what comes, in order, until the journal closes. `now` is where the journal was
    /// when the node started.
    pub(super) async fn run_everywhere(
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
                        self.deliver_or_pause(&*host, event, attempts).await;
                        // An effect may hold several events; the cursor passes it with its last,
                        // so a pause in between repeats the earlier ones: at least once.
                        let before = Offset(event.meta.position.offset.0 - 1);
                        self.set(|status| status.cursor = before);
                    }
                    cursor = page.upto;
                }
                Err(fault) if fault.code() == FaultCode::HistoryDamaged => {
                    host.sleep(MENDING_WAIT).await;
                }
                Err(fault) => self.pause(fault.to_string()).await,
            }
        }
    }

    /// Delivers one event: tries again with growing waits, then pauses until somebody resumes it.
    async fn deliver_or_pause(&self, host: &dyn Host, event: &RecordedEvent, attempts: u32) {
        let mut attempt = 1;
        loop {
            match self.target.deliver(event, attempt, None).await {
                Ok(()) => return self.set(|status| status.state = SubscriberState::Running),
                Err(Undelivered::Failed(error)) if attempt < attempts => {
                    self.retrying(event, attempt, error.reason());
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
        self.paused(error);
        self.resumed.notified().await;
        self.set(|status| status.state = SubscriberState::Running);
    }
}
