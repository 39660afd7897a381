//! What opens the journal of a node on its data directory, whoever its peers are.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use catga_core::{Fault, FaultCode};
use catga_host::{BoxFuture, Host};
use catga_journal::{Applier, CheckpointPace, DiskOptions, Replica, ReplicaOptions};
use tokio::sync::oneshot;

use crate::no_peers::NoPeers;
use crate::{
    DataDir, Ground, Links, LogStorage, Options, Peers, RaftLog, SnapshotFiles, StorageOptions,
    Store,
};

/// What a node keeps, and how.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DataOptions {
    /// Where it keeps its data.
    pub dir: PathBuf,
    /// The files of its log.
    pub storage: StorageOptions,
    /// How often checkpoints are made.
    pub pace: CheckpointPace,
    /// How its journal works. Incarnation and disk follow from `dir`.
    pub replica: ReplicaOptions,
}

impl DataOptions {
    /// The usual options for a node called `name` in `dir`.
    pub fn new(name: catga_core::NodeName, dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            storage: StorageOptions::default(),
            pace: CheckpointPace::default(),
            replica: ReplicaOptions::new(name),
        }
    }
}

/// Runs `open` on a thread of its own: it reads the log and the last checkpoint, which may take
/// long.
pub(crate) async fn on_a_thread<T: Send + 'static>(
    host: &Arc<dyn Host>,
    open: impl Future<Output = Result<T, Fault>> + Send + 'static,
) -> Result<T, Fault> {
    let (opened, done) = oneshot::channel();
    let start = async move {
        // Whoever asked may have gone.
        let _ = opened.send(open.await);
    };
    let task = host.spawn_thread("open", Box::pin(start));
    let done = done.await;
    done.unwrap_or_else(|_| Err(Fault::internal(format!("opening the data panicked: {task:?}"))))
}

/// The journal of the `incarnation` on `dir`, whose log takes part as `raft` says in a cluster of
/// some id, by links, if it has peers.
///
/// Where this fails, the directory is free again.
pub(crate) async fn open_journal(
    host: &Arc<dyn Host>,
    dir: &DataDir,
    options: DataOptions,
    incarnation: u64,
    raft: Options,
    cluster: Option<(&str, Links)>,
) -> Result<Arc<Replica<RaftLog>>, Fault> {
    let DataOptions { dir: _, storage, pace, replica } = options;
    let (id, links) = cluster.unzip();
    let log = LogStorage::open(host, dir.files(), &dir.log(), storage).await;
    let log = log.inspect_err(|_| dir.release())?;
    if let Err(error) = dir.note_log().await {
        log.shutdown().await;
        dir.release();
        return Err(error.into());
    }
    let peers: Arc<dyn Peers> = match &links {
        Some(links) => Arc::new(links.clone()),
        None => Arc::new(NoPeers),
    };
    let ground =
        Arc::new(OnDisk { log: log.clone(), snapshots: OnceLock::new(), dir: dir.clone(), links });
    let mut disk = DiskOptions::new(dir.files(), dir.journal()).with_pace(pace);
    if ground.links.is_some() {
        disk = disk.with_mending().with_cluster(id.unwrap_or_default());
    }
    let replica = replica.with_incarnation(incarnation).with_disk(disk);
    let opened = Replica::open(Arc::clone(host), replica, async |applier| {
        let (holds, purged) = (applier.applied(), log.purged());
        let snapshots = SnapshotFiles::open(host, dir.files(), dir.snapshots(), holds, purged);
        let snapshots = snapshots.map_err(Fault::from)?;
        let store = Store {
            snapshots: Arc::new(ground.snapshots.get_or_init(|| snapshots).clone()),
            ground: Arc::clone(&ground) as Arc<dyn Ground>,
            log: log.clone(),
        };
        let log = RaftLog::open(host, raft, store, peers, Box::new(applier)).await;
        log.map_err(|error| Fault::new(FaultCode::LogUnavailable, error.to_string()))
    });
    match opened.await {
        Ok(replica) => Ok(replica),
        Err(fault) => {
            // Whoever mends what is wrong may start again at once.
            ground.close().await;
            Err(fault)
        }
    }
}

/// A log in a data directory, and the links that it was reached by.
struct OnDisk {
    log: LogStorage,
    /// None until they were read.
    snapshots: OnceLock<SnapshotFiles>,
    dir: DataDir,
    links: Option<Links>,
}

impl Ground for OnDisk {
    fn is_full(&self) -> bool {
        self.log.is_full()
    }

    fn stop_waiting(&self) {
        self.log.stop_waiting();
        if let Some(snapshots) = self.snapshots.get() {
            snapshots.stop_waiting();
        }
    }

    fn flushed(&self) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(self.log.flushed())
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.log.shutdown().await;
            if let Some(links) = &self.links {
                links.leave().await;
            }
            self.dir.release();
        })
    }
}
