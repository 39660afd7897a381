//! The log that the tests of several nodes run on keeps the promises of a log.

use std::sync::Arc;

use catga_host::{Host, TokioHost};
use catga_journal::conformance::{Abilities, LogHarness, Recorder, log_faults, log_suite};
use catga_tests::shared_cluster::NAMES;
use catga_tests::shared_log::{SharedLog, SharedLogNode};

struct Harness {
    log: SharedLog,
    nodes: Vec<Arc<SharedLogNode>>,
}

impl Harness {
    fn new() -> Self {
        Self { log: SharedLog::new(&NAMES), nodes: Vec::new() }
    }
}

impl LogHarness for Harness {
    type Log = SharedLogNode;

    fn nodes(&self) -> usize {
        NAMES.len()
    }

    fn host(&self) -> Arc<dyn Host> {
        Arc::new(TokioHost::current())
    }

    fn abilities(&self) -> Abilities {
        Abilities { isolate: true, ..Abilities::default() }
    }

    async fn open(&mut self, recorder: &Recorder) {
        let open = |node| Arc::new(self.log.open(node, recorder.applier(node)));
        self.nodes = (0..NAMES.len()).map(open).collect();
    }

    fn log(&self, node: usize) -> Option<Arc<SharedLogNode>> {
        self.nodes.get(node).cloned()
    }

    async fn isolate(&mut self, node: usize) {
        self.log.isolate(node);
        let next = (0..NAMES.len()).find(|node| self.log.reaches(*node));
        if self.log.leader() == Some(node) {
            self.log.elect(next);
        }
    }

    async fn heal(&mut self) {
        self.log.heal();
        if self.log.leader().is_none() {
            self.log.elect(Some(0));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_log_of_the_tests_keeps_its_promises() {
    log_suite(Harness::new).await.assert_kept();
    for seed in 0..5 {
        log_faults(Harness::new(), seed).await.expect("kept");
    }
}
