use std::io::Read;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A running order service with a data directory of its own; killed when dropped.
pub(crate) struct Program {
    child: Child,
    pub(crate) port: u16,
    _data: TempDir,
}

fn command(options: &[&str], variables: &[(&str, &str)], data: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_order-cluster"));
    command.args(options).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    for name in ["ADMIN_TOKEN", "BIND", "NODE_ID", "PORT", "RUST_LOG"] {
        command.env_remove(name);
    }
    command.env("DATA_DIR", data.path().join("node1")).envs(variables.iter().copied());
    command
}

pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(20), "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

impl Program {
    /// Starts it on a free port and waits until it listens.
    pub(crate) fn start() -> Self {
        Self::start_with(&["--nodes", "1"], &[])
    }

    pub(crate) fn start_with(options: &[&str], variables: &[(&str, &str)]) -> Self {
        // Another process may take the port between the look and the start; then look again.
        for _ in 0..5 {
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
            let port = free.local_addr().expect("an address").port();
            drop(free);
            let data = tempfile::tempdir().expect("a directory");
            let mut command = command(options, variables, &data);
            let started = command.env("PORT", port.to_string()).spawn();
            let mut program =
                Self { child: started.expect("the program starts"), port, _data: data };
            let mut gone = false;
            wait_until("it listens", || {
                gone = program.child.try_wait().expect("a child").is_some();
                gone || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
            });
            if !gone {
                return program;
            }
        }
        panic!("the order service does not start");
    }

    /// Asks it to stop, waits, and gives what it logged.
    pub(crate) fn terminate(mut self) -> (ExitStatus, String) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().expect("kill runs");
        assert!(sent.success());
        self.end()
    }

    /// Runs it with `options` until it ends by itself; its exit status and what it said.
    pub(crate) fn run_to_end(options: &[&str], variables: &[(&str, &str)]) -> (ExitStatus, String) {
        let data = tempfile::tempdir().expect("a directory");
        let child = command(options, variables, &data).spawn().expect("the program starts");
        Self { child, port: 0, _data: data }.end()
    }

    fn end(&mut self) -> (ExitStatus, String) {
        let mut said = String::new();
        let stderr = self.child.stderr.as_mut().expect("stderr is piped");
        stderr.read_to_string(&mut said).expect("it logs text");
        (self.child.wait().expect("a child"), said)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // A program that has ended already cannot be killed, and need not be.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
