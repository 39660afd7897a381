use bytes::Bytes;

use super::ledger::Answer;
use super::log::KEPT;
use super::report::ensure;
use super::rig::Rig;
use super::{Check, Finding, LogHarness};
use crate::{AppendError, Log, LogIndex, Refusal};

/// Too large an entry, an entry at a node that does not lead, and an entry after shutdown: what
/// was refused is delivered nowhere.
pub async fn log_4_what_was_refused_is_never_delivered<H: LogHarness>(harness: H) -> Check {
    let mut rig = Rig::open(harness).await?;
    if let Some(largest) = rig.harness.largest_entry() {
        let leader = rig.leader().await?;
        let Some(log) = rig.harness.log(leader) else {
            return Ok(Finding::NotApplicable("the leader does not run"));
        };
        let entry = rig.ledger.entry(largest + 1);
        let answer = log.append(entry.clone()).await;
        ensure!(
            4,
            matches!(answer, Err(AppendError::Refused(Refusal::TooLarge { .. }))),
            "an entry of {} bytes is answered {answer:?}",
            largest + 1
        );
        rig.ledger.answered(&entry, Answer::Refused);
    }
    // A follower may forward an entry or refuse it; the judgement is the same.
    for node in 0..rig.nodes() {
        if let Some(client) = rig.client(node) {
            client.append(&rig.ledger.entry(16)).await?;
        }
    }
    rig.judge().await?;

    // Last, since nothing can be brought up to date any more once every node has stopped.
    let mut refused: Vec<Bytes> = Vec::new();
    for node in 0..rig.nodes() {
        let Some(log) = rig.harness.log(node) else {
            continue;
        };
        log.shutdown().await;
        let entry = rig.ledger.entry(16);
        let answer = log.append(entry.clone()).await;
        ensure!(
            4,
            matches!(answer, Err(AppendError::Refused(_))),
            "an append to a log that was shut down is answered {answer:?}"
        );
        let index = log.read_index().await;
        ensure!(7, index.is_err(), "a log that was shut down reads {index:?}");
        refused.push(entry);
    }
    for node in 0..rig.nodes() {
        let held = refused.iter().any(|entry| rig.recorder.holds(node, entry));
        ensure!(4, !held, "node {node} was given an entry that was refused");
    }
    KEPT
}

/// Appends to a leader that is cut off are answered in bounded time; what was left in doubt is
/// delivered at most once, and what was acknowledged is not lost with the leadership.
pub async fn log_5_doubt_is_told_in_bounded_time<H: LogHarness>(harness: H) -> Check {
    if !harness.abilities().isolate {
        return Ok(Finding::NotApplicable("the harness cannot isolate a node"));
    }
    let mut rig = Rig::open(harness).await?;
    for _ in 0..3 {
        let former = rig.leader().await?;
        rig.harness.isolate(former).await;
        let Some(client) = rig.client(former) else {
            continue;
        };
        // Nothing that is appended now can be acknowledged, unless it was quick.
        for _ in 0..3 {
            client.append(&rig.ledger.entry(16)).await?;
        }
        let moved = || rig.harness.leader().is_some_and(|leader| leader != former);
        rig.until(3, "another node leads", moved).await?;
        rig.acknowledge_many(3).await?;
        rig.harness.heal().await;
        rig.caught_up().await?;
    }
    rig.judge().await?;
    KEPT
}

/// When an append is acknowledged, the node that answers has been given the entry, at that index.
pub async fn log_6_delivery_precedes_the_answer<H: LogHarness>(harness: H) -> Check {
    let mut rig = Rig::open(harness).await?;
    for n in 0..rig.nodes() * 20 {
        let Some(client) = rig.client(n % rig.nodes()) else {
            continue;
        };
        let entry = rig.ledger.entry(16);
        if let Answer::Acknowledged(index) = client.append(&entry).await? {
            let delivered = rig.recorder.delivered(client.node());
            let found = delivered.iter().rev().find(|given| given.entry == entry);
            let found: Option<LogIndex> = found.map(|delivered| delivered.index);
            ensure!(
                6,
                found == Some(index),
                "node {} acknowledged {index:?} and holds the entry at {found:?}",
                client.node()
            );
        }
    }
    rig.judge().await?;
    KEPT
}

/// A read index is at or above everything acknowledged before, the node that gives it has been
/// given all that, and one that is cut off gives none.
pub async fn log_7_a_read_index_covers_what_was_acknowledged<H: LogHarness>(harness: H) -> Check {
    let mut rig = Rig::open(harness).await?;
    let mut confirmed = 0;
    for n in 0..rig.nodes() * 10 {
        let (entry, _) = rig.acknowledge().await?;
        let Some(client) = rig.client(n % rig.nodes()) else {
            continue;
        };
        if client.read_index().await?.is_some() {
            confirmed += 1;
            let holds = rig.recorder.holds(client.node(), &entry);
            ensure!(7, holds, "node {} read ahead of what it holds", client.node());
        }
    }
    ensure!(7, confirmed > 0, "no node ever gives a read index");
    if rig.harness.abilities().isolate {
        let former = rig.leader().await?;
        rig.harness.isolate(former).await;
        let moved = || rig.harness.leader().is_some_and(|leader| leader != former);
        rig.until(3, "another node leads", moved).await?;
        rig.acknowledge_many(3).await?;
        if let Some(client) = rig.client(former) {
            let read = client.read_index().await?;
            ensure!(7, read.is_none(), "a node that is cut off reads {read:?}");
        }
        rig.harness.heal().await;
    }
    rig.judge().await?;
    KEPT
}
