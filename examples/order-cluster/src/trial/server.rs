use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use hyper::StatusCode;
use rustix::process::{Pid, Signal, kill_process};

use super::client::{Call, Client};

/// How often it looks whether the process is ready or has ended.
const LOOK: Duration = Duration::from_millis(2);
/// How long a process may take to be ready, or to stop in order.
const PATIENCE: Duration = Duration::from_secs(120);
/// So many ports are tried.
const PORTS: usize = 8;

/// How a process of the service is started.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerOptions {
    /// The program.
    pub program: PathBuf,
    /// The node's name: `node1`.
    pub node: String,
    /// Where it keeps its data.
    pub dir: PathBuf,
    /// Where what it says goes: beside `dir`, with `.log` after its name.
    pub log: PathBuf,
}

impl ServerOptions {
    /// A process of `program` on the data directory `dir`.
    pub fn new(program: impl Into<PathBuf>, dir: impl Into<PathBuf>) -> Self {
        let dir = dir.into();
        let mut log = dir.clone().into_os_string();
        log.push(".log");
        Self { program: program.into(), node: "node1".to_owned(), dir, log: log.into() }
    }

    /// The same under another name.
    #[must_use]
    pub fn node(mut self, node: &str) -> Self {
        node.clone_into(&mut self.node);
        self
    }

    /// The same with another place for what it says.
    #[must_use]
    pub fn log(mut self, log: impl Into<PathBuf>) -> Self {
        self.log = log.into();
        self
    }
}

/// A process of the service, on a port of its own. Killed when dropped; and should whoever started
/// it be killed, it ends by itself.
#[derive(Debug)]
pub struct Server {
    options: ServerOptions,
    port: u16,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    since: Instant,
    /// How long the log was when it started.
    log_from: u64,
}

/// Why a process of the service is not as it should be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// It cannot be started or killed, or its log not be written.
    #[error("{what} of {program}: {source}", program = program.display())]
    Machine {
        /// The program.
        program: PathBuf,
        /// What was attempted.
        what: &'static str,
        /// What the machine said.
        source: io::Error,
    },
    /// It ended by itself.
    #[error("the service ended ({status}); it said:\n{said}")]
    Ended {
        /// How.
        status: ExitStatus,
        /// What it said since it started.
        said: String,
    },
    /// It is taking too long.
    #[error("the service did not {what} within {PATIENCE:?}; its log is {}", log.display())]
    TooLate {
        /// What it should have done.
        what: &'static str,
        /// Where its log is.
        log: PathBuf,
    },
}

impl Server {
    /// Starts a process on a port that is free, and waits until it is ready.
    ///
    /// # Errors
    /// When it cannot be started, or ends by itself.
    ///
    /// # Cancel safety
    /// Dropping the future kills the process.
    pub async fn start(options: ServerOptions) -> Result<Self, ServerError> {
        let mut server = Self { options, port: 0, running: None };
        let mut left = PORTS;
        loop {
            server.port = free_port();
            server.spawn()?;
            left -= 1;
            match server.until_ready().await {
                // Somebody else has taken the port between the look and the start.
                Err(ServerError::Ended { said, .. })
                    if left > 0 && said.contains("another program listens there") => {}
                Err(error) => return Err(error),
                Ok(_) => return Ok(server),
            }
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// How it is started.
    pub fn options(&self) -> &ServerOptions {
        &self.options
    }

    /// Starts the process, and does not wait until it is ready. One that runs is killed first.
    ///
    /// # Errors
    /// When the machine refuses.
    pub fn spawn(&mut self) -> Result<(), ServerError> {
        self.kill()?;
        let opened = self.open_log();
        let (log, log_from) = opened.map_err(|e| self.refused("opening the log", e))?;
        let mut command = Command::new(&self.options.program);
        command
            .args(["--nodes", "1", "--with-parent"])
            .env("NODE_ID", &self.options.node)
            .env("PORT", self.port.to_string())
            .env("DATA_DIR", &self.options.dir)
            .env_remove("BIND")
            // The other end of this pipe is what keeps it running.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log);
        if std::env::var_os("RUST_LOG").is_none() {
            // A line for each request would be most of what the machine does.
            command.env("RUST_LOG", "warn");
        }
        // Ctrl-C is for whoever started it, who then decides what becomes of it.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command.spawn().map_err(|e| self.refused("the start", e))?;
        self.running = Some(Running { child, since: Instant::now(), log_from });
        Ok(())
    }

    /// Waits until the process that was started is ready, and says how long that took.
    ///
    /// # Errors
    /// When it ends instead, or takes too long.
    ///
    /// # Cancel safety
    /// Nothing is lost: ask again.
    pub async fn until_ready(&mut self) -> Result<Duration, ServerError> {
        let mut client = Client::new(vec![self.address()]);
        let since = self.running.as_ref().map_or_else(Instant::now, |running| running.since);
        loop {
            self.check()?;
            let ready = client.send(&Call::get("/readyz")).await;
            // Looked at again: the port may be another's.
            self.check()?;
            if ready.is_ok_and(|answer| answer.status == StatusCode::OK) {
                return Ok(since.elapsed());
            }
            self.expect_within(since, "become ready")?;
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Kills the process, if it runs: nothing more of it happens after this returns.
    ///
    /// # Errors
    /// When the machine refuses.
    pub fn kill(&mut self) -> Result<(), ServerError> {
        let Some(running) = &mut self.running else { return Ok(()) };
        // SIGKILL; one that has ended already is only waited for.
        let killed = running.child.kill().and_then(|()| running.child.wait());
        killed.map_err(|e| self.refused("the kill", e))?;
        self.running = None;
        Ok(())
    }

    /// Asks the process to stop (SIGTERM), and waits until it has.
    ///
    /// # Errors
    /// When it does not end well, or in time.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the process stopping.
    pub async fn stop(&mut self) -> Result<(), ServerError> {
        let Some(running) = &self.running else { return Ok(()) };
        let asked = kill_process(Pid::from_child(&running.child), Signal::TERM);
        asked.map_err(|e| self.refused("the stop", e.into()))?;
        match self.until_ended().await? {
            (status, _) if status.success() => Ok(()),
            (status, said) => Err(ServerError::Ended { status, said }),
        }
    }

    /// Waits until the process has ended; how, and what it said since it started.
    ///
    /// # Errors
    /// When it takes too long.
    ///
    /// # Cancel safety
    /// Nothing is lost: ask again.
    pub async fn until_ended(&mut self) -> Result<(ExitStatus, String), ServerError> {
        let since = Instant::now();
        loop {
            match self.check() {
                Err(ServerError::Ended { status, said }) => {
                    self.running = None;
                    return Ok((status, said));
                }
                checked => checked?,
            }
            self.expect_within(since, "end")?;
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Looks whether the process still runs.
    ///
    /// # Errors
    /// When it has ended.
    pub fn check(&mut self) -> Result<(), ServerError> {
        let Some(running) = &mut self.running else { return Ok(()) };
        let looked = running.child.try_wait();
        match looked.map_err(|e| self.refused("a look at the process", e))? {
            None => Ok(()),
            Some(status) => Err(ServerError::Ended { status, said: self.said() }),
        }
    }

    /// What the process has said since it started.
    pub fn said(&self) -> String {
        let from = self.running.as_ref().map_or(0, |running| running.log_from);
        let log = fs::read(&self.options.log).unwrap_or_default();
        let from = usize::try_from(from).unwrap_or(0).min(log.len());
        String::from_utf8_lossy(&log[from..]).into_owned()
    }

    fn open_log(&self) -> io::Result<(File, u64)> {
        let log = &self.options.log;
        fs::create_dir_all(log.parent().unwrap_or(Path::new(".")))?;
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        let len = log.metadata()?.len();
        Ok((log, len))
    }

    fn refused(&self, what: &'static str, source: io::Error) -> ServerError {
        ServerError::Machine { program: self.options.program.clone(), what, source }
    }

    fn expect_within(&self, since: Instant, what: &'static str) -> Result<(), ServerError> {
        if since.elapsed() > PATIENCE {
            return Err(ServerError::TooLate { what, log: self.options.log.clone() });
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It ends anyway when its standard input does.
        let _ = self.kill();
    }
}

/// A port on which nobody listens now. Not one of those that connections are made from: while the
/// service is down, a client that tries to reach it could be given its very port.
fn free_port() -> u16 {
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let drawn = std::iter::repeat_with(|| fastrand::u16(10_000..32_000));
    // If none of so many is free, the service says so itself.
    drawn.take(64).find(is_free).unwrap_or(10_000)
}
