use std::sync::Arc;
use std::time::Duration;

use catga_host::Host;

use super::Recorder;
use crate::{Log, Role};

/// Some nodes of one log, and the faults that can be done to them, for the log suite.
///
/// The author of a backend writes one; every check of the suite gets a fresh one, not opened yet.
/// Nodes are numbered from 0. A log of one process has one node and no faults: then the checks
/// that need more are reported as not applicable, not as passed.
///
/// # Contract
/// 1. A node's log delivers to the applier that [`Recorder::applier`] gives for it, a new one at
///    [`open`](Self::open) and at every [`restart`](Self::restart). That applier starts from the
///    node's last [`Recorder::checkpoint`], or empty; what it lacks, the log must deliver again.
/// 2. Methods that act return once the action is done, not once the nodes have coped with it: the
///    suite waits for that itself, at most [`patience`](Self::patience).
/// 3. A method whose ability is not announced is never called.
/// 4. Dropping the harness stops everything that it started.
pub trait LogHarness {
    /// The log under test.
    type Log: Log;

    /// How many nodes there are, crashed ones included; all of them vote.
    fn nodes(&self) -> usize;

    /// The clock and the tasks that the suite uses; the nodes' own, if they are simulated.
    fn host(&self) -> Arc<dyn Host>;

    /// Which faults it can do; none unless it says so.
    fn abilities(&self) -> Abilities {
        Abilities::default()
    }

    /// How long, on the host's clock, anything may take that must happen: an election after a
    /// fault, the answer to an append, the delivery of what was acknowledged to a healed node.
    /// Passing it is a violation, so let it be generous on a real clock.
    fn patience(&self) -> Duration {
        Duration::from_secs(10)
    }

    /// The largest entry that every node takes; none if there is no limit below 64 MiB.
    /// The suite appends one byte more and expects a refusal.
    fn largest_entry(&self) -> Option<usize> {
        None
    }

    /// Starts all nodes. Need not wait for a leader.
    fn open(&mut self, recorder: &Recorder) -> impl Future<Output = ()>;

    /// The log of `node`; none while it is crashed.
    fn log(&self, node: usize) -> Option<Arc<Self::Log>>;

    /// The node that believes to lead, of the latest term that any running node knows.
    fn leader(&self) -> Option<usize> {
        let running = (0..self.nodes()).filter_map(|node| Some((node, self.log(node)?)));
        running
            .map(|(node, log)| (node, log.leadership()))
            .filter(|(_, leadership)| leadership.role == Role::Leader)
            .max_by_key(|(_, leadership)| leadership.term)
            .map(|(node, _)| node)
    }

    /// Cuts all links between `node` and the others, both ways, those that are in use too. What
    /// is in flight may be lost or arrive. Needs [`Abilities::isolate`].
    fn isolate(&mut self, node: usize) -> impl Future<Output = ()> {
        unannounced(node)
    }

    /// Undoes every [`isolate`](Self::isolate). Needs [`Abilities::isolate`].
    fn heal(&mut self) -> impl Future<Output = ()> {
        unannounced(0)
    }

    /// Ends `node` as a kill and a loss of power would: its tasks stop where they are, nothing is
    /// flushed, and what was not yet durable is gone. Appends in flight on it may never be
    /// answered. Needs [`Abilities::crash`].
    fn crash(&mut self, node: usize) -> impl Future<Output = ()> {
        unannounced(node)
    }

    /// Starts a crashed `node` again from what was durable, with a new applier from `recorder`.
    /// Needs [`Abilities::crash`].
    fn restart(&mut self, node: usize, recorder: &Recorder) -> impl Future<Output = ()> {
        let _ = recorder;
        unannounced(node)
    }

    /// Arranges that `node`, which does not lead, is soon brought up to date by a snapshot of
    /// another node instead of by entries: such as cutting it off, making the leader build a
    /// snapshot and drop its log, and healing it. Appends that the suite makes meanwhile, before,
    /// and after must be treated as ever. The suite waits until the recorder has seen
    /// [`install`](crate::Applier::install) on `node`. Needs [`Abilities::install`].
    fn install_snapshot(&mut self, node: usize) -> impl Future<Output = ()> {
        unannounced(node)
    }
}

/// Which faults a [`LogHarness`] can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    /// [`isolate`](LogHarness::isolate) and [`heal`](LogHarness::heal). Needs at least 3 nodes.
    pub isolate: bool,
    /// [`crash`](LogHarness::crash) and [`restart`](LogHarness::restart); the log survives both.
    pub crash: bool,
    /// [`install_snapshot`](LogHarness::install_snapshot). Needs at least 2 nodes.
    pub install: bool,
}

async fn unannounced(node: usize) {
    unreachable!("the suite asked node {node} for a fault that the harness did not announce");
}
