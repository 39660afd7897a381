//! A disk of a cluster loses a bit: of the history, which another node has, or of the log, which
//! nobody can make good.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use order_cluster::fleet::{ServerOptions, Servers};
use order_cluster::trial::{Kill, Ledger, Moment, Plan, Whom, agree, audit, run};
use tempfile::TempDir;

use super::frames::{Frames, flip};

const PROGRAM: &str = env!("CARGO_BIN_EXE_order-cluster");

/// Three nodes that have stopped in order, with orders that were acknowledged.
async fn stopped() -> (TempDir, Servers, Arc<Ledger>) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut servers = Servers::start(ServerOptions::cluster(PROGRAM, dir.path())).await;
    let servers_started = servers.as_mut().expect("they start");
    let kills = vec![Kill { orders: 300, whom: Whom::Leader, at: Moment::AtWork }];
    let plan = Plan { clients: 8, orders: 1_000, kills, seed: fastrand::u64(..) };
    println!("seed {}", plan.seed);
    let (ledger, verdict) = run(servers_started, &plan, |_| {}).await.expect("a trial");
    assert!(verdict.is_good(), "{verdict}");
    servers_started.stop().await.expect("they stop");
    (dir, servers.expect("they start"), ledger)
}

/// The only file of a short history.
fn history(data: &Path) -> PathBuf {
    let files = std::fs::read_dir(data.join("journal/history")).expect("a directory");
    let mut paths = files.map(|file| file.expect("a file").path());
    paths.find(|path| path.extension().is_some_and(|end| end == "history")).expect("a history")
}

/// What `verify` says of a directory, and whether it is content.
fn verify(data: &Path) -> (bool, String) {
    let output = Command::new(PROGRAM).arg("verify").arg(data).output().expect("it runs");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_a_follower_s_history_is_never_served_and_comes_back() {
    let (_dir, mut servers, ledger) = stopped().await;
    let data = servers.all()[1].options().dir.clone();
    let path = history(&data);
    let records = Frames::of(path.clone()).records();
    // In what it holds, and not in the zeros between: nobody reads those.
    let within = |record: usize| records[record].at + 24 + records[record].len / 2;
    for at in [within(records.len() / 2), 30, within(records.len() / 5)] {
        flip(&path, at);
        let (good, said) = verify(&data);
        assert!(!good && said.contains(".history"), "{at}: {said}");
        servers.spawn().expect("they start");
        servers.until_ready().await.expect("they serve");
        let (second, since) = (&servers.all()[1], Instant::now());
        while !second.said().contains("was mended") {
            assert!(since.elapsed() < Duration::from_secs(30), "{}", second.said());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(second.said().contains("is damaged"), "{}", second.said());
        let findings = audit(&servers.addresses(), &ledger).await.expect("an audit");
        assert!(findings.is_empty(), "{at}: {findings}");
        let findings = agree(&servers).await;
        assert!(findings.is_empty(), "{at}: {findings}");
        servers.stop().await.expect("they stop");
        let (good, said) = verify(&data);
        assert!(good, "{at}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_a_node_s_log_stops_it_and_the_others_serve() {
    let (_dir, mut servers, ledger) = stopped().await;
    let log = Frames::of_log(&servers.all()[2].options().dir);
    let records = log.records();
    let middle = records[records.len() / 2];
    flip(&log.path, middle.at + 24 + middle.len / 2);
    servers.spawn().expect("they start");
    let (status, said) = servers.one(2).until_ended().await.expect("it ends");
    assert!(!status.success(), "{status}: {said}");
    let name = log.path.file_name().expect("a name").to_string_lossy();
    assert!(said.contains(&*name) && said.contains("the log is damaged"), "{said}");
    assert!(said.contains("replace the node"), "{said}");
    for number in [0, 1] {
        servers.one(number).until_ready().await.expect("it serves");
    }
    let findings = audit(&servers.addresses()[..2], &ledger).await.expect("an audit");
    assert!(findings.is_empty(), "{findings}");
}
