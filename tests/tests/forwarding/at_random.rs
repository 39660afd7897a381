//! Everything at once.

use std::time::Duration;

use catga::prelude::*;
use catga::{Failure, Outcome, ReadLevel};
use catga_host::Host;
use catga_tests::shared_log::Doubt;

use crate::rig::start;
use crate::tallies::{Sum, add};

/// Clients on all nodes, lost calls, doubts and changing leaders: every id counts once, and all
/// that is said of it agrees.
#[test]
fn whatever_is_lost_each_command_counts_once_and_has_one_answer() {
    for seed in 0..40 {
        let first = run_at_random(seed);
        if seed == 0 {
            assert_eq!(first, run_at_random(seed), "one seed gives one run");
        }
    }
}

fn run_at_random(seed: u64) -> (usize, u64, Duration) {
    catga_testkit::run(seed, async |host| {
        let (cluster, nodes, runs) = start(&host).await;
        cluster.board.lose_by_chance(300);
        let clients = (0..9).map(|client| {
            let (node, other) = (&nodes[client % 3], &nodes[(client + 1) % 3]);
            let host = &host;
            async move {
                let mut sum = 0;
                for round in 0..8 {
                    let amount = 1 << (round % 4);
                    let command = || add(&format!("t{}", client % 2), amount);
                    let key = format!("{client}-{round}");
                    let first = match round % 2 {
                        0 => node.send(command()).reported().await,
                        _ => node.send(command()).key(key.as_str()).reported().await,
                    };
                    let id = first.report.expect("a report").message_id;
                    // Asked again elsewhere: the same answer, or the first if there was none.
                    let again = match round % 2 {
                        0 => other.send(command()).id(id).await,
                        _ => other.send(command()).key(key.as_str()).await,
                    };
                    match (first.answer, again) {
                        (Ok(first), Ok(again)) => {
                            assert_eq!(first, again, "seed {seed}");
                            sum += amount;
                        }
                        (Err(Failure::Fault(fault)), Ok(_)) => {
                            let may = fault.outcome() == Outcome::Unknown || fault.is_retryable();
                            assert!(may, "seed {seed}: {fault}");
                            sum += amount;
                        }
                        answers => panic!("seed {seed}: {answers:?}"),
                    }
                    host.sleep(Duration::from_millis(host.random() % 20)).await;
                }
                sum
            }
        });
        let nemesis = async {
            for _ in 0..30 {
                host.sleep(Duration::from_millis(host.random() % 40)).await;
                let node = (host.random() % 3) as usize;
                match host.random() % 5 {
                    0 => cluster.log.elect(None),
                    1 => cluster.log.set_lagging((node + 1) % 3, true),
                    2 => cluster.log.doubt(node, [Doubt::Lost, Doubt::Kept]),
                    _ => cluster.log.elect(Some(node)),
                }
                if host.random() % 3 == 0 {
                    cluster.log.heal();
                }
            }
            cluster.log.heal();
            cluster.log.elect(Some(1));
        };
        let (sums, ()) = tokio::join!(futures_util::future::join_all(clients), nemesis);
        let total: u64 = sums.iter().sum();
        cluster.board.lose_by_chance(0);
        for node in &nodes {
            let sum = node.ask(Sum).level(ReadLevel::Linearizable).await;
            assert_eq!(sum, Ok(total), "seed {seed}: each counts once");
        }
        assert_eq!(nodes[0].rolling_hash(), nodes[2].rolling_hash(), "seed {seed}");
        (cluster.log.entries(), runs.get(), host.now())
    })
}
