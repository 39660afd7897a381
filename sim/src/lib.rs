//! Whole nodes on simulated machines.
//!
//! A run is the order service on the real runtime, journal and log, on a machine whose clock,
//! disk and chances follow from one seed. Its power goes, its process dies, its disk is full, slow
//! or broken; clients place, cancel and read orders meanwhile, and retry until they are answered.
//! At every start it is checked that nothing that a client saw acknowledged is lost, doubled or
//! changed.
//!
//! `cargo xtask sim --seeds N --from S` runs many; the tests run a fixed share.

mod client;
mod crash_states;
mod exercised;
mod history;
mod ledger;
mod machine;
mod nemesis;
mod run;
mod trio;
mod tuning;
mod violation;

pub use catga_journal::planted::Planted;
pub use crash_states::{Recorded, record};
pub use exercised::{ClusterExercised, Exercised};
pub use run::{Nodes, Plan, Run, run};
pub use violation::Violation;
