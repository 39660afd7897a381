use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use catga_host::{Host, Task};
use catga_journal::{Applier, LogIndex, LogSnapshot, PendingSnapshot};
use tokio::sync::{mpsc, oneshot};

use crate::batch::Batch;

/// How many calls wait for the applier at most; openraft makes one at a time.
const WAITING_MAX: usize = 4;

/// An applier on a thread of its own: what it does may take long or wait for the disk, and Raft
/// must answer its peers meanwhile.
pub(crate) struct Applying {
    calls: mpsc::Sender<Call>,
    /// Never locked: openraft wants a `Sync` machine, and a task is not.
    task: Mutex<Task>,
}

/// What is asked of the applier.
enum Call {
    Apply(Batch, oneshot::Sender<io::Result<()>>),
    Applied(oneshot::Sender<Option<LogIndex>>),
    Snapshot(oneshot::Sender<io::Result<PendingSnapshot>>),
    Install(LogSnapshot, oneshot::Sender<io::Result<()>>),
}

impl Applying {
    pub(crate) fn start(host: &Arc<dyn Host>, applier: Box<dyn Applier>) -> Self {
        let (calls, queue) = mpsc::channel(WAITING_MAX);
        let task = host.spawn_thread("apply", Box::pin(run(applier, queue)));
        Self { calls, task: Mutex::new(task) }
    }

    /// Applies the entries of the batch and then answers those who wait for them.
    pub(crate) async fn apply(&self, batch: Batch) -> io::Result<()> {
        self.ask(|answer| Call::Apply(batch, answer)).await?
    }

    pub(crate) async fn applied(&self) -> io::Result<Option<LogIndex>> {
        self.ask(Call::Applied).await
    }

    pub(crate) async fn snapshot(&self) -> io::Result<PendingSnapshot> {
        self.ask(Call::Snapshot).await?
    }

    /// Installs a snapshot, unless the applier holds more already: one that kept its state over a
    /// restart may.
    pub(crate) async fn install(&self, snapshot: LogSnapshot) -> io::Result<()> {
        self.ask(|answer| Call::Install(snapshot, answer)).await?
    }

    async fn ask<T>(&self, call: impl FnOnce(oneshot::Sender<T>) -> Call) -> io::Result<T> {
        let ended = || io::Error::other("the applier has ended");
        let (answer, answered) = oneshot::channel();
        self.calls.send(call(answer)).await.map_err(|_| ended())?;
        answered.await.map_err(|_| ended())
    }
}

impl Drop for Applying {
    fn drop(&mut self) {
        // What it was asked before would be applied to a state that nobody sees any more.
        self.task.get_mut().unwrap_or_else(PoisonError::into_inner).abort();
    }
}

async fn run(mut applier: Box<dyn Applier>, mut calls: mpsc::Receiver<Call>) {
    let applier = &mut *applier;
    while let Some(call) = calls.recv().await {
        // Whoever asked may have been ended meanwhile.
        match call {
            Call::Apply(mut batch, answer) => _ = answer.send(batch.apply(applier)),
            Call::Applied(answer) => _ = answer.send(applier.applied()),
            Call::Snapshot(answer) => {
                _ = answer.send(applier.snapshot().map_err(io::Error::other));
            }
            Call::Install(snapshot, answer) => {
                let newer = snapshot.upto >= applier.applied();
                let done = if newer { applier.install(snapshot).await } else { Ok(()) };
                _ = answer.send(done.map_err(io::Error::other));
            }
        }
    }
}
