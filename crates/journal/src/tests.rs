//! What the crate as a whole must do; the suites of `conformance` run over it here.

mod memory_log;
mod toy_cluster;

mod doubt;
mod failure;
mod replica;
mod scripted;
mod snapshots;

mod random_effects;
