use bytes::Bytes;

use super::ledger::Answer;
use super::log::KEPT;
use super::report::ensure;
use super::rig::Rig;
use super::{Check, LogHarness, Violation};
use crate::Survives;

/// How many clients append at a time to each node.
const CLIENTS: usize = 4;

/// Clients append to every node at once; afterwards all nodes hold the same in the same order.
pub async fn log_1_every_node_gets_the_same_entries_in_the_same_order<H: LogHarness>(
    harness: H,
) -> Check {
    let mut rig = Rig::open(harness).await?;
    let mut tasks = Vec::new();
    for client in (0..rig.nodes() * CLIENTS).filter_map(|n| rig.client(n % rig.nodes())) {
        let ledger = rig.ledger.clone();
        let (done, result) = tokio::sync::oneshot::channel();
        let work = async move {
            let mut result = Ok(Answer::Unknown);
            for length in 0..25 {
                if result.is_ok() {
                    result = client.append(&ledger.entry(length * 10)).await;
                }
            }
            // The check may have failed already.
            let _ = done.send(result);
        };
        drop(rig.host.spawn("conformance-client", Box::pin(work)));
        tasks.push(result);
    }
    for task in tasks {
        let ended = task.await;
        ended.map_err(|_| Violation::new(1, "a client panicked in an append"))??;
    }
    ensure!(3, rig.ledger.acknowledged() > 25, "hardly anything was acknowledged");
    rig.judge().await?;
    KEPT
}

/// Entries of all sizes, the empty one too, come back as they were appended, and no others.
pub async fn log_2_what_is_delivered_was_appended_unchanged<H: LogHarness>(harness: H) -> Check {
    let mut rig = Rig::open(harness).await?;
    let empty = Bytes::new();
    rig.ledger.note(&empty);
    let sizes = [8, 9, 255, 4096, 65_535, 65_536, 300_000];
    let entries = sizes.into_iter().map(|size| rig.ledger.entry(size));
    for entry in std::iter::once(empty).chain(entries.collect::<Vec<_>>()) {
        let leader = rig.leader().await?;
        if let Some(client) = rig.client(leader) {
            client.append(&entry).await?;
        }
    }
    rig.judge().await?;
    KEPT
}

/// What was acknowledged is delivered on every node, also after the faults that the log says it
/// survives: the end of a node, and of all at once.
pub async fn log_3_what_was_acknowledged_survives<H: LogHarness>(harness: H) -> Check {
    let mut rig = Rig::open(harness).await?;
    rig.acknowledge_many(20).await?;
    rig.judge().await?;
    let node = rig.leader().await?;
    let log = rig.harness.log(node);
    let survives = log.map(|log| crate::Log::guarantees(&*log).survives);
    if !rig.harness.abilities().crash || survives < Some(Survives::PowerLoss) {
        return KEPT;
    }
    for node in 0..rig.nodes() {
        rig.crash(node).await;
        if rig.nodes() > 2 {
            rig.acknowledge_many(5).await?;
        }
        rig.restart(node).await;
        rig.caught_up().await?;
    }
    for node in 0..rig.nodes() {
        rig.crash(node).await;
    }
    for node in 0..rig.nodes() {
        rig.restart(node).await;
    }
    rig.judge().await?;
    KEPT
}
