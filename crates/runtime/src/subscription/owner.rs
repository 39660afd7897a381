//! A subscriber of the whole cluster: which node owns it, and for how long.

use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use catga_core::{Fault, Offset};
use catga_host::timeout;
use catga_journal::Journal;

use super::stint::Stint;
use super::target::backoff;
use super::{HAPPENED, Subscription};
use crate::SubscriberState;
use crate::commit::Committer;

/// Why an owner stops delivering.
#[derive(Debug)]
pub(super) enum Halt {
    /// The node drains.
    Stopping,
    /// Somebody else may lead.
    Deposed,
    /// The record of the cursor is not as it was read: another owner has been at work, or an effect
    /// of this one's that was in doubt has counted.
    Fenced,
    /// The journal has ended.
    Closed,
    /// It could not be told whether something was recorded, or nothing can be.
    Failed(Fault),
}

impl Subscription {
    /// Delivers whenever this node leads. `now` is where the journal was when the node started.
    pub(super) async fn run_owned(self: Arc<Self>, committer: Arc<Committer>, now: Offset) {
        let _ended = Ended(&self);
        let (host, journal) = (&committer.host, &committer.journal);
        let mut failures = 0;
        loop {
            // Before the look: what changes after it ends the stint, or the wait.
            let changes = journal.leadership_changes().get();
            let halt = if committer.runs_here() {
                let mut stint = Stint::new(&self, &committer, changes);
                let halt = stint.run(now).await;
                if stint.has_recorded() {
                    failures = 0;
                }
                halt
            } else {
                self.idle(SubscriberState::Idle);
                match self.unless_halted(&**journal, changes, pending::<()>()).await {
                    Ok(()) => continue,
                    Err(halt) => halt,
                }
            };
            let error = match halt {
                Halt::Stopping | Halt::Closed => return self.idle(SubscriberState::Idle),
                Halt::Deposed => continue,
                Halt::Fenced => "another owner was at work".to_owned(),
                Halt::Failed(fault) => fault.to_string(),
            };
            failures += 1;
            tracing::warn!(subscriber = self.name, error, "the owner begins again");
            self.idle(SubscriberState::Retrying { attempts: failures, error });
            let wait = backoff(failures, host.random());
            // Whatever ends it, there is another look.
            let halted = self.unless_halted(&**journal, changes, pending::<()>());
            let _ = timeout(&**host, wait, halted).await;
        }
    }

    /// This node does not deliver now.
    fn idle(&self, state: SubscriberState) {
        self.set(|status| {
            status.is_owner = false;
            status.state = state;
        });
    }

    /// Ends with `future`, or with why the owner must stop: the node drains, or leadership has
    /// changed more often than `changes` says.
    pub(super) async fn unless_halted<T>(
        &self,
        journal: &dyn Journal,
        changes: Offset,
        future: impl Future<Output = T>,
    ) -> Result<T, Halt> {
        let mut future = pin!(future);
        let mut stop = pin!(self.stop.reach(HAPPENED));
        let mut changed = pin!(journal.leadership_changes().reach(changes.next()));
        poll_fn(|cx| {
            if stop.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(Halt::Stopping));
            }
            if let Poll::Ready(is_open) = changed.as_mut().poll(cx) {
                return Poll::Ready(Err(if is_open { Halt::Deposed } else { Halt::Closed }));
            }
            future.as_mut().poll(cx).map(Ok)
        })
        .await
    }
}

/// Tells that a subscription has ended, however it did.
struct Ended<'a>(&'a Subscription);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.ended.advance(HAPPENED);
    }
}
