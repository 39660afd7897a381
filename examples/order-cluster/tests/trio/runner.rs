use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A process that runs three nodes on ports of its own; killed when dropped.
pub(crate) struct Runner {
    child: Child,
    stdout: BufReader<ChildStdout>,
    pub(crate) port: u16,
    dir: PathBuf,
}

/// The program, which is told nothing but `variables` and where its data is.
pub(crate) fn program(options: &[&str], variables: &[(&str, &str)], dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_order-cluster"));
    command.args(options).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let tls = ["CLUSTER_TLS_CA", "CLUSTER_TLS_CERT", "CLUSTER_TLS_KEY"];
    for name in ["NODE_ID", "PORT", "BIND", "RUST_LOG", "CLUSTER_SECRET"].into_iter().chain(tls) {
        command.env_remove(name);
    }
    command.env("DATA_DIR", dir).envs(variables.iter().copied());
    command
}

/// Runs the program until it ends: its exit code, and what it said of what is wrong.
pub(crate) fn run(options: &[&str], variables: &[(&str, &str)], dir: &Path) -> (i32, String) {
    let ended = program(options, variables, dir).output().expect("the program runs");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    (ended.status.code().unwrap_or_else(|| panic!("{}: {said}", ended.status)), said)
}

/// Three ports in a row on which nobody listens.
pub(crate) fn free_ports() -> u16 {
    let is_free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    let drawn = std::iter::repeat_with(|| fastrand::u16(10_000..32_000));
    let mut found = drawn.take(64).filter(|first| (*first..*first + 3).all(is_free));
    found.next().expect("ports that are free")
}

pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(60), "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl Runner {
    /// Starts three nodes with their data in `dir`.
    pub(crate) fn spawn(dir: &TempDir, port: u16) -> Self {
        Self::spawn_with(dir, port, &[])
    }

    /// The same, told these `options` too.
    pub(crate) fn spawn_with(dir: &TempDir, port: u16, options: &[&str]) -> Self {
        let dir = dir.path().to_owned();
        let port_option = ["--port", &port.to_string()];
        let mut command = program(&[&port_option, options].concat(), &[], &dir);
        let mut child = command.spawn().expect("the program starts");
        let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        Self { child, stdout, port, dir }
    }

    /// The same, and waits until it says that they serve; what it says.
    pub(crate) fn start(dir: &TempDir) -> (Self, String) {
        let mut runner = Self::spawn(dir, free_ports());
        let said = runner.until_it_says("Ctrl-C drains");
        (runner, said)
    }

    /// Waits until it says a line with `what`; what it has said since it was listened to last.
    pub(crate) fn until_it_says(&mut self, what: &str) -> String {
        let mut said = String::new();
        while !said.contains(what) {
            let read = self.stdout.read_line(&mut said).expect("it says text");
            assert!(read > 0, "it ended; it said {said} {}", self.end().1);
        }
        said
    }

    /// The port of node `number`, from 1 on.
    pub(crate) fn port_of(&self, number: u16) -> u16 {
        self.port + number - 1
    }

    /// What node `number` has logged.
    pub(crate) fn log_of(&self, number: u16) -> String {
        let log = self.dir.join(format!("node{number}.log"));
        fs::read_to_string(log).expect("a log")
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([name, &id]).status().expect("kill runs");
        assert!(sent.success());
    }

    /// Waits until it ends; how, and what it said since, what is wrong last.
    pub(crate) fn end(&mut self) -> (ExitStatus, String) {
        let mut said = String::new();
        self.stdout.read_to_string(&mut said).expect("it says text");
        let stderr = self.child.stderr.as_mut().expect("stderr is piped");
        stderr.read_to_string(&mut said).expect("it says text");
        (self.child.wait().expect("a child"), said)
    }

    /// Waits until none of the three uses its directory any more.
    pub(crate) fn until_all_are_gone(&self) {
        for number in 1..=3 {
            let lock = self.dir.join(format!("node{number}/lock"));
            // One that came to an end early has made none.
            wait_until("nobody has the directory", || {
                fs::File::open(&lock).map_or(true, |lock| lock.try_lock().is_ok())
            });
        }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, and need not be.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
