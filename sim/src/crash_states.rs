use std::sync::Arc;

use catga::prelude::*;
use catga_testkit::VirtualHost;
use catga_testkit::disk::{CrashStates, Recording};
use fastrand::Rng;
use order_cluster::messages::{CreateOrder, GetCustomerOrders};
use order_cluster::order::Order;

use crate::machine;
use crate::tuning::Tuning;
use crate::unruly::World;
use crate::{Exercised, Invariant, Violation};

/// A run of which the power may have gone after each of its operations on the disk.
///
/// The method is that of ALICE (Pillai et al., OSDI 2014) and CrashMonkey (Mohan et al., OSDI
/// 2018): record what a run does to its disk, build what a crash could leave after each step, and
/// look whether what was promised by then is there.
#[derive(Debug)]
pub struct Recorded {
    tuning: Tuning,
    recording: Recording,
    /// Each order, and how many operations there were when it was acknowledged.
    acknowledged: Vec<(usize, Order)>,
}

/// Records a node that takes `orders` orders, four at a time, and stops in order.
pub fn record(seed: u64, orders: usize) -> Recorded {
    catga_testkit::run(seed, async |host| {
        let tuning = Tuning::draw(&mut Rng::with_seed(seed));
        host.disk().set_sync_time(std::time::Duration::ZERO..=std::time::Duration::ZERO);
        host.disk().record();
        let (node, _handle) =
            machine::start(host.clone(), &tuning, &Arc::default()).await.expect("a new disk");
        let mut acknowledged = Vec::new();
        for first in (0..orders).step_by(4) {
            let four = (first..orders.min(first + 4)).map(|number| node.send(order(number)));
            for answer in futures_util::future::join_all(four).await {
                let recorded = host.disk().recorded();
                acknowledged.push((recorded, answer.expect("nothing is wrong with the disk")));
            }
        }
        node.shutdown().await;
        let recording = host.disk().recording().expect("it records");
        Recorded { tuning, recording, acknowledged }
    })
}

fn order(number: usize) -> CreateOrder {
    CreateOrder { product_id: format!("p{number}"), quantity: 1, customer_id: "c".to_owned() }
}

impl Recorded {
    /// How many operations there were.
    pub fn operations(&self) -> usize {
        self.recording.len()
    }

    /// Starts a node on everything that a loss of power could have left, `randoms` times by chance
    /// after each operation and twice besides; gives back how many that were.
    ///
    /// # Errors
    /// The first promise that was not kept, and after which operation.
    pub fn check(&self, seed: u64, randoms: usize) -> Result<(usize, Exercised), Violation> {
        let mut states = CrashStates::new(self.recording.clone(), seed).random(randoms);
        let mut checked = 0;
        for state in states.by_ref() {
            let disk = state.disk.clone();
            let found = catga_testkit::run(seed, async |_| {
                let host = VirtualHost::with_disk(seed, disk);
                let found = self.found(&host).await;
                host.crash().await;
                found
            });
            let found = found.and_then(|orders| self.compare(state.after, &orders));
            found.map_err(|violation| {
                let (after, lost) = (state.after, state.lost);
                violation.after(format!("operation {after}, {lost:?} lost"))
            })?;
            checked += 1;
        }
        let mut exercised = Exercised::default();
        exercised.take(&states.counts());
        Ok((checked, exercised))
    }

    async fn found(&self, host: &Arc<VirtualHost>) -> Result<Vec<Order>, Violation> {
        let started = machine::start(host.clone(), &self.tuning, &Arc::<World>::default()).await;
        let (node, _) = started
            .map_err(|error| Invariant::Liveness.broken(format!("it does not start: {error}")))?;
        match node.ask(GetCustomerOrders { customer_id: "c".to_owned() }).await {
            Ok(found) => Ok(found.orders),
            Err(Failure::Domain(_)) => Ok(Vec::new()),
            Err(Failure::Fault(fault)) => Err(Invariant::Liveness.broken(fault.to_string())),
        }
    }

    fn compare(&self, after: usize, found: &[Order]) -> Result<(), Violation> {
        for (promised, order) in &self.acknowledged {
            let there = found.iter().filter(|found| found.product_id == order.product_id);
            match there.collect::<Vec<_>>()[..] {
                [] if *promised > after => {}
                [] => return Err(Invariant::Kept.broken(format!("{order:?} is lost"))),
                [one] if one == order => {}
                [one] => return Err(Invariant::Kept.broken(format!("{order:?} and {one:?}"))),
                _ => return Err(Invariant::Once.broken(format!("{order:?} is there twice"))),
            }
        }
        Ok(())
    }
}
