use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use catga::Node;
use tokio::runtime::{Builder, Runtime};

use crate::harness::{Recorder, Shared};
use crate::orders::CreateOrder;

/// A runtime with so many workers.
pub(crate) fn runtime(workers: usize) -> Result<Runtime> {
    Ok(match workers {
        1 => Builder::new_current_thread().enable_all().build()?,
        _ => Builder::new_multi_thread().worker_threads(workers).enable_all().build()?,
    })
}

/// Clients that send one command after the other.
pub(crate) struct Load<'a> {
    pub(crate) runtime: &'a Runtime,
    pub(crate) node: &'a Node,
    pub(crate) clients: usize,
    pub(crate) latency: Shared,
}

impl Load<'_> {
    /// Lets them send for `time`, or until they have sent `ops` together.
    pub(crate) fn run(&self, time: Duration, ops: i64) -> Result<()> {
        let until = Instant::now() + time;
        let left = Arc::new(AtomicI64::new(ops));
        self.runtime.block_on(async {
            let client = |number| {
                let recorder = self.latency.recorder();
                tokio::spawn(client(self.node.clone(), number, until, left.clone(), recorder))
            };
            let clients: Vec<_> = (0..self.clients as u64).map(client).collect();
            for client in clients {
                client.await??;
            }
            Ok(())
        })
    }
}

async fn client(
    node: Node,
    number: u64,
    until: Instant,
    left: Arc<AtomicI64>,
    mut latency: Recorder,
) -> Result<()> {
    let sample = CreateOrder::sample(number);
    let mut start = Instant::now();
    while start < until && left.fetch_sub(1, Ordering::Relaxed) > 0 {
        node.send(sample.clone()).await?;
        let end = Instant::now();
        latency.record(end - start);
        start = end;
    }
    Ok(())
}
