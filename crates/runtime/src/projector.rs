mod due;
mod saver;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use catga_core::{
    DecodeError, EncodeError, FaultCode, Offset, Position, Projection, Quarantined, RecordedEvent,
    ViewCell, panic_message,
};
use catga_host::{Host, Task, timeout};
use catga_journal::{Filter, Journal, Watermark};

use self::saver::Saver;
use crate::{ProjectionStatus, ViewStore};

/// How many events are read from the journal at once.
const PAGE: usize = 512;

/// How many events are folded under one lock: readers wait for no more than these.
const CHUNK: usize = 64;

/// How long a stopping node waits for the last checkpoints: time for some gigabytes. What is not
/// written by then is folded again at the next start.
const LAST_WAIT: Duration = Duration::from_secs(10);

/// How long whoever reads the history waits for what is damaged and being fetched from another node.
pub(crate) const MENDING_WAIT: Duration = Duration::from_millis(100);

/// All projections of a node.
#[derive(Debug, Default)]
pub(crate) struct Projections(pub(crate) Vec<Projector>);

/// One projection: where it is folded into and how far it is.
#[derive(Clone)]
pub(crate) struct Projector {
    cell: Arc<dyn Fold>,
    /// Closed when the projection is quarantined.
    pub(crate) mark: Arc<Watermark>,
    /// Set before it runs, if the node has a place for checkpoints.
    saver: Arc<OnceLock<Arc<Saver>>>,
}

/// A [`ViewCell`] without the type of its projection.
trait Fold: Send + Sync {
    fn name(&self) -> &'static str;
    fn version(&self) -> u32;
    fn filter(&self) -> Filter;
    fn fold(&self, events: &[RecordedEvent], upto: Offset) -> Result<(), (Position, String)>;
    fn quarantine(&self, why: Quarantined);
    fn quarantined(&self) -> Option<&Quarantined>;
    fn offset(&self) -> Offset;
    fn save(&self) -> Result<Option<(Offset, Vec<u8>)>, EncodeError>;
    fn restore(&self, offset: Offset, bytes: &[u8]) -> Result<bool, DecodeError>;
    /// Another one, that has folded nothing.
    fn anew(&self) -> Box<dyn Fold>;
    /// Another one, of the state that `bytes` are; none if it takes no checkpoints.
    fn beside(&self, offset: Offset, bytes: &[u8]) -> Result<Option<Box<dyn Fold>>, DecodeError>;
}

impl<P: Projection> Fold for ViewCell<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn version(&self) -> u32 {
        P::VERSION
    }

    fn filter(&self) -> Filter {
        Filter::Names(P::EVENTS)
    }

    fn fold(&self, events: &[RecordedEvent], upto: Offset) -> Result<(), (Position, String)> {
        ViewCell::fold(self, events, upto)
            .map_err(|(position, error)| (position, error.to_string()))
    }

    fn quarantine(&self, why: Quarantined) {
        ViewCell::quarantine(self, why);
    }

    fn quarantined(&self) -> Option<&Quarantined> {
        ViewCell::quarantined(self)
    }

    fn offset(&self) -> Offset {
        ViewCell::offset(self)
    }

    fn save(&self) -> Result<Option<(Offset, Vec<u8>)>, EncodeError> {
        ViewCell::save(self)
    }

    fn restore(&self, offset: Offset, bytes: &[u8]) -> Result<bool, DecodeError> {
        ViewCell::restore(self, offset, bytes)
    }

    fn anew(&self) -> Box<dyn Fold> {
        Box::new(Self::new(P::default()))
    }

    fn beside(&self, offset: Offset, bytes: &[u8]) -> Result<Option<Box<dyn Fold>>, DecodeError> {
        let restored = Self::restored(offset, bytes)?;
        Ok(restored.map(|cell| Box::new(cell) as Box<dyn Fold>))
    }
}

impl Projector {
    pub(crate) fn new<P: Projection>(cell: Arc<ViewCell<P>>) -> Self {
        Self { cell, mark: Arc::default(), saver: Arc::default() }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.cell.name()
    }

    /// Resumes from the last checkpoint in `store`, if it can be used, and keeps new ones there.
    /// Comes before [`run`](Self::run). Blocks.
    fn resume(&self, store: ViewStore, incarnation: u64) {
        let saver = self
            .saver
            .get_or_init(|| Arc::new(Saver::open(Arc::clone(&self.cell), store, incarnation)));
        if let Some(offset) = saver.checkpointed() {
            self.mark.advance(offset);
        }
    }

    /// Folds what the journal has and what comes, until the projection is quarantined or the
    /// journal closes. A slow fold holds up no commit.
    pub(crate) async fn run(self, host: Arc<dyn Host>, journal: Arc<dyn Journal>) {
        let filter = self.cell.filter();
        loop {
            // A projection that resumed may be ahead of the journal: it waits here till the journal
            // has applied more than it holds.
            let done = self.mark.get();
            if !self.wait_for(done.next(), &host, &journal).await {
                return;
            }
            match journal.page(done, &filter, PAGE).await {
                Ok(page) => {
                    if let Some(saver) = self.saver.get() {
                        saver.folded(&page.events, page.upto.0 - done.0);
                    }
                    for (events, upto) in chunks(&page.events, page.upto) {
                        if !self.take(events, upto) {
                            return;
                        }
                    }
                }
                Err(fault) if fault.code() == FaultCode::HistoryDamaged => {
                    host.sleep(MENDING_WAIT).await;
                }
                Err(fault) => {
                    let position = Position {
                        incarnation: journal.incarnation(),
                        partition: 0,
                        offset: done.next(),
                    };
                    return self.quarantine(position, fault.to_string());
                }
            }
        }
    }

    /// Waits until the journal has applied `offset`, and writes a checkpoint meanwhile or before
    /// when one is due; false if the journal closed.
    async fn wait_for(
        &self,
        offset: Offset,
        host: &Arc<dyn Host>,
        journal: &Arc<dyn Journal>,
    ) -> bool {
        if let Some(saver) = self.saver.get() {
            while let Some(wait) = saver.wait(host.now()) {
                // Due by what was folded; when its time comes, more may have come or not.
                let more = journal.applied().reach(offset);
                if !wait.is_zero()
                    && let Ok(is_open) = timeout(&**host, wait, more).await
                {
                    return is_open;
                }
                saver.begin(host, journal).await;
            }
        }
        journal.applied().reach(offset).await
    }

    /// Folds one chunk; false if the projection was quarantined over it.
    fn take(&self, events: &[RecordedEvent], upto: Offset) -> bool {
        // What a panic leaves behind is never read again, so nothing half-folded is seen.
        let folded = catch_unwind(AssertUnwindSafe(|| self.cell.fold(events, upto)));
        match folded {
            Ok(Ok(())) => {
                self.mark.advance(upto);
                return true;
            }
            Ok(Err((position, reason))) => self.quarantine(position, reason),
            Err(panic) => {
                let reason = format!("its fold panicked: {}", panic_message(&*panic));
                let position = events.first().map_or_else(Position::default, |e| e.meta.position);
                self.quarantine(position, reason);
            }
        }
        false
    }

    fn quarantine(&self, position: Position, reason: String) {
        tracing::error!(projection = self.name(), %position, reason, "projection quarantined");
        self.cell.quarantine(Quarantined { projection: self.name(), position, reason });
        self.mark.close();
    }
}

/// Cuts a page where an effect ends, about every [`CHUNK`] events, each with how far it reaches.
fn chunks(events: &[RecordedEvent], upto: Offset) -> Vec<(&[RecordedEvent], Offset)> {
    let mut chunks = Vec::new();
    let mut rest = events;
    while rest.len() > CHUNK {
        let last = rest[CHUNK - 1].meta.position.offset;
        let cut =
            CHUNK + rest[CHUNK..].iter().take_while(|e| e.meta.position.offset == last).count();
        let (chunk, tail) = rest.split_at(cut);
        chunks.push((chunk, last));
        rest = tail;
    }
    chunks.push((rest, upto));
    chunks
}

/// Lets all `projectors` resume from their checkpoints in `store`, before they run. Reading blocks,
/// so each does so on a thread of its own.
pub(crate) async fn resume(
    projectors: &[Projector],
    host: &Arc<dyn Host>,
    store: &ViewStore,
    incarnation: u64,
) {
    let mut tasks = Vec::new();
    for projector in projectors {
        let (projector, store) = (projector.clone(), store.clone());
        let task = async move { projector.resume(store, incarnation) };
        tasks.push(host.spawn_thread("resume", Box::pin(task)));
    }
    let names: Vec<_> = projectors.iter().map(Projector::name).collect();
    let others = store.clone();
    let list = async move {
        // They may be of a build that comes back, so they are kept.
        for file in others.others(&names) {
            tracing::debug!(file, "a checkpoint of no projection of this program is left alone");
        }
    };
    tasks.push(host.spawn_thread("resume", Box::pin(list)));
    for task in tasks {
        task.await;
    }
}

impl Projections {
    /// Waits until each has folded everything up to `offset`; not for those that are quarantined.
    pub(crate) async fn reach(&self, offset: Offset) {
        for projector in &self.0 {
            // False for one that never will, which its readers are told.
            let _ = projector.mark.reach(offset).await;
        }
    }

    /// Writes the last checkpoints of a stopping node, whose projections fold no more.
    pub(crate) async fn finish(&self, host: &Arc<dyn Host>) {
        let savers = self.0.iter().filter_map(|projector| projector.saver.get());
        let mut tasks: Vec<_> = savers.filter_map(|saver| saver.finish(host)).collect();
        let written = async {
            for task in &mut tasks {
                task.await;
            }
        };
        if timeout(&**host, LAST_WAIT, written).await.is_ok() {
            return;
        }
        tracing::warn!("the last checkpoints take too long; the next start folds more");
        // A write that has begun goes on: nothing can stop it, and it harms nobody, since a file
        // replaces another in one step and is used only if it is whole.
        tasks.iter().for_each(Task::abort);
    }

    pub(crate) fn status(&self, journal: &dyn Journal) -> Vec<ProjectionStatus> {
        let applied = journal.applied().get();
        let status = |projector: &Projector| {
            let offset = projector.mark.get();
            ProjectionStatus {
                name: projector.cell.name(),
                version: projector.cell.version(),
                position: Position { incarnation: journal.incarnation(), partition: 0, offset },
                behind: applied.0.saturating_sub(offset.0),
                checkpointed: projector.saver.get().and_then(|saver| saver.checkpointed()),
                quarantined: projector.cell.quarantined().cloned(),
            }
        };
        self.0.iter().map(status).collect()
    }

    pub(crate) fn complaints(&self) -> impl Iterator<Item = String> {
        self.0.iter().filter_map(|projector| projector.cell.quarantined()).map(|why| {
            format!("projection `{}` stopped at {}: {}", why.projection, why.position, why.reason)
        })
    }
}

impl fmt::Debug for Projector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Projector")
            .field("name", &self.name())
            .field("mark", &self.mark)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use catga_core::{EventMeta, StreamName, Timestamp};

    use super::*;

    fn event(offset: u64) -> RecordedEvent {
        let position = Position { offset: Offset(offset), ..Position::default() };
        let stream = StreamName::new("s", "1");
        RecordedEvent {
            name: "e".into(),
            schema: 1,
            payload: Default::default(),
            tags: [].into(),
            meta: EventMeta::new(position, stream, offset, Timestamp::default()),
        }
    }

    #[test]
    fn an_effect_is_never_cut_in_two() {
        // 60 effects of one event, then one of ten, then one more.
        let mut events: Vec<_> = (1..=60).map(event).collect();
        events.extend((0..10).map(|_| event(61)));
        events.push(event(62));
        let chunks = chunks(&events, Offset(70));
        let lens: Vec<_> = chunks.iter().map(|(events, upto)| (events.len(), upto.0)).collect();
        assert_eq!(lens, [(70, 61), (1, 70)]);
    }

    #[test]
    fn a_page_without_events_still_moves_the_mark() {
        assert_eq!(chunks(&[], Offset(9)), [(&[][..], Offset(9))]);
    }
}
