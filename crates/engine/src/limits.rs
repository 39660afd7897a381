/// How much the engine remembers.
///
/// They take part in verdicts, so they are the same on every node of a journal, for as long as there is
/// one: nothing that an operator sets changes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long an outside key is remembered, in milliseconds of journal time.
    pub key_retention_ms: u64,
    /// How long an id is kept below its session's mark, in milliseconds of journal time.
    pub kept_retention_ms: u64,
    /// How many ids a session keeps below its mark; then the mark waits.
    pub kept: usize,
}

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

impl Default for Limits {
    fn default() -> Self {
        Self { key_retention_ms: DAY_MS, kept_retention_ms: DAY_MS, kept: 1024 }
    }
}
