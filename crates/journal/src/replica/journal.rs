use catga_core::{Fault, MessageId, Offset, Position, ReadLevel, StreamName, StreamSlice};
use catga_engine::{Effect, Lookup, OutsideKey, RecordHead, RememberedKeys};
use catga_host::{BoxFuture, timeout};
use std::future::ready;
use std::sync::{Arc, PoisonError};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;

use super::batcher::Queued;
use super::disk::Disk;
use super::{Replica, backup, faults, reading};
use crate::{
    Backup, BackupError, Backups, Counted, EngineVersions, Filter, Foundation, Guarantees, Held,
    Journal, Leadership, Log, Page, Pending, RecordedOutcome, Watermark,
};

impl<L: Log> Journal for Replica<L> {
    fn incarnation(&self) -> u64 {
        self.shared.incarnation
    }

    /// Where the queue is full, the wait for room begins with the first poll instead: a task for
    /// every commit that finds no room would be a queue without a bound.
    fn commit(&self, effect: Effect) -> Pending {
        if let Err(fault) = self.shared.alive() {
            return Pending::refused(fault);
        }
        let (answer, verdict) = oneshot::channel();
        match self.queue.try_send(Queued { effect, answer }) {
            Ok(()) => Pending::sent(verdict),
            Err(TrySendError::Closed(_)) => Pending::refused(faults::shutting_down()),
            Err(TrySendError::Full(queued)) => self.commit_when_there_is_room(queued, verdict),
        }
    }

    fn lookup(&self, id: MessageId, key: Option<&OutsideKey>, payload_hash: u64) -> Lookup {
        let known = self.shared.read(|state| state.engine.lookup(id, key, payload_hash));
        // A replica that stopped cannot say that an id is new; this says that it cannot tell.
        known.unwrap_or(Lookup::Expired)
    }

    fn keys(&self) -> RememberedKeys {
        let ahead_ms = self.shared.clock.uncounted_ms();
        // A replica that stopped says so of whatever is proposed next.
        self.shared.read(|state| state.engine.keys(ahead_ms)).unwrap_or_default()
    }

    fn counted(&self, id: MessageId, key: Option<&OutsideKey>, payload_hash: u64) -> Counted {
        let counted = self.shared.awaited.register(id, key, payload_hash);
        // Only now, so that what is applied between the two is not missed.
        match self.lookup(id, key, payload_hash) {
            Lookup::Known { offset } => Counted::new(ready(offset)),
            _ => counted,
        }
    }

    fn outcome(&self, offset: Offset) -> BoxFuture<'_, Result<RecordedOutcome, Fault>> {
        Box::pin(ready(reading::outcome(&self.shared, offset)))
    }

    fn head(&self, level: ReadLevel) -> BoxFuture<'_, Result<Position, Fault>> {
        if level != ReadLevel::Linearizable {
            return Box::pin(ready(Ok(self.position())));
        }
        Box::pin(async {
            // All up to there is applied here when it returns (`Log`, 7).
            self.log.read_index().await?;
            self.shared.alive()?;
            Ok(self.position())
        })
    }

    fn applied(&self) -> &Watermark {
        &self.shared.applied
    }

    fn stream<'a>(&'a self, stream: &'a StreamName) -> BoxFuture<'a, Result<StreamSlice, Fault>> {
        Box::pin(ready(reading::stream(&self.shared, stream)))
    }

    fn record<'a>(
        &'a self,
        key: &'a StreamName,
    ) -> BoxFuture<'a, Result<Option<RecordHead>, Fault>> {
        Box::pin(ready(reading::record(&self.shared, key)))
    }

    fn page<'a>(
        &'a self,
        after: Offset,
        filter: &'a Filter,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page, Fault>> {
        Box::pin(ready(reading::page(&self.shared, after, filter, limit)))
    }

    fn degraded(&self) -> Option<String> {
        match self.shared.failure.get() {
            Some(fault) => Some(format!("the journal has stopped: {fault}")),
            None => self.log.degraded(),
        }
    }

    fn failure(&self) -> Option<Fault> {
        self.shared.failure.get().cloned()
    }

    fn failed(&self) -> BoxFuture<'_, Fault> {
        Box::pin(async { self.shared.failure.wait().await.clone() })
    }

    fn guarantees(&self) -> Guarantees {
        self.log.guarantees()
    }

    fn leadership(&self) -> Leadership {
        self.log.leadership()
    }

    fn leadership_changes(&self) -> &Watermark {
        &self.shared.leaderships
    }

    fn term(&self) -> u64 {
        self.log.term()
    }

    /// Zero for a replica that stopped in the middle of an entry.
    fn rolling_hash(&self) -> (Offset, u64) {
        let hash = self.shared.read(|state| (state.engine.offset(), state.engine.hash()));
        hash.unwrap_or_default()
    }

    fn engine(&self) -> EngineVersions {
        EngineVersions::new(self.shared.engine_version(), self.shared.engine_version_max)
    }

    /// None for a replica that stopped in the middle of an entry.
    fn nodes(&self) -> Vec<Arc<str>> {
        let nodes = self.shared.read(|state| state.engine.nodes().cloned().collect());
        nodes.unwrap_or_default()
    }

    fn foundation(&self) -> Foundation {
        self.shared.disk.as_ref().map(Disk::foundation).unwrap_or_default()
    }

    fn held(&self) -> Vec<Held> {
        let (shared, options) = (&self.shared, &self.options);
        let queued = options.queue_capacity.saturating_sub(self.queue.capacity());
        let mut held = vec![
            Held::new("queued effects", queued, options.queue_capacity),
            Held::new(
                "entries under way",
                shared.waiters.len(),
                options.appends_in_flight_max + options.doubtful_max,
            ),
            Held::within_others("waits for others", shared.awaited.len()),
        ];
        let remembered = shared.read(|state| {
            let engine = &state.engine;
            let remembered = engine.remembered();
            [
                Held::within_others("sessions", remembered.sessions),
                Held::within_others("ids", remembered.ids),
                Held::new(
                    "ids below marks",
                    remembered.kept,
                    engine.limits().kept * remembered.sessions,
                ),
                Held::within_others("checkpoints under way", state.frozen.len()),
            ]
        });
        held.extend(remembered.into_iter().flatten());
        held.extend(self.log.held());
        held
    }

    fn backup(
        &self,
        into: Backups,
        from: Offset,
    ) -> BoxFuture<'static, Result<Backup, BackupError>> {
        Box::pin(backup::backup(&self.log, &self.shared, into, from))
    }

    /// What still waits for an entry is refused; what is on its way is answered by the log, and
    /// what it cannot tell is in doubt.
    fn shutdown(&self) -> BoxFuture<'_, ()> {
        let stop = self.stop.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(stop) = stop {
            // A batcher that has ended already needs no telling.
            let _ = stop.send(());
        }
        Box::pin(async {
            self.checkpointer.stop(&*self.log, &self.shared).await;
            self.log.shutdown().await;
            self.ended.reach(Offset(1)).await;
            self.shared.applied.close();
        })
    }
}

impl<L: Log> Replica<L> {
    #[cold]
    fn commit_when_there_is_room(
        &self,
        queued: Queued,
        verdict: oneshot::Receiver<Result<crate::Committed, Fault>>,
    ) -> Pending {
        let (host, queue) = (self.host.clone(), self.queue.clone());
        let (wait, capacity) = (self.options.queue_wait, self.options.queue_capacity);
        Pending::new(async move {
            match timeout(&*host, wait, queue.send(queued)).await {
                Err(_) => Err(faults::overloaded(capacity)),
                Ok(Err(_)) => Err(faults::shutting_down()),
                Ok(Ok(())) => Pending::sent(verdict).await,
            }
        })
    }

    fn position(&self) -> Position {
        Position {
            incarnation: self.shared.incarnation,
            partition: 0,
            offset: self.shared.applied.get(),
        }
    }
}
