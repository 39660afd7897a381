use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use catga::host::Host;
use catga::journal::Journal;
use catga::prelude::*;
use catga::{Backend, DataDir, NodeName, Parts, StartError, StreamName};

/// The bytes of one event's note.
pub(super) const PAYLOAD_BYTES: usize = 256;

/// How many events go to a stream before the next one begins.
pub(super) const EVENTS_PER_STREAM: u64 = 100;

/// Adds an event to a stream.
#[derive(Clone, Debug, Command, Serialize, Deserialize)]
#[command(name = "growth.add", reply = ())]
pub(super) struct Add {
    key: String,
    note: String,
}

#[derive(Clone, Debug, Event, Serialize, Deserialize)]
#[event(name = "growth.added", stream = Series, key = key)]
struct Added {
    key: String,
    note: String,
}

/// What a stream folds to.
#[derive(Clone, Default)]
struct Series;

#[aggregate(name = "series")]
impl Series {
    fn added(&mut self, _event: &Added) {}
}

/// How many events there are.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Count(u64);

#[projection(name = "count", version = 1)]
impl Count {
    fn added(&mut self, _event: &Added) {
        self.0 += 1;
    }
}

struct Counting {
    _count: View<Count>,
}

#[service]
impl Counting {
    async fn add(&self, cmd: Add, tx: &mut Tx) -> Answer<()> {
        tx.append_any(Added { key: cmd.key, note: cmd.note });
        Ok(())
    }
}

impl Add {
    /// The command of a client that has sent so many.
    pub(super) fn sample(client: u64, sent: u64) -> Self {
        Self { key: key(client, sent), note: "x".repeat(PAYLOAD_BYTES) }
    }
}

fn key(client: u64, sent: u64) -> String {
    format!("{client}-{}", sent / EVENTS_PER_STREAM)
}

/// The stream that the event goes to which a client sends after so many.
pub(super) fn stream_of(client: u64, sent: u64) -> StreamName {
    StreamName::new("series", &key(client, sent))
}

/// A node on disk, and its journal.
pub(super) async fn start_on(dir: &Path) -> Result<(Node, Arc<dyn Journal>), StartError> {
    let tapped = Arc::default();
    let backend = Tapped { dir: DataDir::new(dir), journal: Arc::clone(&tapped) };
    let builder = Catga::builder().backend(backend);
    let node = builder.service(|n| Counting { _count: n.projection() }).start().await?;
    let journal = tapped.lock().unwrap_or_else(PoisonError::into_inner).take();
    Ok((node, journal.expect("a node that has started has opened its journal")))
}

/// A data directory whose journal can be read beside the node.
#[derive(Debug)]
struct Tapped {
    dir: DataDir,
    journal: Arc<Mutex<Option<Arc<dyn Journal>>>>,
}

impl Backend for Tapped {
    async fn open(self, host: Arc<dyn Host>, node: NodeName) -> Result<Parts, Fault> {
        let parts = self.dir.open(host, node).await?;
        let journal = Arc::clone(&parts.journal);
        *self.journal.lock().unwrap_or_else(PoisonError::into_inner) = Some(journal);
        Ok(parts)
    }
}
