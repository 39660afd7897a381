use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A running task. Awaiting it tells how it ended; dropping it lets it run on.
pub struct Task(Box<dyn TaskHandle>);

/// What a host knows of a task that it runs.
pub trait TaskHandle: Send + Unpin {
    /// Stops the task at its next await.
    fn abort(&self);

    /// Ready once the task has ended.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<TaskEnd>;
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskEnd {
    /// By itself.
    Finished,
    /// It was aborted, or its host went away.
    Aborted,
    /// It panicked; what the panic said.
    Panicked(String),
}

impl Task {
    /// A task of some host.
    pub fn new(handle: impl TaskHandle + 'static) -> Self {
        Self(Box::new(handle))
    }

    /// Stops the task at its next await.
    pub fn abort(&self) {
        self.0.abort();
    }
}

impl Future for Task {
    type Output = TaskEnd;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<TaskEnd> {
        self.0.poll_end(cx)
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").finish_non_exhaustive()
    }
}
