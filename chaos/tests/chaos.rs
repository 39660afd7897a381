//! A short run in the test command. `cargo xtask chaos` runs as long as one likes, with a program
//! that is built for it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant};

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
    let counts = dir.path().join("all.json");
    let counting = ["--counts", counts.to_str().expect("a path of letters")];
    let arguments = ["--minutes", "0.35", "--seed", "5"];
    let (code, said) = chaos(dir.path(), &[&arguments[..], &counting].concat());
    assert_eq!(code, Some(0), "{said}");
    assert!(count(&said, "acknowledged") > 100, "{said}");
    let kills =
        ["leader kills", "follower kills", "majority kills", "all kills", "stops", "pauses"];
    assert!(kills.iter().map(|row| count(&said, row)).sum::<u64>() > 2, "{said}");
    let made = count(&said, "backups");
    assert!(made + count(&said, "backups failed") > 0, "{said}");
    assert_eq!(count(&said, "restores"), made.min(2), "{said}");
    let added = std::fs::read_to_string(counts).expect("counts");
    assert!(added.contains(r#""runs": 1"#), "{added}");
    assert_eq!(std::fs::read_to_string(dir.path().join("counts.json")).expect("counts"), added);
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

/// What there is of networks and mounts of the process `pid`, whose runs are in `dir`.
fn left(pid: u32, dir: &Path) -> Vec<String> {
    let networks = std::fs::read_dir("/run/netns").into_iter().flatten().flatten();
    let networks = networks.map(|network| network.file_name().to_string_lossy().into_owned());
    let networks = networks.filter(|network| network.starts_with(&format!("catga{pid}-")));
    let mounts = std::fs::read_to_string("/proc/self/mounts").expect("they can be read");
    let dir = dir.to_string_lossy().into_owned();
    let mounts = mounts.lines().filter(|mount| mount.contains(&dir)).map(ToOwned::to_owned);
    networks.chain(mounts).collect()
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < Duration::from_secs(60), "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn nothing_is_left_when_somebody_interrupts_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = Command::new(PROGRAM);
    command.arg("--dir").arg(dir.path()).arg("--program").arg(order_cluster());
    let mut child =
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    let pid = child.id();
    let is_at_work = || {
        let runs = std::fs::read_dir(dir.path()).into_iter().flatten().flatten();
        let mut faults = runs.map(|run| run.path().join("nemesis.jsonl"));
        faults.any(|path| std::fs::metadata(path).is_ok_and(|faults| faults.len() > 0))
    };
    wait_until("something happens", is_at_work);
    let stop = Command::new("kill").args(["-INT", &pid.to_string()]).status();
    assert!(stop.expect("kill runs").success());
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(3));
    assert_eq!(left(pid, dir.path()), [""; 0]);
}
