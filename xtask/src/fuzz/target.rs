use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::step::cargo;
use crate::workspace::{Member, Workspace, relative};

/// One fuzz target.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    package: String,
    /// The package's folder.
    pub(super) folder: PathBuf,
    /// Which features it needs.
    features: Option<&'static str>,
    program: Program,
    /// The test's name in its program.
    pub(super) test: String,
    /// The file that it stands in.
    file: PathBuf,
}

/// Which program of a package's tests.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Program {
    Lib,
    Test(String),
}

/// A line of what cargo says of a build.
#[derive(Deserialize)]
struct Built {
    executable: Option<PathBuf>,
    profile: Option<Profile>,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

/// Every target, in the order of their files: the tests that consist of `catga_fuzz::target!`, in files
/// and folders called `fuzz`.
pub(super) fn all(workspace: &Workspace) -> Result<Vec<Target>> {
    let mut targets = Vec::new();
    for member in &workspace.members {
        let folder = workspace.root.join(&member.path);
        let folder = folder.parent().context("a manifest is in a folder")?;
        for part in ["src", "tests"] {
            visit(member, folder, &folder.join(part), &mut targets)?;
        }
    }
    Ok(targets)
}

fn visit(member: &Member, folder: &Path, at: &Path, targets: &mut Vec<Target>) -> Result<()> {
    // Not every package has both.
    let Ok(entries) = fs::read_dir(at) else { return Ok(()) };
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    for path in paths {
        if path.is_dir() {
            visit(member, folder, &path, targets)?;
        } else if path.extension().is_some_and(|it| it == "rs") {
            let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            let found = relative(folder, &path);
            if let Some((program, module)) = place(&found) {
                let of = |name: &str| Target {
                    package: member.name.clone(),
                    folder: folder.to_owned(),
                    features: member.manifest.contains("\ntls = ").then_some("tls"),
                    program: program.clone(),
                    test: format!("{module}{name}"),
                    file: path.clone(),
                };
                targets.extend(names(&text).map(of));
            }
        }
    }
    Ok(())
}

/// The program and the module, with `::` behind it, of a file that has targets by its name.
fn place(file: &str) -> Option<(Program, String)> {
    let parts: Vec<_> = file.strip_suffix(".rs")?.split('/').collect();
    if !parts.contains(&"fuzz") {
        return None;
    }
    let module = |parts: &[&str]| parts.iter().map(|part| format!("{part}::")).collect();
    match parts.as_slice() {
        ["src", within @ ..] => Some((Program::Lib, module(within))),
        ["tests", name] => Some((Program::Test((*name).to_owned()), String::new())),
        ["tests", name, within @ ..] => Some((Program::Test((*name).to_owned()), module(within))),
        _ => None,
    }
}

/// The tests in a file that are targets.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split("#[test]").skip(1).filter_map(|test| {
        let (name, body) = test.trim_start().strip_prefix("fn ")?.split_once("()")?;
        body.contains("catga_fuzz::target!").then_some(name)
    })
}

impl Target {
    /// Builds its program.
    pub(super) fn build(&self, profile: &str) -> Result<PathBuf> {
        let mut command = cargo();
        command.args(["test", "--no-run", "--profile", profile]);
        command.args(["--message-format", "json-render-diagnostics"]);
        command.args(self.arguments());
        let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
        let output = output.context("cannot start cargo")?;
        if !output.status.success() {
            bail!("the tests of {} do not build", self.package);
        }
        let built = output.stdout.split(|byte| *byte == b'\n');
        let built = built.filter_map(|line| serde_json::from_slice::<Built>(line).ok());
        let program = built
            .filter(|built| built.profile.as_ref().is_some_and(|profile| profile.test))
            .find_map(|built| built.executable);
        program.with_context(|| format!("cargo built no tests of {}", self.package))
    }

    /// What runs its corpus and some inputs, as one types it.
    pub(super) fn command(&self) -> String {
        format!("cargo test {} -- --exact {}", self.arguments().join(" "), self.test)
    }

    /// Which program it is in, as cargo is told.
    pub(super) fn arguments(&self) -> Vec<&str> {
        let mut arguments = vec!["-p", self.package.as_str()];
        arguments.extend(self.features.iter().flat_map(|features| ["--features", *features]));
        match &self.program {
            Program::Lib => arguments.push("--lib"),
            Program::Test(name) => arguments.extend(["--test", name.as_str()]),
        }
        arguments
    }

    /// Where its inputs are kept, as bolero looks for them.
    pub(super) fn corpus(&self) -> PathBuf {
        let name = self.test.replace("::", "__");
        self.file.with_file_name("__fuzz__").join(name).join("corpus")
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.package, self.test)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_found_by_its_file_and_what_it_consists_of() {
        let text = "#[test]\nfn one() {\n    catga_fuzz::target!(1, 2, f);\n}\n\n\
                    #[test]\nfn other() {}\n";
        assert_eq!(names(text).collect::<Vec<_>>(), ["one"]);
        let lib = |module: &str| Some((Program::Lib, module.to_owned()));
        assert_eq!(place("src/link/fuzz/frames.rs"), lib("link::fuzz::frames::"));
        assert_eq!(place("src/wire/fuzz.rs"), lib("wire::fuzz::"));
        let test = |name: &str| Program::Test(name.to_owned());
        assert_eq!(place("tests/fuzz.rs"), Some((test("fuzz"), String::new())));
        assert_eq!(place("tests/http/fuzz.rs"), Some((test("http"), "fuzz::".to_owned())));
        assert_eq!(place("src/wire/tests.rs"), None);
    }

    #[test]
    fn the_workspace_has_targets_and_every_corpus_belongs_to_one() {
        let workspace = Workspace::load().expect("cargo answers");
        let targets = all(&workspace).expect("the sources can be read");
        assert!(targets.len() > 30, "{}", targets.len());
        let known: Vec<_> = targets.iter().map(Target::corpus).collect();
        let mut corpora = Vec::new();
        for target in &targets {
            let folder = target.file.with_file_name("__fuzz__");
            let Ok(found) = fs::read_dir(folder) else { continue };
            corpora.extend(found.map(|entry| entry.expect("an entry").path().join("corpus")));
        }
        for corpus in corpora {
            assert!(known.contains(&corpus), "{} is of no target", corpus.display());
        }
    }
}
