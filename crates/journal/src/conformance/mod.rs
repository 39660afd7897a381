//! The suites that show that a log or a journal keeps the numbered promises of its trait.
//!
//! The author of a log writes a [`LogHarness`] and runs the log suite over it.

mod harness;
mod recorder;

pub use harness::{Abilities, LogHarness};
pub use recorder::{Recorder, RecordingApplier};
