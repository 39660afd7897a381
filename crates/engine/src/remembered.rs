/// How many keys from outside an engine remembers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RememberedKeys {
    /// How many there are, those that are over included until an entry removes them.
    pub count: usize,
    /// The next entry removes some, as many as it can bring new ones.
    pub some_are_over: bool,
}

impl RememberedKeys {
    /// Whether there is room for one more where there may be `most`.
    pub const fn have_room(&self, most: usize) -> bool {
        self.count < most || self.some_are_over
    }
}

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
