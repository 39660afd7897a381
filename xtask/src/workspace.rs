//! The workspace as cargo sees it: its crates and what each imports.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::step::cargo;

/// Our crates.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The folder that everything else is named relative to.
    pub(crate) root: PathBuf,
    pub(crate) members: Vec<Member>,
}

/// One crate of ours.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// Its `Cargo.toml`, relative to the root, with `/` on every system.
    pub(crate) path: String,
    /// The text of its `Cargo.toml`.
    pub(crate) manifest: String,
    /// The crates that its code imports. What only its tests or its build script use is not here.
    pub(crate) imports: Vec<String>,
}

impl Workspace {
    /// Asks cargo. Nothing is resolved, so nothing is downloaded and `Cargo.lock` stays as it is.
    pub(crate) fn load() -> Result<Self> {
        let output = cargo()
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .context("cannot start `cargo metadata`")?;
        if !output.status.success() {
            bail!("`cargo metadata` failed: {}", output.status);
        }
        Self::parse(&output.stdout)
    }

    fn parse(metadata: &[u8]) -> Result<Self> {
        let metadata: Metadata =
            serde_json::from_slice(metadata).context("cannot read the answer of cargo metadata")?;
        let root = metadata.workspace_root;
        let members = metadata
            .packages
            .into_iter()
            .map(|package| Member::read(&root, package))
            .collect::<Result<_>>()?;
        Ok(Self { root, members })
    }
}

impl Member {
    fn read(root: &Path, package: Package) -> Result<Self> {
        let at = &package.manifest_path;
        let manifest =
            fs::read_to_string(at).with_context(|| format!("cannot read {}", at.display()))?;
        let imports =
            package.dependencies.into_iter().filter(|it| it.kind.is_none()).map(|it| it.name);
        Ok(Self {
            name: package.name,
            path: relative(root, at),
            manifest,
            imports: imports.collect(),
        })
    }
}

/// A path below the root as findings print it.
pub(crate) fn relative(root: &Path, path: &Path) -> String {
    let path = path.strip_prefix(root).unwrap_or(path);
    path.to_string_lossy().replace('\\', "/")
}

#[derive(Debug, Deserialize)]
struct Metadata {
    workspace_root: PathBuf,
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    /// Nothing for what the code imports, otherwise `dev` or `build`.
    kind: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_crate_is_found_without_what_only_its_tests_use() {
        let workspace = Workspace::load().unwrap();
        let us = workspace.members.iter().find(|member| member.name == "xtask").unwrap();
        assert_eq!(us.path, "xtask/Cargo.toml");
        assert!(us.imports.iter().any(|import| import == "anyhow"), "{:?}", us.imports);
        assert!(us.imports.iter().all(|import| import != "tempfile"), "{:?}", us.imports);
    }
}
