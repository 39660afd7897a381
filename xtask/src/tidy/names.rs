//! Names of files: a name says what is inside, and these say nothing.

use super::{files::File, finding::Finding};

const EMPTY_NAMES: &[&str] = &["utils", "common", "helpers", "manager", "types"];

/// One finding for each Rust file or module folder with a name that says nothing.
pub(super) fn check(files: &[File]) -> Vec<Finding> {
    files.iter().filter_map(|file| of(&file.path)).collect()
}

fn of(path: &str) -> Option<Finding> {
    let module = path.strip_suffix(".rs")?;
    // A module that is a folder has its name there, and is found once: at its `mod.rs`.
    let name = module.strip_suffix("/mod").unwrap_or(module).rsplit('/').next()?;
    EMPTY_NAMES.contains(&name).then(|| {
        Finding::error(
            path,
            1,
            format!("a module named `{name}` can hold anything"),
            "name it after the one thing in it, and move the rest to where it is used",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_say_nothing_are_found_as_files_and_as_folders() {
        for name in EMPTY_NAMES {
            for path in [format!("crates/a/src/{name}.rs"), format!("tests/{name}/mod.rs")] {
                assert!(of(&path).is_some(), "{path}");
            }
        }
    }

    #[test]
    fn names_that_say_something_are_not() {
        for path in ["crates/a/src/types_of_coffee.rs", "mod.rs", "docs/types.md"] {
            assert!(of(path).is_none(), "{path}");
        }
    }
}
