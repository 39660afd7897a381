//! A projection resumes from its checkpoint, and is folded again from the start when it cannot.

use std::path::Path;
use std::sync::Arc;

use catga::host::{BoxFuture, Disk, Host};
use catga::journal::{
    Counted, EngineVersions, Filter, Guarantees, Journal, Leadership, LogLimits, MemoryLog, Page,
    Pending, RecordedOutcome, Replica, ReplicaOptions, Watermark,
};
use catga::prelude::*;
use catga::{
    Backend, MessageId, Offset, Parts, Position, Projection, ProjectionStatus, ReadLevel,
    StreamName,
};
use catga_core::StreamSlice;
use catga_engine::{Effect, Lookup, OutsideKey, RecordHead, RememberedKeys};
use catga_host::TokioHost;
use catga_tests::wait_until;

/// Records so many visits at once.
#[derive(Command, Serialize, Deserialize)]
#[command(name = "visits.record")]
struct Record(u64);

#[derive(Event, Serialize, Deserialize)]
#[event(name = "visits.visited", stream = Visits, key = id)]
struct Visited {
    id: Uuid,
}

#[derive(Clone, Default)]
struct Visits;

#[aggregate(name = "visits")]
impl Visits {
    fn visited(&mut self, _event: &Visited) {}
}

/// Tells what was folded in all, and how much of that since the process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Count {
    all: u64,
    #[serde(skip)]
    here: u64,
}

impl Count {
    fn up(&mut self) {
        self.all += 1;
        self.here += 1;
    }
}

#[derive(Default, Serialize, Deserialize)]
struct First(Count);

#[projection(name = "visits", version = 1)]
impl First {
    fn visited(&mut self, _event: &Visited) {
        self.0.up();
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Second(Count);

#[projection(name = "visits", version = 2)]
impl Second {
    fn visited(&mut self, _event: &Visited) {
        self.0.up();
    }
}

#[derive(Default)]
struct Unsaved(Count);

#[projection(name = "visits", version = 1, checkpoint = false)]
impl Unsaved {
    fn visited(&mut self, _event: &Visited) {
        self.0.up();
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Fragile(Count);

#[projection(name = "visits", version = 1)]
impl Fragile {
    fn visited(&mut self, _event: &Visited) {
        self.0.up();
        assert!(self.0.all < 3, "three is too many");
    }
}

struct Site<P: Projection> {
    _visits: View<P>,
}

#[service]
impl<P: Projection> Site<P> {
    async fn record(&self, cmd: Record, tx: &mut Tx) -> Answer<()> {
        for _ in 0..cmd.0 {
            tx.emit(Visited { id: tx.new_id() });
        }
        Ok(())
    }
}

/// A journal that outlives the nodes that use it, as one on disk does.
#[derive(Clone, Debug)]
struct Kept(Arc<dyn Journal>);

impl Kept {
    async fn new() -> Self {
        Self::of(None).await
    }

    /// An empty journal of some life of its own, or of `incarnation`.
    async fn of(incarnation: Option<u64>) -> Self {
        let mut options = ReplicaOptions::new(catga_core::NodeName::new("node1"));
        options.incarnation = incarnation;
        let node = options.node.clone();
        let host = Arc::new(TokioHost::current());
        let opened = Replica::open(host, options, async move |applier| {
            Ok(MemoryLog::open(node, applier, LogLimits::default()))
        });
        Self(opened.await.expect("a journal in memory opens"))
    }
}

impl Journal for Kept {
    fn incarnation(&self) -> u64 {
        self.0.incarnation()
    }

    fn commit(&self, effect: Effect) -> Pending {
        self.0.commit(effect)
    }

    fn lookup(&self, id: MessageId, key: Option<&OutsideKey>, payload_hash: u64) -> Lookup {
        self.0.lookup(id, key, payload_hash)
    }

    fn keys(&self) -> RememberedKeys {
        self.0.keys()
    }

    fn counted(&self, id: MessageId, key: Option<&OutsideKey>, payload_hash: u64) -> Counted {
        self.0.counted(id, key, payload_hash)
    }

    fn leadership_changes(&self) -> &Watermark {
        self.0.leadership_changes()
    }

    fn outcome(&self, offset: Offset) -> BoxFuture<'_, Result<RecordedOutcome, Fault>> {
        self.0.outcome(offset)
    }

    fn head(&self, level: ReadLevel) -> BoxFuture<'_, Result<Position, Fault>> {
        self.0.head(level)
    }

    fn applied(&self) -> &Watermark {
        self.0.applied()
    }

    fn stream<'a>(&'a self, stream: &'a StreamName) -> BoxFuture<'a, Result<StreamSlice, Fault>> {
        self.0.stream(stream)
    }

    fn record<'a>(
        &'a self,
        key: &'a StreamName,
    ) -> BoxFuture<'a, Result<Option<RecordHead>, Fault>> {
        self.0.record(key)
    }

    fn page<'a>(
        &'a self,
        after: Offset,
        filter: &'a Filter,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page, Fault>> {
        self.0.page(after, filter, limit)
    }

    fn guarantees(&self) -> Guarantees {
        self.0.guarantees()
    }

    fn leadership(&self) -> Leadership {
        self.0.leadership()
    }

    fn rolling_hash(&self) -> (Offset, u64) {
        self.0.rolling_hash()
    }

    fn engine(&self) -> EngineVersions {
        self.0.engine()
    }

    fn nodes(&self) -> Vec<Arc<str>> {
        self.0.nodes()
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

#[derive(Debug)]
struct OnDisk(Kept, std::path::PathBuf);

impl Backend for OnDisk {
    async fn open(self, _host: Arc<dyn Host>, _node: catga_core::NodeName) -> Result<Parts, Fault> {
        Ok(Parts::new(Arc::new(self.0)).with_views(Arc::new(Disk), self.1))
    }
}

/// A node over `journal` with the checkpoints in `dir`, and its view.
async fn start<P: Projection>(journal: &Kept, dir: &Path) -> (Node, View<P>) {
    let (sent, view) = std::sync::mpsc::channel();
    let started = Catga::builder()
        .backend(OnDisk(journal.clone(), dir.to_owned()))
        .service(move |n| {
            let visits: View<P> = n.projection();
            sent.send(visits.clone()).expect("the test waits");
            Site { _visits: visits }
        })
        .start()
        .await;
    let node = started.expect("starts");
    let view = view.recv().expect("the service was made");
    // What the journal has is folded first.
    wait_until("the view has caught up", || {
        let status = status(&node);
        status.behind == 0 || status.quarantined.is_some()
    })
    .await;
    (node, view)
}

fn status(node: &Node) -> ProjectionStatus {
    node.projections().pop().expect("one projection")
}

async fn record(node: &Node, times: u64) {
    for _ in 0..times {
        node.send(Record(1)).await.expect("recorded");
    }
}

/// Three visits, recorded by a node that stopped in order.
async fn three_visits<P: Projection>(dir: &Path) -> Kept {
    let journal = Kept::new().await;
    let (node, _view) = start::<P>(&journal, dir).await;
    record(&node, 3).await;
    node.shutdown().await;
    journal
}

fn files(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten();
    entries.map(|entry| entry.expect("listed").file_name().into_string().expect("a name")).collect()
}

fn temporary() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

#[tokio::test]
async fn a_projection_resumes_and_folds_only_what_is_new() {
    let dir = temporary();
    let journal = three_visits::<First>(dir.path()).await;
    assert_eq!(files(dir.path()), ["visits.view"]);
    let (node, view) = start::<First>(&journal, dir.path()).await;
    assert_eq!(view.read(|visits| visits.0), Ok(Count { all: 3, here: 0 }));
    let checkpointed = status(&node).checkpointed.expect("resumed");
    assert!(node.metrics_text().contains(&format!(
        "catga_projection_checkpointed_offset{{name=\"visits\"}} {checkpointed}"
    )));
    record(&node, 2).await;
    assert_eq!(view.read(|visits| visits.0), Ok(Count { all: 5, here: 2 }));
    node.shutdown().await;
    let (node, view) = start::<First>(&journal, dir.path()).await;
    assert_eq!(view.read(|visits| visits.0), Ok(Count { all: 5, here: 0 }));
    assert!(status(&node).checkpointed > Some(checkpointed));
}

#[tokio::test]
async fn another_version_is_folded_again() {
    let dir = temporary();
    let journal = three_visits::<First>(dir.path()).await;
    let (node, view) = start::<Second>(&journal, dir.path()).await;
    assert_eq!(view.read(|visits| visits.0), Ok(Count { all: 3, here: 3 }));
    assert_eq!(status(&node).checkpointed, None);
    node.shutdown().await;
    let (_node, view) = start::<Second>(&journal, dir.path()).await;
    assert_eq!(view.read(|visits| visits.0), Ok(Count { all: 3, here: 0 }));
}

#[tokio::test]
async fn a_damaged_checkpoint_is_folded_again_and_replaced() {
    let dir = temporary();
    let journal = three_visits::<First>(dir.path()).await;
    let path = dir.path().join("visits.view");
    let mut bytes = std::fs::read(&path).expect("a checkpoint");
    bytes[100] ^= 1;
    std::fs::write(&path, bytes).expect("written");
    let (node, view) = start::<First>(&journal, dir.path()).await;
    assert_eq!(view.read(|visits| visits.0), Ok(Count { all: 3, here: 3 }));
    node.shutdown().await;
    let (_node, view) = start::<First>(&journal, dir.path()).await;
    assert_eq!(view.read(|visits| visits.0), Ok(Count { all: 3, here: 0 }));
}

#[tokio::test]
async fn a_checkpoint_of_another_life_of_the_journal_is_not_used() {
    let dir = temporary();
    three_visits::<First>(dir.path()).await;
    let (node, view) = start::<First>(&Kept::new().await, dir.path()).await;
    assert_eq!(view.read(|visits| visits.0), Ok(Count::default()));
    record(&node, 1).await;
    assert_eq!(view.read(|visits| visits.0), Ok(Count { all: 1, here: 1 }));
}

#[tokio::test]
async fn a_view_ahead_of_its_journal_waits_for_what_it_does_not_hold() {
    let dir = temporary();
    let journal = three_visits::<First>(dir.path()).await;
    // As after a loss of power: what was folded comes back, but is not applied here yet.
    let behind = Kept::of(Some(journal.incarnation())).await;
    let (node, view) = start::<First>(&behind, dir.path()).await;
    let resumed = status(&node).position;
    assert!(resumed > node.position());
    assert_eq!(resumed.offset, journal.applied().get());
    record(&node, 3).await;
    assert_eq!(node.position(), resumed, "it is all back");
    assert_eq!(view.read(|visits| visits.0), Ok(Count { all: 3, here: 0 }));
    record(&node, 1).await;
    assert_eq!(view.read(|visits| visits.0), Ok(Count { all: 4, here: 1 }));
}

#[tokio::test]
async fn a_projection_that_takes_no_checkpoints_writes_and_reads_none() {
    let dir = temporary();
    let journal = three_visits::<Unsaved>(dir.path()).await;
    assert_eq!(files(dir.path()), [""; 0]);
    let (node, view) = start::<Unsaved>(&journal, dir.path()).await;
    assert_eq!(view.read(|visits| visits.0), Ok(Count { all: 3, here: 3 }));
    assert_eq!(status(&node).checkpointed, None);
    let saved = three_visits::<First>(dir.path()).await;
    let (_node, view) = start::<Unsaved>(&saved, dir.path()).await;
    assert_eq!(view.read(|visits| visits.0), Ok(Count { all: 3, here: 3 }));
}

#[tokio::test]
async fn a_quarantined_projection_writes_no_checkpoint() {
    let dir = temporary();
    let journal = three_visits::<Fragile>(dir.path()).await;
    assert_eq!(files(dir.path()), [""; 0]);
    let (node, _view) = start::<Fragile>(&journal, dir.path()).await;
    let quarantined = status(&node).quarantined.expect("it panics each time");
    assert!(quarantined.reason.contains("three is too many"), "{quarantined:?}");
}

#[tokio::test]
async fn a_busy_projection_is_checkpointed_while_it_runs() {
    let dir = temporary();
    let journal = Kept::new().await;
    let (node, view) = start::<First>(&journal, dir.path()).await;
    for _ in 0..20 {
        node.send(Record(600)).await.expect("recorded");
    }
    assert_eq!(view.read(|visits| visits.0.all), Ok(12_000));
    wait_until("a checkpoint is written", || status(&node).checkpointed.is_some()).await;
    // As after a crash: nothing is written any more.
    drop(node);
    let (_node, view) = start::<First>(&journal, dir.path()).await;
    let count = view.read(|visits| visits.0).expect("readable");
    assert_eq!(count.all, 12_000);
    assert!(count.here <= 2_000, "{count:?}");
}

#[tokio::test]
async fn a_checkpoint_that_cannot_be_written_stops_nothing() {
    let dir = temporary();
    let file = dir.path().join("file");
    std::fs::write(&file, "in the way").expect("written");
    let journal = three_visits::<First>(&file.join("views")).await;
    let (node, view) = start::<First>(&journal, &file.join("views")).await;
    assert_eq!(view.read(|visits| visits.0), Ok(Count { all: 3, here: 3 }));
    assert_eq!(status(&node).checkpointed, None);
    assert!(node.health().ready);
}
