use std::pin::Pin;
use std::task::{Context, Poll};

use catga_host::{TaskEnd, TaskHandle};
use tokio::task::{AbortHandle, JoinHandle};

/// The tasks that run on a machine, so that all can be ended at once.
#[derive(Debug, Default)]
pub(crate) struct Tasks(Vec<(&'static str, AbortHandle)>);

impl Tasks {
    pub(crate) fn add(&mut self, name: &'static str, task: AbortHandle) {
        self.forget_ended();
        self.0.push((name, task));
    }

    /// The names of those that have not ended, oldest first.
    pub(crate) fn running(&mut self) -> Vec<&'static str> {
        self.forget_ended();
        self.0.iter().map(|(name, _)| *name).collect()
    }

    /// Ends each at its next await, and gives them out to be waited for.
    pub(crate) fn abort(&mut self) -> Vec<AbortHandle> {
        let tasks: Vec<_> = self.0.drain(..).map(|(_, task)| task).collect();
        tasks.iter().for_each(AbortHandle::abort);
        tasks
    }

    fn forget_ended(&mut self) {
        self.0.retain(|(_, task)| !task.is_finished());
    }
}

/// A task as whoever spawned it holds it.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) name: &'static str,
    pub(crate) handle: JoinHandle<()>,
}

impl TaskHandle for Running {
    fn abort(&self) {
        self.handle.abort();
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<TaskEnd> {
        let name = self.name;
        Pin::new(&mut self.handle).poll(cx).map(|end| match end {
            Ok(()) => TaskEnd::Finished,
            Err(error) if error.is_cancelled() => TaskEnd::Aborted,
            Err(error) => TaskEnd::Panicked(format!("task `{name}`: {error}")),
        })
    }
}
