use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use catga_core::Offset;
use catga_host::{Host, timeout};

use super::ledger::{Answer, Ledger};
use super::{LogHarness, Recorder, Violation};
use crate::{AppendError, Log, LogIndex, Watermark};

/// A harness with what a check knows of it.
pub(super) struct Rig<H: LogHarness> {
    pub(super) harness: H,
    pub(super) recorder: Recorder,
    pub(super) ledger: Ledger,
    pub(super) host: Arc<dyn Host>,
    /// By node: raised by one with each crash, so that nobody waits for a dead node's answer.
    crashes: Vec<Arc<Watermark>>,
}

/// The log of a running node, with what a task needs that appends to it.
pub(super) struct Client<L> {
    log: Arc<L>,
    host: Arc<dyn Host>,
    ledger: Ledger,
    patience: Duration,
    crashes: Arc<Watermark>,
    life: Offset,
    node: usize,
}

impl<H: LogHarness> Rig<H> {
    /// Opens the harness and waits until it takes entries.
    pub(super) async fn open(mut harness: H) -> Result<Self, Violation> {
        let recorder = Recorder::default();
        harness.open(&recorder).await;
        let crashes = (0..harness.nodes()).map(|_| Arc::default()).collect();
        let rig =
            Self { host: harness.host(), harness, recorder, ledger: Ledger::default(), crashes };
        rig.acknowledge().await?;
        Ok(rig)
    }

    pub(super) fn nodes(&self) -> usize {
        self.harness.nodes()
    }

    /// Appends through `node`; none while it is crashed.
    pub(super) fn client(&self, node: usize) -> Option<Client<H::Log>> {
        Some(Client {
            log: self.harness.log(node)?,
            host: Arc::clone(&self.host),
            ledger: self.ledger.clone(),
            patience: self.harness.patience(),
            crashes: Arc::clone(&self.crashes[node]),
            life: self.crashes[node].get(),
            node,
        })
    }

    /// The node that leads, once there is one.
    pub(super) async fn leader(&self) -> Result<usize, Violation> {
        self.until(3, "a node leads", || self.harness.leader().is_some()).await?;
        let leader = self.harness.leader();
        leader.ok_or_else(|| Violation::new(3, "no node leads for long"))
    }

    /// Appends new entries, through whoever leads, until one is acknowledged.
    pub(super) async fn acknowledge(&self) -> Result<(Bytes, LogIndex), Violation> {
        // Twice, since one append to a leader that was lost may take all of it to be in doubt.
        let deadline = self.host.now() + 2 * self.harness.patience();
        while self.host.now() < deadline {
            if let Some(leader) = self.harness.leader()
                && let Some(client) = self.client(leader)
            {
                let entry = self.ledger.entry(16);
                if let Answer::Acknowledged(index) = client.append(&entry).await? {
                    return Ok((entry, index));
                }
            }
            self.host.sleep(PAUSE).await;
        }
        Err(Violation::new(3, "no entry is acknowledged within the patience"))
    }

    pub(super) async fn acknowledge_many(&self, count: usize) -> Result<(), Violation> {
        for _ in 0..count {
            self.acknowledge().await?;
        }
        Ok(())
    }

    pub(super) async fn crash(&mut self, node: usize) {
        self.harness.crash(node).await;
        let crashes = &self.crashes[node];
        crashes.advance(crashes.get().next());
    }

    pub(super) async fn restart(&mut self, node: usize) {
        self.harness.restart(node, &self.recorder).await;
    }

    /// Waits until every node holds everything acknowledged so far.
    pub(super) async fn caught_up(&self) -> Result<(), Violation> {
        let (last, _) = self.acknowledge().await?;
        for node in 0..self.nodes() {
            self.until(3, &format!("node {node} holds what was acknowledged"), || {
                self.recorder.holds(node, &last)
            })
            .await?;
        }
        Ok(())
    }

    /// Brings all nodes up to date and holds what they were given against what callers heard.
    pub(super) async fn judge(&mut self) -> Result<(), Violation> {
        self.caught_up().await?;
        self.ledger.judge(&self.recorder, self.nodes())
    }

    /// Waits until `condition` holds; else promise number `guarantee` is broken.
    pub(super) async fn until(
        &self,
        guarantee: u8,
        what: &str,
        condition: impl Fn() -> bool,
    ) -> Result<(), Violation> {
        let deadline = self.host.now() + self.harness.patience();
        while !condition() {
            if self.host.now() >= deadline {
                let what = format!("not within the patience: {what}");
                return Err(Violation::new(guarantee, what));
            }
            self.host.sleep(PAUSE).await;
        }
        Ok(())
    }
}

/// Between two looks at a condition: short against a round trip, long against a look.
pub(super) const PAUSE: Duration = Duration::from_millis(1);

impl<L: Log> Client<L> {
    /// The node beneath.
    pub(super) fn node(&self) -> usize {
        self.node
    }

    /// Appends `entry` and notes the answer.
    ///
    /// # Errors
    /// When the node runs on and does not answer in bounded time.
    pub(super) async fn append(&self, entry: &Bytes) -> Result<Answer, Violation> {
        let answer = match self.unless_crashed(self.log.append(entry.clone())).await {
            Some(Ok(Ok(index))) => Answer::Acknowledged(index),
            Some(Ok(Err(AppendError::Refused(_)))) => Answer::Refused,
            Some(Ok(Err(AppendError::InDoubt(_)))) | None => Answer::Unknown,
            Some(Err(Elapsed)) => {
                let what = format!("node {} does not answer an append", self.node);
                return Err(Violation::new(5, what));
            }
        };
        self.ledger.answered(entry, answer);
        Ok(answer)
    }

    /// Asks for a read index and holds it against what was acknowledged before; none if the node
    /// could not confirm one.
    ///
    /// # Errors
    /// When it does not cover that, or the node does not answer in bounded time.
    pub(super) async fn read_index(&self) -> Result<Option<LogIndex>, Violation> {
        let acknowledged = self.ledger.highest();
        match self.unless_crashed(self.log.read_index()).await {
            Some(Ok(Ok(index))) if index >= acknowledged => Ok(Some(index)),
            Some(Ok(Ok(index))) => {
                let node = self.node;
                let what = format!("node {node} read {index:?} after {acknowledged:?} was acked");
                Err(Violation::new(7, what))
            }
            Some(Ok(Err(_))) | None => Ok(None),
            Some(Err(Elapsed)) => {
                let what = format!("node {} does not answer a read index", self.node);
                Err(Violation::new(7, what))
            }
        }
    }

    /// What `answer` brings; none if the node crashes before.
    async fn unless_crashed<T>(
        &self,
        answer: impl Future<Output = T>,
    ) -> Option<Result<T, Elapsed>> {
        let mut crash = pin!(self.crashes.reach(self.life.next()));
        let mut answer = pin!(timeout(&*self.host, self.patience, answer));
        poll_fn(|cx| {
            if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
                return Poll::Ready(Some(answer.map_err(|_| Elapsed)));
            }
            crash.as_mut().poll(cx).map(|_| None)
        })
        .await
    }
}

/// The patience was over.
struct Elapsed;
