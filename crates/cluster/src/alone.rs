//! A node without peers: a cluster of one, on a data directory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use catga_core::{Fault, FaultCode, NodeName};
use catga_host::{BoxFuture, Host, timeout};
use catga_journal::{Applier, CheckpointPace, DiskOptions, Journal, Log, Replica, ReplicaOptions};
use tokio::sync::oneshot;

use crate::no_peers::NoPeers;
use crate::{
    DataDir, Ground, LogStorage, Node, Options, RaftLog, SnapshotFiles, StorageOptions, Store,
};

/// How long a node may take to apply what its log holds and to lead, before its start fails: many
/// times what the log behind a checkpoint takes.
const START_WAIT: Duration = Duration::from_secs(120);

/// How a node without peers is set up.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AloneOptions {
    /// Where it keeps its data.
    pub dir: PathBuf,
    /// The files of its log.
    pub storage: StorageOptions,
    /// How often checkpoints are made.
    pub pace: CheckpointPace,
    /// How its journal works. Incarnation and disk follow from `dir`.
    pub replica: ReplicaOptions,
}

impl AloneOptions {
    /// The usual options for a node called `name` in `dir`.
    pub fn new(name: NodeName, dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            storage: StorageOptions::default(),
            pace: CheckpointPace::default(),
            replica: ReplicaOptions::new(name),
        }
    }
}

/// Opens the journal of a node without peers: a Raft cluster of one voter, which can grow later
/// without moving its data.
///
/// When this returns the node leads, and has applied everything that it ever acknowledged.
///
/// # Errors
/// Whatever is wrong with the directory, named; nothing was changed in it then.
///
/// # Cancel safety
/// Dropping the future ends what was started.
pub async fn open_alone(
    host: Arc<dyn Host>,
    options: AloneOptions,
) -> Result<(Arc<Replica<RaftLog>>, DataDir), Fault> {
    let (opened, open) = oneshot::channel();
    let start = {
        let host = Arc::clone(&host);
        async move {
            // Whoever asked may have gone.
            let _ = opened.send(open_on_this_thread(host, options).await);
        }
    };
    // It reads the log and the last checkpoint, which may take long.
    let task = host.spawn_thread("open", Box::pin(start));
    let opened = open.await;
    opened.unwrap_or_else(|_| Err(Fault::internal(format!("opening the data panicked: {task:?}"))))
}

async fn open_on_this_thread(
    host: Arc<dyn Host>,
    options: AloneOptions,
) -> Result<(Arc<Replica<RaftLog>>, DataDir), Fault> {
    let AloneOptions { dir, storage, pace, replica } = options;
    let dir = DataDir::open(&host, &dir, &replica.node).await?;
    let identity = dir.identity();
    let log = LogStorage::open(&host, dir.files(), &dir.log(), storage).await;
    let log = log.inspect_err(|_| dir.release())?;
    let ground = Arc::new(OnDisk { log: log.clone(), dir: dir.clone() });
    let disk = DiskOptions::new(dir.files(), dir.journal()).with_pace(pace);
    let replica = replica.with_incarnation(identity.incarnation).with_disk(disk);
    let raft = Options::new(identity.id, host.random());
    let opened = Replica::open(Arc::clone(&host), replica, async |applier| {
        let snapshots = SnapshotFiles::open(&host, dir.files(), dir.snapshots(), applier.applied());
        let store = Store {
            snapshots: Arc::new(snapshots.map_err(Fault::from)?),
            ground: Arc::clone(&ground) as Arc<dyn Ground>,
            log: log.clone(),
        };
        let log = RaftLog::open(&host, raft, store, Arc::new(NoPeers), Box::new(applier)).await;
        log.map_err(|error| Fault::new(FaultCode::LogUnavailable, error.to_string()))
    });
    let replica = match opened.await {
        Ok(replica) => replica,
        Err(fault) => {
            // Whoever mends what is wrong may start again at once.
            ground.close().await;
            return Err(fault);
        }
    };
    let node = Node::new(identity.name.clone(), "", identity.store);
    let leads = async {
        let log = replica.log();
        log.initialize_if_new(BTreeMap::from([(identity.id, node)])).await?;
        log.leads().await?;
        log.read_index().await.map(drop)
    };
    let led = timeout(&*host, START_WAIT, leads).await;
    let led = led.unwrap_or_else(|_| {
        let message = format!("the log was not applied within {START_WAIT:?}");
        Err(Fault::new(FaultCode::LogUnavailable, message))
    });
    if let Err(fault) = led {
        // Why the journal stopped says more than that the log did.
        let fault = replica.failure().unwrap_or(fault);
        replica.log().shutdown().await;
        return Err(fault);
    }
    Ok((replica, dir))
}

/// A log in a data directory.
struct OnDisk {
    log: LogStorage,
    dir: DataDir,
}

impl Ground for OnDisk {
    fn is_full(&self) -> bool {
        self.log.is_full()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.log.shutdown().await;
            self.dir.release();
        })
    }
}
