use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use catga_core::Fault;
use catga_host::{Host, Task};
use catga_journal::{LogSnapshot, Outgoing, PiecePlace, Pieces};
use tokio::sync::{mpsc, oneshot};

use super::ShipError;

/// Reads the pieces of a snapshot on a thread of its own: Raft must not wait for the disk.
pub(super) struct Reading {
    asks: mpsc::Sender<Ask>,
    /// Never locked: the future that sends must be `Sync` where it is held.
    task: Mutex<Task>,
}

enum Ask {
    /// What is to be read, and who waits for it.
    Read(PiecePlace, usize, oneshot::Sender<Result<Bytes, Fault>>),
    /// A piece that did not arrive as what it should be.
    Doubt(u32),
}

impl Reading {
    /// Opens the pieces of `snapshot`; that as it is to be offered.
    pub(super) async fn open(
        host: &Arc<dyn Host>,
        pieces: Arc<dyn Pieces>,
        snapshot: LogSnapshot,
    ) -> Result<(Self, LogSnapshot), ShipError> {
        // One part is under way at a time.
        let (asks, queue) = mpsc::channel(1);
        let (opened, open) = oneshot::channel();
        let run = async move {
            match pieces.open(&snapshot) {
                // Whoever asked may have given up.
                Err(fault) => drop(opened.send(Err(fault))),
                Ok(outgoing) => {
                    let snapshot = outgoing.snapshot().clone();
                    if opened.send(Ok(snapshot)).is_ok() {
                        read(outgoing, queue).await;
                    }
                }
            }
        };
        let task = Mutex::new(host.spawn_thread("snapshot-send", Box::pin(run)));
        let reading = Self { asks, task };
        let snapshot = open.await.map_err(|_| ended())?.map_err(ShipError::Read)?;
        Ok((reading, snapshot))
    }

    /// At most `bytes` bytes from `at` on.
    pub(super) async fn read(&self, at: PiecePlace, bytes: usize) -> Result<Bytes, ShipError> {
        let (answer, answered) = oneshot::channel();
        self.asks.send(Ask::Read(at, bytes, answer)).await.map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?.map_err(ShipError::Read)
    }

    /// Has a piece looked at that did not arrive as what it should be.
    pub(super) async fn doubt(&self, piece: u32) -> Result<(), ShipError> {
        self.asks.send(Ask::Doubt(piece)).await.map_err(|_| ended())
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.task.get_mut().unwrap_or_else(PoisonError::into_inner).abort();
    }
}

async fn read(mut outgoing: Box<dyn Outgoing>, mut queue: mpsc::Receiver<Ask>) {
    while let Some(ask) = queue.recv().await {
        match ask {
            // Whoever asked may have given up.
            Ask::Read(at, bytes, answer) => drop(answer.send(outgoing.read(at, bytes))),
            Ask::Doubt(piece) => outgoing.doubt(piece),
        }
    }
}

#[cold]
fn ended() -> ShipError {
    ShipError::Read(Fault::internal("what reads the pieces of a snapshot has ended"))
}
