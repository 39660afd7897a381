use std::fmt;

/// Which language is spoken on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// Two nodes with different ones do not understand each other.
    pub major: u32,
    /// What came later: two nodes use what the smaller one knows.
    pub minor: u32,
}

impl Protocol {
    /// What this build speaks.
    pub const CURRENT: Self = Self { major: 1, minor: 0 };

    /// What this one and `other` both speak.
    pub(super) fn common(self, other: Self) -> Option<Self> {
        let minor = self.minor.min(other.minor);
        (self.major == other.major).then_some(Self { major: self.major, minor })
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}
