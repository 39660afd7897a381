//! What fuzz targets share.
//!
//! A target is a test in a file or a folder called `fuzz` that consists of [`target!`]: what it does
//! with each input must not panic. In `cargo test` it runs its corpus, which is in
//! `__fuzz__/<target>/corpus` beside its file, and a bounded number of random inputs. `cargo xtask
//! fuzz` runs it for as long as one likes.
//!
//! Random bytes never get past a checksum, and hardly ever past a tag. So a target takes its input
//! as [`Choices`]: what to write, where to change it, and whether to write the checksum anew.
//!
//! Tests only: nothing here is in a program.

mod allocations;
mod choices;
mod inputs;
mod segments;
mod target;
mod trials;

pub use allocations::{Allocated, Counting, allocated};
#[doc(hidden)]
pub use bolero;
pub use choices::Choices;
#[doc(hidden)]
pub use inputs::{FILE_MAX, Inputs};
pub use segments::write_checksums;
#[doc(hidden)]
pub use trials::Trials;
