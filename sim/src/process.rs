use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread;
use std::time::Duration;

use wait_timeout::ChildExt;

/// Runs `command` to its end, and gives what it said; none if it had to be stopped after `wait`.
pub(crate) fn ended(command: &mut Command, wait: Duration) -> io::Result<Option<Output>> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        // A process that nobody listens to stands still once its pipe is full.
        let stdout = scope.spawn(|| said(stdout));
        let stderr = scope.spawn(|| said(stderr));
        let status = wait_until_ended(&mut child, wait)?;
        let heard = "reading does not panic";
        let (stdout, stderr) = (stdout.join().expect(heard)?, stderr.join().expect(heard)?);
        Ok(status.map(|status| Output { status, stdout, stderr }))
    })
}

/// How the process ended; none if it had to be stopped.
fn wait_until_ended(child: &mut Child, wait: Duration) -> io::Result<Option<ExitStatus>> {
    let status = child.wait_timeout(wait)?;
    if status.is_none() {
        child.kill()?;
        child.wait()?;
    }
    Ok(status)
}

fn said(pipe: Option<impl Read>) -> io::Result<Vec<u8>> {
    let mut said = Vec::new();
    if let Some(mut pipe) = pipe {
        pipe.read_to_end(&mut said)?;
    }
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    #[test]
    fn a_process_that_never_ends_is_stopped() {
        let never = ended(Command::new("sleep").arg("600"), Duration::from_millis(1));
        assert!(never.expect("it starts").is_none());
    }

    #[test]
    fn a_process_that_says_much_is_heard() {
        let much = ["-c", "1000000", "/dev/zero"];
        let output = ended(Command::new("head").args(much), LONG).expect("it starts");
        let output = output.expect("it ends by itself");
        assert!(output.status.success());
        assert_eq!(output.stdout.len(), 1_000_000);
    }
}
