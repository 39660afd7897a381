//! Whole nodes on simulated machines.
//!
//! A run is the order service on the real runtime, journal and log: three nodes that are one cluster,
//! or one alone, on machines whose clocks, disks, network and chances follow from one seed. Power
//! goes, processes die and stand still, links break, slow down and are cut one way, clocks jump, disks
//! are full, slow, broken or lose a bit; clients place, cancel and read orders meanwhile, and retry
//! until they are answered, beside a service whose own code misbehaves. What must hold all the time,
//! or when nothing is wrong any more, is in `invariants`, one promise in a file.
//!
//! `cargo xtask sim --seeds N --from S` runs many; the tests run a fixed share.

mod client;
mod crash_states;
mod exercised;
mod history;
mod invariants;
mod ledger;
mod machine;
mod nemesis;
mod returning;
mod run;
mod trio;
mod tuning;
mod unruly;
mod violation;
mod watch;

pub use catga_journal::planted::Planted;
pub use crash_states::{Recorded, record};
pub use exercised::{ClusterExercised, Exercised};
pub use invariants::{Evaluations, Invariant};
pub use run::{Nodes, Plan, Run, run};
pub use violation::Violation;
