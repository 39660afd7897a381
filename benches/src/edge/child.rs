use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, process, thread};

use anyhow::{Context, Result, ensure};

use super::Subject;

/// A server in a process of its own; it goes with this one.
pub(super) struct Child {
    pub(super) subject: Subject,
    pub(super) address: SocketAddr,
    process: process::Child,
}

impl Child {
    /// Starts the server and waits until it takes connections.
    pub(super) fn start(subject: Subject) -> Result<Self> {
        // Free now; nobody else on this machine is likely to take it in the next milliseconds.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let process = Command::new(env::current_exe()?)
            .args(["serve", subject.name()])
            .env("PORT", address.port().to_string())
            .stdin(Stdio::piped())
            .spawn()
            .context("cannot start a server")?;
        let child = Self { subject, address, process };
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            ensure!(
                start.elapsed() < Duration::from_secs(10),
                "the {} server does not listen at {address}",
                subject.name()
            );
            thread::sleep(Duration::from_millis(5));
        }
        Ok(child)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Ends this process when its input ends, which is when its parent has gone, however that went.
pub(super) fn end_with_parent() {
    thread::spawn(|| {
        let mut byte = [0];
        while std::io::stdin().read(&mut byte).is_ok_and(|read| read > 0) {}
        process::exit(0);
    });
}

/// Where the parent wants the server.
pub(super) fn port() -> Result<u16> {
    let port = env::var("PORT").context("PORT is not set")?;
    port.parse().with_context(|| format!("PORT is no port: {port}"))
}
