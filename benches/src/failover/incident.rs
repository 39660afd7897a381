use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::process::Signal;

use super::writers::Writers;
use crate::trio::Trio;

/// What an incident did.
#[derive(Clone, Copy, Debug)]
pub(super) struct Happened {
    /// How long nobody was answered.
    pub(super) took: Duration,
    /// How many requests failed meanwhile that had been sent.
    pub(super) failed: u64,
}

/// What happens to the leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Incident {
    /// Its process is killed; its links close.
    Kill,
    /// Its process is stopped; its links stay open.
    Stop,
    /// It is asked to end.
    Drain,
}

impl Incident {
    pub(super) fn case(self) -> &'static str {
        match self {
            Self::Kill => "kill/first-ack",
            Self::Stop => "stop/first-ack",
            Self::Drain => "drain/first-ack",
        }
    }

    /// Lets it happen to `leader`, and puts it right.
    pub(super) fn happen(
        self,
        trio: &mut Trio,
        leader: usize,
        writers: &Writers,
    ) -> Result<Happened> {
        let (start, failed) = (Instant::now(), writers.failed());
        let (took, failed_by_then) = match self {
            Self::Kill => {
                trio.node(leader).signal(Signal::KILL)?;
                let took = writers.first_after(start, leader)?;
                (took, writers.failed())
            }
            Self::Stop => {
                trio.node(leader).signal(Signal::STOP)?;
                let took = writers.first_after(start, leader);
                trio.node(leader).signal(Signal::CONT)?;
                (took?, writers.failed())
            }
            Self::Drain => {
                trio.node(leader).signal(Signal::TERM)?;
                let end = trio.node(leader).ended()?;
                anyhow::ensure!(end.success(), "a node that was asked to end ended with {end}");
                // What was sent before its end may be answered a little later.
                thread::sleep(Duration::from_millis(100));
                (writers.longest_pause(start), writers.failed())
            }
        };
        if self != Self::Stop {
            trio.restart(leader)?;
        }
        Ok(Happened { took, failed: failed_by_then - failed })
    }
}
