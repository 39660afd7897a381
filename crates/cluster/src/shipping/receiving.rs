use std::sync::{Arc, Mutex, PoisonError};

use catga_host::{Host, Task};
use catga_journal::{Incoming, LogSnapshot, Pieces};
use openraft::alias::SnapshotMetaOf;
use tokio::sync::{mpsc, oneshot};

use super::Installing;
use crate::wire::{Offer, PieceAnswer, PiecePart};
use crate::{NodeId, Snapshot, TypeConfig, Vote};

/// Takes the pieces of snapshots and has the snapshots installed, on a thread of its own: it waits
/// for the disk, and goes on where whoever asked has given up. Dropped, it ends.
pub(super) struct Receiving {
    asks: mpsc::Sender<Ask>,
    /// Never locked.
    task: Mutex<Task>,
}

/// A message, and where its answer goes.
pub(super) struct Ask {
    from: NodeId,
    message: Message,
    answer: oneshot::Sender<Result<PieceAnswer, String>>,
}

/// What a leader sends.
pub(super) enum Message {
    Offer(Offer),
    Part(PiecePart),
}

impl Message {
    pub(super) fn vote(&self) -> &Vote {
        match self {
            Self::Offer(offer) => &offer.vote,
            Self::Part(part) => &part.vote,
        }
    }
}

impl Ask {
    pub(super) fn new(
        from: NodeId,
        message: Message,
    ) -> (Self, oneshot::Receiver<Result<PieceAnswer, String>>) {
        let (answer, answered) = oneshot::channel();
        (Self { from, message, answer }, answered)
    }
}

impl Receiving {
    pub(super) fn start(host: &Arc<dyn Host>, pieces: Arc<dyn Pieces>, into: Installing) -> Self {
        // One waits while another is answered; whoever comes then hears that this is busy.
        let (asks, mut queue) = mpsc::channel::<Ask>(1);
        let mut receiver = Receiver { pieces, into, coming: None };
        let run = async move {
            while let Some(Ask { from, message, answer }) = queue.recv().await {
                // Nobody need be waiting any more.
                let _ = answer.send(receiver.take(from, message).await);
            }
        };
        let task = Mutex::new(host.spawn_thread("snapshot-receive", Box::pin(run)));
        Self { asks, task }
    }

    /// Hands a message over; false if there is no room for it.
    pub(super) fn ask(&self, ask: Ask) -> Result<bool, String> {
        match self.asks.try_send(ask) {
            Ok(()) => Ok(true),
            Err(mpsc::error::TrySendError::Full(_)) => Ok(false),
            Err(mpsc::error::TrySendError::Closed(_)) => {
                Err("what takes snapshots has ended".to_owned())
            }
        }
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        self.task.get_mut().unwrap_or_else(PoisonError::into_inner).abort();
    }
}

struct Receiver {
    pieces: Arc<dyn Pieces>,
    into: Installing,
    coming: Option<Coming>,
}

/// A snapshot that comes.
struct Coming {
    from: NodeId,
    /// The hash of what was offered.
    of: u64,
    vote: Vote,
    meta: SnapshotMetaOf<TypeConfig>,
    snapshot: LogSnapshot,
    incoming: Box<dyn Incoming>,
}

impl Receiver {
    async fn take(&mut self, from: NodeId, message: Message) -> Result<PieceAnswer, String> {
        match message {
            Message::Offer(offer) => self.begin(from, offer).await?,
            Message::Part(part) => {
                let known = |coming: &&mut Coming| coming.of == part.of && coming.from == from;
                let Some(coming) = self.coming.as_mut().filter(known) else {
                    return Ok(PieceAnswer::Unknown);
                };
                // One that was changed on its way is wanted again.
                if crc32c::crc32c(&part.bytes) == part.checksum {
                    let taken = coming.incoming.take(part.at, &part.bytes).await;
                    taken.map_err(|fault| fault.to_string())?;
                }
            }
        }
        self.next().await
    }

    async fn begin(&mut self, from: NodeId, offer: Offer) -> Result<(), String> {
        let Offer { vote, meta, snapshot } = offer;
        let of = catga_core::payload_hash(&snapshot.data);
        if let Some(coming) = &mut self.coming {
            if coming.vote > vote {
                return Err(format!("a snapshot of a later leader is coming: {}", coming.vote));
            }
            if coming.of == of && coming.from == from && coming.meta == meta {
                coming.vote = vote;
                return Ok(());
            }
        }
        self.coming = None;
        let incoming = self.pieces.receive(snapshot.clone(), from).await;
        let incoming = incoming.map_err(|fault| fault.to_string())?;
        self.coming = Some(Coming { from, of, vote, meta, snapshot, incoming });
        Ok(())
    }

    /// What is wanted; once that is nothing, the snapshot is installed.
    async fn next(&mut self) -> Result<PieceAnswer, String> {
        let Some(coming) = &self.coming else { return Ok(PieceAnswer::Unknown) };
        if let Some(at) = coming.incoming.wanted() {
            return Ok(PieceAnswer::Wanted(at));
        }
        let Some(Coming { vote, meta, snapshot, .. }) = self.coming.take() else {
            return Ok(PieceAnswer::Unknown);
        };
        let mine = self.into.install(vote, Snapshot { meta, snapshot }).await?;
        Ok(PieceAnswer::Done(mine))
    }
}
