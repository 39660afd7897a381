//! The tasks of a node are tasks of its machine, whoever spawned them.

use std::sync::Arc;
use std::time::Duration;

use catga_cluster::{DataOptions, RaftLog, open_alone};
use catga_core::NodeName;
use catga_host::{Host, timeout};
use catga_journal::{Log, Replica};
use catga_testkit::VirtualHost;
use openraft::async_runtime::WatchReceiver;

const SECOND: Duration = Duration::from_secs(1);

async fn open(machine: &Arc<VirtualHost>) -> Arc<Replica<RaftLog>> {
    let host: Arc<dyn Host> = machine.clone();
    let options = DataOptions::new(NodeName::new("node1"), "/data");
    let (replica, _dir) = open_alone(host, options).await.expect("opens");
    replica
}

fn applied(log: &RaftLog) -> Option<u64> {
    log.progress().applied
}

#[test]
fn raft_stands_still_with_its_machine_and_goes_on() {
    catga_testkit::run(1, async |machine| {
        let replica = open(&machine).await;
        let log = replica.log();
        machine.advance(SECOND).await;
        let before = applied(log);
        machine.pause();
        // Only the core itself is asked here; it takes no disk and no applier.
        let asked = timeout(&*machine, 60 * SECOND, log.raft().is_initialized()).await;
        asked.expect_err("nobody answers");
        let written = timeout(&*machine, 60 * SECOND, log.raft().write_blank()).await;
        written.expect_err("nobody answers");
        assert_eq!(applied(log), before);
        machine.resume();
        log.raft().write_blank().await.expect("it leads, and answers");
        let both = before.map(|before| before + 2);
        assert_eq!(applied(log), both, "what was asked meanwhile is done too");
    });
}

#[test]
fn raft_ends_with_its_machine_and_another_process_goes_on() {
    catga_testkit::run(1, async |machine| {
        for paused in [false, true] {
            let replica = open(&machine).await;
            let log = replica.log();
            log.read_index().await.expect("it leads");
            let mut metrics = log.raft().metrics();
            if paused {
                machine.pause();
            }
            machine.crash().await;
            // The core has let go of what it told others by, so its task is dropped.
            while metrics.changed().await.is_ok() {}
            log.raft().write_blank().await.expect_err("nobody is there");
            assert_eq!(machine.tasks(), [""; 0]);
        }
        let replica = open(&machine).await;
        replica.log().read_index().await.expect("the same data, and it leads again");
    });
}
