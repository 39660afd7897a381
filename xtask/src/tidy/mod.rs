//! `cargo xtask tidy`: the rules that no compiler checks.
//!
//! One file per kind of rule, each a function from what was read to findings; only this one
//! reads and prints. The rules themselves are explained in `CONTRIBUTING.md`.

mod arrows;
mod contents;
mod files;
mod finding;
mod items;
mod links;
mod manifests;
mod names;
#[rustfmt::skip]
mod rules;
mod sizes;
mod sources;

use anyhow::{Result, bail};

use self::{files::File, finding::Finding};
use crate::workspace::{Member, Workspace};

/// Checks every rule and prints every finding; only errors fail.
pub(crate) fn run() -> Result<()> {
    let workspace = Workspace::load()?;
    let files = files::read(&workspace.root)?;
    let report = Report::of(&workspace.members, &files, |path| workspace.root.join(path).exists());

    for finding in &report.findings {
        println!("{finding}");
    }
    println!(
        "{} Rust files, {} lines in the median file, {} errors, {} warnings",
        report.rust_files,
        report.median_lines,
        report.errors(),
        report.findings.len() - report.errors()
    );
    match report.errors() {
        0 => Ok(()),
        errors => bail!("tidy found {errors} errors; each is a line above"),
    }
}

/// What all rules have to say.
struct Report {
    findings: Vec<Finding>,
    rust_files: usize,
    median_lines: usize,
}

impl Report {
    fn of(members: &[Member], files: &[File], exists: impl Fn(&str) -> bool) -> Self {
        let mut findings = Vec::new();
        findings.extend(arrows::check(members, rules::RULES));
        findings.extend(manifests::check(members));
        findings.extend(names::check(files));
        findings.extend(links::check(files, exists));

        let (rust, unreadable) = files::rust(files);
        findings.extend(unreadable);
        findings.extend(sources::check(&rust));
        findings.extend(contents::check(&rust));
        let sizes = sizes::measure(&rust);
        findings.extend(sizes::check(&sizes));

        findings.sort();
        Self { findings, rust_files: rust.len(), median_lines: sizes::median(&sizes) }
    }

    fn errors(&self) -> usize {
        self.findings.iter().filter(|finding| finding.is_error()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_rule_reports_at_once_in_the_order_of_files_and_lines() {
        let member = Member {
            name: "catga-core".to_owned(),
            path: "crates/c/Cargo.toml".to_owned(),
            manifest: "[dependencies]\ntokio.workspace = true\n".to_owned(),
            imports: vec!["tokio".to_owned()],
        };
        let files = [
            File::new("crates/b/src/lib.rs", "mod a;\nfn f() {}\n"),
            File::new("crates/a/src/utils.rs", "fn f() {\n    todo!()\n}\n"),
            File::new("crates/d/src/a.rs", &"mod a;\n".repeat(801)),
            File::new("crates/e/src/a.rs", "\n}\n"),
            File::new("README.md", "[a](missing.md)"),
        ];
        let report = Report::of(&[member], &files, |_| false);
        let places: Vec<_> = report.findings.iter().map(Finding::place).collect();
        assert_eq!(
            places,
            [
                "README.md:1",
                "crates/a/src/utils.rs:1",
                "crates/a/src/utils.rs:2",
                "crates/b/src/lib.rs:2",
                "crates/c/Cargo.toml:1",
                "crates/c/Cargo.toml:2",
                "crates/d/src/a.rs:1",
                "crates/e/src/a.rs:2",
            ]
        );
        assert_eq!(report.errors(), 8);
    }
}
