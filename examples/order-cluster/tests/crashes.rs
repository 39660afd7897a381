//! The order service is killed under load, again and again, and loses nothing: together more than
//! 30 times with requests under way, and more than 20,000 acknowledged orders.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use order_cluster::fleet::{ServerOptions, Servers};
use order_cluster::trial::{Ledger, Moment, Plan, Verdict, Whom, audit, run};
use tempfile::TempDir;

/// A service after its trial.
struct Tried {
    _dir: TempDir,
    servers: Servers,
    ledger: Arc<Ledger>,
    verdict: Verdict,
    seed: u64,
}

async fn try_out(
    clients: usize,
    orders: usize,
    kills: usize,
    mut moment: impl FnMut(&mut Rng) -> Moment,
) -> Tried {
    let seed = fastrand::u64(..);
    let dir = tempfile::tempdir().expect("a directory");
    let options = ServerOptions::new(env!("CARGO_BIN_EXE_order-cluster"), dir.path().join("node1"));
    let mut servers = Servers::start(vec![options]).await.expect("it starts");
    let strike = |rng: &mut Rng| (Whom::Leader, moment(rng));
    let plan = Plan::spread(clients, orders, kills, seed, strike);
    let (ledger, verdict) = run(&mut servers, &plan, |_| {})
        .await
        .unwrap_or_else(|error| panic!("seed {seed}: {error}\n{}", servers.one(0).said()));
    assert!(verdict.is_good(), "seed {seed}: {verdict}");
    assert!(ledger.orders() >= orders && ledger.orders() == verdict.acknowledged, "{verdict}");
    assert_eq!(verdict.kills_under_load, kills, "seed {seed}: {verdict}");
    assert!(verdict.cut_off > 0 && verdict.retried > 0, "seed {seed}: {verdict}");
    assert!(verdict.cancelled > 0 && verdict.repeated_after_kill > 0, "seed {seed}: {verdict}");
    Tried { _dir: dir, servers, ledger, verdict, seed }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_work_and_stopped_in_order_it_loses_nothing() {
    let mut tried = try_out(16, 7_200, 12, |_| Moment::AtWork).await;
    println!("{}", tried.verdict);
    let seed = tried.seed;
    tried.servers.stop().await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    tried.servers.spawn().expect("it starts");
    tried.servers.until_ready().await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    let addresses = tried.servers.addresses();
    let findings = audit(&addresses, &tried.ledger).await.expect("an audit");
    assert!(findings.is_empty(), "after an orderly stop, seed {seed}: {findings}");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_bursts_it_loses_nothing() {
    let moment = |rng: &mut Rng| Moment::InBurst(Duration::from_micros(rng.u64(100..15_000)));
    let tried = try_out(32, 6_600, 11, moment).await;
    println!("{}", tried.verdict);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_starts_it_loses_nothing() {
    let tried = try_out(16, 6_600, 8, |rng| Moment::WhileStarting(rng.f64())).await;
    let (verdict, seed) = (&tried.verdict, tried.seed);
    println!("{verdict}");
    assert_eq!(verdict.kills_while_starting, 8, "seed {seed}: {verdict}");
}
