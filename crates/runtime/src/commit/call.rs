use std::time::Duration;

use catga_core::{MessageId, Timestamp};
use catga_engine::{OutsideKey, RecordedAnswer};
use tokio::sync::SemaphorePermit;

use super::Committer;
use crate::session::Marks;

/// One durable command under way.
#[derive(Debug)]
pub(crate) struct Call<'c> {
    pub(crate) id: MessageId,
    pub(crate) key: Option<OutsideKey>,
    pub(crate) payload_hash: u64,
    /// The wall time of the origin: `tx.now()` of every attempt.
    pub(crate) at: Timestamp,
    /// When the caller stops waiting, on the host's clock.
    pub(crate) until: Duration,
    /// Behind a pointer, since most calls come from this node.
    pub(crate) forwarded: Option<Box<Forwarded>>,
    pub(super) ticket: Ticket<'c>,
    pub(super) _slot: SemaphorePermit<'c>,
}

/// What is special about a call that came from another node.
#[derive(Debug, Default)]
pub(crate) struct Forwarded {
    /// What the origin's session says with the id.
    pub(crate) marks: Marks,
    /// The answer of the last attempt as it was proposed, which is what the origin gets.
    pub(crate) proposed: RecordedAnswer,
}

/// What the session must be told when the call ends, however it ends.
#[derive(Debug)]
pub(super) struct Ticket<'c> {
    pub(super) committer: &'c Committer,
    pub(super) id: MessageId,
    /// False for a call from another node, whose session is told there.
    pub(super) is_ours: bool,
    /// True while an effect is on its way and its outcome unknown.
    pub(super) in_doubt: bool,
}

impl Call<'_> {
    /// True if no other call can be about the same command: nobody else knows an id that was
    /// minted a moment ago.
    pub(crate) fn is_nobody_elses(&self, is_retry: bool) -> bool {
        self.key.is_none() && !is_retry
    }

    /// Notes whether the command may have had its effect without the caller knowing it.
    pub(crate) fn set_in_doubt(&mut self, in_doubt: bool) {
        self.ticket.in_doubt = in_doubt;
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let session = &self.committer.session;
        if !self.is_ours {
            return;
        }
        if self.in_doubt {
            session.keep(self.id, self.committer.host.now());
        } else {
            session.finish(self.id);
        }
    }
}
