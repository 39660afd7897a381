use std::sync::Arc;
use std::time::Duration;

use catga::prelude::*;
use catga_core::{Offset, ReadLevel};
use catga_host::Host;
use catga_journal::Journal;
use catga_journal::planted::{self, Planted};
use catga_testkit::VirtualHost;
use catga_testkit::disk::Counts;
use fastrand::Rng;
use order_cluster::messages::GetCustomerOrders;
use tokio::sync::Mutex;

use crate::client::{Client, Here};
use crate::history::check_history;
use crate::ledger::Ledger;
use crate::machine::{self, Handle};
use crate::nemesis::{End, plague};
use crate::tuning::Tuning;
use crate::{Exercised, Violation, trio};

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// What everything follows from.
    pub seed: u64,
    /// How many nodes: one, or three that are a cluster.
    pub nodes: Nodes,
    /// How many simulated milliseconds, at least.
    pub ticks: u64,
    /// A bug on purpose, to see that it is caught.
    pub bug: Option<Planted>,
    /// Keep the trace's lines.
    pub lines: bool,
}

/// How many nodes a run has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Nodes {
    /// One, on one machine.
    One,
    /// Three, each on a machine of its own.
    #[default]
    Three,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Run {
    /// What it went through.
    pub exercised: Exercised,
    /// Equal for equal seeds.
    pub trace: u64,
    /// The trace, if it was asked for.
    pub lines: Vec<String>,
    /// The first promise that was not kept.
    pub violation: Option<Violation>,
}

/// Runs nodes through many lives.
pub fn run(plan: Plan) -> Run {
    match plan.nodes {
        Nodes::One => run_one(plan),
        Nodes::Three => trio::run(plan),
    }
}

/// Runs a node through many lives on one machine.
fn run_one(plan: Plan) -> Run {
    planted::plant(plan.bug);
    let run = catga_testkit::run(plan.seed, async |host| {
        if plan.lines {
            host.trace().keep_lines();
        }
        let mut simulation = Simulation::new(&host, plan.seed);
        let verdict = simulation.lives(Duration::from_millis(plan.ticks)).await;
        host.crash().await;
        simulation.report(verdict)
    });
    planted::plant(None);
    run
}

struct Simulation {
    host: Arc<VirtualHost>,
    dice: Rng,
    tuning: Tuning,
    ledger: Arc<Ledger>,
    clients: Vec<Arc<Mutex<Client>>>,
    /// Position and rolling hash of the journal as they were seen last.
    seen: (Offset, u64),
}

impl Simulation {
    fn new(host: &Arc<VirtualHost>, seed: u64) -> Self {
        let mut dice = Rng::with_seed(seed ^ 0x5eed);
        let tuning = Tuning::draw(&mut dice);
        let ledger = Arc::<Ledger>::default();
        let client = |number| {
            let client = Client::new(number, Arc::clone(&ledger), dice.u64(..));
            Arc::new(Mutex::new(client))
        };
        let clients = (0..tuning.clients).map(client).collect();
        host.disk().set_sync_time(tuning.sync_time.clone());
        host.trace().note(format_args!("{tuning:?}"));
        Self { host: Arc::clone(host), dice, tuning, ledger, clients, seen: (Offset::ZERO, 0) }
    }

    async fn lives(&mut self, ticks: Duration) -> Result<(), Violation> {
        while self.host.now() < ticks {
            self.life().await?;
        }
        // Nothing is wrong any more, so it has to serve, and every doubt has an end.
        let (node, handle) = self.start().await?;
        for client in self.clients.clone() {
            client.lock().await.settle(&Here(&node), &*self.host).await?;
        }
        self.check(&node, &handle).await?;
        self.ledger.verdict()?;
        node.shutdown().await;
        let (node, handle) = self.start().await?;
        self.check(&node, &handle).await
    }

    /// One life of the process: it starts, everything is there, it works, and it ends.
    async fn life(&mut self) -> Result<(), Violation> {
        let (node, handle) = self.start().await?;
        self.check(&node, &handle).await?;
        for client in &self.clients {
            let (client, node) = (Arc::clone(client), node.clone());
            let host = Arc::clone(&self.host);
            let work = async move { client.lock().await.work(&node, &*host).await };
            drop(self.host.spawn("client", Box::pin(work)));
        }
        let mut exercised = Exercised::default();
        plague(&self.host, &handle, &self.tuning, &mut self.dice, &mut exercised).await;
        self.ledger.lock().exercised += exercised;
        self.ledger.verdict()?;
        let end = End::draw(&mut self.dice);
        self.host.trace().note(format_args!("{end:?}"));
        self.ledger.lock().exercised.count(end);
        match end {
            End::PowerCut => self.host.power_cut().await,
            End::Kill => self.host.crash().await,
            End::Stop => {
                node.shutdown().await;
                self.host.crash().await;
            }
        }
        self.host.disk().heal();
        self.ledger.verdict()
    }

    async fn start(&mut self) -> Result<(Node, Handle), Violation> {
        let (node, handle) = machine::start(self.host.clone(), &self.tuning)
            .await
            .map_err(|error| Violation::NoStart(error.to_string()))?;
        let progress = handle.log().progress();
        let exercised = &mut self.ledger.lock().exercised;
        exercised.from_checkpoint += u64::from(progress.snapshot.is_some());
        exercised.from_purged_log += u64::from(progress.purged.is_some());
        Ok((node, handle))
    }

    /// Everything that was acknowledged is there, once, as it was answered.
    async fn check(&mut self, node: &Node, handle: &Handle) -> Result<(), Violation> {
        let fault = |fault: Fault| Violation::NotServing(fault.to_string());
        handle.head(ReadLevel::Linearizable).await.map_err(fault)?;
        let (offset, hash) = handle.rolling_hash();
        let (seen, of_seen) = self.seen;
        if offset < seen {
            return Err(Violation::Lost(format!("offset {seen} was applied, now {offset}")));
        }
        if offset == seen && hash != of_seen && seen != Offset::ZERO {
            return Err(Violation::Contradiction(format!("two hashes at {offset}")));
        }
        self.seen = (offset, hash);
        for client in &self.clients {
            let name = client.lock().await.name().to_owned();
            let acknowledged = self.ledger.lock().acknowledged(&name);
            let shown = match node.ask(GetCustomerOrders { customer_id: name.clone() }).await {
                Ok(shown) => shown.orders,
                Err(Failure::Domain(_)) => Vec::new(),
                Err(Failure::Fault(error)) => return Err(fault(error)),
            };
            self.ledger.lock().check(&acknowledged, &shown)?;
        }
        check_history(&**handle).await
    }

    fn report(&self, verdict: Result<(), Violation>) -> Run {
        let trace = self.host.trace();
        let mut exercised = self.ledger.lock().exercised;
        exercised.runs = 1;
        exercised.ticks = u64::try_from(self.host.now().as_millis()).unwrap_or(u64::MAX);
        let counts: Counts = self.host.disk().counts();
        exercised.take(&counts);
        Run { exercised, trace: trace.hash(), lines: trace.lines(), violation: verdict.err() }
    }
}
