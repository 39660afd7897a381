//! A short run in the test command. `cargo xtask chaos` runs as long as one likes, with a program
//! that is built for it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

const PROGRAM: &str = env!("CARGO_BIN_EXE_catga-chaos");

/// The program that a node is, beside this one. Whoever tests the workspace has built it; for
/// whoever tests this package alone it is built, or it would be one of another day.
fn order_cluster() -> PathBuf {
    static BUILT: Once = Once::new();
    BUILT.call_once(|| {
        // Of the workspace, so that it is built with the features that its tests are built with.
        let build = ["build", "--quiet", "--locked", "--workspace", "--bin", "order-cluster"];
        let built = Command::new(env!("CARGO")).args(build).status();
        assert!(built.expect("cargo runs").success());
    });
    Path::new(PROGRAM).with_file_name("order-cluster")
}

/// How a run ends, and what it says.
fn chaos(dir: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(PROGRAM);
    command.arg("--dir").arg(dir).arg("--program").arg(order_cluster()).args(arguments);
    let output = command.output().expect("it runs");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

/// Of the rows in the table of a run: how often that was.
fn count(said: &str, row: &str) -> u64 {
    let lines = said.lines().map(str::trim);
    let counts = lines.filter_map(|line| line.strip_prefix(row)?.trim().parse().ok());
    counts.max().unwrap_or_else(|| panic!("no {row}: {said}"))
}

#[test]
fn every_promise_is_kept_under_faults() {
    let dir = tempfile::tempdir().expect("a directory");
    let (code, said) = chaos(dir.path(), &["--minutes", "0.35", "--seed", "5"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(count(&said, "acknowledged") > 100, "{said}");
    let kills =
        ["leader kills", "follower kills", "majority kills", "all kills", "stops", "pauses"];
    assert!(kills.iter().map(|row| count(&said, row)).sum::<u64>() > 2, "{said}");
    assert!(dir.path().join("counts.json").exists(), "{said}");
}

#[test]
fn a_run_that_is_lied_about_fails() {
    let dir = tempfile::tempdir().expect("a directory");
    let (code, said) = chaos(dir.path(), &["--minutes", "0.02", "--seed", "1", "--lie"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(count(&said, "lost") > 0 && said.contains("--seed 1"), "{said}");
    assert!(!dir.path().join("counts.json").exists(), "a lie counts nothing: {said}");
    let runs = std::fs::read_dir(dir.path()).expect("a directory").flatten();
    let kept: Vec<_> = runs.flat_map(|run| run.path().read_dir()).flatten().flatten().collect();
    assert!(kept.iter().any(|file| file.file_name() == "history.jsonl"), "{kept:?}");
}

#[test]
fn what_the_harness_cannot_do_is_no_verdict() {
    let dir = tempfile::tempdir().expect("a directory");
    let missing = dir.path().join("no-program");
    let mut command = Command::new(PROGRAM);
    command.arg("--dir").arg(dir.path()).arg("--program").arg(missing);
    let output = command.output().expect("it runs");
    assert_eq!(output.status.code(), Some(3), "{output:?}");
}
