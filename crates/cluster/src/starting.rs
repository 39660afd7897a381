use std::sync::Arc;
use std::time::Duration;

use openraft::errors::Fatal;
use openraft::storage::RaftLogStorage;
use openraft::{AsyncRuntime, Config};
use tokio::sync::mpsc;

use crate::lacking::Lacking;
use crate::mending::Mender;
use crate::network::PeerNetwork;
use crate::reads::Reads;
use crate::serving::{Parts, RaftServe};
use crate::shipping::SnapshotShipping;
use crate::{Ground, Machine, Options, Peers, Raft, Rt, Tasks, TypeConfig, succession};

/// The parts of a log that runs.
pub(crate) struct Started {
    pub(crate) raft: Raft,
    pub(crate) reads: Reads,
    pub(crate) serve: RaftServe,
    pub(crate) lacking: Lacking,
}

/// How long a follower's word that it has no room holds at least: it says so once a second.
const LACKING_HOLDS_MIN: Duration = Duration::from_secs(3);

/// Starts Raft, and the tasks beside it, as tasks of the current thread.
pub(crate) async fn start<S: RaftLogStorage<TypeConfig>>(
    config: Arc<Config>,
    options: Options,
    peers: Arc<dyn Peers>,
    log: S,
    machine: Machine,
    (shipping, mender): (Arc<dyn SnapshotShipping>, Option<Arc<Mender>>),
    ground: Arc<dyn Ground>,
) -> Result<Started, Fatal<TypeConfig>> {
    let me = options.id;
    // Longer than a follower without room takes to say so again in answer to entries.
    let lacking = Lacking::new((2 * options.election_timeout).max(LACKING_HOLDS_MIN));
    let network = PeerNetwork {
        me,
        peers: Arc::clone(&peers),
        shipping: Arc::clone(&shipping),
        patience: options.election_timeout,
        lacking: lacking.clone(),
    };
    let raft = Raft::new(me, config, network, log, machine).await?;
    let reads = Reads::start(raft.clone(), &options, Arc::clone(&peers));
    let (ask, asked) = mpsc::channel(succession::ASKED_MAX);
    let (of, within) = (raft.clone(), options.election_timeout);
    drop(Rt::spawn(succession::watch(of, me, Arc::clone(&peers), asked, within)));
    if let Some(mender) = &mender {
        mender.start(&raft, Arc::clone(&peers));
    }
    let serve = RaftServe::new(Parts {
        raft: raft.clone(),
        me,
        peers,
        shipping,
        ground,
        mender,
        reads: reads.clone(),
        asked: ask,
        room_wait: options.election_timeout / 2,
    });
    Ok(Started { raft, reads, serve, lacking })
}

/// Ends tasks, and what ships snapshots beside them, when it is dropped.
pub(crate) struct EndOnDrop(pub(crate) Tasks, pub(crate) Arc<dyn SnapshotShipping>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.abort();
        self.1.stop();
    }
}
