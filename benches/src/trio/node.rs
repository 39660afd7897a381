//! The side of the node: it serves as a program would, and answers its parent.

use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::process;
use std::time::Duration;

use anyhow::{Context, Result};
use catga::{Cluster, Node, ReadLevel};
use serde::Serialize;
use tokio::runtime::Builder;

use super::asked::{Ask, Audit};
use super::{NODES, certificates, in_process, name};
use crate::orders::{self, CountOrders, GetOrder, OrderId};

/// Which node of which cluster.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct NodeArgs {
    /// Which of the ports is this node's
    #[arg(long)]
    pub(super) number: usize,
    /// Where the nodes are
    #[arg(long, value_delimiter = ',')]
    pub(super) ports: Vec<u16>,
    /// Where it keeps its data
    #[arg(long)]
    pub(super) dir: PathBuf,
    /// Campaign after 150 ms, show itself every 50
    #[arg(long)]
    pub(super) short: bool,
    /// Meet the others by TLS, with the certificates there
    #[arg(long)]
    pub(super) tls: Option<PathBuf>,
}

/// The id of the cluster.
pub(super) const CLUSTER: &str = "bench";

impl NodeArgs {
    pub(super) fn name(&self) -> String {
        name(self.number)
    }

    fn cluster(&self) -> Cluster {
        let member = |port: &u16| format!("http://127.0.0.1:{port}");
        let cluster = Cluster::new(CLUSTER, self.ports.iter().map(member))
            .name(self.name())
            .address(member(&self.ports[self.number]))
            .data_dir(&*self.dir);
        let cluster = match &self.tls {
            Some(dir) => cluster.tls(certificates::of(dir, self.number)),
            None => cluster,
        };
        if !self.short {
            return cluster;
        }
        cluster
            .election_timeout(Duration::from_millis(150))
            .heartbeat_interval(Duration::from_millis(50))
    }
}

/// Runs until it is drained, or its parent has gone.
pub(crate) fn run(args: &NodeArgs) -> Result<()> {
    // The nodes share one machine here, and each has its share of it.
    let cores = std::thread::available_parallelism()?.get();
    let workers = (cores / NODES).max(1);
    let runtime = Builder::new_multi_thread().worker_threads(workers).enable_all().build()?;
    let node = runtime.block_on(orders::start_in(args.cluster()));
    let node = node.context("the node does not start")?;
    let serving = catga::serve(node.clone(), orders::routes());
    runtime.spawn(async {
        let code = match serving.await {
            Ok(()) => 0,
            Err(error) => {
                tracing::error!(%error, "the node does not serve");
                1
            }
        };
        process::exit(code);
    });
    for line in std::io::stdin().lock().lines() {
        match serde_json::from_str(&line?)? {
            Ask::Leader => tell(&node.cluster().status().leader.map(|name| name.to_string()))?,
            Ask::Load(load) => tell(&runtime.block_on(in_process::run(&node, load))?)?,
            Ask::Audit { acknowledged, orders } => {
                tell(&runtime.block_on(audit(&node, acknowledged, orders))?)?;
            }
        }
    }
    // Its parent has gone, however that went.
    process::exit(0);
}

fn tell(what: &impl Serialize) -> Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, what)?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

/// Reads back everything that was acknowledged.
async fn audit(
    node: &Node,
    acknowledged: Vec<(String, u64)>,
    orders: Vec<OrderId>,
) -> Result<Audit> {
    let mut audit = Audit::default();
    for (customer_id, acknowledged) in acknowledged {
        let count = node.ask(CountOrders { customer_id }).level(ReadLevel::Linearizable).await?;
        audit.doubled += (count as u64).saturating_sub(acknowledged);
    }
    for order_id in orders {
        if node.ask(GetOrder { order_id }).await.is_err() {
            audit.lost += 1;
        }
    }
    Ok(audit)
}
