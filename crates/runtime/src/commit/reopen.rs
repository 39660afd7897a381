use std::sync::Arc;
use std::time::Duration;

use catga_core::{Fault, FaultCode, MessageId};

use super::Committer;
use crate::forward::open_session;

/// How soon it is tried again, when no session could be opened.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

impl Committer {
    /// Looks whether `fault`, to which the command with this id came, says that the journal has
    /// closed this node's session.
    pub(crate) fn heed(&self, id: MessageId, fault: &Fault) {
        if fault.code() == FaultCode::Expired {
            self.session.missed(id);
        }
    }

    /// Opens another session whenever the journal has closed the one of this start; runs until it
    /// is dropped.
    ///
    /// Only one start of a node has an open session: the one that was last committed. That of a
    /// start which died while it waited for a leader may be committed late, by a leader that was
    /// slow or cut off, and then it closes the session of the start that runs. Which of them is
    /// alive, the journal cannot know; the one that is alive can.
    pub(crate) async fn keep_open(self: Arc<Self>) {
        loop {
            self.session.gone().await;
            tracing::warn!(
                node = %self.node, session = self.session.id().0,
                "the session was closed for an earlier start of this node; opening another"
            );
            let (host, journal) = (&*self.host, &*self.journal);
            let wait = self.limits.start_wait;
            match open_session(host, journal, &self.node, self.means(), wait).await {
                Ok(session) => self.session.replace(session),
                Err(fault) => {
                    tracing::warn!(node = %self.node, %fault, "no session could be opened");
                    host.sleep(AGAIN_AFTER).await;
                }
            }
        }
    }
}
