use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};

use catga_host::{BoxFuture, Host};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

/// The tasks of one node, so that all of them can be ended at once.
///
/// Whatever runs in a [`scope`](Self::scope) and spawns through [`Rt`](crate::Rt) adds its task,
/// and the tasks of that task; nothing of a node outlives [`abort`](Self::abort).
///
/// Those [of a host](Self::of) are tasks of its machine, which may end them or let them stand
/// still.
#[derive(Clone, Debug, Default)]
pub struct Tasks(Arc<OfNode>);

#[derive(Debug, Default)]
struct OfNode {
    host: Option<Arc<dyn Host>>,
    /// Locked to add a task or to end all.
    running: Mutex<Running>,
}

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
    /// Tasks of the machine that `host` is.
    pub fn of(host: &Arc<dyn Host>) -> Self {
        Self(Arc::new(OfNode { host: Some(Arc::clone(host)), running: Mutex::default() }))
    }

    /// Runs `future` as one of these tasks.
    pub async fn scope<F: Future>(&self, future: F) -> F::Output {
        CURRENT.scope(self.clone(), future).await
    }

    /// Ends every task at its next await, and those that are still to come at once.
    pub fn abort(&self) {
        let tasks = {
            let mut running = self.0.running.lock().unwrap_or_else(PoisonError::into_inner);
            running.aborted = true;
            std::mem::take(&mut running.tasks)
        };
        tasks.iter().for_each(AbortHandle::abort);
    }

    /// Makes of `future` one of these tasks, to be spawned at once.
    ///
    /// It gives out what `future` does, unless the machine ends it. Then it ends as an aborted task
    /// does, with all the others: the process that they belong to is dead.
    pub(crate) fn enter<F>(&self, future: F) -> impl Future<Output = F::Output> + Send + use<F>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let tasks = self.clone();
        let future = async move { tasks.scope(future).await };
        let tasks = self.clone();
        // Before it is spawned, so that a crash between the two ends it as well.
        let task = match &self.0.host {
            None => Entered::Plain(future),
            Some(host) => {
                let (output, outcome) = oneshot::channel();
                // Whoever waited may have gone.
                let task = host.adopt(Box::pin(async move { drop(output.send(future.await)) }));
                Entered::Adopted(task, outcome)
            }
        };
        async move {
            match task {
                Entered::Plain(future) => future.await,
                Entered::Adopted(task, mut outcome) => {
                    task.await;
                    if let Ok(output) = outcome.try_recv() {
                        return output;
                    }
                    tasks.abort();
                    pending().await
                }
            }
        }
    }

    /// The tasks that the current task belongs to.
    pub(crate) fn current() -> Option<Self> {
        CURRENT.try_with(Self::clone).ok()
    }

    pub(crate) fn add(&self, task: AbortHandle) {
        let mut running = self.0.running.lock().unwrap_or_else(PoisonError::into_inner);
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

/// A task before it is spawned.
enum Entered<F: Future> {
    Plain(F),
    Adopted(BoxFuture<'static, ()>, oneshot::Receiver<F::Output>),
}

#[cfg(test)]
#[expect(clippy::async_yields_async, reason = "tasks are looked at, not waited for")]
mod tests {
    use std::future::pending;

    use catga_host::TokioHost;
    use catga_testkit::VirtualHost;
    use openraft_rt::AsyncRuntime;

    use super::*;
    use crate::Rt;

    #[tokio::test]
    async fn aborting_ends_the_tasks_of_tasks_and_those_to_come() {
        let host: Arc<dyn Host> = Arc::new(TokioHost::current());
        for tasks in [Tasks::default(), Tasks::of(&host)] {
            let innermost = tasks.scope(spawn_within_a_task()).await;
            tasks.abort();
            assert!(innermost.await.expect_err("it never ends").is_cancelled());
            let late = tasks.scope(spawn_within_a_task()).await;
            assert!(late.await.expect_err("it never ends").is_cancelled());
        }
    }

    /// A task that never ends, spawned by one that has ended; or by the test itself, if tasks are
    /// ended already.
    async fn spawn_within_a_task() -> tokio::task::JoinHandle<()> {
        Rt::seeded(1, async {
            let inner = Rt::spawn(async { Rt::spawn(pending::<()>()) });
            inner.await.unwrap_or_else(|_| Rt::spawn(pending::<()>()))
        })
        .await
    }

    #[tokio::test]
    async fn a_task_of_a_host_gives_out_its_output_or_its_panic() {
        let host: Arc<dyn Host> = Arc::new(TokioHost::current());
        let tasks = Tasks::of(&host);
        let spawned = tasks.scope(Rt::seeded(1, async {
            (Rt::spawn(async { 7 }), Rt::spawn(async { panic!("oh") }))
        }));
        let (answers, panics): (_, tokio::task::JoinHandle<()>) = spawned.await;
        assert_eq!(answers.await.expect("it ends"), 7);
        let error = panics.await.expect_err("it panics");
        assert!(Rt::is_panic(&error), "{error}");
    }

    #[test]
    fn a_machine_that_crashes_cancels_its_tasks() {
        catga_testkit::run(1, async |machine| {
            let host: Arc<dyn Host> = machine.clone();
            let tasks = Tasks::of(&host);
            let innermost = tasks.scope(spawn_within_a_task()).await;
            machine.crash().await;
            assert!(innermost.await.expect_err("it never ends").is_cancelled());
            // The process is dead, whatever it would have spawned.
            let late = tasks.scope(spawn_within_a_task()).await;
            assert!(late.await.expect_err("it never ends").is_cancelled());
        });
    }

    #[test]
    fn a_crash_between_spawn_and_start_ends_a_task() {
        catga_testkit::run(1, async |machine: Arc<VirtualHost>| {
            let host: Arc<dyn Host> = machine.clone();
            let tasks = Tasks::of(&host);
            let held = Arc::new(());
            let holds = Arc::clone(&held);
            let spawned = tasks.scope(Rt::seeded(1, async {
                Rt::spawn(async move {
                    let _holds = holds;
                    pending::<()>().await;
                })
            }));
            let spawned = spawned.await;
            machine.crash().await;
            assert_eq!(Arc::strong_count(&held), 1, "what it held is dropped");
            assert!(spawned.await.expect_err("it never ends").is_cancelled());
        });
    }
}
