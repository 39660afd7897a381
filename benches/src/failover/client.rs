use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::error::Elapsed;
use tokio::time::{sleep, timeout};

use super::ledger::Ledger;
use crate::edge::connection::Connection;
use crate::edge::requests;
use crate::orders::{CreateOrder, Order};

/// What all clients write into.
pub(super) type SharedLedger = Arc<Mutex<Ledger>>;

/// Orders by HTTP, and tries again at the next server for as long as it takes.
pub(super) struct Client {
    servers: Vec<SocketAddr>,
    /// Which server is asked now.
    at: usize,
    connection: Option<Connection>,
    /// For whom it orders; nobody else does.
    customer: String,
    /// How many orders it has made.
    made: u64,
    ledger: SharedLedger,
}

/// How long it waits for an answer before it asks elsewhere.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long it waits before it tries again.
const BREATH: Duration = Duration::from_millis(1);

/// How an attempt ended that is to be made again.
enum Failed {
    TurnedAway,
    Broken,
    /// By this status.
    Refused(String),
}

impl Client {
    /// A client that begins with server number `first`.
    pub(super) fn new(
        servers: Vec<SocketAddr>,
        first: usize,
        customer: String,
        ledger: SharedLedger,
    ) -> Self {
        Self { servers, at: first, connection: None, customer, made: 0, ledger }
    }

    /// Places an order and writes it down once it is acknowledged.
    pub(super) async fn order(&mut self) {
        self.made += 1;
        let key = format!("{}-{}", self.customer, self.made);
        let command =
            CreateOrder { customer_id: self.customer.clone(), ..CreateOrder::sample(self.made) };
        let request = requests::post("/orders", &command, Some(&key));
        let sent = Instant::now();
        loop {
            let answer = timeout(PATIENCE, self.attempt(&request)).await;
            if self.note(answer, sent) {
                return;
            }
            self.go_to(self.at + 1);
            sleep(BREATH).await;
        }
    }

    /// Writes down how an attempt ended; true if the order is acknowledged.
    fn note(&self, answer: Result<Result<Order, Failed>, Elapsed>, sent: Instant) -> bool {
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Ok(Ok(order)) => {
                ledger.acknowledge(&self.customer, sent, order.order_id);
                return true;
            }
            Ok(Err(Failed::TurnedAway)) => ledger.failures.turned_away += 1,
            Ok(Err(Failed::Broken)) => ledger.failures.broken += 1,
            Ok(Err(Failed::Refused(status))) => {
                *ledger.failures.refused.entry(status).or_default() += 1;
            }
            Err(_) => ledger.failures.late += 1,
        }
        false
    }

    /// Asks that server from now on.
    pub(super) fn go_to(&mut self, server: usize) {
        let server = server % self.servers.len();
        if server != self.at {
            self.connection = None;
        }
        self.at = server;
    }

    async fn attempt(&mut self, request: &[u8]) -> Result<Order, Failed> {
        let kept = self.connection.take().filter(Connection::is_open);
        let mut connection = match kept {
            Some(connection) => connection,
            None => {
                let opened = Connection::open(self.servers[self.at]).await;
                opened.map_err(|_| Failed::TurnedAway)?
            }
        };
        let answer = connection.exchange(request).await.map_err(|_| Failed::Broken)?;
        if !answer.is_success() {
            return Err(Failed::Refused(answer.status().to_owned()));
        }
        let closes = answer.header("connection").is_some_and(|what| what == "close");
        let order = serde_json::from_slice(answer.body).map_err(|_| Failed::Broken)?;
        self.connection = Some(connection).filter(|_| !closes);
        Ok(order)
    }
}
