//! A finding: a place, what is wrong there, and what to do about it.

use std::fmt;

/// One broken rule. Findings sort by place.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Finding {
    path: String,
    line: usize,
    severity: Severity,
    what: String,
    remedy: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Severity {
    Error,
    Warning,
}

impl Finding {
    /// A finding that fails the check.
    pub(super) fn error(
        path: &str,
        line: usize,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let severity = Severity::Error;
        Self { path: path.to_owned(), line, severity, what: what.into(), remedy: remedy.into() }
    }

    /// A finding that is only printed.
    pub(super) fn warning(
        path: &str,
        line: usize,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Warning, ..Self::error(path, line, what, remedy) }
    }

    pub(super) fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    #[cfg(test)]
    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.path, self.line)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, severity, what, remedy } = self;
        let severity = if *severity == Severity::Warning { "warning: " } else { "" };
        write!(f, "{path}:{line}: {severity}{what}; {remedy}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_reads_as_place_what_and_what_to_do() {
        let error = Finding::error("a.rs", 3, "`dbg!` left behind", "remove it");
        assert_eq!(error.to_string(), "a.rs:3: `dbg!` left behind; remove it");
        let warning = Finding::warning("a.rs", 1, "long", "split it");
        assert_eq!(warning.to_string(), "a.rs:1: warning: long; split it");
        assert!(error.is_error() && !warning.is_error());
    }
}
