use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use catga_host::BoxFuture;

use super::assembly::{Assembly, Step};
use super::{Arrived, Installing, ShipError, SnapshotShipping};
use crate::wire::{self, Part, PartAnswer};
use crate::{NodeId, Peers, Recipient, Snapshot, Topic, Vote};

/// The largest snapshot that is taken: it is held in memory while it comes.
const BYTES_MAX: u64 = 1 << 30;

/// So many bytes are hashed before other tasks of the thread have their turn.
const HASHED_AT_ONCE: usize = 1 << 20;

/// Ships what is in a snapshot itself, from memory to memory, one part after another.
#[derive(Debug)]
pub(crate) struct InMemory {
    part_bytes: usize,
    coming: Arc<Mutex<Assembly>>,
}

impl InMemory {
    /// Parts have `part_bytes` bytes each, and one at the least.
    pub(crate) fn new(part_bytes: usize) -> Self {
        let coming = Arc::new(Mutex::new(Assembly::new(BYTES_MAX)));
        Self { part_bytes: part_bytes.max(1), coming }
    }
}

impl SnapshotShipping for InMemory {
    fn send(
        &self,
        peers: Arc<dyn Peers>,
        to: Recipient,
        vote: Vote,
        snapshot: Snapshot,
        patience: Duration,
    ) -> BoxFuture<'static, Result<Vote, ShipError>> {
        let part_bytes = self.part_bytes;
        Box::pin(async move {
            let data = snapshot.snapshot.data;
            let mut part = Part {
                vote,
                meta: snapshot.meta,
                upto: snapshot.snapshot.upto,
                total: data.len() as u64,
                checksum: checksum(&data).await,
                offset: 0,
                bytes: Bytes::new(),
            };
            loop {
                let request = wire::snapshot_part(&part);
                let answer = peers.call(&to, Topic::Snapshot, request, patience).await;
                let answer = answer.map_err(ShipError::Call)?;
                let answer = wire::read_snapshot_part_answer(answer);
                let has = match answer.map_err(ShipError::Answer)? {
                    PartAnswer::Done(vote) => return Ok(vote),
                    PartAnswer::Has(has) => has,
                };
                // The first part is empty, and asks where to begin.
                let first = part.bytes.is_empty();
                if has >= part.total || has <= part.offset && !first {
                    let (sent, total) = (part.offset + part.bytes.len() as u64, part.total);
                    return Err(ShipError::NoProgress { has, sent, total });
                }
                let start = usize::try_from(has).unwrap_or(data.len()).min(data.len());
                let end = start.saturating_add(part_bytes).min(data.len());
                (part.offset, part.bytes) = (has, data.slice(start..end));
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
        let taken = self.take(from, mine, request);
        let (coming, into) = (Arc::clone(&self.coming), into.clone());
        Box::pin(async move {
            let answer = match taken? {
                Taken::Answered(answer) => answer,
                Taken::Whole(arrived) => {
                    let Arrived { vote, snapshot } = *arrived;
                    let meta = snapshot.meta.clone();
                    let mine = into.install(vote, snapshot).await?;
                    coming.lock().unwrap_or_else(PoisonError::into_inner).forget(&meta);
                    PartAnswer::Done(mine)
                }
            };
            Ok(wire::snapshot_part_answer(&answer))
        })
    }
}

/// What has come of a part.
enum Taken {
    Answered(PartAnswer),
    /// All is there.
    Whole(Box<Arrived>),
}

impl InMemory {
    fn take(&self, from: NodeId, mine: Vote, request: Bytes) -> Result<Taken, String> {
        let part = wire::read_snapshot_part(request).map_err(|error| error.to_string())?;
        let leader = part.vote.leader_id.node_id;
        if leader != from {
            return Err(format!("node {from} sends a snapshot of node {leader}"));
        }
        if mine > part.vote {
            return Ok(Taken::Answered(PartAnswer::Done(mine)));
        }
        let mut coming = self.coming.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(match coming.take(&part)? {
            Step::Has(has) => Taken::Answered(PartAnswer::Has(has)),
            Step::Whole(arrived) => Taken::Whole(arrived),
        })
    }
}

async fn checksum(data: &Bytes) -> u32 {
    let mut checksum = 0;
    for some in data.chunks(HASHED_AT_ONCE) {
        checksum = crc32c::crc32c_append(checksum, some);
        tokio::task::yield_now().await;
    }
    checksum
}
