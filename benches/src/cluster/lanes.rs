//! Who takes turns: the clients of our nodes and those of the other stores.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use tokio::runtime::{Builder, Runtime};

use super::over_http;
#[cfg(feature = "rivals")]
use super::rivals::Rivals;
use super::{
    BY_TLS, CLIENTS, READ_HTTP, READ_LINEARIZABLE, READ_LOCAL, READERS, REMOTE, WRITE_FOLLOWER,
    WRITE_HTTP, WRITE_LEADER, WRITE_LEADER_TLS,
};
use crate::harness::{Figures, Lane, Options};
use crate::trio::{Load, NODES, Timing, Trio, Work};

/// Everything that runs while it is measured.
pub(super) struct Stage {
    time: Duration,
    /// Of clients by HTTP and of other stores: one thread is enough to keep their servers busy.
    runtime: Runtime,
    nodes: RefCell<Nodes>,
    #[cfg(feature = "rivals")]
    rivals: Rivals,
}

/// Our nodes, new in each round, so that none pays for all that was ordered before.
type Nodes = Option<Trio>;

impl Stage {
    pub(super) fn set(options: &Options) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self {
            time: Duration::from_millis(options.pick(700, 2500)),
            nodes: RefCell::default(),
            #[cfg(feature = "rivals")]
            rivals: Rivals::start(&runtime, options)?,
            runtime,
        })
    }

    /// Which subjects are missing, and why.
    pub(super) fn missing(&self) -> &[String] {
        #[cfg(feature = "rivals")]
        return self.rivals.missing();
        #[cfg(not(feature = "rivals"))]
        return &[];
    }

    /// All lanes; those of one number of clients stand together.
    pub(super) fn lanes(&self, options: &Options) -> Vec<Lane<'_>> {
        let mut lanes = Vec::new();
        for clients in CLIENTS {
            #[cfg(feature = "rivals")]
            if REMOTE.contains(&clients) {
                let rivals = self.rivals.lanes(&self.runtime, clients, self.time);
                lanes.extend(rivals.into_iter().map(|lane| self.without_nodes(lane)));
            }
            let mut lane = |case: &str, settings, round| {
                let (case, clients) = (case.to_owned(), Some(clients));
                lanes.push(Lane { case, subject: "catga", settings, clients, round });
            };
            if clients == BY_TLS {
                lane(WRITE_LEADER_TLS, "three nodes", self.by_tls(clients));
            }
            // The first in a round of our nodes that stay.
            lane(WRITE_LEADER, "three nodes", self.afresh(clients));
            lane(WRITE_FOLLOWER, "", self.in_process(Work::Write, clients, 1));
            if REMOTE.contains(&clients) && clients != 16 {
                lane(WRITE_HTTP, "", self.over_http(over_http::write, clients));
            }
            if READERS.contains(&clients) {
                lane(READ_LOCAL, "", self.in_process(Work::ReadLocal, clients, 0));
                lane(READ_LINEARIZABLE, "", self.in_process(Work::ReadLinearizable, clients, 0));
                lane(READ_HTTP, "", self.over_http(over_http::read, clients));
            }
        }
        lanes.retain(|lane| options.wants(lane.subject));
        lanes
    }

    /// Clients in the process of the node that comes so many after the leader.
    fn in_process(
        &self,
        work: Work,
        clients: usize,
        after: usize,
    ) -> Box<dyn FnMut() -> Result<Figures> + '_> {
        let load = Load { work, clients, ms: self.time.as_millis() as u64 };
        Box::new(move || self.with_leader(|trio, leader| trio.load((leader + after) % NODES, load)))
    }

    fn over_http(
        &self,
        work: fn(&Runtime, SocketAddr, usize, Duration) -> Result<Figures>,
        clients: usize,
    ) -> Box<dyn FnMut() -> Result<Figures> + '_> {
        Box::new(move || {
            self.with_leader(|trio, leader| {
                work(&self.runtime, trio.address(leader), clients, self.time)
            })
        })
    }

    /// The lane of another store: our nodes do not run meanwhile, whatever they have left to do.
    #[cfg(feature = "rivals")]
    fn without_nodes<'a>(&'a self, lane: Lane<'a>) -> Lane<'a> {
        let mut round = lane.round;
        let alone = move || {
            *self.nodes.borrow_mut() = None;
            round()
        };
        Lane { round: Box::new(alone), ..lane }
    }

    /// Clients on the leader of new nodes.
    fn afresh(&self, clients: usize) -> Box<dyn FnMut() -> Result<Figures> + '_> {
        let mut round = self.in_process(Work::Write, clients, 0);
        Box::new(move || {
            *self.nodes.borrow_mut() = None;
            round()
        })
    }

    /// Clients on the leader of nodes that meet by TLS, which are there for this alone.
    fn by_tls(&self, clients: usize) -> Box<dyn FnMut() -> Result<Figures> + '_> {
        let load = Load { work: Work::Write, clients, ms: self.time.as_millis() as u64 };
        Box::new(move || {
            *self.nodes.borrow_mut() = None;
            let mut trio = Trio::start_with_tls(Timing::Usual)?;
            let leader = trio.leader()?;
            trio.load(leader, load)
        })
    }

    fn with_leader<T>(&self, work: impl FnOnce(&mut Trio, usize) -> Result<T>) -> Result<T> {
        let mut nodes = self.nodes.borrow_mut();
        let trio = match nodes.take() {
            Some(trio) => trio,
            None => Trio::start(Timing::Usual)?,
        };
        let trio = nodes.insert(trio);
        let leader = trio.leader()?;
        work(trio, leader)
    }
}
