use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::StatusCode;
use tokio::task::JoinSet;

use super::ledger::create;
use crate::client::{Answer, Client, NoAnswer};
use crate::fleet::{Server, ServerError, Servers};

/// How long clients are at work before the first restart, and between two.
const BETWEEN: Duration = Duration::from_millis(500);

/// How long a client waits that nobody will have, before it asks the next node.
const ROUND: Duration = Duration::from_millis(10);

/// What a rolling restart was like for those whom the service serves.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Rolled {
    /// Nodes that were stopped in order and started again.
    pub restarts: usize,
    /// Requests that were answered as they should be.
    pub answered: usize,
    /// Times that a node was not there, or said that it did not take the request: the client went
    /// on to the next.
    pub sent_elsewhere: usize,
    /// Requests that ended otherwise: what each of them met.
    pub failed: Vec<String>,
    /// The longest time in which nobody was answered.
    pub longest_pause: Duration,
}

impl fmt::Display for Rolled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} restarts, {} requests answered, {} sent elsewhere, {} failed; longest pause {:?}",
            self.restarts,
            self.answered,
            self.sent_elsewhere,
            self.failed.len(),
            self.longest_pause
        )
    }
}

/// Restarts each of `servers` in order, `rounds` times, while `clients` place orders at all of them,
/// and never send one again that a node may have taken.
///
/// # Errors
/// When a node does not stop in order, or does not start again.
///
/// # Cancel safety
/// Dropping the future ends the clients, and leaves a node as it is.
pub async fn roll(
    servers: &mut Servers,
    clients: usize,
    rounds: usize,
) -> Result<Rolled, ServerError> {
    restart(servers, clients, rounds, |_| {}).await
}

/// Has each of `servers` in order be one of `program` from its next start on, while `clients` place
/// orders as for [`roll`].
///
/// # Errors
/// As for [`roll`].
///
/// # Cancel safety
/// As for [`roll`].
pub async fn upgrade(
    servers: &mut Servers,
    clients: usize,
    program: &Path,
) -> Result<Rolled, ServerError> {
    restart(servers, clients, 1, |server| server.replace(program)).await
}

async fn restart(
    servers: &mut Servers,
    clients: usize,
    rounds: usize,
    prepare: impl Fn(&mut Server),
) -> Result<Rolled, ServerError> {
    let all = servers.addresses();
    let shared = Arc::new(Shared::default());
    let mut at_work = JoinSet::new();
    for number in 0..clients {
        let (behind, ahead) = all.split_at(number % all.len());
        at_work.spawn(shop([ahead, behind].concat(), number, Arc::clone(&shared)));
    }
    let mut restarts = 0;
    for _ in 0..rounds {
        for number in 0..all.len() {
            tokio::time::sleep(BETWEEN).await;
            let server = servers.one(number);
            server.stop().await?;
            prepare(server);
            server.spawn()?;
            server.until_ready().await?;
            restarts += 1;
        }
    }
    tokio::time::sleep(BETWEEN).await;
    shared.closed.store(true, Ordering::Release);
    while at_work.join_next().await.is_some() {}
    let counts = shared.lock();
    Ok(Rolled { restarts, ..counts.rolled.clone() })
}

#[derive(Debug, Default)]
struct Shared {
    closed: AtomicBool,
    /// Locked for a count.
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    rolled: Rolled,
    last: Option<Instant>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Places orders, one after the other, each at the node that takes it.
async fn shop(servers: Vec<SocketAddr>, number: usize, shared: Arc<Shared>) {
    let count = servers.len();
    let mut client = Client::new(servers);
    let (customer, mut placed) = (format!("roll-{number}"), 0);
    while !shared.closed.load(Ordering::Acquire) {
        placed += 1;
        let call = create(&format!("{customer}-{placed}"), 1, &customer);
        let mut refused = 0;
        loop {
            let by = client.server();
            let answer = client.send(&call).await;
            if shared.lock().count(by, answer) {
                break;
            }
            refused += 1;
            if refused % count == 0 {
                // Nobody has it now, as while leadership moves.
                tokio::time::sleep(ROUND).await;
            }
        }
    }
}

impl Counts {
    /// Counts what became of a request at `by`; true if that is the end of it.
    fn count(&mut self, by: SocketAddr, answer: Result<Answer, NoAnswer>) -> bool {
        let failed = match answer {
            Ok(answer) if answer.status == StatusCode::CREATED => {
                self.answered();
                return true;
            }
            // Both prove that nobody has taken it.
            Err(NoAnswer::NoConnection(_)) => None,
            Ok(answer) if answer.status == StatusCode::SERVICE_UNAVAILABLE => None,
            Ok(answer) => {
                let body = String::from_utf8_lossy(&answer.body).into_owned();
                Some(format!("{by}: {} {body}", answer.status))
            }
            Err(why) => Some(format!("{by}: {why}")),
        };
        self.rolled.sent_elsewhere += usize::from(failed.is_none());
        let is_failed = failed.is_some();
        self.rolled.failed.extend(failed);
        is_failed
    }

    fn answered(&mut self) {
        let now = Instant::now();
        let pause = self.last.replace(now).map_or(Duration::ZERO, |last| now - last);
        self.rolled.longest_pause = self.rolled.longest_pause.max(pause);
        self.rolled.answered += 1;
    }
}
