//! A node without peers: a cluster of one, on a data directory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use catga_core::{Fault, FaultCode};
use catga_host::{Host, timeout};
use catga_journal::{Journal, Log, Replica};

use crate::opening::{on_a_thread, open_journal};
use crate::raft_log::stopped;
use crate::{Charter, DataDir, DataOptions, FoundingError, Node, Options, RaftLog};

/// How long a node may take to apply what its log holds and to lead, before its start fails: many
/// times what the log behind a checkpoint takes.
const START_WAIT: Duration = Duration::from_secs(120);

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
    options: DataOptions,
) -> Result<(Arc<Replica<RaftLog>>, DataDir), Fault> {
    on_a_thread(&host.clone(), open_on_this_thread(host, options)).await
}

async fn open_on_this_thread(
    host: Arc<dyn Host>,
    options: DataOptions,
) -> Result<(Arc<Replica<RaftLog>>, DataDir), Fault> {
    let dir = DataDir::open(&host, &options.dir, &options.replica.node).await?;
    let identity = dir.identity();
    let charter = Charter::read(&*dir.files(), &dir.charter()).map_err(FoundingError::from);
    let incarnation = match charter.inspect_err(|_| dir.release())? {
        Some(charter) if charter.members.len() > 1 || charter.first() != Some(&identity.name) => {
            let names: Vec<_> = charter.members.keys().map(ToString::to_string).collect();
            dir.release();
            return Err(of_a_cluster(&dir, &names.join(", ")));
        }
        Some(charter) => charter.incarnation,
        None => identity.incarnation,
    };
    let raft = Options::new(identity.id, host.random());
    let replica = open_journal(&host, &dir, options, incarnation, raft, None).await?;
    let node = Node::new(identity.name.clone(), "", identity.store);
    let leads = async {
        let log = replica.log();
        let voters = log.voters().await.map_err(stopped)?;
        if voters.iter().any(|voter| *voter != identity.id) {
            return Err(of_a_cluster(&dir, &format!("{} voters", voters.len())));
        }
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

fn of_a_cluster(dir: &DataDir, members: &str) -> Fault {
    let message = format!(
        "the data directory {} is that of a node in a cluster of {members}: start it as one, or \
         give this process a directory of its own",
        dir.path().display(),
    );
    Fault::new(FaultCode::LogUnavailable, message)
}
