use std::sync::Arc;
use std::time::Duration;

use catga_core::Offset;
use tokio::sync::{mpsc, watch};

use super::log::KEPT;
use super::random::Random;
use super::rig::{Client, PAUSE, Rig};
use super::{Check, Finding, LogHarness, Violation};
use crate::Log;

/// How many clients append at a time.
const CLIENTS: usize = 6;

/// How many faults are done and undone.
const STEPS: usize = 40;

/// Clients append and read while nodes are cut off, crashed, restarted, trimmed and given
/// snapshots, in an order that follows from `seed`; afterwards promises 1 to 5 and 7 are judged.
///
/// At most a minority is out of reach at a time, so entries must go on being acknowledged.
pub async fn log_faults<H: LogHarness>(harness: H, seed: u64) -> Check {
    let abilities = harness.abilities();
    if !abilities.isolate && !abilities.crash && !abilities.install {
        return Ok(Finding::NotApplicable("the harness cannot do any fault"));
    }
    let mut rig = Rig::open(harness).await?;
    let mut random = Random::new(seed);
    // One per client at most is ever in it; a violation ends the client.
    let (violations, mut found) = mpsc::channel(CLIENTS);
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        // None while the node that the client would use is down.
        let (offer, offered) = watch::channel(None);
        let client = Traffic {
            offered,
            ledger: rig.ledger.clone(),
            host: Arc::clone(&rig.host),
            random: Random::new(random.next()),
        };
        let violations = violations.clone();
        let work = async move {
            if let Err(violation) = client.run().await {
                // Nobody listens once the check has failed.
                let _ = violations.send(violation).await;
            }
        };
        drop(rig.host.spawn("conformance-client", Box::pin(work)));
        clients.push(offer);
    }
    drop(violations);

    let mut out = Out::default();
    for _ in 0..STEPS {
        step(&mut rig, &mut random, &mut out).await;
        for offer in &clients {
            let node = random.below(rig.nodes());
            let node = rig.harness.leader().filter(|_| node > 0).unwrap_or(node);
            offer.send_replace(rig.client(node).map(Arc::new));
        }
        some_progress(&rig, &mut random).await;
        if let Ok(violation) = found.try_recv() {
            return Err(violation);
        }
    }
    for node in out.crashed.drain(..) {
        rig.restart(node).await;
    }
    if abilities.isolate {
        rig.harness.heal().await;
    }
    // The clients end with their offers; what they still wait for is answered in bounded time.
    drop(clients);
    if let Some(violation) = found.recv().await {
        return Err(violation);
    }
    rig.judge().await?;
    KEPT
}

/// The nodes that are out of reach.
#[derive(Default)]
struct Out {
    crashed: Vec<usize>,
    isolated: Vec<usize>,
}

impl Out {
    fn holds(&self, node: usize) -> bool {
        self.crashed.contains(&node) || self.isolated.contains(&node)
    }

    fn count(&self) -> usize {
        self.crashed.len() + self.isolated.len()
    }
}

/// Does one thing to the nodes.
async fn step<H: LogHarness>(rig: &mut Rig<H>, random: &mut Random, out: &mut Out) {
    let abilities = rig.harness.abilities();
    let minority = (rig.nodes() - 1) / 2;
    // Half of the time at the leader, where faults hurt.
    let leader = rig.harness.leader().filter(|_| random.below(2) == 0);
    let node = leader.unwrap_or_else(|| random.below(rig.nodes()));
    match random.below(6) {
        0 if abilities.isolate && out.count() < minority && !out.holds(node) => {
            rig.harness.isolate(node).await;
            out.isolated.push(node);
        }
        1 if abilities.isolate => {
            rig.harness.heal().await;
            out.isolated.clear();
        }
        2 if abilities.crash && out.count() < minority && !out.holds(node) => {
            rig.crash(node).await;
            out.crashed.push(node);
        }
        3 if !out.crashed.is_empty() => {
            let node = out.crashed.remove(0);
            rig.restart(node).await;
        }
        4 => {
            if let Some(log) = rig.harness.log(node)
                && let Some(upto) = rig.recorder.checkpoint(node)
            {
                log.trim(upto).await;
            }
        }
        5 if abilities.install && out.count() == 0 && Some(node) != rig.harness.leader() => {
            rig.harness.install_snapshot(node).await;
        }
        _ => {}
    }
}

/// Lets the clients get something done, or see that they cannot for now.
async fn some_progress<H: LogHarness>(rig: &Rig<H>, random: &mut Random) {
    let enough = rig.ledger.acknowledged() + random.below(40) as u64;
    let deadline = rig.host.now() + Duration::from_millis(200);
    while rig.ledger.acknowledged() < enough && rig.host.now() < deadline {
        rig.host.sleep(PAUSE).await;
    }
}

/// One client: appends, and now and then asks for a read index, as long as it is offered nodes.
struct Traffic<L> {
    offered: watch::Receiver<Option<Arc<Client<L>>>>,
    ledger: super::ledger::Ledger,
    host: Arc<dyn catga_host::Host>,
    random: Random,
}

impl<L: Log> Traffic<L> {
    async fn run(mut self) -> Result<(), Violation> {
        while self.offered.has_changed().is_ok() {
            let client = self.offered.borrow_and_update().clone();
            let before = self.ledger.acknowledged();
            if let Some(client) = client {
                if self.random.below(4) == 0 {
                    client.read_index().await?;
                } else {
                    let length = self.random.below(300);
                    client.append(&self.ledger.entry(length)).await?;
                }
            }
            if Offset(self.ledger.acknowledged()) == Offset(before) {
                // Refused or in doubt: not again at once, or there is nothing but refusals.
                self.host.sleep(PAUSE).await;
            }
        }
        Ok(())
    }
}
