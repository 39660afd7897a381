use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use catga_host::{BoxFuture, Host};
use catga_journal::{PiecePlace, Pieces};

use super::reading::Reading;
use super::receiving::{Ask, Message, Receiving};
use super::{Installing, ShipError, SnapshotShipping};
use crate::wire::{self, Kind, Offer, PieceAnswer, PiecePart};
use crate::{NodeId, Peers, Recipient, Snapshot, Topic, Vote};

/// How often a receiver may want the same part again before the sending is given up.
const AGAIN_MAX: u32 = 4;

/// Ships snapshots that name pieces: the receiver says which of them it wants, and from where on.
///
/// One part is under way at a time, on either side, and files are read and written on threads of
/// their own. What the receiver does may take longer than an answer may: it says that it is busy
/// then, and is asked again.
pub(crate) struct ByPieces {
    host: Arc<dyn Host>,
    pieces: Arc<dyn Pieces>,
    part_bytes: usize,
    /// After this time the receiver says that it is busy.
    patience: Duration,
    receiver: Mutex<Receiver>,
}

/// What takes snapshots.
enum Receiver {
    /// Nothing was ever sent here.
    Idle,
    Running(Receiving),
    Stopped,
}

impl ByPieces {
    /// Parts have `part_bytes` bytes each, and one at the least. A sender waits for `patience`.
    pub(crate) fn new(
        host: Arc<dyn Host>,
        pieces: Arc<dyn Pieces>,
        part_bytes: usize,
        patience: Duration,
    ) -> Self {
        let receiver = Mutex::new(Receiver::Idle);
        // The answer has its way to go.
        let patience = patience / 3;
        Self { host, pieces, part_bytes: part_bytes.max(1), patience, receiver }
    }

    /// Hands a message to whatever takes snapshots; none if that is busy.
    fn hand_over(&self, ask: Ask, into: &Installing) -> Result<bool, String> {
        let mut receiver = self.receiver.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*receiver, Receiver::Idle) {
            let pieces = Arc::clone(&self.pieces);
            *receiver = Receiver::Running(Receiving::start(&self.host, pieces, into.clone()));
        }
        match &*receiver {
            Receiver::Running(receiving) => receiving.ask(ask),
            _ => Err("the log has stopped".to_owned()),
        }
    }
}

impl SnapshotShipping for ByPieces {
    fn send(
        &self,
        peers: Arc<dyn Peers>,
        to: Recipient,
        vote: Vote,
        snapshot: Snapshot,
        patience: Duration,
    ) -> BoxFuture<'static, Result<Vote, ShipError>> {
        let (host, pieces) = (Arc::clone(&self.host), Arc::clone(&self.pieces));
        let part_bytes = self.part_bytes;
        Box::pin(async move {
            let Snapshot { meta, snapshot } = snapshot;
            let (reading, snapshot) = Reading::open(&host, pieces, snapshot).await?;
            let of = catga_core::payload_hash(&snapshot.data);
            let offer = wire::snapshot_offer(&Offer { vote, meta, snapshot });
            let ask = |at| PiecePart { vote, of, at, checksum: 0, bytes: Bytes::new() };
            let mut request = offer.clone();
            let (mut last, mut again) = (None, 0);
            // Up to where the piece has been sent that is on its way.
            let mut sent = PiecePlace::default();
            loop {
                let answer = peers.call(&to, Topic::Snapshot, request, patience).await;
                let answer = answer.map_err(ShipError::Call)?;
                let answer = wire::read_snapshot_piece_answer(answer);
                let answer = answer.map_err(ShipError::Answer)?;
                again = if last == Some(answer) { again + 1 } else { 0 };
                last = Some(answer);
                request = match answer {
                    PieceAnswer::Done(vote) => return Ok(vote),
                    // That may take as long as it likes.
                    PieceAnswer::Busy => {
                        host.sleep(patience / 50).await;
                        wire::snapshot_piece(&ask(Default::default()))
                    }
                    _ if again >= AGAIN_MAX => return Err(ShipError::Again),
                    PieceAnswer::Unknown => offer.clone(),
                    PieceAnswer::Wanted(at) => {
                        if at.piece == sent.piece && at.offset < sent.offset {
                            // It came damaged: on its way, or it left so.
                            reading.doubt(at.piece).await?;
                        }
                        let bytes = reading.read(at, part_bytes).await?;
                        sent = PiecePlace { offset: at.offset + bytes.len() as u64, ..at };
                        let checksum = crc32c::crc32c(&bytes);
                        wire::snapshot_piece(&PiecePart { checksum, bytes, ..ask(at) })
                    }
                };
            }
        })
    }

    fn receive(
        &self,
        from: NodeId,
        mine: Vote,
        request: Bytes,
        into: &Installing,
    ) -> BoxFuture<'static, Result<Bytes, String>> {
        let answered = read(request).and_then(|message| {
            let vote = *message.vote();
            let leader = vote.leader_id.node_id;
            if leader != from {
                return Err(format!("node {from} sends a snapshot of node {leader}"));
            }
            if mine > vote {
                return Ok(Err(PieceAnswer::Done(mine)));
            }
            let (ask, answered) = Ask::new(from, message);
            Ok(self.hand_over(ask, into)?.then_some(answered).ok_or(PieceAnswer::Busy))
        });
        let (host, patience) = (Arc::clone(&self.host), self.patience);
        Box::pin(async move {
            let answer = match answered? {
                Err(answer) => answer,
                Ok(answered) => match catga_host::timeout(&*host, patience, answered).await {
                    Ok(answer) => answer.map_err(|_| "the log has stopped".to_owned())??,
                    Err(_) => PieceAnswer::Busy,
                },
            };
            Ok(wire::snapshot_piece_answer(&answer))
        })
    }

    fn stop(&self) {
        let mut receiver = self.receiver.lock().unwrap_or_else(PoisonError::into_inner);
        // Dropped, it ends.
        *receiver = Receiver::Stopped;
    }
}

fn read(request: Bytes) -> Result<Message, String> {
    let read = match Kind::of(&request) {
        Ok(Kind::SnapshotOffer) => wire::read_snapshot_offer(request).map(Message::Offer),
        _ => wire::read_snapshot_piece(request).map(Message::Part),
    };
    read.map_err(|error| error.to_string())
}
