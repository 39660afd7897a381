/// A line that is not what it should be.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {source}")]
pub struct Unreadable {
    /// Which line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub(crate) source: serde_json::Error,
}
