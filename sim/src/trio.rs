//! Three whole nodes as one cluster: each on a machine of its own, with a network between them.
//!
//! Clients send to any node and ask another one when nobody answers. Meanwhile nodes are killed,
//! lose their power, stand still, are cut off, drain; links break and slow down, clocks jump, disks
//! are slow, full and fail. At every simulated millisecond it is checked that all nodes tell one
//! story ([`Watch`]), and at the end, when nothing is wrong any more, that the cluster serves and
//! that every node shows everything that was acknowledged, once.

mod nemesis;
mod replacing;
mod site;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use catga::ReadLevel;
use catga::prelude::*;
use catga_host::{Host, timeout};
use catga_journal::{Journal, planted};
use catga_testkit::VirtualHost;
use catga_testkit::network::SimNetwork;
use fastrand::Rng;
use order_cluster::messages::GetCustomerOrders;
use tokio::sync::Mutex;

use self::nemesis::Nemesis;
use self::site::Site;
use self::watch::Watch;
use crate::client::{Client, Reach};
use crate::history::check_history;
use crate::ledger::Ledger;
use crate::run::{Plan, Run};
use crate::tuning::Tuning;
use crate::{Exercised, Violation};

/// How many nodes there are.
const NODES: usize = 3;

/// How long a cluster to which nothing happens any more may take to serve.
const SERVE_WAIT: Duration = Duration::from_secs(30);

/// Runs a cluster of three nodes.
pub(crate) fn run(plan: Plan) -> Run {
    planted::plant(plan.bug);
    let run = catga_testkit::run(plan.seed, async |host| {
        if plan.lines {
            host.trace().keep_lines();
        }
        let mut trio = Trio::new(&host, plan.seed);
        let verdict = trio.live(Duration::from_millis(plan.ticks)).await;
        for site in &*trio.sites {
            site.host.crash().await;
        }
        host.crash().await;
        trio.report(verdict)
    });
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
    watch: Arc<Watch>,
}

impl Trio {
    fn new(host: &Arc<VirtualHost>, seed: u64) -> Self {
        let mut dice = Rng::with_seed(seed ^ 0x7472_696f);
        let tuning = Tuning::draw(&mut dice);
        host.trace().note(format_args!("{tuning:?}"));
        let network = SimNetwork::new(dice.u64(..), host.trace());
        let site = |number| Site::new(number, dice.u64(..), &network, &tuning);
        let sites: Arc<[Site]> = (0..NODES).map(site).collect();
        let ledger = Arc::<Ledger>::default();
        let client = |number| {
            let client = Client::new(number, Arc::clone(&ledger), dice.u64(..));
            Arc::new(Mutex::new(client))
        };
        let clients = (0..tuning.clients).map(client).collect();
        let watch = Arc::new(Watch::default());
        Self { host: Arc::clone(host), network, sites, dice, tuning, ledger, clients, watch }
    }

    async fn live(&mut self, ticks: Duration) -> Result<(), Violation> {
        for site in &*self.sites {
            site.start(&self.tuning);
        }
        let watching = self.watch();
        self.send_clients();
        // Mostly what happens to a cluster that exists; sometimes to one that begins.
        if self.dice.u8(0..4) > 0 {
            self.all_serve().await?;
        }
        let seed = self.dice.u64(..);
        let mut nemesis = Nemesis::new(&self.sites, &self.network, &self.tuning, seed);
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
        let replaced = async {
            while !nemesis.replace(self.host.now()).await? {
                self.host.sleep(Duration::from_millis(5)).await;
            }
            Ok(())
        };
        timeout(&*self.host, SERVE_WAIT, replaced).await.unwrap_or_else(|_| {
            let what = format!("a member is not replaced after {SERVE_WAIT:?}");
            Err(Violation::NotServing(what))
        })?;
        self.clients.extend(served.into_iter().map(|client| Arc::new(Mutex::new(client))));
        self.ledger.verdict()?;
        self.settle().await?;
        self.audit().await?;
        // Nothing of it was in memory alone.
        for site in &*self.sites {
            site.end(true).await;
        }
        for site in &*self.sites {
            site.start(&self.tuning);
        }
        self.audit().await?;
        watching.abort();
        self.ledger.verdict()
    }

    /// Looks at all nodes every millisecond.
    fn watch(&self) -> catga_host::Task {
        let (sites, watch) = (Arc::clone(&self.sites), Arc::clone(&self.watch));
        let (ledger, host) = (Arc::clone(&self.ledger), Arc::clone(&self.host));
        let look = async move {
            loop {
                if let Err(violation) = watch.look(&sites) {
                    ledger.accuse(violation);
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

    /// Nothing is wrong any more, so the cluster has to serve, and every doubt has an end.
    async fn settle(&mut self) -> Result<(), Violation> {
        self.ledger.close();
        self.all_serve().await?;
        for (number, client) in self.clients.iter().enumerate() {
            let site = &self.sites[number % NODES];
            let Some(visit) = site.visit(&self.host) else {
                return Err(Violation::NotServing(format!("{} has ended", site.name())));
            };
            let mut client = client.lock().await;
            client.settle(&visit, &*self.host).await?;
        }
        Ok(())
    }

    /// Two nodes of which nothing is wrong serve, whatever the third does (I14).
    ///
    /// Gives the clients that they served.
    async fn core_serves(&self, outsider: usize) -> Result<Vec<Client>, Violation> {
        let core: Vec<usize> = (0..NODES).filter(|number| *number != outsider).collect();
        let serve = async {
            let mut clients = Vec::new();
            for number in core {
                let mut client = Client::new(1_000 + number as u64, Arc::clone(&self.ledger), 1);
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
        let served = timeout(&*self.host, SERVE_WAIT, serve).await;
        self.ledger.lock().exercised.cluster.cores += 1;
        served.unwrap_or_else(|_| {
            let states: Vec<_> = self.sites.iter().map(Site::describe).collect();
            Err(Violation::NotServing(format!(
                "without node{} for {SERVE_WAIT:?}: {}",
                outsider + 1,
                states.join("; ")
            )))
        })
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
        let served = timeout(&*self.host, SERVE_WAIT, serve).await;
        served.unwrap_or_else(|_| {
            let states: Vec<_> = self.sites.iter().map(Site::describe).collect();
            Err(Violation::NotServing(format!("after {SERVE_WAIT:?}: {}", states.join("; "))))
        })
    }

    /// Every node shows everything that was acknowledged, once, and all tell one story.
    async fn audit(&self) -> Result<(), Violation> {
        self.all_serve().await?;
        for site in &*self.sites {
            let Some(visit) = site.visit(&self.host) else { continue };
            for client in &self.clients {
                let name = client.lock().await.name().to_owned();
                let acknowledged = self.ledger.lock().acknowledged(&name);
                let query = GetCustomerOrders { customer_id: name.clone() };
                let ask =
                    async move |node: Node| node.ask(query).level(ReadLevel::Linearizable).await;
                let shown = match visit.call(ask).await {
                    Some(Ok(shown)) => shown.orders,
                    Some(Err(Failure::Domain(_))) => Vec::new(),
                    Some(Err(Failure::Fault(fault))) => {
                        return Err(Violation::NotServing(format!("{}: {fault}", site.name())));
                    }
                    None => {
                        return Err(Violation::NotServing(format!("{} answers not", site.name())));
                    }
                };
                self.ledger.lock().check(&acknowledged, &shown)?;
            }
        }
        self.same_everywhere().await
    }

    /// All nodes come to hold the same, to the last byte of what the engine hashes (I3, I8).
    async fn same_everywhere(&self) -> Result<(), Violation> {
        let same = async {
            loop {
                let hashes: Vec<_> = self.sites.iter().filter_map(Site::rolling_hash).collect();
                if hashes.len() == NODES && hashes.iter().all(|hash| *hash == hashes[0]) {
                    return;
                }
                self.host.sleep(Duration::from_millis(10)).await;
            }
        };
        if timeout(&*self.host, SERVE_WAIT, same).await.is_err() {
            let states: Vec<_> = self.sites.iter().map(Site::describe).collect();
            return Err(Violation::Contradiction(format!("they differ: {}", states.join("; "))));
        }
        for site in &*self.sites {
            if let Some(journal) = site.journal() {
                self.check_history(&*journal).await?;
            }
        }
        Ok(())
    }

    /// Checks the history of a node, once what its disk lost is mended.
    async fn check_history(&self, journal: &dyn Journal) -> Result<(), Violation> {
        let checked = async {
            loop {
                match check_history(journal).await {
                    Err(Violation::Damaged(_)) => self.host.sleep(Duration::from_millis(10)).await,
                    checked => return checked,
                }
            }
        };
        let not_mended = |_| Err(Violation::NotServing("its history is not mended".to_owned()));
        timeout(&*self.host, SERVE_WAIT, checked).await.unwrap_or_else(not_mended)
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
        Run { exercised, trace: trace.hash(), lines: trace.lines(), violation: verdict.err() }
    }
}
