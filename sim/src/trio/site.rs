use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use catga::prelude::*;
use catga::{Backend, Cluster, DataDir, ENGINE_VERSION, Parts, StartFault};
use catga_core::{NodeName, Offset};
use catga_host::{Host, timeout};
use catga_journal::{Journal, Role};
use catga_testkit::VirtualHost;
use catga_testkit::disk::SimDisk;
use catga_testkit::network::SimNetwork;
use fastrand::Rng;
use order_cluster::service::Orders;
use tokio::sync::oneshot;

use super::NODES;
use super::visit::Visit;
use crate::invariants::Ground;
use crate::machine::misbehaving;
use crate::tuning::Tuning;
use crate::unruly::World;
use crate::watch::Watch;
use crate::{Exercised, Invariant, Violation};

/// Where each node keeps its data.
const DATA: &str = "/data";

/// A machine, and the node that runs on it now and then.
pub(super) struct Site {
    pub(super) number: usize,
    pub(super) host: Arc<VirtualHost>,
    life: Arc<Mutex<Life>>,
    world: Arc<World>,
    /// The newest engine version that its build goes along with.
    engine: AtomicU32,
    /// How many lives of its process there were.
    lives: AtomicU64,
    /// Its commands that were acknowledged while it did not lead.
    pub(super) forwarded: Arc<AtomicU64>,
    /// In how many lives it began with a checkpoint.
    from_checkpoint: AtomicU64,
    /// How often it took over the state of another.
    taken_over: AtomicU64,
    /// How often another node mended its history.
    mended: AtomicU64,
    /// How often it came back with an empty disk.
    replaced: AtomicU64,
}

#[derive(Default)]
struct Life {
    /// Its process was started, and has not ended.
    runs: bool,
    node: Option<Node>,
    journal: Option<Arc<dyn Journal>>,
    /// Why its last start failed.
    failed: Option<String>,
    /// Something happens to its disk, so that a start may fail.
    troubled: bool,
    /// How many calls its disk had failed when it was started.
    faults: u64,
}

impl Life {
    /// Why it cannot go on or did not start.
    fn why_ended(&self) -> Option<String> {
        let failure = self.journal.as_ref().and_then(|journal| journal.failure());
        failure.map(|fault| fault.to_string()).or_else(|| self.failed.clone())
    }
}

/// The name of the node on machine `number`, and of the machine.
fn name(number: usize) -> String {
    format!("node{}", number + 1)
}

impl Site {
    pub(super) fn new(
        number: usize,
        seed: u64,
        network: &SimNetwork,
        tuning: &Tuning,
        world: &Arc<World>,
    ) -> Self {
        let disk = SimDisk::new(seed);
        disk.set_sync_time(tuning.sync_time.clone());
        let host = VirtualHost::in_network(seed, disk, network, &name(number));
        Self {
            number,
            host,
            life: Arc::default(),
            world: Arc::clone(world),
            engine: AtomicU32::new(ENGINE_VERSION),
            lives: AtomicU64::new(0),
            forwarded: Arc::default(),
            from_checkpoint: AtomicU64::new(0),
            taken_over: AtomicU64::new(0),
            mended: AtomicU64::new(0),
            replaced: AtomicU64::new(0),
        }
    }

    pub(super) fn name(&self) -> String {
        name(self.number)
    }

    /// Starts the node, as its disk is, if its process does not run. It is there once it has
    /// started.
    pub(super) fn start(&self, tuning: &Tuning) {
        let life = Arc::clone(&self.life);
        {
            let mut life = lock(&life);
            if std::mem::replace(&mut life.runs, true) {
                return;
            }
            life.faults = self.host.disk().counts().faults;
        }
        self.lives.fetch_add(1, Ordering::Relaxed);
        let cluster =
            cluster(self.number, tuning).engine_version_max(self.engine.load(Ordering::Relaxed));
        let watched = Watched { cluster, life: Arc::clone(&life) };
        let limits = tuning.limits(self.host.now());
        let builder = Catga::builder().name(self.name()).host(self.host.clone()).limits(limits);
        let builder = builder.service(|wiring| Orders { book: wiring.projection() });
        let builder = builder.service(misbehaving(&self.world));
        let started = builder.backend(watched).start();
        let start = async move {
            let started = started.await;
            let mut life = lock(&life);
            match started {
                Ok(node) => life.node = Some(node),
                Err(error) => {
                    life.journal = None;
                    life.failed = Some(error.to_string());
                }
            }
        };
        drop(self.host.spawn("start", Box::pin(start)));
    }

    /// Has its next process be of a build that goes along with engine versions up to `version`.
    pub(super) fn build(&self, version: u32) {
        self.engine.store(version, Ordering::Relaxed);
    }

    /// The version of the engine's rules by which its journal decides.
    pub(super) fn engine(&self) -> Option<u32> {
        self.journal().map(|journal| journal.engine().active)
    }

    /// Its process ends, and with `power` its machine has no more.
    pub(super) async fn end(&self, power: bool) {
        match power {
            true => self.host.power_cut().await,
            false => self.host.crash().await,
        }
        self.note_life();
        let former = {
            let mut life = lock(&self.life);
            let troubled = life.troubled;
            std::mem::replace(&mut *life, Life { troubled, ..Life::default() })
        };
        // Not under the lock: the end of a node is long.
        drop(former);
    }

    /// Stops in order.
    pub(super) async fn drain(&self) {
        let node = lock(&self.life).node.take();
        if let Some(node) = node {
            let (done, stopped) = oneshot::channel();
            let stop = async move {
                node.shutdown().await;
                let _ = done.send(());
            };
            drop(self.host.spawn("stop", Box::pin(stop)));
            // Whoever stops it loses patience.
            let _ = timeout(&*self.host, Duration::from_secs(5), stopped).await;
        }
        self.end(false).await;
    }

    /// Its disk loses a bit of the history; false if there is none yet.
    pub(super) fn flip_a_bit(&self, dice: &mut Rng) -> bool {
        let disk = self.host.disk();
        let mut paths = disk.paths();
        paths.retain(|path| path.extension().is_some_and(|end| end == "history"));
        let Some(path) = dice.choice(&paths) else { return false };
        let length = disk.contents(path).map_or(0, |found| found.len() as u64);
        length > 0 && disk.flip_bit(path, dice.u64(..length)).is_ok()
    }

    /// True if its disk has failed its process, which may end it, at once or in a moment.
    pub(super) fn is_doomed(&self) -> bool {
        self.host.disk().counts().faults > lock(&self.life).faults
    }

    /// True if its process was started, and has not ended.
    pub(super) fn runs(&self) -> bool {
        lock(&self.life).runs
    }

    /// Something happens to the disk from now on, or no more.
    pub(super) fn set_troubled(&self, troubled: bool) {
        lock(&self.life).troubled = troubled;
    }

    /// Why it cannot go on or did not start, if so and if that may be; an error if it must not.
    pub(super) fn ended(&self) -> Result<Option<String>, Violation> {
        // A call that failed may end the node, whenever it notices.
        let is_doomed = self.is_doomed();
        let life = lock(&self.life);
        match life.why_ended() {
            Some(why) if !life.troubled && !is_doomed => {
                let what = format!("it does not start or go on: {}: {why}", self.name());
                Err(Invariant::Liveness.broken(what))
            }
            why => Ok(why),
        }
    }

    /// True if it does not start or go on for what its disk has lost, and says where.
    pub(super) fn refuses(&self) -> bool {
        let names_it = |why: String| why.contains(DATA);
        !self.is_doomed() && lock(&self.life).why_ended().is_some_and(names_it)
    }

    /// Why it does not run, if it has ended by itself.
    pub(super) fn why_ended(&self) -> Option<String> {
        lock(&self.life).why_ended()
    }

    pub(super) fn check_start(&self) -> Result<(), Violation> {
        self.ended().map(drop)
    }

    /// True if the node has started, and not ended since.
    pub(super) fn serves(&self) -> bool {
        lock(&self.life).node.is_some()
    }

    /// The node, if it serves.
    pub(super) fn node(&self) -> Option<Node> {
        lock(&self.life).node.clone()
    }

    /// Ends the process if it runs, and gives the machine an empty disk.
    pub(super) async fn wipe(&self) {
        self.end(false).await;
        self.host.disk().wipe();
        self.replaced.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn journal(&self) -> Option<Arc<dyn Journal>> {
        lock(&self.life).journal.clone()
    }

    pub(super) fn rolling_hash(&self) -> Option<(Offset, u64)> {
        self.journal().map(|journal| journal.rolling_hash())
    }

    /// The term in which it leads, if it says so.
    pub(super) fn leads(&self) -> Option<u64> {
        let leadership = self.journal()?.leadership();
        (leadership.role == Role::Leader).then_some(leadership.term)
    }

    /// Shows `watch` where it stands, and whether it leads.
    pub(super) fn look(&self, watch: &Watch) {
        if let Some(place) = self.rolling_hash() {
            watch.stands(|| self.name(), place);
        }
        if let Some(term) = self.leads() {
            watch.leads(self.number, self.life(), term);
        }
    }

    /// Stops in order, however long that takes.
    pub(super) async fn stop(&self) {
        let node = lock(&self.life).node.take();
        if let Some(node) = node {
            let (done, stopped) = oneshot::channel();
            let stop = async move {
                node.shutdown().await;
                let _ = done.send(());
            };
            drop(self.host.spawn("stop", Box::pin(stop)));
            let _ = stopped.await;
        }
    }

    /// How many lives of its process there were.
    pub(super) fn life(&self) -> u64 {
        self.lives.load(Ordering::Relaxed)
    }

    /// The node with its machine, to be measured; none if it does not serve.
    pub(super) fn ground<'a>(
        &'a self,
        network: &'a SimNetwork,
        tuning: &'a Tuning,
    ) -> Option<Ground<'a>> {
        Some(Ground {
            name: self.name(),
            host: &self.host,
            node: self.node()?,
            tuning,
            peers: NODES as u64 - 1,
            network: Some(network),
        })
    }

    /// What the node says of the members: whether a change is half done, and their names.
    pub(super) fn members(&self) -> Option<(bool, Vec<String>)> {
        let status = self.node()?.cluster().status();
        let names = status.members.iter().map(|member| member.name.to_string());
        Some((status.is_changing, names.collect()))
    }

    pub(super) fn describe(&self) -> String {
        let life = lock(&self.life);
        let started = if life.node.is_some() { "started" } else { "not started" };
        match &life.journal {
            Some(journal) => {
                let (offset, hash) = journal.rolling_hash();
                let leadership = journal.leadership();
                format!("{} {started}, {leadership:?}, at {offset} {hash:x}", self.name())
            }
            None => format!("{} {started}, no journal, {:?}", self.name(), life.failed),
        }
    }

    /// Counts what the life that is about to end went through.
    fn note_life(&self) {
        let Some(journal) = self.journal() else { return };
        let foundation = journal.foundation();
        let began = u64::from(foundation.started_at > Offset::ZERO);
        self.from_checkpoint.fetch_add(began, Ordering::Relaxed);
        self.taken_over.fetch_add(foundation.taken_over, Ordering::Relaxed);
        self.mended.fetch_add(foundation.mended, Ordering::Relaxed);
    }

    pub(super) fn count(&self, exercised: &mut Exercised) {
        self.note_life();
        exercised.from_checkpoint += self.from_checkpoint.load(Ordering::Relaxed);
        exercised.cluster.taken_over += self.taken_over.load(Ordering::Relaxed);
        exercised.cluster.replaced += self.replaced.load(Ordering::Relaxed);
        exercised.cluster.mended += self.mended.load(Ordering::Relaxed);
        exercised.cluster.forwarded += self.forwarded.load(Ordering::Relaxed);
    }

    /// The node as a client reaches it, if it serves.
    pub(super) fn visit(&self, outside: &Arc<VirtualHost>) -> Option<Visit<'_>> {
        let node = lock(&self.life).node.clone()?;
        Some(Visit { site: self, node, outside: Arc::clone(outside) })
    }
}

/// The cluster as the node on machine `number` is told of it.
fn cluster(number: usize, tuning: &Tuning) -> Cluster {
    let mut data = DataDir::new(DATA)
        .segment_bytes(tuning.segment_bytes)
        .checkpoint_bytes(tuning.checkpoint_bytes)
        .checkpoint_interval(tuning.checkpoint_interval)
        .log_kept_bytes(tuning.log_kept_bytes);
    if let Some(retention) = tuning.key_retention {
        data = data.key_retention(retention);
    }
    Cluster::new("sim", (0..NODES).map(|number| format!("http://{}:5001", name(number))))
        .name(name(number))
        .data_dir(data)
        .trust_network()
        .election_timeout(Duration::from_millis(150))
        .heartbeat_interval(Duration::from_millis(50))
}

/// A node of a cluster, whose journal can be looked at.
struct Watched {
    cluster: Cluster,
    life: Arc<Mutex<Life>>,
}

impl std::fmt::Debug for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.cluster.fmt(f)
    }
}

impl Backend for Watched {
    fn check(&self, faults: &mut Vec<StartFault>) {
        self.cluster.check(faults);
    }

    async fn open(self, host: Arc<dyn Host>, node: NodeName) -> Result<Parts, Fault> {
        let parts = Box::pin(self.cluster.open(host, node)).await?;
        lock(&self.life).journal = Some(Arc::clone(&parts.journal));
        Ok(parts)
    }
}

fn lock(life: &Mutex<Life>) -> MutexGuard<'_, Life> {
    life.lock().unwrap_or_else(PoisonError::into_inner)
}
