//! Manifests: every crate of ours is under the workspace's lints.

use super::finding::Finding;
use crate::workspace::Member;

/// One finding for each crate that does not take the workspace's lints.
pub(super) fn check(members: &[Member]) -> Vec<Finding> {
    let careless = members.iter().filter(|member| !takes_lints(&member.manifest));
    careless
        .map(|member| {
            Finding::error(
                &member.path,
                1,
                format!("{} is not under the workspace's lints", member.name),
                "add `[lints]` with `workspace = true`",
            )
        })
        .collect()
}

fn takes_lints(manifest: &str) -> bool {
    let mut section = String::new();
    manifest.lines().any(|line| {
        let line: String = line.split('#').next().unwrap_or_default().split_whitespace().collect();
        if line.starts_with('[') {
            section = line;
            return false;
        }
        section == "[lints]" && line == "workspace=true"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(manifest: &str) -> Member {
        Member {
            name: "a".to_owned(),
            path: "crates/a/Cargo.toml".to_owned(),
            manifest: manifest.to_owned(),
            imports: Vec::new(),
        }
    }

    #[test]
    fn a_crate_without_the_workspaces_lints_is_found() {
        for manifest in
            ["", "[lints]\n", "[package]\nworkspace = true\n", "[lints]\n# workspace = true"]
        {
            assert_eq!(check(&[member(manifest)]).len(), 1, "{manifest}");
        }
    }

    #[test]
    fn a_crate_with_them_is_not() {
        let lints = "[package]\nname = \"a\"\n\n[lints]\nworkspace = true # all of them\n";
        assert_eq!(check(&[member(lints)]), []);
    }
}
