//! Calls between the nodes of one process, which the test can lose.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use catga::{
    MemberState, MemberStatus, MembershipChange, MembershipError, NodeName, PeerCalls, PeerError,
    PeerRequests,
};
use catga_host::{BoxFuture, Connection, Host, timeout};
use tokio::sync::oneshot;

use crate::shared_log::SharedLog;

/// What becomes of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// It is not sent, and that is known.
    NotSent,
    /// It is lost on its way, and nobody knows.
    Request,
    /// It is handled, and the answer is lost.
    Answer,
    /// It is handled, and the caller hears nothing until its time is up.
    Silence,
    /// It is handled after so many milliseconds.
    Late(u64),
}

/// Joins the nodes of a [`SharedLog`].
pub struct Switchboard {
    host: Arc<dyn Host>,
    log: SharedLog,
    lines: Mutex<Lines>,
}

#[derive(Default)]
struct Lines {
    handlers: Vec<Option<Arc<dyn PeerRequests>>>,
    losses: VecDeque<Loss>,
    /// In thousandths, how often a call is lost in one way or another.
    chance: u64,
    calls: u64,
}

/// One node's way to the others.
pub struct Line {
    board: Arc<Switchboard>,
    node: usize,
}

impl Switchboard {
    /// A switchboard for the nodes of `log`.
    pub fn new(host: Arc<dyn Host>, log: SharedLog) -> Arc<Self> {
        let lines = Lines { handlers: vec![None; log.names().len()], ..Lines::default() };
        Arc::new(Self { host, log, lines: Mutex::new(lines) })
    }

    /// What becomes of the next calls.
    pub fn lose(&self, losses: impl IntoIterator<Item = Loss>) {
        self.lock().losses.extend(losses);
    }

    /// Loses so many calls of a thousand from now on.
    pub fn lose_by_chance(&self, of_thousand: u64) {
        self.lock().chance = of_thousand;
    }

    /// How many calls were made.
    pub fn calls(&self) -> u64 {
        self.lock().calls
    }

    /// The way of `node` to the others.
    pub fn line(self: &Arc<Self>, node: usize) -> Arc<Line> {
        Arc::new(Line { board: self.clone(), node })
    }

    fn loss(&self) -> Option<Loss> {
        let mut lines = self.lock();
        lines.calls += 1;
        if let Some(loss) = lines.losses.pop_front() {
            return Some(loss);
        }
        let chance = lines.chance;
        drop(lines);
        if chance == 0 || self.host.random() % 1000 >= chance {
            return None;
        }
        let random = self.host.random();
        Some(match random % 4 {
            0 => Loss::NotSent,
            1 => Loss::Request,
            2 => Loss::Answer,
            _ => Loss::Late(random / 4 % 50),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PeerCalls for Line {
    fn call(
        &self,
        to: &NodeName,
        request: Bytes,
        within: Duration,
    ) -> BoxFuture<'static, Result<Bytes, PeerError>> {
        let (board, node) = (self.board.clone(), self.node);
        let names = board.log.names();
        let from = names[node].clone();
        let place = names.iter().position(|name| name == to);
        Box::pin(async move {
            let host = board.host.clone();
            let not_sent = |why: &str| Err(PeerError::NotSent(why.to_owned()));
            let unknown = |why: &str| Err(PeerError::Unknown(why.to_owned()));
            let Some(to) = place else { return not_sent("no such node") };
            // The other end runs meanwhile.
            tokio::task::yield_now().await;
            if !board.log.reaches(node) || !board.log.reaches(to) {
                return not_sent("it is not reached");
            }
            let Some(handler) = board.lock().handlers[to].clone() else {
                return not_sent("it does not serve yet");
            };
            let loss = board.loss();
            match loss {
                Some(Loss::NotSent) => return not_sent("the test wants it"),
                Some(Loss::Request) => return unknown("the request was lost"),
                Some(Loss::Late(ms)) => host.sleep(Duration::from_millis(ms)).await,
                _ => {}
            }
            // On a task of its own: it goes on when the caller has gone.
            let (sender, answer) = oneshot::channel();
            let handled = async move {
                let _ = sender.send(handler.handle(&from, request).await);
            };
            drop(host.spawn("peer", Box::pin(handled)));
            let answer = match timeout(&*host, within, answer).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(_)) => return unknown("the other end is gone"),
                Err(_) => return unknown("no answer in time"),
            };
            match loss {
                Some(Loss::Answer) => unknown("the answer was lost"),
                Some(Loss::Silence) => {
                    host.sleep(within).await;
                    unknown("nothing was heard")
                }
                _ => Ok(answer),
            }
        })
    }

    fn serve(&self, handler: Arc<dyn PeerRequests>) {
        let former = self.board.lock().handlers[self.node].replace(handler);
        drop(former);
    }

    fn members(&self) -> Vec<MemberStatus> {
        let leader = self.board.log.leader();
        let members = self.board.log.names().into_iter().enumerate().map(|(node, name)| {
            let state = match self.board.log.reaches(node) {
                true => MemberState::Available,
                false => MemberState::Unreachable,
            };
            MemberStatus::new(name, state, leader == Some(node))
                .with_endpoint(format!("http://localhost:{}", 5001 + node))
        });
        members.collect()
    }

    fn change(&self, _: MembershipChange) -> BoxFuture<'_, Result<(), MembershipError>> {
        let why = "these peers are always the same".to_owned();
        Box::pin(std::future::ready(Err(MembershipError::Refused(why))))
    }

    fn accept(&self, connection: Connection) -> BoxFuture<'static, ()> {
        // The nodes share memory: nobody connects.
        drop(connection);
        Box::pin(std::future::ready(()))
    }

    fn hand_over(&self) -> BoxFuture<'_, ()> {
        let log = &self.board.log;
        if log.leader() == Some(self.node) {
            let others = (0..log.names().len()).filter(|node| *node != self.node);
            log.elect(others.into_iter().find(|node| log.reaches(*node)));
        }
        Box::pin(std::future::ready(()))
    }
}

impl fmt::Debug for Switchboard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Switchboard").field("log", &self.log).finish_non_exhaustive()
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("node", &self.node).finish_non_exhaustive()
    }
}
