//! Clients within the process of a node.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use catga::{Failure, Node, Outcome, ReadLevel};
use tokio::task::{JoinSet, yield_now};
use tokio::time::sleep;

use super::asked::{Load, Work};
use crate::harness::{Figures, Recorder, Shared};
use crate::orders::{CreateOrder, GetOrder, OrderId};

/// Lets them work for as long as `load` says, after a fifth of that to warm up.
pub(super) async fn run(node: &Node, load: Load) -> Result<Figures> {
    let order = node.send(CreateOrder::sample(0)).await.context("no order to read")?;
    let time = Duration::from_millis(load.ms);
    let latency = Shared::new();
    work(node, load, order.order_id, time / 5, &latency).await?;
    latency.take();
    let start = Instant::now();
    work(node, load, order.order_id, time, &latency).await?;
    let took = start.elapsed();
    let latency = latency.take();
    Ok(Figures::of(latency.len(), took.as_secs_f64(), &latency))
}

async fn work(
    node: &Node,
    load: Load,
    order: OrderId,
    time: Duration,
    latency: &Shared,
) -> Result<()> {
    let until = Instant::now() + time;
    let mut clients = JoinSet::new();
    for number in 0..load.clients as u64 {
        let client = Client { node: node.clone(), number, order, until };
        clients.spawn(client.work(load.work, latency.recorder()));
    }
    while let Some(ended) = clients.join_next().await {
        ended??;
    }
    Ok(())
}

struct Client {
    node: Node,
    number: u64,
    order: OrderId,
    until: Instant,
}

/// How long a client tries to have its last command acknowledged.
const GIVEN_UP: Duration = Duration::from_secs(10);
/// How long it waits before it sends a command again.
const BREATH: Duration = Duration::from_millis(1);

/// So many reads that never wait, until another client has its turn.
const TURN: u64 = 256;

impl Client {
    async fn work(self, work: Work, mut latency: Recorder) -> Result<()> {
        let sample = Arc::new(CreateOrder::sample(self.number));
        let (mut start, mut ops) = (Instant::now(), 0);
        while start < self.until {
            match work {
                Work::Write => self.write(&sample).await?,
                Work::ReadLocal => self.read(ReadLevel::Local).await?,
                Work::ReadLinearizable => self.read(ReadLevel::Linearizable).await?,
            }
            let end = Instant::now();
            latency.record(end - start);
            start = end;
            ops += 1;
            if work == Work::ReadLocal && ops % TURN == 0 {
                yield_now().await;
                start = Instant::now();
            }
        }
        Ok(())
    }

    /// As any client does: what certainly had no effect is sent again, and the wait counts.
    async fn write(&self, sample: &CreateOrder) -> Result<()> {
        loop {
            match self.node.send(sample.clone()).await {
                Ok(_) => return Ok(()),
                Err(Failure::Fault(fault))
                    if fault.outcome() == Outcome::NotExecuted
                        && self.until.elapsed() < GIVEN_UP =>
                {
                    sleep(BREATH).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn read(&self, level: ReadLevel) -> Result<()> {
        self.node.ask(GetOrder { order_id: self.order }).level(level).await?;
        Ok(())
    }
}
