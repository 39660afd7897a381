use std::sync::Arc;

use catga_core::NodeName;
use catga_host::{Host, TokioHost};

use crate::conformance::{LogHarness, Recorder, log_suite};
use crate::{LogLimits, MemoryLog};

#[derive(Default)]
struct Memory(Option<Arc<MemoryLog>>);

impl LogHarness for Memory {
    type Log = MemoryLog;

    fn nodes(&self) -> usize {
        1
    }

    fn host(&self) -> Arc<dyn Host> {
        Arc::new(TokioHost::current())
    }

    fn largest_entry(&self) -> Option<usize> {
        Some(1 << 20)
    }

    async fn open(&mut self, recorder: &Recorder) {
        let limits = LogLimits::default().with_entry_bytes_max(1 << 20);
        let log = MemoryLog::open(NodeName::new("n1"), recorder.applier(0), limits);
        self.0 = Some(Arc::new(log));
    }

    fn log(&self, _node: usize) -> Option<Arc<MemoryLog>> {
        self.0.clone()
    }
}

#[tokio::test]
async fn a_memory_log_keeps_the_promises_of_a_log() {
    let report = log_suite(Memory::default).await;
    report.assert_kept();
    let cannot: Vec<_> = report.not_applicable().collect();
    assert_eq!(
        cannot,
        [
            "log_5_doubt_is_told_in_bounded_time",
            "log_8_an_installed_snapshot_is_followed_by_what_is_above_it",
            "log_faults"
        ],
        "{report}"
    );
}
