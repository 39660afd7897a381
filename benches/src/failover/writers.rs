use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval_at};

use super::client::{Client, SharedLedger};
use super::ledger::Ledger;

/// Clients that order at a steady pace, and one for each node that orders at once when something
/// has happened.
pub(super) struct Writers {
    runtime: Runtime,
    ledger: SharedLedger,
    ends: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
    probes: Vec<Arc<Mutex<Client>>>,
}

/// Longer than anything that is to be measured.
const GIVEN_UP: Duration = Duration::from_secs(30);

impl Writers {
    /// Starts so many writers, one order of each in every `pace`.
    pub(super) fn start(servers: &[SocketAddr], writers: usize, pace: Duration) -> Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let ledger = SharedLedger::default();
        let client = |number: usize, kind: &str| {
            let first = number % servers.len();
            Client::new(servers.to_vec(), first, format!("{kind}{number}"), ledger.clone())
        };
        let ends = Arc::new(AtomicBool::new(false));
        let tasks = (0..writers).map(|number| {
            let shift = pace * number as u32 / writers as u32;
            runtime.spawn(write(client(number, "writer"), pace, shift, ends.clone()))
        });
        let tasks = tasks.collect();
        let probe = |number| Arc::new(Mutex::new(client(number, "probe")));
        let probes = (0..servers.len()).map(probe).collect();
        Ok(Self { runtime, ledger, ends, tasks, probes })
    }

    /// How long it took from `start` until an order was acknowledged that was sent after it;
    /// something has happened to the node `victim` then.
    pub(super) fn first_after(&self, start: Instant, victim: usize) -> Result<Duration> {
        let survivors = self.probes.iter().enumerate().filter(|(number, _)| *number != victim);
        for (number, probe) in survivors {
            let probe = Arc::clone(probe);
            self.runtime.spawn(async move {
                let mut probe = probe.lock().await;
                probe.go_to(number);
                probe.order().await;
            });
        }
        loop {
            let first = self.ledger().first_after(start);
            if let Some(first) = first {
                return Ok(first - start);
            }
            ensure!(start.elapsed() < GIVEN_UP, "nothing was acknowledged for {GIVEN_UP:?}");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// The longest time since `start` without an acknowledgement.
    pub(super) fn longest_pause(&self, start: Instant) -> Duration {
        self.ledger().longest_pause(start)
    }

    /// How many requests have failed so far that had been sent.
    pub(super) fn failed(&self) -> u64 {
        self.ledger().failures.after_sending()
    }

    /// Waits until everything that was sent is acknowledged, and sends nothing more.
    pub(super) fn end(&mut self) -> Result<()> {
        self.ends.store(true, Ordering::Relaxed);
        self.runtime.block_on(async {
            for task in self.tasks.drain(..) {
                task.await?;
            }
            for probe in &self.probes {
                drop(probe.lock().await);
            }
            Ok(())
        })
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn write(mut client: Client, pace: Duration, shift: Duration, ends: Arc<AtomicBool>) {
    let mut ticks = interval_at(tokio::time::Instant::now() + shift, pace);
    // One that was held up goes on with its pace, and does not make up for what it missed.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    while !ends.load(Ordering::Relaxed) {
        ticks.tick().await;
        client.order().await;
    }
}
