//! Replicas on disk, and what they get from each other beside the log.

mod catching_up;
mod mending;
mod nodes;
