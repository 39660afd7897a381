//! Only for what the macros write; it may change with any version.

pub use catga_core::{InPlace, in_place};
