//! What is damaged of this node's history is fetched from the others, which have the same.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use catga_core::{Fault, FaultCode};
use catga_host::{BoxFuture, Host, Task, timeout};
use catga_journal::{HistoryPart, HistorySegment, Mending, PiecePlace};
use openraft::async_runtime::WatchReceiver;
use tokio::sync::oneshot;

use crate::wire::{self, HistoryAsk};
use crate::{Options, Peers, Raft, Recipient, Topic};

/// How long a node that found nobody who has what it wants waits before it asks again.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Mends the history of a node, and gives the others what they want of it.
pub(crate) struct Mender {
    host: Arc<dyn Host>,
    mending: Arc<dyn Mending>,
    part_bytes: usize,
    patience: Duration,
    scrub_interval: Duration,
    /// Once it has started.
    raft: OnceLock<Raft>,
    /// What mends; it ends with this.
    task: Mutex<Option<Task>>,
}

impl Mender {
    /// How the history of an applier is mended.
    pub(crate) fn new(
        host: &Arc<dyn Host>,
        mending: Arc<dyn Mending>,
        options: &Options,
    ) -> Arc<Self> {
        Arc::new(Self {
            host: Arc::clone(host),
            mending,
            part_bytes: options.snapshot_part_bytes.max(1),
            patience: options.snapshot_timeout,
            scrub_interval: options.scrub_interval,
            raft: OnceLock::new(),
            task: Mutex::default(),
        })
    }

    /// Mends what is found damaged, from now on.
    pub(crate) fn start(&self, raft: &Raft, peers: Arc<dyn Peers>) {
        // It is started once.
        let _ = self.raft.set(raft.clone());
        let run = Run {
            host: Arc::clone(&self.host),
            mending: Arc::clone(&self.mending),
            raft: raft.clone(),
            peers,
            part_bytes: u32::try_from(self.part_bytes).unwrap_or(u32::MAX),
            patience: self.patience,
            scrub_interval: self.scrub_interval,
        };
        // It waits for the disk.
        let task = self.host.spawn_behind("mending", Box::pin(run.run()));
        *self.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
    }

    pub(crate) fn stop(&self) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        task.inspect(Task::abort);
    }

    /// Answers another node that wants a part of the history.
    pub(crate) fn serve(&self, request: Bytes) -> BoxFuture<'static, Result<Bytes, String>> {
        let (answer, answered) = oneshot::channel();
        let (mending, part_bytes) = (Arc::clone(&self.mending), self.part_bytes);
        let raft = self.raft.get().cloned();
        let read = async move {
            let found = wire::read_history_ask(request).map_err(|error| error.to_string());
            let found = found.and_then(|HistoryAsk { segment, offset, bytes }| {
                let part = mending.part(&segment, offset, part_bytes.min(bytes as usize));
                Ok((part.map_err(|fault| fault.to_string())?, segment.last))
            });
            if let Ok((None, last)) = &found
                && mending.is_behind(*last)
                && let Some(raft) = raft
            {
                // It is asked again in a moment. A log that has stopped makes none.
                let _ = raft.trigger().snapshot().await;
            }
            // Whoever asked may have gone.
            let _ = answer.send(found.map(|(found, _)| wire::history_part(&found)));
        };
        drop(self.host.spawn_thread("mending-others", Box::pin(read)));
        Box::pin(async move {
            answered.await.unwrap_or_else(|_| Err("reading it was given up".to_owned()))
        })
    }
}

impl Drop for Mender {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Run {
    host: Arc<dyn Host>,
    mending: Arc<dyn Mending>,
    raft: Raft,
    peers: Arc<dyn Peers>,
    part_bytes: u32,
    patience: Duration,
    scrub_interval: Duration,
}

impl Run {
    async fn run(self) {
        let mut scrubbed = 0;
        loop {
            let noticed = timeout(&*self.host, self.scrub_interval, self.mending.noticed()).await;
            if noticed.is_err() {
                // From the first on again after the last.
                scrubbed = self.mending.scrub(scrubbed).unwrap_or(0);
                continue;
            }
            self.mend_all().await;
        }
    }

    async fn mend_all(&self) {
        loop {
            for segment in self.mending.damaged() {
                self.mend(&segment).await;
            }
            if self.mending.damaged().is_empty() {
                return;
            }
            self.host.sleep(AGAIN_AFTER).await;
        }
    }

    /// Asks one node after the other, until the segment is whole.
    async fn mend(&self, segment: &HistorySegment) {
        for peer in self.others() {
            match self.mend_from(&peer, segment).await {
                Ok(true) => return,
                Ok(false) => tracing::debug!(peer = %peer.address, ?segment, "it does not have it"),
                Err(fault) => {
                    let (peer, first) = (&peer.address, segment.first);
                    tracing::warn!(%peer, first, %fault, "the history was not mended");
                }
            }
        }
    }

    /// True if it is whole; false if `peer` does not have all of it.
    async fn mend_from(&self, peer: &Recipient, segment: &HistorySegment) -> Result<bool, Fault> {
        let Some(HistoryPart { length, bytes }) = self.ask(peer, segment, 0).await? else {
            return Ok(false);
        };
        let mut incoming = self.mending.mend(segment, length)?;
        incoming.take(PiecePlace::default(), &bytes).await?;
        while let Some(at) = incoming.wanted() {
            let part = self.ask(peer, segment, at.offset).await?;
            // It may have taken a snapshot meanwhile.
            let Some(part) = part.filter(|part| part.length == length) else { return Ok(false) };
            if part.bytes.is_empty() {
                return Err(unable("it sends nothing".to_owned()));
            }
            incoming.take(at, &part.bytes).await?;
        }
        Ok(true)
    }

    async fn ask(
        &self,
        peer: &Recipient,
        segment: &HistorySegment,
        offset: u64,
    ) -> Result<Option<HistoryPart>, Fault> {
        let ask = HistoryAsk { segment: *segment, offset, bytes: self.part_bytes };
        let request = vec![wire::history_ask(&ask)];
        let answer = self.peers.call(peer, Topic::Snapshot, request, self.patience).await;
        let answer = answer.map_err(|error| unable(error.to_string()))?;
        wire::read_history_part(answer).map_err(|error| unable(error.to_string()))
    }

    /// The other members, the leader first: it has the most.
    fn others(&self) -> Vec<Recipient> {
        let metrics = self.raft.server_metrics();
        let metrics = metrics.borrow_watched();
        let leader = metrics.current_leader;
        let nodes = metrics.membership_config.membership().nodes();
        let mut others: Vec<_> = nodes
            .filter(|(id, _)| **id != metrics.id)
            .map(|(id, node)| Recipient { address: node.address.as_str().into(), id: Some(*id) })
            .collect();
        others.sort_by_key(|other| other.id != leader);
        others
    }
}

#[cold]
fn unable(why: String) -> Fault {
    Fault::new(FaultCode::HistoryDamaged, why)
}
