use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::harness::resident_mb;

/// The order service, running; it goes when this is dropped.
pub(super) struct Program {
    process: Child,
    /// Where it keeps its data, if it keeps any.
    _folder: tempfile::TempDir,
}

impl Program {
    /// Starts the program and waits for its first answer; how long that took from exec.
    pub(super) fn start(program: &Path) -> Result<(Self, Duration)> {
        let folder = tempfile::tempdir()?;
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let start = Instant::now();
        let process = Command::new(program)
            .args(["--nodes", "1"])
            .env("PORT", address.port().to_string())
            .env("NODE_ID", "node1")
            .env("DATA_DIR", folder.path())
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let mut started = Self { process, _folder: folder };
        while !answers(address) {
            if let Some(end) = started.process.try_wait()? {
                anyhow::bail!("{} ended with {end} before it answered", program.display());
            }
            ensure!(start.elapsed() < Duration::from_secs(10), "nothing answers at {address}");
            // Short beside what is measured.
            thread::sleep(Duration::from_micros(200));
        }
        Ok((started, start.elapsed()))
    }

    /// What is resident once everything that starts has started.
    pub(super) fn idle_rss_mb(&self) -> Result<f64> {
        thread::sleep(Duration::from_millis(500));
        resident_mb(self.process.id())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Whether the program answers a request, whatever it says.
fn answers(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")?;
        let mut head = [0; 8];
        stream.read_exact(&mut head)?;
        Ok(&head == b"HTTP/1.1")
    };
    ask().unwrap_or(false)
}
