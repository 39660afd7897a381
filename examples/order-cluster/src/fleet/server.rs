use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::StatusCode;
use rustix::process::{Pid, Signal, kill_process};

use super::{ServerError, ServerOptions, Status};
use crate::client::{Call, Client};

/// How often it looks whether the process is ready or has ended.
pub(super) const LOOK: Duration = Duration::from_millis(2);
/// How long a process may take to be ready, or to stop in order.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);
/// So many ports are tried.
pub(super) const PORTS: usize = 8;

/// A process of the service, on a port of its own. Killed when dropped; and should whoever started
/// it be killed, it ends by itself.
#[derive(Debug)]
pub struct Server {
    options: ServerOptions,
    port: u16,
    /// Of the cluster that it is a member of: where all of them are.
    cluster: Option<Arc<[SocketAddr]>>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    since: Instant,
    /// How long the log was when it started.
    log_from: u64,
}

impl Server {
    /// A process that is alone, on `port`; it is not started yet.
    pub fn alone(options: ServerOptions, port: u16) -> Self {
        Self { options, port, cluster: None, running: None }
    }

    /// A member of a cluster, on `port`, whose members are at `all`; it is not started yet.
    pub fn member(options: ServerOptions, port: u16, all: impl Into<Arc<[SocketAddr]>>) -> Self {
        Self { options, port, cluster: Some(all.into()), running: None }
    }

    /// Starts a process that is alone on a port that is free, and waits until it is ready.
    ///
    /// # Errors
    /// When it cannot be started, or ends by itself.
    ///
    /// # Cancel safety
    /// Dropping the future kills the process.
    pub async fn start(options: ServerOptions) -> Result<Self, ServerError> {
        let mut server = Self::alone(options, 0);
        let mut left = PORTS;
        loop {
            server.port = free_port(1);
            server.spawn()?;
            left -= 1;
            match server.until_ready().await {
                Err(error) if left > 0 && error.is_port_taken() => {}
                Err(error) => return Err(error),
                Ok(_) => return Ok(server),
            }
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        (self.options.host, self.port).into()
    }

    /// How it is started.
    pub fn options(&self) -> &ServerOptions {
        &self.options
    }

    /// Has the next process be one of another program.
    pub fn replace(&mut self, program: impl Into<PathBuf>) {
        self.options.program = program.into();
    }

    /// Starts the process, and does not wait until it is ready. One that runs is killed first.
    ///
    /// # Errors
    /// When the machine refuses.
    pub fn spawn(&mut self) -> Result<(), ServerError> {
        self.kill()?;
        let opened = self.open_log();
        let (log, log_from) = opened.map_err(|e| self.refused("opening the log", e))?;
        let mut command = self.command();
        // The other end of this pipe is what keeps it running.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);
        // Ctrl-C is for whoever started it, who then decides what becomes of it.
        command.process_group(0);
        let child = command.spawn().map_err(|e| self.refused("the start", e))?;
        self.running = Some(Running { child, since: Instant::now(), log_from });
        Ok(())
    }

    fn command(&self) -> Command {
        let options = &self.options;
        let mut words =
            options.starter.iter().map(OsString::as_os_str).chain([options.program.as_os_str()]);
        let mut command = Command::new(words.next().unwrap_or(options.program.as_os_str()));
        command.args(words);
        command.env_remove("BIND").env_remove("CLUSTER_MEMBERS");
        match &self.cluster {
            None => command.args(["--nodes", "1"]),
            Some(all) => {
                let (count, first) = (all.len(), all[0].port());
                command.args(["--nodes", &count.to_string(), "--port", &first.to_string()])
            }
        };
        let is_here = |host: IpAddr| host == Ipv4Addr::LOCALHOST;
        if let Some(all) = &self.cluster
            && !all.iter().map(SocketAddr::ip).chain([options.host]).all(is_here)
        {
            let members: Vec<_> = all.iter().map(|member| format!("http://{member}")).collect();
            command.env("CLUSTER_MEMBERS", members.join(","));
            command.env("BIND", options.host.to_string());
        }
        command
            .arg("--with-parent")
            .args(options.short_log.then_some("--short-log"))
            .args(options.joins.then_some("--join"))
            .args(options.tls.iter().flat_map(|dir| [OsStr::new("--tls"), dir.as_os_str()]))
            .env("NODE_ID", &options.node)
            .env("PORT", self.port.to_string())
            .env("DATA_DIR", &options.dir);
        if options.quiet && std::env::var_os("RUST_LOG").is_none() {
            // A line for each request would be most of what the machine does.
            command.env("RUST_LOG", "warn,catga_journal=info");
        }
        if let Some(all) = &self.cluster
            && std::env::var_os("TOKIO_WORKER_THREADS").is_none()
        {
            // The nodes share one machine here, and each has its share of it.
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            command.env("TOKIO_WORKER_THREADS", (cores / all.len()).max(1).to_string());
        }
        command.envs(options.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Waits until the process that was started is ready, and says how long that took.
    ///
    /// # Errors
    /// When it ends instead, or takes too long.
    ///
    /// # Cancel safety
    /// Nothing is lost: ask again.
    pub async fn until_ready(&mut self) -> Result<Duration, ServerError> {
        let since = self.running.as_ref().map_or_else(Instant::now, |running| running.since);
        while !self.is_ready().await? {
            self.expect_within(since, "become ready")?;
            tokio::time::sleep(LOOK).await;
        }
        Ok(since.elapsed())
    }

    /// Whether the process that was started is ready.
    pub(super) async fn is_ready(&mut self) -> Result<bool, ServerError> {
        self.check()?;
        let mut client = Client::new(vec![self.address()]);
        let ready = client.send(&Call::get("/readyz")).await;
        // Looked at again: the port may be another's.
        self.check()?;
        Ok(ready.is_ok_and(|answer| answer.status == StatusCode::OK))
    }

    /// What it says of itself and its cluster; none if it does not say so at once.
    ///
    /// # Cancel safety
    /// Nothing is lost: ask again.
    pub async fn status(&self) -> Option<Status> {
        Status::of(self.address()).await
    }

    /// Kills the process, if it runs: nothing more of it happens after this returns.
    ///
    /// # Errors
    /// When the machine refuses.
    pub fn kill(&mut self) -> Result<(), ServerError> {
        self.begin_kill()?;
        let Some(running) = &mut self.running else { return Ok(()) };
        running.child.wait().map_err(|e| self.refused("the kill", e))?;
        self.running = None;
        Ok(())
    }

    /// Kills the process, and does not wait until it is gone.
    pub(super) fn begin_kill(&mut self) -> Result<(), ServerError> {
        let Some(running) = &mut self.running else { return Ok(()) };
        // SIGKILL; one that has ended already is only waited for.
        running.child.kill().map_err(|e| self.refused("the kill", e))
    }

    /// Has the process stand still (SIGSTOP) until it is [woken](Self::wake).
    ///
    /// # Errors
    /// When the machine refuses.
    pub fn pause(&mut self) -> Result<(), ServerError> {
        self.signal(Signal::STOP, "the pause")
    }

    /// Has the process go on (SIGCONT).
    ///
    /// # Errors
    /// When the machine refuses.
    pub fn wake(&mut self) -> Result<(), ServerError> {
        self.signal(Signal::CONT, "the waking")
    }

    /// Asks the process to stop (SIGTERM), and does not wait until it has.
    pub(super) fn begin_stop(&mut self) -> Result<(), ServerError> {
        self.signal(Signal::TERM, "the stop")
    }

    fn signal(&mut self, signal: Signal, what: &'static str) -> Result<(), ServerError> {
        let Some(running) = &mut self.running else { return Ok(()) };
        // The number of one that has ended may be another's by now.
        let sent = match running.child.try_wait() {
            Ok(None) => kill_process(Pid::from_child(&running.child), signal).map_err(Into::into),
            looked => looked.map(drop),
        };
        sent.map_err(|e| self.refused(what, e))
    }

    /// Asks the process to stop (SIGTERM), and waits until it has.
    ///
    /// # Errors
    /// When it does not end well, or in time.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the process stopping.
    pub async fn stop(&mut self) -> Result<(), ServerError> {
        self.begin_stop()?;
        self.until_stopped().await
    }

    /// Waits until the process has ended well.
    pub(super) async fn until_stopped(&mut self) -> Result<(), ServerError> {
        if self.running.is_none() {
            return Ok(());
        }
        let (status, said) = self.until_ended().await?;
        // One that has not begun to serve ends by the signal itself: it has nothing to finish.
        let by_signal = status.signal() == Some(Signal::TERM.as_raw());
        if status.success() || by_signal { Ok(()) } else { Err(self.ended(status, said)) }
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
                Err(ServerError::Ended { status, said, .. }) => {
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
            Some(status) => Err(self.ended(status, self.said())),
        }
    }

    /// True if it has begun to take over what another node has, and has not come to the end.
    pub fn receives(&self) -> bool {
        let incoming = fs::read_dir(self.options.dir.join("journal/incoming"));
        incoming.is_ok_and(|mut pieces| pieces.next().is_some())
    }

    /// The number of its process, if it was started.
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(|running| running.child.id())
    }

    /// What its processes have said, all of them so far.
    pub fn ever_said(&self) -> String {
        let log = fs::read(&self.options.log).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
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

    fn ended(&self, status: ExitStatus, said: String) -> ServerError {
        let (node, log) = (self.options.node.clone(), self.options.log.clone());
        ServerError::Ended { node, status, said, log }
    }

    fn refused(&self, what: &'static str, source: io::Error) -> ServerError {
        ServerError::Machine { program: self.options.program.clone(), what, source }
    }

    pub(super) fn expect_within(
        &self,
        since: Instant,
        what: &'static str,
    ) -> Result<(), ServerError> {
        if since.elapsed() > PATIENCE {
            let (node, log) = (self.options.node.clone(), self.options.log.clone());
            return Err(ServerError::TooLate { node, what, waited: PATIENCE, log });
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

/// The first of `count` ports in a row on which nobody listens now. None of those that connections
/// are made from: while the service is down, a client that tries to reach it could be given its very
/// port.
pub fn free_port(count: usize) -> u16 {
    let count = u16::try_from(count).unwrap_or(u16::MAX);
    let is_free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    let are_free = |first: &u16| (*first..*first + count).all(is_free);
    let drawn = std::iter::repeat_with(|| fastrand::u16(10_000..32_000));
    // If none of so many is free, the service says so itself.
    drawn.take(64).find(are_free).unwrap_or(10_000)
}
