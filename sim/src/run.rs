use std::sync::Arc;
use std::time::Duration;

use catga::prelude::*;
use catga_core::{Offset, ReadLevel};
use catga_host::Host;
use catga_journal::Journal;
use catga_journal::observed;
use catga_journal::planted::{self, Planted};
use catga_testkit::disk::Counts;
use catga_testkit::{Trace, VirtualHost};
use fastrand::Rng;
use order_cluster::messages::GetCustomerOrders;
use tokio::sync::Mutex;

use crate::client::{Client, Here};
use crate::history::judge_history;
use crate::invariants::{
    Evaluations, Ground, is_ahead, is_bounded, is_kept, is_shown_once, started,
};
use crate::ledger::Ledger;
use crate::machine::{self, Handle};
use crate::nemesis::{End, plague};
use crate::returning::Returning;
use crate::tuning::Tuning;
use crate::unruly::{Unruly, World};
use crate::watch::Watch;
use crate::{Exercised, Invariant, Violation, trio};

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
    /// The last of what happened before that.
    pub led_to: Vec<String>,
}

impl Run {
    /// How many lines are told that led to a violation.
    const LED_TO: usize = 24;

    /// What came of `plan`, as its trace says.
    pub(crate) fn of(exercised: Exercised, trace: &Trace, verdict: Result<(), Violation>) -> Self {
        let (violation, led_to) = (verdict.err(), Vec::new());
        Self { exercised, trace: trace.hash(), lines: trace.lines(), violation, led_to }
    }

    /// The same, with the lines that led to its violation in `lines`.
    fn with_led_to(mut self, lines: &[String]) -> Self {
        // What ends the run comes after it.
        let is_violation = |line: &String| line.ends_with(VIOLATION);
        let end = lines.iter().position(is_violation).unwrap_or(lines.len());
        // Of what only arrives there is most, and it says least.
        let telling = lines[..end].iter().filter(|line| !line.contains(" chunks, "));
        let telling: Vec<_> = telling.cloned().collect();
        self.led_to = telling[telling.len().saturating_sub(Self::LED_TO)..].to_vec();
        self
    }
}

/// What a trace has at the moment of a violation.
pub(crate) const VIOLATION: &str = "a promise is broken";

/// Runs nodes through many lives.
///
/// One in which a promise is broken runs twice, so that what led to it can be told: lines are kept by
/// nobody else.
pub fn run(plan: Plan) -> Run {
    let first = run_once(plan);
    if first.violation.is_none() {
        return first;
    }
    let lines =
        if plan.lines { first.lines.clone() } else { run_once(Plan { lines: true, ..plan }).lines };
    first.with_led_to(&lines)
}

fn run_once(plan: Plan) -> Run {
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
        observed::observe(Some(simulation.watch.clone()));
        let verdict = simulation.lives(Duration::from_millis(plan.ticks)).await;
        if verdict.is_err() {
            host.trace().note(VIOLATION);
        }
        host.crash().await;
        simulation.report(verdict)
    });
    observed::observe(None);
    planted::plant(None);
    run
}

/// How long the last life has load, before it has to come to rest.
const LAST_LOAD: Duration = Duration::from_millis(500);

struct Simulation {
    host: Arc<VirtualHost>,
    dice: Rng,
    tuning: Tuning,
    ledger: Arc<Ledger>,
    clients: Vec<Arc<Mutex<Client>>>,
    world: Arc<World>,
    unruly: Arc<Mutex<Unruly>>,
    /// Who comes back late, where keys are forgotten soon.
    returning: Option<Arc<Mutex<Returning>>>,
    watch: Arc<Watch>,
    /// Position of the journal as it was seen last.
    seen: Offset,
}

impl Simulation {
    fn new(host: &Arc<VirtualHost>, seed: u64) -> Self {
        let mut dice = Rng::with_seed(seed ^ 0x5eed);
        let tuning = Tuning::draw(&mut dice);
        let ledger = Arc::new(Ledger::new(host.trace()));
        let client = |number| {
            let client = Client::new(number, &tuning, Arc::clone(&ledger), dice.u64(..));
            Arc::new(Mutex::new(client))
        };
        let clients = (0..tuning.clients).map(client).collect();
        host.disk().set_sync_time(tuning.sync_time.clone());
        host.trace().note(format_args!("{tuning:?}"));
        let world = Arc::<World>::default();
        let unruly = Unruly::new(Arc::clone(&ledger), Arc::clone(&world), dice.u64(..));
        let unruly = Arc::new(Mutex::new(unruly));
        let returning = tuning.key_retention.map(|retention| {
            let client = Returning::new(Arc::clone(&ledger), retention, dice.u64(..));
            Arc::new(Mutex::new(client))
        });
        let (watch, host, seen) =
            (Watch::new(&ledger, tuning.engine_limits()), Arc::clone(host), Offset::ZERO);
        Self { host, dice, tuning, ledger, clients, world, unruly, returning, watch, seen }
    }

    async fn lives(&mut self, ticks: Duration) -> Result<(), Violation> {
        while self.host.now() < ticks {
            self.life().await?;
        }
        // Nothing is wrong any more, so it has to serve, and every doubt has an end.
        let (node, handle) = self.start().await?;
        self.send_clients(&node);
        self.host.advance(LAST_LOAD).await;
        self.ledger.close();
        for client in self.clients.clone() {
            client.lock().await.settle(&Here(&node), &*self.host).await?;
        }
        self.tuning.forgets_keys(&*self.host).await;
        self.unruly.lock().await.settle(&[Here(&node)], &*self.host).await?;
        self.check(&node, &handle).await?;
        self.unruly.lock().await.audit(&Here(&node), &*self.host).await?;
        let bytes = self.tuning.turnover_bytes();
        self.unruly.lock().await.fill(&Here(&node), &*self.host, bytes).await?;
        let ground = Ground {
            name: node.name().to_string(),
            host: &self.host,
            node: node.clone(),
            tuning: &self.tuning,
            peers: 0,
            network: None,
        };
        is_bounded(&[ground], &*self.host, &self.ledger).await?;
        self.ledger.verdict()?;
        node.shutdown().await;
        self.watch.replay()?;
        let (node, handle) = self.start().await?;
        self.check(&node, &handle).await?;
        self.ledger.verdict()
    }

    /// One life of the process: it starts, everything is there, it works, and it ends.
    async fn life(&mut self) -> Result<(), Violation> {
        let (node, handle) = self.start().await?;
        self.check(&node, &handle).await?;
        self.send_clients(&node);
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

    /// Has the clients place orders, and the service that misbehaves do so, until the node ends or they
    /// are sent home.
    fn send_clients(&self, node: &Node) {
        for client in &self.clients {
            let (client, node) = (Arc::clone(client), node.clone());
            let host = Arc::clone(&self.host);
            let work = async move { client.lock().await.work(&node, &*host).await };
            drop(self.host.spawn("client", Box::pin(work)));
        }
        if let Some(returning) = &self.returning {
            let (client, node) = (Arc::clone(returning), node.clone());
            let (host, ledger) = (Arc::clone(&self.host), Arc::clone(&self.ledger));
            let work = async move {
                let mut client = client.lock().await;
                while ledger.verdict().is_ok() && !ledger.is_closed() && node.is_running() {
                    if let Err(violation) = client.step(&Here(&node), &*host).await {
                        return ledger.accuse(violation);
                    }
                    client.pause(&*host).await;
                }
            };
            drop(self.host.spawn("returning", Box::pin(work)));
        }
        let (unruly, node) = (Arc::clone(&self.unruly), node.clone());
        let (host, ledger) = (Arc::clone(&self.host), Arc::clone(&self.ledger));
        let work = async move {
            let mut unruly = unruly.lock().await;
            while ledger.verdict().is_ok() && !ledger.is_closed() && node.is_running() {
                if let Err(violation) = unruly.step(&Here(&node)).await {
                    return ledger.accuse(violation);
                }
                unruly.pause(&*host).await;
            }
        };
        drop(self.host.spawn("unruly", Box::pin(work)));
    }

    async fn start(&mut self) -> Result<(Node, Handle), Violation> {
        let start = machine::start(self.host.clone(), &self.tuning, &self.world).await;
        let failed = start.as_ref().err().map(ToString::to_string);
        started(&mut self.ledger.lock().exercised.evaluated, failed)?;
        let (node, handle) = start.expect("that it failed was a violation");
        let progress = handle.log().progress();
        let exercised = &mut self.ledger.lock().exercised;
        exercised.from_checkpoint += u64::from(progress.snapshot.is_some());
        exercised.from_purged_log += u64::from(progress.purged.is_some());
        Ok((node, handle))
    }

    /// Everything that was acknowledged is there, once, as it was answered.
    async fn check(&mut self, node: &Node, handle: &Handle) -> Result<(), Violation> {
        let fault = |fault: Fault| Invariant::Liveness.broken(fault.to_string());
        handle.head(ReadLevel::Linearizable).await.map_err(fault)?;
        let place = handle.rolling_hash();
        is_ahead(&mut self.ledger.lock(), self.seen, place.0)?;
        self.watch.stands(|| "it".to_owned(), place);
        self.seen = place.0;
        for client in &self.clients {
            let name = client.lock().await.name().to_owned();
            let acknowledged = self.ledger.lock().acknowledged(&name);
            let shown = match node.ask(GetCustomerOrders { customer_id: name.clone() }).await {
                Ok(shown) => shown.orders,
                Err(Failure::Domain(_)) => Vec::new(),
                Err(Failure::Fault(error)) => return Err(fault(error)),
            };
            let known = &mut self.ledger.lock();
            is_shown_once(known, &shown)?;
            is_kept(known, &acknowledged, &shown)?;
        }
        let evaluated = &mut Evaluations::default();
        let judged = judge_history(&**handle, evaluated).await;
        self.ledger.lock().exercised.evaluated += *evaluated;
        judged.unwrap_or_else(|fault| Err(Invariant::OneOrder.broken(fault.to_string())))
    }

    fn report(&self, verdict: Result<(), Violation>) -> Run {
        let trace = self.host.trace();
        let mut exercised = self.ledger.lock().exercised;
        exercised.runs = 1;
        exercised.ticks = u64::try_from(self.host.now().as_millis()).unwrap_or(u64::MAX);
        let counts: Counts = self.host.disk().counts();
        exercised.take(&counts);
        exercised.keys_used_again = self.watch.keys_used_again();
        exercised.evaluated += self.watch.evaluated();
        exercised.misdeeds(&self.world.lock());
        Run::of(exercised, &trace, verdict)
    }
}
