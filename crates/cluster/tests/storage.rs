//! openraft's own suite over the simulated store and the machine.

mod support;

use std::sync::Arc;

use catga_cluster::{Machine, TypeConfig};
use catga_journal::conformance::Recorder;
use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};

use support::{Disk, MemoryStore, simulate};

struct Builder;

impl StoreBuilder<TypeConfig, MemoryStore, Machine> for Builder {
    async fn build(&self) -> Result<((), MemoryStore, Machine), StorageError<TypeConfig>> {
        let disk = Disk::new(1);
        let applier = Box::new(Recorder::default().applier(0));
        let machine = Machine::new(applier, Arc::new(disk.clone()));
        Ok(((), MemoryStore::new(disk), machine))
    }
}

#[test]
fn store_and_machine_are_as_openraft_wants_them() {
    simulate(1, Suite::test_all(Builder)).expect("the suite passes");
}
