//! Three whole nodes as one cluster: each on a machine of its own, with a network between them.
//!
//! Clients send to any node and ask another one when nobody answers. Meanwhile nodes are killed,
//! lose their power, stand still, are cut off, drain; links break and slow down, clocks jump, disks
//! are slow, full, rotten and fail. All the time a [`Watch`] sees what the nodes do; at the end, when nothing
//! is wrong any more, the cluster has to serve, and every node to show everything, to hold no more
//! than it should, and to stop in order.

mod builds;
mod ending;
mod nemesis;
mod replacing;
mod rot;
mod site;
mod visit;

use std::sync::Arc;
use std::time::Duration;

use catga_host::Host;
use catga_journal::{observed, planted};
use catga_testkit::VirtualHost;
use catga_testkit::network::SimNetwork;
use fastrand::Rng;
use tokio::sync::Mutex;

use self::builds::Builds;
use self::nemesis::Nemesis;
use self::site::Site;
use crate::client::Client;
use crate::invariants::must;
use crate::ledger::Ledger;
use crate::returning::Returning;
use crate::run::{Plan, Run, VIOLATION};
use crate::tuning::Tuning;
use crate::unruly::{Unruly, World};
use crate::watch::Watch;
use crate::{Exercised, Violation};

/// How many nodes there are.
const NODES: usize = 3;

/// Runs a cluster of three nodes.
pub(crate) fn run(plan: Plan) -> Run {
    planted::plant(plan.bug);
    let run = catga_testkit::run(plan.seed, async |host| {
        if plan.lines {
            host.trace().keep_lines();
        }
        let mut trio = Trio::new(&host, plan.seed);
        observed::observe(Some(trio.watch.clone()));
        let verdict = trio.live(Duration::from_millis(plan.ticks)).await;
        if verdict.is_err() {
            host.trace().note(VIOLATION);
        }
        for site in &*trio.sites {
            site.host.crash().await;
        }
        host.crash().await;
        trio.report(verdict)
    });
    observed::observe(None);
    planted::plant(None);
    run
}

struct Trio {
    host: Arc<VirtualHost>,
    network: SimNetwork,
    sites: Arc<[Site]>,
    dice: Rng,
    tuning: Tuning,
    ledger: Arc<Ledger>,
    clients: Vec<Arc<Mutex<Client>>>,
    world: Arc<World>,
    unruly: Arc<Mutex<Unruly>>,
    watch: Arc<Watch>,
}

impl Trio {
    fn new(host: &Arc<VirtualHost>, seed: u64) -> Self {
        let mut dice = Rng::with_seed(seed ^ 0x7472_696f);
        let tuning = Tuning::draw(&mut dice);
        host.trace().note(format_args!("{tuning:?}"));
        let network = SimNetwork::new(dice.u64(..), host.trace());
        let world = Arc::<World>::default();
        let site = |number| Site::new(number, dice.u64(..), &network, &tuning, &world);
        let sites: Arc<[Site]> = (0..NODES).map(site).collect();
        let ledger = Arc::new(Ledger::new(host.trace()));
        let client = |number| {
            let client = Client::new(number, &tuning, Arc::clone(&ledger), dice.u64(..));
            Arc::new(Mutex::new(client))
        };
        let clients = (0..tuning.clients).map(client).collect();
        let unruly = Unruly::new(Arc::clone(&ledger), Arc::clone(&world), dice.u64(..));
        let unruly = Arc::new(Mutex::new(unruly));
        let watch = Watch::new(&ledger, tuning.engine_limits());
        let host = Arc::clone(host);
        Self { host, network, sites, dice, tuning, ledger, clients, world, unruly, watch }
    }

    async fn live(&mut self, ticks: Duration) -> Result<(), Violation> {
        let builds = Builds::draw(&mut self.dice, ticks);
        for site in &*self.sites {
            site.build(builds.version(site.number));
            site.start(&self.tuning);
        }
        let watching = self.watch();
        self.send_clients();
        self.send_unruly();
        self.send_returning();
        // Mostly what happens to a cluster that exists; sometimes to one that begins.
        if self.dice.u8(0..4) > 0 {
            self.all_serve().await?;
        }
        let seed = self.dice.u64(..);
        let mut nemesis = Nemesis::new(&self.sites, &self.network, &self.tuning, builds, seed);
        while self.host.now() < ticks && self.ledger.verdict().is_ok() {
            self.host.advance(nemesis.pause()).await;
            let exercised = nemesis.strike(self.host.now()).await?;
            self.ledger.lock().exercised += exercised;
        }
        self.ledger.verdict()?;
        let served = match nemesis.heal_core().await {
            Some(outsider) => self.core_serves(outsider).await?,
            None => Vec::new(),
        };
        nemesis.end().await;
        nemesis.show_rot().await;
        let replaced = async {
            let mut exercised = Exercised::default();
            while !nemesis.replace(self.host.now(), &mut exercised).await? {
                self.host.sleep(Duration::from_millis(5)).await;
            }
            self.ledger.lock().exercised += exercised;
            Ok(())
        };
        let why = || {
            let ended: Vec<_> = self.sites.iter().filter_map(Site::why_ended).collect();
            format!("a member is not replaced; ended: {ended:?}")
        };
        must(&*self.host, &self.ledger, replaced, why).await?;
        if nemesis.builds.finishes {
            nemesis.upgrade_rest().await;
        }
        let builds = nemesis.builds;
        self.clients.extend(served.into_iter().map(|client| Arc::new(Mutex::new(client))));
        self.ledger.verdict()?;
        self.settle().await?;
        self.audit().await?;
        self.goes_over(&builds).await?;
        self.rests().await?;
        // Nothing of it was in memory alone.
        for site in &*self.sites {
            site.end(true).await;
        }
        for site in &*self.sites {
            site.start(&self.tuning);
        }
        self.audit().await?;
        self.stops().await?;
        watching.abort();
        self.ledger.verdict()
    }

    /// Looks at all nodes every millisecond.
    fn watch(&self) -> catga_host::Task {
        let (sites, watch) = (Arc::clone(&self.sites), Arc::clone(&self.watch));
        let host = Arc::clone(&self.host);
        let look = async move {
            loop {
                for site in &*sites {
                    site.look(&watch);
                }
                host.sleep(Duration::from_millis(1)).await;
            }
        };
        self.host.spawn("watch", Box::pin(look))
    }

    /// Has the clients place orders until the end of the run.
    fn send_clients(&mut self) {
        for client in &self.clients {
            let (client, sites) = (Arc::clone(client), Arc::clone(&self.sites));
            let (ledger, host) = (Arc::clone(&self.ledger), Arc::clone(&self.host));
            let mut dice = self.dice.fork();
            let work = async move {
                while ledger.verdict().is_ok() && !ledger.is_closed() {
                    let site = &sites[dice.usize(..NODES)];
                    let mut client = client.lock().await;
                    match site.visit(&host) {
                        Some(visit) => {
                            if let Err(violation) = client.step(&visit).await {
                                return ledger.accuse(violation);
                            }
                            client.pause(&*host).await;
                        }
                        None => host.sleep(Duration::from_millis(dice.u64(1..10))).await,
                    }
                }
            };
            drop(self.host.spawn("client", Box::pin(work)));
        }
    }

    /// Has the service that misbehaves do so until the end of the run.
    fn send_unruly(&mut self) {
        let (unruly, sites) = (Arc::clone(&self.unruly), Arc::clone(&self.sites));
        let (ledger, host) = (Arc::clone(&self.ledger), Arc::clone(&self.host));
        let mut dice = self.dice.fork();
        let work = async move {
            while ledger.verdict().is_ok() && !ledger.is_closed() {
                let mut unruly = unruly.lock().await;
                if let Some(visit) = sites[dice.usize(..NODES)].visit(&host)
                    && let Err(violation) = unruly.step(&visit).await
                {
                    return ledger.accuse(violation);
                }
                unruly.pause(&*host).await;
            }
        };
        drop(self.host.spawn("unruly", Box::pin(work)));
    }

    /// Has a client come back late until the end of the run, where keys are forgotten soon.
    fn send_returning(&mut self) {
        let Some(retention) = self.tuning.key_retention else { return };
        let mut dice = self.dice.fork();
        let mut client = Returning::new(Arc::clone(&self.ledger), retention, dice.u64(..));
        let (sites, host) = (Arc::clone(&self.sites), Arc::clone(&self.host));
        let ledger = Arc::clone(&self.ledger);
        let work = async move {
            while ledger.verdict().is_ok() && !ledger.is_closed() {
                if let Some(visit) = sites[dice.usize(..NODES)].visit(&host)
                    && let Err(violation) = client.step(&visit, &*host).await
                {
                    return ledger.accuse(violation);
                }
                client.pause(&*host).await;
            }
        };
        drop(self.host.spawn("returning", Box::pin(work)));
    }

    /// Two nodes of which nothing is wrong serve, whatever the third does (I14).
    ///
    /// Gives the clients that they served.
    async fn core_serves(&self, outsider: usize) -> Result<Vec<Client>, Violation> {
        let core: Vec<usize> = (0..NODES).filter(|number| *number != outsider).collect();
        let serve = async {
            let mut clients = Vec::new();
            for number in core {
                let ledger = Arc::clone(&self.ledger);
                let mut client = Client::new(1_000 + number as u64, &self.tuning, ledger, 1);
                loop {
                    self.ledger.verdict()?;
                    self.sites[number].check_start()?;
                    if let Some(visit) = self.sites[number].visit(&self.host)
                        && client.place_one(&visit).await?
                    {
                        break;
                    }
                    self.host.sleep(Duration::from_millis(10)).await;
                }
                clients.push(client);
            }
            Ok(clients)
        };
        let why = || format!("without node{} they do not serve: {}", outsider + 1, self.describe());
        let served = must(&*self.host, &self.ledger, serve, why).await;
        self.ledger.lock().exercised.cluster.cores += 1;
        served
    }

    fn describe(&self) -> String {
        let states: Vec<_> = self.sites.iter().map(Site::describe).collect();
        states.join("; ")
    }

    async fn all_serve(&self) -> Result<(), Violation> {
        let serve = async {
            while !self.sites.iter().all(Site::serves) {
                self.ledger.verdict()?;
                for site in &*self.sites {
                    site.check_start()?;
                }
                self.host.sleep(Duration::from_millis(10)).await;
            }
            Ok(())
        };
        let why = || format!("they do not serve: {}", self.describe());
        must(&*self.host, &self.ledger, serve, why).await
    }

    fn report(&self, verdict: Result<(), Violation>) -> Run {
        let trace = self.host.trace();
        let mut exercised: Exercised = self.ledger.lock().exercised;
        exercised.runs = 1;
        exercised.ticks = u64::try_from(self.host.now().as_millis()).unwrap_or(u64::MAX);
        for site in &*self.sites {
            exercised.take(&site.host.disk().counts());
            site.count(&mut exercised);
        }
        exercised.cluster.leaders = self.watch.leaders();
        exercised.keys_used_again = self.watch.keys_used_again();
        exercised.evaluated += self.watch.evaluated();
        exercised.misdeeds(&self.world.lock());
        Run::of(exercised, &trace, verdict)
    }
}
