//! Arrows of the crate graph: who imports whom, against the table in [`rules`](super::rules).

use super::{
    finding::Finding,
    rules::{Patterns, Rule},
};
use crate::workspace::Member;

/// One finding for each import that a rule forbids.
pub(super) fn check(members: &[Member], rules: &[Rule]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for member in members {
        for rule in rules.iter().filter(|rule| is_about(rule, member)) {
            let forbidden = member
                .imports
                .iter()
                .filter(|import| rule.never.iter().any(|patterns| matches(patterns, import)));
            findings.extend(forbidden.map(|import| {
                Finding::error(
                    &member.path,
                    line_of(import, &member.manifest),
                    format!("{} imports {import} ({})", member.name, rule.why),
                    "remove the dependency, or move the code that needs it to a crate that may have it",
                )
            }));
        }
    }
    findings
}

fn is_about(rule: &Rule, member: &Member) -> bool {
    matches(rule.of, &member.name)
        || rule.of.iter().any(|it| it.contains('/') && fits(it, &member.path))
}

/// Whether the patterns name `name` and none of them excludes it.
fn matches(patterns: Patterns, name: &str) -> bool {
    let excluded = patterns.iter().filter_map(|pattern| pattern.strip_prefix('!'));
    patterns.iter().any(|pattern| fits(pattern, name))
        && !excluded.into_iter().any(|it| fits(it, name))
}

fn fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

/// The line of a manifest that names the dependency; the first line if none does.
fn line_of(dependency: &str, manifest: &str) -> usize {
    let is_here = |line: &str| {
        let line = line.trim_start();
        let key = line.split(['.', '=', ' ']).next();
        key == Some(dependency)
            || line.starts_with('[')
                && line.trim_end_matches(']').ends_with(&format!(".{dependency}"))
            || line.contains(&format!("package = \"{dependency}\""))
    };
    manifest.lines().position(is_here).map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::{super::rules::RULES, *};

    fn member(name: &str, path: &str, import: &str) -> Member {
        Member {
            name: name.to_owned(),
            path: path.to_owned(),
            manifest: format!("[package]\n\n[dependencies]\n{import}.workspace = true\n"),
            imports: vec![import.to_owned()],
        }
    }

    fn findings(name: &str, import: &str) -> usize {
        check(&[member(name, "crates/x/Cargo.toml", import)], RULES).len()
    }

    #[test]
    fn every_rule_fires_for_everything_that_it_names() {
        for rule in RULES {
            for of in rule.of.iter().filter(|of| !of.starts_with('!')) {
                let (name, path) = match of.strip_suffix("/*") {
                    Some(folder) => ("a-program", format!("{folder}/a/Cargo.toml")),
                    None => (of.trim_end_matches('*'), "crates/x/Cargo.toml".to_owned()),
                };
                let never = rule.never.iter().copied().flatten();
                for import in never.filter(|import| !import.starts_with('!')) {
                    let member = member(name, &path, &import.replace('*', "-any"));
                    let found = check(&[member], std::slice::from_ref(rule));
                    assert_eq!(found.len(), 1, "{name} imports {import}");
                }
            }
        }
    }

    #[test]
    fn the_arrows_that_the_design_forbids_are_found() {
        for (name, import) in [
            ("catga-core", "tokio"),
            ("catga-core", "serde_json"),
            ("catga-core", "catga-host"),
            ("catga-engine", "rand"),
            ("catga-engine", "catga-host"),
            ("catga-journal", "catga-runtime"),
            ("catga-broker", "async-nats"),
            ("catga-runtime", "catga-http"),
            ("catga-cluster", "catga-redis"),
            ("catga-http", "catga-cluster"),
            ("catga-saga", "catga-cluster"),
            ("catga-nats", "catga-redis"),
            ("catga-dashboard", "catga-cluster"),
            ("catga-tests", "openraft"),
        ] {
            assert_eq!(findings(name, import), 1, "{name} imports {import}");
        }
    }

    #[test]
    fn other_arrows_are_allowed() {
        for (name, import) in [
            ("catga-engine", "catga-core"),
            ("catga-engine", "prost"),
            ("catga-host", "tokio"),
            ("catga-cluster", "openraft-rt-tokio"),
            ("catga-nats", "async-nats"),
            ("catga", "catga-cluster"),
        ] {
            assert_eq!(findings(name, import), 0, "{name} imports {import}");
        }
    }

    #[test]
    fn an_example_names_only_the_facade() {
        let example = |import| member("shop", "examples/shop/Cargo.toml", import);
        assert_eq!(check(&[example("catga-core")], RULES).len(), 1);
        assert_eq!(check(&[example("catga"), example("tokio")], RULES), []);
    }

    #[test]
    fn a_finding_is_at_the_line_of_the_dependency() {
        let found = check(&[member("catga-core", "crates/core/Cargo.toml", "tokio")], RULES);
        assert_eq!(found[0].place(), "crates/core/Cargo.toml:4");
        assert_eq!(line_of("a", "[dependencies]\nb = { package = \"a\" }"), 2);
        assert_eq!(line_of("a", "[dependencies.b]\n[dependencies.a]"), 2);
    }
}
