//! Checkpoints, manifests and records from a disk that lost something, and pieces from a node that
//! sends others than it offered.

mod directory;
mod formats;
mod pieces;
