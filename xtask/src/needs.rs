//! What the steps need from the machine, besides cargo itself.
//!
//! Everything that a step would otherwise trip over is found, named and explained here, before
//! the first step runs. Programs that the tests talk to are looked for, and installed, here too.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::step::{self, cargo};

/// A toolchain component: its cargo subcommand and how to get it.
struct Component {
    subcommand: &'static str,
    install: &'static str,
}

/// What `cargo xtask test` cannot do without.
const COMPONENTS: &[Component] = &[
    Component {
        subcommand: "fmt",
        install: "`rustup component add rustfmt`, or your distribution's package rustfmt",
    },
    Component {
        subcommand: "clippy",
        install: "`rustup component add clippy`, or your distribution's package rust-clippy",
    },
];

/// Fails unless every toolchain component is there, naming all that are missing.
pub(crate) fn components() -> Result<()> {
    let missing = missing(answers);
    if !missing.is_empty() {
        bail!("this toolchain is not complete:\n{}", missing.join("\n"));
    }
    Ok(())
}

/// Whether `cargo nextest` is there; without it `cargo test` does the same work, more slowly.
pub(crate) fn has_nextest() -> bool {
    answers("nextest")
}

/// A server that a benchmark puts beside ours.
struct Rival {
    /// What the benchmark calls it.
    subject: &'static str,
    program: &'static str,
    /// The package of Debian's that has it.
    package: &'static str,
}

const RIVALS: &[Rival] = &[
    Rival { subject: "etcd", program: "etcd", package: "etcd-server" },
    Rival { subject: "jetstream", program: "nats-server", package: "nats-server" },
];

/// Installs the servers that are wanted and not here, where that can be done. What cannot is said,
/// and the benchmark goes on without.
pub(crate) fn rivals(only: Option<&str>) {
    let packages = wanted(only, |program| {
        // Debian keeps servers where only root looks.
        ["/usr/bin", "/usr/sbin", "/usr/local/bin"]
            .iter()
            .any(|folder| Path::new(folder).join(program).is_file())
    });
    if packages.is_empty() {
        return;
    }
    let installed = apt_get(&["update"]).and_then(|()| {
        apt_get(&[&["install", "--yes", "--no-install-recommends"], &packages[..]].concat())
    });
    if let Err(error) = installed {
        eprintln!("{} will be missing from the table: {error:#}", packages.join(" and "));
    }
}

fn wanted(only: Option<&str>, is_here: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let wants = |subject: &str| only.is_none_or(|only| only.split(',').any(|only| only == subject));
    let rivals = RIVALS.iter().filter(|rival| wants(rival.subject) && !is_here(rival.program));
    rivals.map(|rival| rival.package).collect()
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    // What is installed must not be started: the benchmark does that, and ends it.
    let quiet = [("DEBIAN_FRONTEND", "noninteractive"), ("RUNLEVEL", "1")];
    step::run(Command::new("apt-get").args(["-qq"]).args(arguments).envs(quiet))
}

fn missing(answers: impl Fn(&str) -> bool) -> Vec<String> {
    COMPONENTS
        .iter()
        .filter(|component| !answers(component.subcommand))
        .map(|Component { subcommand, install }| {
            format!("  `cargo {subcommand}` is missing: install it with {install}")
        })
        .collect()
}

fn answers(subcommand: &str) -> bool {
    cargo()
        .args([subcommand, "--version"])
        .stdin(Stdio::null())
        .output()
        .is_ok_and(|output| output.status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_missing_components_are_named_at_once_with_the_way_to_get_them() {
        let missing = missing(|_| false).join("\n");
        assert!(missing.contains("rustup component add rustfmt"), "{missing}");
        assert!(missing.contains("rustup component add clippy"), "{missing}");
    }

    #[test]
    fn a_component_that_answers_is_not_missing() {
        assert_eq!(missing(|subcommand| subcommand == "clippy").len(), 1);
    }

    #[test]
    fn only_servers_that_are_wanted_and_missing_are_installed() {
        assert_eq!(wanted(None, |_| false), ["etcd-server", "nats-server"]);
        assert_eq!(wanted(None, |program| program == "etcd"), ["nats-server"]);
        assert_eq!(wanted(Some("catga,etcd"), |_| false), ["etcd-server"]);
        assert_eq!(wanted(Some("catga"), |_| false), [""; 0]);
    }
}
