use std::ffi::OsStr;
use std::process::{Command, Stdio};

/// Runs a program to its end.
///
/// # Errors
/// What it said, if it did not end well.
pub(crate) fn call<S: AsRef<OsStr>>(
    program: impl AsRef<OsStr>,
    arguments: impl IntoIterator<Item = S>,
) -> Result<(), String> {
    let program = program.as_ref();
    let mut command = Command::new(program);
    // Administrators' programs are not on everybody's path.
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin")).stdin(Stdio::null());
    let output = command
        .args(arguments)
        .output()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&said).trim()))
}
