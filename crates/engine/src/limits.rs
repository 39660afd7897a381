/// How much the engine remembers.
///
/// They take part in verdicts, so they must be the same on every node of a journal and may only be
/// changed on all of them at the same entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many outside keys are remembered; then new keyed commands are rejected.
    pub keys: usize,
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
        Self { keys: 100_000, key_retention_ms: DAY_MS, kept_retention_ms: DAY_MS, kept: 1024 }
    }
}
