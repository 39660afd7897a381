//! Everything at once.

use std::collections::BTreeSet;
use std::time::Duration;

use catga::prelude::*;
use catga::{Limits, ReadLevel};
use catga_host::Host;
use catga_tests::parcels::{GetLedger, Order};
use catga_tests::shared_log::Doubt;

use crate::rig::Rig;

/// Orders on all nodes while leaders change, entries are in doubt, subscribers are slow and fail:
/// each event is shipped once, in order, and whatever it was notified of came at least once.
#[test]
fn whoever_leads_each_event_has_its_effect_once() {
    for seed in 0..40 {
        let first = run_at_random(seed);
        if seed == 0 {
            assert_eq!(first, run_at_random(seed), "one seed gives one run");
        }
    }
}

fn run_at_random(seed: u64) -> (usize, usize, Duration) {
    const ORDERS: u64 = 90;
    catga_testkit::run(seed, async |host| {
        let mut limits = Limits::default();
        limits.delivery_attempts = 100;
        let rig = Rig::start_with(&host, limits, &["ship", "notify"]).await;
        rig.world.set_chaos(true);
        let clients = (0..6).map(|client| {
            let (rig, host) = (&rig, &host);
            async move {
                for number in (0..ORDERS).filter(|number| number % 6 == client) {
                    let order = Order { parcel: format!("p{}", number % 4), number };
                    let key = number.to_string();
                    let node = &rig.nodes[(host.random() % 3) as usize];
                    while node.send(order.clone()).key(key.as_str()).await.is_err() {}
                    host.sleep(Duration::from_millis(host.random() % 60)).await;
                }
            }
        });
        let nemesis = async {
            for _ in 0..25 {
                host.sleep(Duration::from_millis(host.random() % 80)).await;
                let node = (host.random() % 3) as usize;
                match host.random() % 7 {
                    0 => rig.cluster.log.elect(None),
                    4 if rig.cluster.log.leader().is_some() => {
                        let leader = rig.cluster.log.leader();
                        rig.cluster.log.elect(Some(node));
                        host.sleep(Duration::from_millis(host.random() % 100)).await;
                        rig.cluster.log.elect(leader);
                    }
                    1 => rig.cluster.log.isolate((node + 1) % 3),
                    2 => rig.cluster.log.set_lagging((node + 1) % 3, true),
                    3 => rig.cluster.log.doubt(node, [Doubt::Lost, Doubt::Kept]),
                    _ => rig.cluster.log.elect(Some(node)),
                }
                if host.random().is_multiple_of(2) {
                    rig.cluster.log.heal();
                }
            }
            rig.cluster.log.heal();
            rig.cluster.log.elect(Some((host.random() % 3) as usize));
        };
        tokio::join!(futures_util::future::join_all(clients), nemesis);
        let shipped = rig.shipped_in_the_end(&host, ORDERS as usize).await;
        let asked = rig.nodes[0].ask(GetLedger).level(ReadLevel::Linearizable);
        let ordered = asked.await.expect("a ledger").ordered;
        assert_eq!(ordered.len() as u64, ORDERS, "seed {seed}");
        assert_eq!(shipped, ordered, "seed {seed}: each once, in order");
        assert_eq!(rig.world.derived_max(), 1, "seed {seed}");
        let notified = || rig.world.numbers("notify").into_iter().collect::<BTreeSet<_>>();
        let all = || notified().len() as u64 == ORDERS;
        rig.world.wait_until("each is notified of at least once", all).await;
        let deliveries = rig.world.deliveries("notify").len();
        assert_eq!(rig.nodes[0].rolling_hash(), rig.nodes[2].rolling_hash(), "seed {seed}");
        (rig.cluster.log.entries(), deliveries, host.now())
    })
}
