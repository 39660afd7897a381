use std::fmt;

use bytes::Bytes;

/// The bytes of one entry.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry(pub Bytes);

// openraft writes entries into its traces: their size must do, whatever they hold.

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entry({} bytes)", self.0.len())
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}
