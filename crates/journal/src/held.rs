/// How full a table or a queue is that has a bound.
///
/// After load each goes back to what it was before: one that does not leaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// What is held, as metrics name it.
    pub what: &'static str,
    /// How many there are now.
    pub count: usize,
    /// How many there may be; none where something else bounds it, such as the calls that are under
    /// way.
    pub most: Option<usize>,
}

impl Held {
    /// `count` of at most `most`.
    pub const fn new(what: &'static str, count: usize, most: usize) -> Self {
        Self { what, count, most: Some(most) }
    }

    /// `count`, which something else bounds.
    pub const fn within_others(what: &'static str, count: usize) -> Self {
        Self { what, count, most: None }
    }
}
