use super::log::KEPT;
use super::report::ensure;
use super::rig::Rig;
use super::{Check, Finding, LogHarness};
use crate::Log;

/// A node that is brought up to date by a snapshot is given exactly the entries above it.
pub async fn log_8_an_installed_snapshot_is_followed_by_what_is_above_it<H: LogHarness>(
    harness: H,
) -> Check {
    if !harness.abilities().install {
        return Ok(Finding::NotApplicable("the harness cannot install a snapshot"));
    }
    let mut rig = Rig::open(harness).await?;
    for _ in 0..2 {
        rig.acknowledge_many(20).await?;
        let leader = rig.leader().await?;
        let node = (leader + 1) % rig.nodes();
        let before = rig.recorder.installs(node);
        rig.harness.install_snapshot(node).await;
        let installed = || rig.recorder.installs(node) > before;
        rig.until(8, &format!("node {node} installs a snapshot"), installed).await?;
        rig.acknowledge_many(20).await?;
        rig.caught_up().await?;
    }
    rig.judge().await?;
    KEPT
}

/// Each node trims what its applier holds durably; nothing that it needs later is gone, after a
/// restart either.
pub async fn log_9_trimming_drops_only_what_restarts_can_do_without<H: LogHarness>(
    harness: H,
) -> Check {
    let mut rig = Rig::open(harness).await?;
    for _ in 0..2 {
        rig.acknowledge_many(50).await?;
        rig.caught_up().await?;
        let crash = rig.harness.abilities().crash;
        for node in 0..rig.nodes() {
            let upto = rig.recorder.checkpoint(node);
            ensure!(3, upto.is_some(), "node {node} was given nothing");
            if let (Some(log), Some(upto)) = (rig.harness.log(node), upto) {
                log.trim(upto).await;
            }
            // Once with nothing after the checkpoint, and below with something.
            if crash {
                rig.crash(node).await;
                rig.restart(node).await;
                rig.caught_up().await?;
            }
        }
        rig.acknowledge_many(20).await?;
        for node in (0..rig.nodes()).filter(|_| crash) {
            rig.crash(node).await;
            rig.restart(node).await;
            rig.caught_up().await?;
        }
    }
    rig.judge().await?;
    KEPT
}
