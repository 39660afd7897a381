//! What the steps need from the machine, besides cargo itself.
//!
//! Everything that a step would otherwise trip over is found, named and explained here, before
//! the first step runs. Programs that the tests talk to are looked for, and installed, here too.

use std::process::Stdio;

use anyhow::{Result, bail};

use crate::step::cargo;

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
}
