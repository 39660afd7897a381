//! A step: a named piece of work that passes or fails.

use std::{
    env,
    ffi::OsStr,
    fmt, io, iter,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, Result, bail};

/// One thing that must pass before the next is tried.
pub(crate) struct Step {
    name: &'static str,
    work: Box<dyn FnOnce() -> Result<()>>,
}

impl Step {
    /// A step done by this process.
    pub(crate) fn check(name: &'static str, work: impl FnOnce() -> Result<()> + 'static) -> Self {
        Self { name, work: Box::new(work) }
    }

    /// A step done by another program.
    ///
    /// It gets no input, because nobody may be there to answer. Its standard error joins our
    /// standard output, because nextest writes its summary there, and whoever reads only one of
    /// the two must still see everything in order.
    pub(crate) fn program(name: &'static str, mut command: Command) -> Self {
        Self::check(name, move || {
            command.stdin(Stdio::null()).stderr(io::stdout());
            run(&mut command)
        })
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Step").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Runs the steps in order and stops at the first that fails.
///
/// Each is announced with the time gone by since the first began. Nothing is printed after the
/// last, so that its own closing lines close the whole output.
pub(crate) fn run_all(steps: impl IntoIterator<Item = Step>) -> Result<()> {
    let start = Instant::now();
    for step in steps {
        println!("==> {} ({:.1}s)", step.name, start.elapsed().as_secs_f64());
        (step.work)().with_context(|| format!("step `{}` did not pass", step.name))?;
    }
    Ok(())
}

/// The cargo that started us, or else the one on the path.
pub(crate) fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs a program to its end; failing to start and failing are both errors that name it.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {}", line(command)))?;
    if !status.success() {
        bail!("{} failed: {status}", line(command));
    }
    Ok(())
}

/// A command as one would type it.
fn line(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let program = program.file_stem().unwrap_or(program.as_os_str());
    let words = iter::once(program).chain(command.get_args());
    let words: Vec<_> = words.map(OsStr::to_string_lossy).collect();
    format!("`{}`", words.join(" "))
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc};

    use anyhow::anyhow;

    use super::*;

    #[test]
    fn steps_run_in_order_and_stop_at_the_first_failure() {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let step = |name: &'static str, passes: bool| {
            let seen = Rc::clone(&seen);
            Step::check(name, move || {
                seen.borrow_mut().push(name);
                if passes { Ok(()) } else { Err(anyhow!("no")) }
            })
        };
        let error = run_all([step("one", true), step("two", false), step("three", true)])
            .expect_err("the second step fails");
        assert_eq!(*seen.borrow(), ["one", "two"]);
        assert_eq!(format!("{error:#}"), "step `two` did not pass: no");
    }

    #[test]
    fn a_program_that_fails_is_named_in_the_error() {
        let mut command = cargo();
        command.arg("--no-such-option").stderr(Stdio::null());
        let error = run(&mut command).expect_err("cargo refuses the option");
        assert!(error.to_string().starts_with("`cargo --no-such-option` failed: "), "{error}");
    }
}
