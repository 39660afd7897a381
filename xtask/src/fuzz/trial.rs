use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use wait_timeout::ChildExt;

use super::target::Target;
use crate::workspace::relative;

/// How long a program may take beyond its time: to look for a shorter input, and to end.
const GRACE: Duration = Duration::from_secs(60);

/// What came of one target's time.
#[derive(Debug)]
pub(super) struct Trial {
    /// How many inputs it tried.
    pub(super) tried: u64,
    pub(super) took: Duration,
    /// Where the input is kept that it found, and what it does.
    pub(super) found: Option<String>,
    /// What the program printed.
    pub(super) said: String,
}

impl Trial {
    /// Runs `program`, which has `target`, for `time`.
    pub(super) fn run(
        root: &Path,
        target: &Target,
        program: &Path,
        time: Duration,
    ) -> Result<Self> {
        let record = root.join("target/fuzz").join(target.to_string().replace([' ', ':'], "-"));
        // What a run before has left.
        let _ = fs::remove_dir_all(&record);
        fs::create_dir_all(&record).with_context(|| record.display().to_string())?;
        let output = record.join("output");
        let (to, began) = (File::create(&output)?, Instant::now());
        let child = Command::new(program)
            .args(["--exact", &target.test, "--nocapture"])
            .current_dir(&target.folder)
            .env("CATGA_FUZZ_RECORD", &record)
            .env("BOLERO_RANDOM_ITERATIONS", u64::MAX.to_string())
            .env("BOLERO_RANDOM_TEST_TIME_MS", time.as_millis().to_string())
            .env("RUST_BACKTRACE", "0")
            .stdout(to.try_clone()?)
            .stderr(to)
            .spawn();
        let child = child.with_context(|| format!("cannot start {}", program.display()))?;
        let ended = ended(child, began + time + GRACE)?;
        let took = began.elapsed();
        let said = String::from_utf8_lossy(&fs::read(&output)?).into_owned();
        let (input, what) = match ended {
            Some(status) if status.success() => (None, "passed"),
            Some(_) if record.join("found").exists() => (Some("found"), "fails"),
            Some(_) => (Some("now"), "ends the process"),
            None => (Some("now"), "does not come to an end"),
        };
        let found = match input {
            None => None,
            Some(input) => {
                let input = fs::read(record.join(input));
                // The program may have failed before it tried any.
                let input = input.with_context(|| format!("{target} did not run:\n{said}"))?;
                let kept = keep(&target.corpus(), &input)?;
                Some(format!("{} {what}", relative(root, &kept)))
            }
        };
        let tried = fs::read_to_string(record.join("tried")).unwrap_or_default();
        let tried = tried.parse().unwrap_or(0);
        if tried == 0 && found.is_none() {
            bail!("{target} tried nothing: its program has no such test\n{said}");
        }
        Ok(Self { tried, took, found, said })
    }
}

/// How the process ended; none if it had to be stopped.
fn ended(mut child: Child, until: Instant) -> Result<Option<ExitStatus>> {
    let status = child.wait_timeout(until.saturating_duration_since(Instant::now()))?;
    if status.is_none() {
        child.kill()?;
        child.wait()?;
    }
    Ok(status)
}

/// Keeps `input` in a corpus, under a name of its own; gives back where.
fn keep(corpus: &Path, input: &[u8]) -> Result<PathBuf> {
    fs::create_dir_all(corpus).with_context(|| corpus.display().to_string())?;
    let mut hasher = DefaultHasher::new();
    input.hash(&mut hasher);
    let path = corpus.join(format!("found-{:016x}", hasher.finish()));
    fs::write(&path, input).with_context(|| path.display().to_string())?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_kept_once() {
        let dir = tempfile::tempdir().expect("a directory");
        let kept = keep(dir.path(), b"an input").expect("kept");
        assert_eq!(keep(dir.path(), b"an input").expect("kept"), kept);
        assert_eq!(fs::read(&kept).expect("there"), b"an input");
        assert_ne!(keep(dir.path(), b"another").expect("kept"), kept);
    }

    #[test]
    fn a_process_that_does_not_end_is_stopped() {
        let child = Command::new("sleep").arg("600").spawn().expect("it starts");
        let until = Instant::now() + Duration::from_millis(1);
        assert!(ended(child, until).expect("it is waited for").is_none());
        let child = Command::new("true").spawn().expect("it starts");
        let until = Instant::now() + Duration::from_secs(600);
        assert!(ended(child, until).expect("it ended").is_some_and(|status| status.success()));
    }
}
