//! The files that the rules look at.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use proc_macro2::TokenStream;

use super::finding::Finding;
use crate::workspace::relative;

/// A text file of the repository.
#[derive(Debug)]
pub(super) struct File {
    /// Relative to the root, with `/` on every system.
    pub(super) path: String,
    pub(super) text: String,
}

/// A Rust file and its tokens, so that no rule is fooled by a comment or a string.
#[derive(Debug)]
pub(super) struct Rust<'a> {
    pub(super) file: &'a File,
    pub(super) tokens: TokenStream,
}

impl File {
    #[cfg(test)]
    pub(super) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// Whether the whole file is test code.
    pub(super) fn is_test(&self) -> bool {
        let mut parts = self.path.rsplit('/');
        parts.next() == Some("tests.rs") || parts.any(|folder| folder == "tests") || self.is_fuzz()
    }

    /// Whether it has fuzz targets: in a crate's sources, a file or a folder called so.
    fn is_fuzz(&self) -> bool {
        let below = self.path.strip_prefix("crates/").and_then(|path| path.split_once("/src/"));
        below.is_some_and(|(_, below)| {
            below.trim_end_matches(".rs").split('/').any(|part| part == "fuzz")
        })
    }
}

/// Reads every Rust and Markdown file below the root.
pub(super) fn read(root: &Path) -> Result<Vec<File>> {
    let mut files = Vec::new();
    visit(root, root, &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn visit(root: &Path, folder: &Path, files: &mut Vec<File>) -> Result<()> {
    let failed = || format!("cannot read the folder {}", folder.display());
    for entry in fs::read_dir(folder).with_context(failed)? {
        let entry = entry.with_context(failed)?;
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        // Not through links: they may lead out of the repository, or in circles.
        let kind = entry.file_type().with_context(failed)?;
        if kind.is_dir() {
            if !is_skipped(folder, &name) {
                visit(root, &path, files)?;
            }
        } else if kind.is_file() && (name.ends_with(".rs") || name.ends_with(".md")) {
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            files.push(File { path: relative(root, &path), text });
        }
    }
    Ok(())
}

/// Whether nothing in a folder is ours: build output, which stands beside a manifest, and what
/// other tools keep for themselves.
fn is_skipped(parent: &Path, name: &str) -> bool {
    match name {
        "target" => parent.join("Cargo.toml").exists(),
        "node_modules" => true,
        name => name.starts_with('.') && name != ".github",
    }
}

/// The Rust files among `files`, and a finding for each that is not Rust after all.
pub(super) fn rust(files: &[File]) -> (Vec<Rust<'_>>, Vec<Finding>) {
    let (mut rust, mut unreadable) = (Vec::new(), Vec::new());
    for file in files.iter().filter(|file| file.path.ends_with(".rs")) {
        match file.text.parse() {
            Ok(tokens) => rust.push(Rust { file, tokens }),
            Err(error) => unreadable.push(Finding::error(
                &file.path,
                proc_macro2::LexError::span(&error).start().line,
                format!("cannot be read as Rust: {error}"),
                "close what is open",
            )),
        }
    }
    (rust, unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_and_markdown_are_read_and_build_output_is_not() {
        let root = tempfile::tempdir().unwrap();
        for path in [
            "a/b.rs",
            "a/c.txt",
            "README.md",
            "target/d.rs",
            ".git/e.md",
            "src/target/f.rs",
            "Cargo.toml",
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let files = read(root.path()).unwrap();
        let paths: Vec<_> = files.iter().map(|file| &*file.path).collect();
        assert_eq!(paths, ["README.md", "a/b.rs", "src/target/f.rs"]);
    }

    #[test]
    fn a_file_that_is_not_rust_is_a_finding_at_its_line() {
        let files = [File::new("a.rs", "fn f() {}\n\nfn g() )\n"), File::new("b.md", ")")];
        let (rust, unreadable) = rust(&files);
        assert!(rust.is_empty());
        assert_eq!(unreadable.iter().map(Finding::place).collect::<Vec<_>>(), ["a.rs:3"]);
    }

    #[test]
    fn test_code_is_known_by_its_place() {
        for path in ["tests/src/lib.rs", "crates/a/tests/b.rs", "crates/a/src/b/tests.rs"] {
            assert!(File::new(path, "").is_test(), "{path}");
        }
        for path in ["crates/a/src/b/fuzz.rs", "crates/a/src/fuzz/b.rs"] {
            assert!(File::new(path, "").is_test(), "{path}");
        }
        for path in ["crates/testkit/src/lib.rs", "crates/fuzz/src/lib.rs", "xtask/src/fuzz.rs"] {
            assert!(!File::new(path, "").is_test(), "{path}");
        }
    }
}
