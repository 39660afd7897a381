//! What the crate as a whole must do; the suites of `conformance` run over it here.

mod memory_log;
mod toy_cluster;

mod backups;
mod checkpointing;
mod counted;
mod doubt;
mod failure;
mod pieces;
pub(crate) mod replica;
pub(crate) mod scripted;
pub(crate) mod snapshots;

pub(crate) mod full_disk;
pub(crate) mod random_effects;
