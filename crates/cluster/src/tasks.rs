use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::AbortHandle;

/// The tasks of one node, so that all of them can be ended at once.
///
/// Whatever runs in a [`scope`](Self::scope) and spawns through [`Rt`](crate::Rt) adds its task,
/// and the tasks of that task; nothing of a node outlives [`abort`](Self::abort).
#[derive(Clone, Debug, Default)]
pub struct Tasks(Arc<Mutex<Running>>);

#[derive(Debug, Default)]
struct Running {
    tasks: Vec<AbortHandle>,
    /// Ended tasks are forgotten when there are this many; doubled with the number that run, so
    /// that a task costs the same however many there were.
    forget_at: usize,
    aborted: bool,
}

tokio::task_local! {
    static CURRENT: Tasks;
}

impl Tasks {
    /// Runs `future` as one of these tasks.
    pub async fn scope<F: Future>(&self, future: F) -> F::Output {
        CURRENT.scope(self.clone(), future).await
    }

    /// Ends every task at its next await, and those that are still to come at once.
    pub fn abort(&self) {
        let tasks = {
            let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            running.aborted = true;
            std::mem::take(&mut running.tasks)
        };
        tasks.iter().for_each(AbortHandle::abort);
    }

    /// The tasks that the current task belongs to.
    pub(crate) fn current() -> Option<Self> {
        CURRENT.try_with(Self::clone).ok()
    }

    pub(crate) fn add(&self, task: AbortHandle) {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if running.aborted {
            return task.abort();
        }
        if running.tasks.len() >= running.forget_at {
            running.tasks.retain(|task| !task.is_finished());
            running.forget_at = (running.tasks.len() * 2).max(32);
        }
        running.tasks.push(task);
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use openraft_rt::AsyncRuntime;

    use super::*;
    use crate::Rt;

    #[tokio::test]
    #[expect(clippy::async_yields_async, reason = "the tasks are looked at, not waited for")]
    async fn aborting_ends_the_tasks_of_tasks_and_those_to_come() {
        let tasks = Tasks::default();
        let node = Rt::seeded(1, async {
            let inner = Rt::spawn(async { Rt::spawn(pending::<()>()) });
            inner.await.expect("the inner task ends")
        });
        let innermost = tasks.scope(node).await;
        tasks.abort();
        assert!(innermost.await.expect_err("it never ends").is_cancelled());
        let late = tasks.scope(Rt::seeded(2, async { Rt::spawn(pending::<()>()) }));
        assert!(late.await.await.expect_err("it never ends").is_cancelled());
    }
}
