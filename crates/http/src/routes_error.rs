use std::fmt;

/// Routes that do not fit together: everything that is wrong with them, at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutesError(pub(crate) Vec<String>);

impl RoutesError {
    /// Each thing that is wrong, and what to do.
    pub fn reasons(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for RoutesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the routes do not fit: ")?;
        f.write_str(&self.0.join("; "))
    }
}

impl std::error::Error for RoutesError {}
