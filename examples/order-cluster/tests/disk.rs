//! The order service on a disk that is damaged, shared, removed or full.

#![allow(clippy::print_stdout, reason = "the seed of a run is worth reading")]

#[path = "disk/cluster.rs"]
mod cluster;
#[path = "disk/frames.rs"]
mod frames;
#[path = "disk/mount.rs"]
mod mount;
#[path = "disk/rig.rs"]
mod rig;

use std::fs;
use std::io::Write;
use std::time::{Duration, Instant};

use order_cluster::client::Call;
use order_cluster::fleet::Server;

use self::frames::{Frames, flip};
use self::mount::Mount;
use self::rig::{Rig, files, options, refusal};

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_is_named_and_nothing_is_changed() {
    let mut rig = Rig::start().await;
    rig.order(50).await;
    rig.kill_at_rest().await;
    let log = Frames::of_log(&rig.data);
    let records = log.records();
    let (middle, last) = (records[records.len() / 2], records[records.len() - 1]);
    let identity = rig.data.join("identity");
    let half = fs::metadata(&identity).expect("a file").len() as usize / 2;
    for (what, path, at) in [
        ("the last record", &log.path, last.at + 24 + last.len / 2),
        ("the length of the last record", &log.path, last.at + 4),
        ("a record in the middle", &log.path, middle.at + 24 + middle.len / 2),
        ("the head of the segment", &log.path, 20),
        ("the identity", &identity, half),
    ] {
        flip(path, at);
        let before = files(&rig.data);
        let said = rig.expect_refusal().await;
        let name = path.file_name().expect("a name").to_string_lossy();
        assert!(said.contains(&*name), "{what}: {name} is not named in: {said}");
        let after = files(&rig.data);
        let names = || (before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
        assert!(before == after, "{what}: the disk was changed: {:?}", names());
        flip(path, at);
    }
    rig.restart().await;
    rig.expect_all_orders().await;
    rig.order(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_torn_tail_is_cut() {
    let mut rig = Rig::start().await;
    for round in 0..3 {
        rig.order(10).await;
        rig.kill_at_rest().await;
        let log = Frames::of_log(&rig.data);
        let mut bytes = fs::read(&log.path).expect("a segment");
        // What a write that never became durable may leave: anything.
        let garbage: Vec<u8> =
            (0..200 + round * 3000).map(|at| (at * 31 % 251) as u8 | 1).collect();
        bytes[log.end..log.end + garbage.len()].copy_from_slice(&garbage);
        fs::write(&log.path, bytes).expect("written");
        rig.restart().await;
        rig.expect_all_orders().await;
    }
    rig.order(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_has_one_process_and_one_name() {
    let mut rig = Rig::start().await;
    rig.order(3).await;
    let said = refusal(Server::start(options(&rig.data)).await);
    assert!(said.contains("in use by another process"), "{said}");
    rig.order(3).await;
    rig.expect_all_orders().await;
    rig.server.kill().expect("killed");
    let said = refusal(Server::start(options(&rig.data).node("node2")).await);
    assert!(said.contains("`node1`") && said.contains("`node2`"), "{said}");
    rig.restart().await;
    rig.expect_all_orders().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_directory_it_acknowledges_nothing() {
    let mut rig = Rig::start().await;
    rig.order(10).await;
    fs::remove_dir_all(&rig.data).expect("removed");
    let removed = Instant::now();
    // Orders go on; within a second one is refused, and then the process ends.
    while let Ok(answer) = rig.try_order().await
        && answer.status == 201
    {
        assert!(removed.elapsed() < Duration::from_secs(1), "it goes on without its directory");
    }
    while let Ok(answer) = rig.try_order().await {
        assert_ne!(answer.status, 201, "it acknowledged an order after it had refused one");
    }
    let (status, said) = rig.server.until_ended().await.expect("it ends");
    assert!(!status.success(), "{said}");
    assert!(said.contains("removed"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_orders_until_there_is_room() {
    let dir = tempfile::tempdir().expect("a directory");
    let small = dir.path().join("small");
    fs::create_dir(&small).expect("made");
    let _mounted = match Mount::new(&small, "160m") {
        Ok(mounted) => mounted,
        Err(why) => {
            println!("skipped: a small file system cannot be mounted here: {why}");
            return;
        }
    };
    // The log, and the history that its checkpoints make of it, have room there. What the program
    // says goes elsewhere, as it should in earnest.
    let options = options(&small.join("node1")).log(dir.path().join("node1.log"));
    let mut rig = Rig::start_with(dir, options).await;
    rig.product_len = 200_000;
    rig.order(3).await;
    let filler = small.join("filler");
    fill(&filler);

    // What is reserved is used up first.
    let mut refused = None;
    for _ in 0..400 {
        let answer = rig.try_order().await.expect("an answer");
        if answer.status != 201 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("a disk of 160 MB is full at some time");
    assert_eq!(refused.status, 507, "{refused:?}");
    let problem: serde_json::Value = refused.json().expect("a problem");
    assert_eq!(problem["code"], "storage-full", "{problem}");
    assert_eq!(problem["outcome"], "not-executed", "{problem}");
    rig.expect_all_orders().await;
    let again = rig.try_order().await.expect("an answer");
    assert_eq!(again.status, 507, "{again:?}");

    fs::remove_file(&filler).expect("removed");
    wait_until_taken(&mut rig).await;
    rig.order(5).await;
    rig.server.kill().expect("killed");
    rig.restart().await;
    rig.expect_all_orders().await;
    let answer = rig.client.send(&Call::get("/orders/customer/ann")).await.expect("an answer");
    let found: serde_json::Value = answer.json().expect("orders");
    assert_eq!(found["orders"].as_array().map(Vec::len), Some(rig.orders.len()));
}

/// Writes into a file until the disk is full.
fn fill(path: &std::path::Path) {
    let mut file = fs::File::create(path).expect("a file");
    for len in [1 << 16, 1] {
        while file.write_all(&vec![1; len]).is_ok() {}
    }
}

async fn wait_until_taken(rig: &mut Rig) {
    let start = Instant::now();
    while rig.try_order().await.expect("an answer").status != 201 {
        assert!(start.elapsed() < Duration::from_secs(10), "there is room, and it refuses");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
