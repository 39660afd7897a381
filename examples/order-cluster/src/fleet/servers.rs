use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::server::{LOOK, PATIENCE, PORTS, free_port};
use super::{Server, ServerError, ServerOptions, Status};

/// The processes that are one service: one alone, or the members of a cluster.
#[derive(Debug)]
pub struct Servers(Vec<Server>);

impl Servers {
    /// Processes on ports in a row from `first` on, a cluster if they are several; none is started
    /// yet.
    ///
    /// # Panics
    /// If the ports would not be ports.
    pub fn new(options: Vec<ServerOptions>, first: u16) -> Self {
        let alone = options.len() == 1;
        let port = |number: usize| {
            let after = u16::try_from(number).ok().and_then(|number| first.checked_add(number));
            after.expect("ports end at 65535")
        };
        let all: Arc<[SocketAddr]> = options
            .iter()
            .enumerate()
            .map(|(number, options)| (options.host, port(number)).into())
            .collect();
        let server = |(number, options): (usize, ServerOptions)| match alone {
            true => Server::alone(options, port(number)),
            false => Server::member(options, port(number), Arc::clone(&all)),
        };
        Self(options.into_iter().enumerate().map(server).collect())
    }

    /// Starts processes on ports that are free, and waits until all are ready.
    ///
    /// # Errors
    /// When one cannot be started, or ends by itself.
    ///
    /// # Cancel safety
    /// Dropping the future kills the processes.
    pub async fn start(options: Vec<ServerOptions>) -> Result<Self, ServerError> {
        let mut left = PORTS;
        loop {
            let mut servers = Self::new(options.clone(), free_port(options.len()));
            servers.spawn()?;
            left -= 1;
            match servers.until_ready().await {
                // Somebody else has taken a port between the look and the start.
                Err(error) if left > 0 && error.is_port_taken() => {}
                Err(error) => return Err(error),
                Ok(()) => return Ok(servers),
            }
        }
    }

    /// Those that somebody has taken apart with [`into_all`](Self::into_all).
    pub fn of(all: Vec<Server>) -> Self {
        Self(all)
    }

    /// Each for itself.
    pub fn into_all(self) -> Vec<Server> {
        self.0
    }

    /// Where they listen.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.0.iter().map(Server::address).collect()
    }

    /// All of them.
    pub fn all(&self) -> &[Server] {
        &self.0
    }

    /// One of them.
    ///
    /// # Panics
    /// If there is none of that number.
    pub fn one(&mut self, number: usize) -> &mut Server {
        &mut self.0[number]
    }

    /// Starts all processes, and does not wait until they are ready.
    ///
    /// # Errors
    /// When the machine refuses.
    pub fn spawn(&mut self) -> Result<(), ServerError> {
        self.0.iter_mut().try_for_each(Server::spawn)
    }

    /// Waits until all are ready.
    ///
    /// # Errors
    /// When one ends instead, or takes too long.
    ///
    /// # Cancel safety
    /// Nothing is lost: ask again.
    pub async fn until_ready(&mut self) -> Result<(), ServerError> {
        let since = Instant::now();
        loop {
            let mut late = None;
            for (number, server) in self.0.iter_mut().enumerate() {
                if !server.is_ready().await? {
                    late = Some(number);
                }
            }
            let Some(late) = late else { return Ok(()) };
            self.0[late].expect_within(since, "become ready")?;
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Looks whether all still run.
    ///
    /// # Errors
    /// When one has ended.
    pub fn check(&mut self) -> Result<(), ServerError> {
        self.0.iter_mut().try_for_each(Server::check)
    }

    /// What those say who say something at once, by their numbers.
    ///
    /// # Cancel safety
    /// Nothing is lost: ask again.
    pub async fn statuses(&self) -> Vec<(usize, Status)> {
        let mut said = Vec::new();
        for (number, server) in self.0.iter().enumerate() {
            said.extend(server.status().await.map(|status| (number, status)));
        }
        said
    }

    /// Who leads and in which term, as it says itself; waits until one does.
    ///
    /// # Errors
    /// When none does for long.
    ///
    /// # Cancel safety
    /// Nothing is lost: ask again.
    pub async fn leader(&self) -> Result<(usize, u64), ServerError> {
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            let said = self.statuses().await;
            let leaders = said.iter().filter(|(_, status)| status.is_leader);
            // One that was deposed may not know it yet.
            if let Some((number, status)) = leaders.max_by_key(|(_, status)| status.term) {
                return Ok((*number, status.term));
            }
            tokio::time::sleep(LOOK).await;
        }
        Err(ServerError::NoLeader { waited: PATIENCE })
    }

    /// Kills those with these numbers, all at once: nothing more of them happens after this returns.
    ///
    /// # Errors
    /// When the machine refuses.
    pub fn kill(&mut self, numbers: &[usize]) -> Result<(), ServerError> {
        for number in numbers {
            self.0[*number].begin_kill()?;
        }
        numbers.iter().try_for_each(|number| self.0[*number].kill())
    }

    /// Asks all to stop (SIGTERM), at once, so that each finishes what is under way while the others
    /// are still there; and waits until they have.
    ///
    /// # Errors
    /// When one does not end well, or in time.
    ///
    /// # Cancel safety
    /// Dropping the future leaves them stopping.
    pub async fn stop(&mut self) -> Result<(), ServerError> {
        self.0.iter_mut().try_for_each(Server::begin_stop)?;
        let mut stopped = Ok(());
        for server in &mut self.0 {
            stopped = stopped.and(server.until_stopped().await);
        }
        stopped
    }
}
