use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use catga_host::{Host, Task, timeout};

use super::shared::Shared;
use crate::Log;

/// How long an orderly stop waits for its last checkpoint; without it the next start only takes
/// longer.
const LAST_WAIT: Duration = Duration::from_secs(10);

/// How long a log may take to hear of what its applier has done.
pub(super) const HEARD_OF: Duration = Duration::from_millis(10);

/// Begins checkpoints when they are due, and trims the log behind them.
#[derive(Debug)]
pub(super) struct Checkpointer(Mutex<Option<Task>>);

impl Checkpointer {
    /// Starts it, where there is a disk.
    pub(super) fn start<L: Log>(host: &Arc<dyn Host>, log: &Arc<L>, shared: &Arc<Shared>) -> Self {
        let task = shared.disk.is_some().then(|| {
            let run = run(Arc::downgrade(log), Arc::downgrade(shared), Arc::clone(host));
            host.spawn("checkpointer", Box::pin(run))
        });
        Self(Mutex::new(task))
    }

    /// Ends it, after one last checkpoint of what is applied.
    pub(super) async fn stop<L: Log>(&self, log: &L, shared: &Shared) {
        let task = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (Some(task), Some(disk)) = (task, &shared.disk) else { return };
        task.abort();
        if !disk.is_behind() || shared.alive().is_err() {
            return;
        }
        match timeout(&*disk.host, LAST_WAIT, log.snapshot()).await {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => tracing::warn!(node = %shared.node, %fault, "no last checkpoint"),
            Err(_) => tracing::warn!(node = %shared.node, "the last checkpoint took too long"),
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        let task = self.0.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        task.inspect(Task::abort);
    }
}

async fn run<L: Log>(log: Weak<L>, shared: Weak<Shared>, host: Arc<dyn Host>) {
    loop {
        let wait = {
            let Some(shared) = shared.upgrade() else { return };
            let Some(disk) = &shared.disk else { return };
            match disk.due_in() {
                None => {
                    disk.due.notified().await;
                    continue;
                }
                Some(wait) => wait,
            }
        };
        host.sleep(wait).await;
        let (Some(log), Some(shared)) = (log.upgrade(), shared.upgrade()) else { return };
        if let Err(fault) = log.snapshot().await {
            // The log stops the node if it cannot go on; else what was applied since stays in
            // memory, and the next checkpoint has it.
            tracing::warn!(node = %shared.node, %fault, "no checkpoint was made");
            host.sleep(Duration::from_secs(1)).await;
        } else if shared.disk.as_ref().is_some_and(|disk| disk.due_in() == Some(Duration::ZERO)) {
            // The log has not heard yet that what is due was applied: its last snapshot covers all
            // that it knows of. It hears of it in a moment.
            host.sleep(HEARD_OF).await;
        }
        let trim = shared.disk.as_ref().and_then(super::disk::Disk::trim_to);
        if let Some(upto) = trim {
            log.trim(upto).await;
        }
    }
}
