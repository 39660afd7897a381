//! Each node is stopped in order and started again, as for a new version, and nobody notices.

#![allow(clippy::print_stdout, reason = "what a run was like is worth reading")]

use order_cluster::fleet::{ServerOptions, Servers};
use order_cluster::trial::{agree, roll};

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_fails_no_request() {
    let dir = tempfile::tempdir().expect("a directory");
    let options = ServerOptions::cluster(env!("CARGO_BIN_EXE_order-cluster"), dir.path());
    let mut servers = Servers::start(options).await.expect("it starts");
    let rolled = roll(&mut servers, 64, 3).await.expect("each stops, and starts again");
    println!("{rolled}");
    assert!(rolled.failed.is_empty(), "{rolled}: {:?}", rolled.failed.first());
    assert_eq!(rolled.restarts, 9);
    assert!(rolled.answered > 1_000, "{rolled}");
    let findings = agree(&servers).await;
    assert!(findings.is_empty(), "{findings}");
    servers.stop().await.expect("they stop in order");
}
