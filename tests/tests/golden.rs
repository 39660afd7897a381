//! Data directories that earlier builds have written, in `golden/`: this build must open each of them,
//! as it was, and go on.
//!
//! Each release adds one, by `GOLDEN=$PWD/tests/golden/NAME cargo nextest run -p catga-tests --test golden`,
//! and none is ever changed: a format that a build cannot read any more is one that loses orders.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use catga::prelude::*;
use catga::tools;
use catga::{DataDir, OnDisk};
use catga_tests::orders::*;

/// What the directory held, as the build that wrote it saw it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Seen {
    orders: Vec<Order>,
    refused: OrderError,
}

/// The key of the order at `place`.
fn key(place: usize) -> String {
    format!("golden-{place}")
}

/// Small, so that a few orders fill segments, checkpoints and tables.
async fn start(dir: &Path) -> Node {
    let data = DataDir::new(dir)
        .segment_bytes(4096)
        .checkpoint_bytes(1024)
        .checkpoint_interval(Duration::ZERO)
        .log_kept_bytes(0);
    let builder = Catga::builder().name("golden").service(|n| Orders { book: n.projection() });
    builder.data_dir(data).start().await.expect("it opens")
}

/// Where they are.
fn golden() -> Vec<PathBuf> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let found: Vec<_> =
        fs::read_dir(golden).expect("they are there").map(|it| it.expect("one").path()).collect();
    assert!(!found.is_empty(), "there is none");
    found
}

async fn place(node: &Node, place: usize) -> Answer<Order, OrderError> {
    node.send(CreateOrder::for_customer("ann")).key(key(place)).await
}

async fn cancel(node: &Node, order: &Order) -> Answer<Order, OrderError> {
    node.send(CancelOrder { id: order.id }).key(format!("cancel-{}", order.id)).await
}

/// The error of a refusal.
fn refusal(answer: Answer<Order, OrderError>) -> OrderError {
    match answer.expect_err("it is refused") {
        Failure::Domain(error) => error,
        Failure::Fault(fault) => panic!("{fault}"),
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        match entry.file_type().expect("a kind").is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).expect("copied")),
        }
    }
}

/// Leaves a directory in `path` as a crash would, and beside it what was seen of it.
async fn write(path: &Path) {
    let node = start(&path.join("data")).await;
    let mut orders = Vec::new();
    for number in 0..60 {
        orders.push(place(&node, number).await.expect("an order"));
    }
    let taken = &mut orders[7];
    *taken = cancel(&node, taken).await.expect("it stands");
    let first = &mut orders[0];
    *first = node.send(CancelOrder { id: first.id }).await.expect("it stands");
    let refused = refusal(cancel(&node, &orders[0]).await);
    // As a crash leaves it: some of it is in the log alone.
    drop(node);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let seen = serde_json::to_vec_pretty(&Seen { orders, refused }).expect("JSON");
    fs::write(path.join("seen.json"), seen).expect("written");
    let mut shown = Vec::new();
    tools::dump(path.join("data"), &mut shown).expect("it is read");
    fs::write(path.join("shown.jsonl"), shown).expect("written");
}

/// Opens a copy of what is in `path`, and expects all of it to be there.
async fn expect_whole(path: &Path) {
    let written = fs::read(path.join("seen.json")).expect("what was seen");
    let written: Seen = serde_json::from_slice(&written).expect("it is read");
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    copy(&path.join("data"), &data);
    for file in tools::verify(&data).expect("it is a data directory") {
        assert!(file.found.is_ok(), "{}: {:?}", file.path.display(), file.found);
    }
    let node = start(&data).await;
    let mut orders = Vec::new();
    for order in &written.orders {
        orders.push(node.ask(GetOrder { id: order.id }).await.expect("it is there"));
    }
    assert_eq!(orders, written.orders, "{}", path.display());
    for (number, order) in written.orders.iter().enumerate() {
        let again = place(&node, number).await.expect("its first answer");
        assert_eq!((again.id, again.cancelled), (order.id, false), "{}", path.display());
    }
    assert_eq!(refusal(cancel(&node, &written.orders[0]).await), written.refused);
    // This one is of a start of its own.
    let more = place(&node, written.orders.len()).await.expect("it goes on");
    node.shutdown().await;
    drop(node);
    let node = start(&data).await;
    assert_eq!(node.ask(GetOrder { id: more.id }).await, Ok(more));
    node.shutdown().await;
    let mut shown = Vec::new();
    tools::dump(path.join("data"), &mut shown).expect("it is read");
    let as_then = fs::read(path.join("shown.jsonl")).expect("what was shown");
    assert_eq!(String::from_utf8(shown), String::from_utf8(as_then), "{}", path.display());
}

#[tokio::test]
async fn what_earlier_builds_wrote_is_read() {
    for path in golden() {
        expect_whole(&path).await;
    }
}

#[tokio::test]
async fn what_this_build_writes_is_read() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = std::env::var_os("GOLDEN").map_or(dir.path().join("here"), PathBuf::from);
    write(&path).await;
    expect_whole(&path).await;
}
