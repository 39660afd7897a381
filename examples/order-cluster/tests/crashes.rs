//! The order service is killed under load, again and again, and loses nothing.
//!
//! One process: more than 30 times with requests under way, and more than 20,000 acknowledged orders.
//! Three nodes: their leader more than 30 times, all of them at once several times more, and more
//! than 50,000 acknowledged orders. Each is on every node once, as it was acknowledged. So it is where
//! a node was down for longer than the others keep their log for it.

#![allow(clippy::print_stdout, reason = "the seed of a run is worth reading")]

#[path = "crashes/tried.rs"]
mod tried;

use std::time::Duration;

use fastrand::Rng;
use order_cluster::trial::{Moment, Whom};

use self::tried::Trial;

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_work_and_stopped_in_order_it_loses_nothing() {
    let trial = Trial { clients: 16, orders: 7_200, kills: 12 };
    let tried = trial.alone(|_| Moment::AtWork).await;
    println!("{tried}");
    tried.expect_all_after_a_stop().await;
}

fn in_a_burst(rng: &mut Rng) -> Moment {
    Moment::InBurst(Duration::from_micros(rng.u64(100..15_000)))
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_bursts_it_loses_nothing() {
    let trial = Trial { clients: 32, orders: 6_600, kills: 11 };
    println!("{}", trial.alone(in_a_burst).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_starts_it_loses_nothing() {
    let trial = Trial { clients: 16, orders: 6_600, kills: 8 };
    let tried = trial.alone(|rng| Moment::WhileStarting(rng.f64())).await;
    println!("{tried}");
    assert_eq!(tried.verdict.kills_while_starting, 8, "{tried}");
}

#[tokio::test(flavor = "multi_thread")]
async fn its_leader_killed_at_work_a_cluster_loses_nothing() {
    let trial = Trial { clients: 24, orders: 24_000, kills: 20 };
    let tried = trial.cluster(|_| (Whom::Leader, Moment::AtWork)).await;
    println!("{tried}");
    tried.expect_all_after_a_stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_leader_killed_in_bursts_a_cluster_loses_nothing() {
    let trial = Trial { clients: 48, orders: 10_000, kills: 8 };
    println!("{}", trial.cluster(|rng| (Whom::Leader, in_a_burst(rng))).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn its_leader_killed_and_killed_again_while_it_starts_a_cluster_loses_nothing() {
    let trial = Trial { clients: 24, orders: 8_000, kills: 6 };
    let tried = trial.cluster(|rng| (Whom::Leader, Moment::WhileStarting(rng.f64()))).await;
    println!("{tried}");
    assert_eq!(tried.verdict.kills_while_starting, 6, "{tried}");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_all_at_once_a_cluster_loses_nothing() {
    let moment = |rng: &mut Rng| match rng.u8(..3) {
        0 => Moment::AtWork,
        1 => in_a_burst(rng),
        _ => Moment::WhileStarting(rng.f64()),
    };
    let trial = Trial { clients: 24, orders: 10_000, kills: 6 };
    let tried = trial.cluster(|rng| (Whom::All, moment(rng))).await;
    println!("{tried}");
    tried.expect_all_after_a_stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_down_while_the_log_was_trimmed_catches_up() {
    let trial = Trial { clients: 16, orders: 4_000, kills: 2 };
    let tried = trial.short_log(|_| (Whom::Follower, Moment::Behind(800))).await;
    println!("{tried}");
    assert!(tried.taken_over() >= 2, "by a snapshot: {tried}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_killed_again_and_again_while_it_catches_up_loses_nothing() {
    let trial = Trial { clients: 16, orders: 4_000, kills: 2 };
    let tried = trial.short_log(|_| (Whom::Follower, Moment::BehindAgain(800, 3))).await;
    println!("{tried}");
    assert!(tried.verdict.interrupted > 0 && tried.taken_over() >= 2, "{tried}");
}
