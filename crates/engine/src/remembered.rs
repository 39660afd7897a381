/// How much an engine remembers of what has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Remembered {
    /// Open sessions: one for each node that ever started.
    pub sessions: usize,
    /// Ids from the marks of their sessions on.
    pub ids: usize,
    /// Ids below them.
    pub kept: usize,
    /// Keys from outside.
    pub keys: usize,
}
