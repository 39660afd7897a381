//! What the crate as a whole must do; the suites of `conformance` run over it here.

mod memory_log;
mod replica;
