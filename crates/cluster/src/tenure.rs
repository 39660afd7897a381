use std::future::pending;

use openraft::ServerState;
use openraft::alias::LeaderIdOf;
use openraft::async_runtime::WatchReceiver;
use openraft::metrics::RaftServerMetrics;

use crate::{Raft, Receiver, TypeConfig};

/// Watches whether this node goes on leading.
///
/// A leader that is deposed answers nobody who waits for an entry of its own: until it hears the
/// new leader's log it does not know what became of them.
pub(crate) struct Tenure {
    metrics: Receiver<RaftServerMetrics<TypeConfig>>,
    /// The leadership that it has, once it does.
    leads: Option<LeaderIdOf<TypeConfig>>,
}

impl Tenure {
    pub(crate) fn of(raft: &Raft) -> Self {
        let mut metrics = raft.server_metrics();
        let leads = leading(&metrics.borrow_and_update());
        Self { metrics, leads }
    }

    /// Ends when the node has led since this was made and no longer does.
    pub(crate) async fn lost(mut self) {
        loop {
            if self.metrics.changed().await.is_err() {
                // The core has stopped, and says so to those who wait for it.
                return pending().await;
            }
            let now = leading(&self.metrics.borrow_watched());
            if self.leads.is_some() && now != self.leads {
                return;
            }
            self.leads = now;
        }
    }
}

fn leading(metrics: &RaftServerMetrics<TypeConfig>) -> Option<LeaderIdOf<TypeConfig>> {
    (metrics.state == ServerState::Leader).then_some(metrics.vote.leader_id)
}
