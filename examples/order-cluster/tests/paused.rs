//! The leader of three nodes stands still, as a machine that is suspended does, and goes on when
//! another one leads: what it had under way is settled or in doubt, and nothing that it says is
//! stale.

#[path = "paused/round.rs"]
mod round;

use order_cluster::fleet::{ServerOptions, Servers};
use order_cluster::trial::agree;

use self::round::{Round, Seen};

/// How often a leader is paused.
const ROUNDS: usize = 6;

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_was_paused_is_deposed_and_says_nothing_stale() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let dir = tempfile::tempdir().expect("a directory");
    let options = ServerOptions::cluster(env!("CARGO_BIN_EXE_order-cluster"), dir.path());
    let mut servers = Servers::start(options).await.expect("it starts");
    let mut seen = Seen::default();
    for number in 0..ROUNDS {
        let round = Round::new(&mut servers, number, rng.fork()).await;
        seen += round.play().await;
    }
    println!("{seen:?}");
    let findings = agree(&servers).await;
    assert!(findings.is_empty(), "seed {seed}: {findings}");
    // Each round had something of each; what becomes of it is the cluster's to decide.
    assert!(seen.pending >= ROUNDS, "seed {seed}: {seen:?}");
    assert!(seen.reads_answered > 0, "seed {seed}: {seen:?}");
    servers.stop().await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
}
