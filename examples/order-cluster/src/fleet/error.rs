use std::fmt;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

/// Why a process of the service is not as it should be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// It cannot be started or killed, or its log not be written.
    #[error("{what} of {program}: {source}", program = program.display())]
    Machine {
        /// The program.
        program: PathBuf,
        /// What was attempted.
        what: &'static str,
        /// What the machine said.
        source: io::Error,
    },
    /// It ended by itself.
    #[error("{node} ended ({status}); it said at last:\n{}its log is {}", Last(said), log.display())]
    Ended {
        /// Which node it was.
        node: String,
        /// How.
        status: ExitStatus,
        /// What it said since it started.
        said: String,
        /// Where that is.
        log: PathBuf,
    },
    /// It is taking too long.
    #[error("{node} did not {what} within {waited:?}; its log is {}", log.display())]
    TooLate {
        /// Which node.
        node: String,
        /// What it should have done.
        what: &'static str,
        /// For how long it was waited for.
        waited: Duration,
        /// Where its log is.
        log: PathBuf,
    },
    /// There are several, and none leads.
    #[error("for {waited:?} no node has said that it leads")]
    NoLeader {
        /// For how long they were asked.
        waited: Duration,
    },
}

impl ServerError {
    /// The node that somebody killed, by a signal that no process can answer.
    pub fn killed(&self) -> Option<&str> {
        match self {
            Self::Ended { node, status, .. } => {
                (status.signal() == Some(SIGKILL)).then_some(node.as_str())
            }
            _ => None,
        }
    }

    /// True if the process ended because another program listens on its port.
    pub fn is_port_taken(&self) -> bool {
        matches!(self, Self::Ended { said, .. } if said.contains("another program listens there"))
    }
}

const SIGKILL: i32 = 9;

/// The end of what a process said.
struct Last<'a>(&'a str);

/// So many lines of it: what it died of is among the last.
const LINES: usize = 8;

impl fmt::Display for Last<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.0.lines().collect();
        let from = lines.len().saturating_sub(LINES);
        lines[from..].iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_shown() {
        let said: String = (1..=10).map(|line| format!("line {line}\n")).collect();
        let shown = Last(&said).to_string();
        assert!(shown.starts_with("  line 3\n") && shown.ends_with("  line 10\n"), "{shown}");
        assert_eq!(Last("").to_string(), "");
    }
}
