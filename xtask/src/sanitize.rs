//! `cargo xtask sanitize`: the code with `unsafe` under a checker that sees what the compiler
//! cannot. It needs a nightly compiler, so it is no part of `cargo xtask test`.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::step::{Step, run_all};

/// Tests `catga-core`, the one crate that has `unsafe`, under Miri where that is installed, and
/// under AddressSanitizer.
pub(crate) fn run() -> Result<()> {
    if !answers(nightly().arg("--version")) {
        bail!("no nightly compiler; install one with `rustup toolchain install nightly`");
    }
    let host = host()?;
    let mut steps = Vec::new();
    if answers(nightly().args(["miri", "--version"])) {
        let mut miri = nightly();
        miri.args(["miri", "test", "--package", "catga-core", "--lib", "--", "slot"]);
        steps.push(Step::program("miri", miri));
    } else {
        println!("no Miri; install it with `rustup +nightly component add miri`");
    }
    let mut address = nightly();
    address
        .args(["test", "--package", "catga-core", "--lib", "--target", &host])
        .args(["--target-dir", "target/sanitize"])
        .env("RUSTFLAGS", "-Zsanitizer=address");
    steps.push(Step::program("address sanitizer", address));
    run_all(steps)
}

/// Cargo of the nightly toolchain, whatever toolchain runs us.
fn nightly() -> Command {
    let mut command = Command::new("cargo");
    command.arg("+nightly").env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO");
    command
}

fn answers(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// The target triple of this machine, which a sanitizer has to be told.
fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("cannot start `rustc -vV`")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("`rustc -vV` names no host")
}
