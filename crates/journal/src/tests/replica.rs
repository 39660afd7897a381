use std::sync::Arc;

use catga_core::NodeName;
use catga_host::{Host, TokioHost};

use crate::conformance::{JournalHarness, journal_suite};
use crate::{Journal, LogLimits, MemoryLog, Replica, ReplicaOptions};

pub(crate) fn options() -> ReplicaOptions {
    ReplicaOptions::new(NodeName::new("n1"))
}

pub(crate) async fn memory(options: ReplicaOptions) -> Arc<Replica<MemoryLog>> {
    let host = Arc::new(TokioHost::current());
    let node = options.node.clone();
    let open = async |applier| Ok(MemoryLog::open(node, applier, LogLimits::default()));
    Replica::open(host, options, open).await.unwrap()
}

struct Memory;

impl JournalHarness for Memory {
    fn host(&self) -> Arc<dyn Host> {
        Arc::new(TokioHost::current())
    }

    async fn open(&mut self) -> Arc<dyn Journal> {
        memory(options()).await
    }
}

#[tokio::test]
async fn a_replica_of_a_memory_log_keeps_the_promises_of_a_journal() {
    let report = journal_suite(|| Memory).await;
    report.assert_kept();
    let cannot: Vec<_> = report.not_applicable().collect();
    let expected = [
        "journal_2_what_was_acknowledged_survives",
        "journal_6_a_commit_waits_a_bounded_time",
    ];
    assert_eq!(cannot, expected, "{report}");
}
