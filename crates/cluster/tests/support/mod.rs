//! A simulated cluster: nodes of one process on a paused clock, with simulated disks and links.
//! One seed decides a whole run.

#![allow(dead_code, unused_imports, reason = "each test binary uses a part of it")]
#![allow(unreachable_pub, reason = "the same files are modules of several test binaries")]

mod cluster;
mod disk;
pub mod host;
mod net;
mod random;
mod store;
mod tally;
mod trace;

pub use cluster::Cluster;
pub use disk::{Disk, Lost};
pub use net::SimNet;
pub use random::Random;
pub use store::MemoryStore;
pub use tally::Tally;
pub use trace::Trace;

use catga_cluster::Rt;

/// Runs `future` on a paused clock, every chance in it decided by `seed`.
pub fn simulate<F: Future>(seed: u64, future: F) -> F::Output {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build();
    runtime.expect("a runtime is made").block_on(Rt::seeded(seed, future))
}
