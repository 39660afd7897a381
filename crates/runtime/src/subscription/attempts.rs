use std::sync::Arc;

use catga_core::{Offset, RecordedEvent, Source, SubscriberError, Tx};

use super::owner::Halt;
use super::progress::Progress;
use super::stint::Stint;
use super::target::{Undelivered, backoff};
use crate::SubscriberState;
use crate::commit::OwnParts;

/// What became of a delivery.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It succeeded, and the progress is what it was to become.
    Done,
    /// It failed as often as it may.
    Failed {
        /// How often it was tried in all.
        attempts: u32,
        error: String,
    },
    /// This build cannot read the event.
    Unreadable(String),
}

impl Stint<'_> {
    /// Delivers an event, after which the progress is `next`: tries again with growing waits, as
    /// often as the node's limit says. It was `tried` before.
    pub(super) async fn deliver(
        &mut self,
        event: &RecordedEvent,
        tried: u32,
        next: &Progress,
    ) -> Result<Outcome, Halt> {
        let (subscription, committer) = (self.subscription, self.committer);
        let most = committer.limits.delivery_attempts;
        let mut failed = 0;
        loop {
            let attempt = tried.saturating_add(failed).saturating_add(1);
            let attempted = if subscription.target.records() {
                self.attempt_recording(event, attempt, next).await?
            } else {
                let delivered = subscription.target.deliver(event, attempt, None).await;
                delivered.inspect(|()| self.dealt_with(next.clone()))
            };
            let error = match attempted {
                Ok(()) => {
                    subscription.set(|status| status.state = SubscriberState::Running);
                    return Ok(Outcome::Done);
                }
                Err(Undelivered::Unreadable(error)) => return Ok(Outcome::Unreadable(error)),
                Err(Undelivered::Failed(error)) => error,
            };
            failed += 1;
            if failed >= most {
                subscription.set(|status| status.state = SubscriberState::Running);
                let error = error.reason().to_owned();
                return Ok(Outcome::Failed { attempts: attempt, error });
            }
            subscription.retrying(event, attempt, error.reason());
            let wait = backoff(failed, committer.host.random());
            self.unless_halted(committer.host.sleep(wait)).await?;
        }
    }

    /// Delivers with a transaction, and commits what it holds together with the progress: again
    /// after a conflict, as a command does.
    async fn attempt_recording(
        &mut self,
        event: &RecordedEvent,
        attempt: u32,
        next: &Progress,
    ) -> Result<Result<(), Undelivered>, Halt> {
        let (subscription, committer) = (self.subscription, self.committer);
        let mut last_conflict = None;
        for _ in 0..=committer.limits.reruns {
            let wanted = event.meta.position.offset.max(last_conflict.unwrap_or_default());
            if let Err(error) = self.catch_up(wanted).await {
                return Ok(Err(failed(error)));
            }
            let views = subscription.views.offset(committer.journal.applied().get());
            let source: Arc<dyn Source> = committer.clone();
            let mut tx = Tx::for_delivery(subscription.name, &event.meta, views, source);
            let delivered = subscription.target.deliver(event, attempt, Some(&mut tx)).await;
            if let Err(undelivered) = delivered {
                return Ok(Err(undelivered));
            }
            let staged = match tx.finish() {
                Ok(staged) => staged,
                Err(fault) => return Ok(Err(failed(fault))),
            };
            if staged.events.is_empty() {
                // Nothing depends on its conditions: it is as if it had run when they held.
                self.dealt_with(next.clone());
                return Ok(Ok(()));
            }
            let limit = committer.limits.answer_bytes;
            let largest = staged.events.iter().map(|event| event.payload.len()).max();
            if let Some(bytes) = largest.filter(|bytes| *bytes > limit) {
                let what = format!("it made an event of {bytes} bytes, and the limit is {limit}");
                return Ok(Err(failed(what)));
            }
            let parts = OwnParts {
                at: event.meta.at,
                context: &event.meta.context(),
                events: staged.events,
                records: Vec::new(),
                conditions: staged.conditions,
                directive: None,
            };
            match self.commit(parts, next.clone()).await? {
                None => return Ok(Ok(())),
                Some(at) if last_conflict == Some(at) => {
                    return Ok(Err(failed(format!(
                        "it emits to a stream that exists since offset {at} without loading it; \
                         load it and decide, or use `append_any`"
                    ))));
                }
                Some(at) => last_conflict = Some(at),
            }
        }
        let runs = committer.limits.reruns + 1;
        Ok(Err(failed(format!("it met other commands {runs} times in a row"))))
    }

    /// Waits a bounded time until the views that the subscriber decides from hold `wanted`.
    async fn catch_up(&self, wanted: Offset) -> Result<(), String> {
        let committer = self.committer;
        let reached = async {
            committer.journal.applied().reach(wanted).await;
            self.subscription.views.reach(wanted).await;
        };
        let until = committer.host.now().saturating_add(committer.limits.visible_wait);
        committer.deadlines.by(until, reached).await.map_err(|_| {
            format!("the views of its service have not reached offset {wanted} in time")
        })
    }
}

fn failed(why: impl std::fmt::Display) -> Undelivered {
    Undelivered::Failed(SubscriberError::new(why))
}
