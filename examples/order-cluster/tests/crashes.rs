//! The order service is killed under load, again and again, and loses nothing: one process, more
//! than 30 times with requests under way, and more than 20,000 acknowledged orders.

#[path = "crashes/tried.rs"]
mod tried;

use std::time::Duration;

use fastrand::Rng;
use order_cluster::trial::Moment;

use self::tried::Trial;

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_work_and_stopped_in_order_it_loses_nothing() {
    let trial = Trial { clients: 16, orders: 7_200, kills: 12 };
    trial.alone(|_| Moment::AtWork).await.expect_all_after_a_stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_bursts_it_loses_nothing() {
    let moment = |rng: &mut Rng| Moment::InBurst(Duration::from_micros(rng.u64(100..15_000)));
    Trial { clients: 32, orders: 6_600, kills: 11 }.alone(moment).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_starts_it_loses_nothing() {
    let trial = Trial { clients: 16, orders: 6_600, kills: 8 };
    let tried = trial.alone(|rng| Moment::WhileStarting(rng.f64())).await;
    let (verdict, seed) = (&tried.verdict, tried.seed);
    assert_eq!(verdict.kills_while_starting, 8, "seed {seed}: {verdict}");
}
