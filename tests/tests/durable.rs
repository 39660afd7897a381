//! One process on disk: what was acknowledged survives, and what is wrong with a disk is named.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use catga::prelude::*;
use catga::{DataDir, FaultCode, Limits, Outcome, StartError};
use catga_host::Host;
use catga_journal::segment::{FileKind, read_whole, write_whole};
use catga_testkit::VirtualHost;
use catga_testkit::disk::{Call, Fault as DiskFault};
use catga_tests::orders::*;

const DATA: &str = "/data/node1";

async fn start_as(host: &Arc<VirtualHost>, name: &str, dir: DataDir) -> Result<Node, StartError> {
    Catga::builder()
        .name(name)
        .host(host.clone())
        .service(|n| Orders { book: n.projection() })
        .data_dir(dir)
        .start()
        .await
}

async fn start(host: &Arc<VirtualHost>) -> Result<Node, StartError> {
    start_as(host, "node1", DataDir::new(DATA)).await
}

/// Small, so that a few orders do what thousands do otherwise.
fn small() -> DataDir {
    DataDir::new(DATA)
        .segment_bytes(4096)
        .checkpoint_bytes(2048)
        .checkpoint_interval(Duration::ZERO)
        .log_kept_bytes(0)
}

async fn place(node: &Node, count: usize) -> Vec<Order> {
    let mut orders = Vec::new();
    for _ in 0..count {
        orders.push(node.send(CreateOrder::for_customer("ann")).await.expect("an order"));
    }
    orders
}

async fn assert_all(node: &Node, orders: &[Order]) {
    for order in orders {
        assert_eq!(node.ask(GetOrder { id: order.id }).await.as_ref(), Ok(order));
    }
    let count = node.ask(CountOrders { customer: "ann".into() }).await;
    assert_eq!(count, Ok(orders.len()));
}

fn why(started: Result<Node, StartError>) -> String {
    match started {
        Ok(_) => panic!("it starts"),
        Err(error) => error.to_string(),
    }
}

fn files_named(host: &VirtualHost, ending: &str) -> Vec<PathBuf> {
    let mut paths = host.disk().paths();
    paths.retain(|path| path.to_string_lossy().ends_with(ending));
    paths
}

#[test]
fn what_was_acknowledged_survives_a_loss_of_power() {
    catga_testkit::run(1, async |host| {
        let node = start(&host).await.expect("a new directory");
        let key = || node.send(CreateOrder::for_customer("ann")).key("k");
        let first = key().await.expect("an order");
        let mut orders = place(&node, 20).await;
        orders.insert(0, first.clone());
        let position = node.position();
        host.power_cut().await;
        let node = start(&host).await.expect("it goes on");
        assert_all(&node, &orders).await;
        assert_eq!(node.position().incarnation, position.incarnation);
        let again = node.send(CreateOrder::for_customer("ann")).key("k").after(position).await;
        assert_eq!(again, Ok(first), "the same key is the same order, also after a restart");
        let survives = node.cluster().status().guarantees.survives;
        assert_eq!(survives.to_string(), "power-loss");
    });
}

/// Without it nobody knows what was acknowledged since the last checkpoint, and where there are peers
/// what the node has voted for.
#[test]
fn a_node_whose_log_is_gone_does_not_start_and_says_so() {
    catga_testkit::run(5, async |host| {
        for dir in [DataDir::new(DATA), small()] {
            let node = start_as(&host, "node1", dir.clone()).await.expect("it starts");
            place(&node, 30).await;
            node.shutdown().await;
            for path in files_named(&host, ".log") {
                host.files().remove(&path).expect("it is there");
            }
            let why = why(start_as(&host, "node1", dir).await);
            assert!(why.contains("the log in /data/node1/log is gone"), "{why}");
            host.disk().wipe();
        }
    });
}

/// The limit asks who comes, and decides nothing about what stands in the log.
#[test]
fn fewer_keys_than_are_remembered_lose_no_order() {
    catga_testkit::run(3, async |host| {
        let start = async |keys| {
            let mut limits = Limits::default();
            limits.keys = keys;
            let builder = Catga::builder().name("node1").host(host.clone()).limits(limits);
            let builder = builder.service(|n| Orders { book: n.projection() });
            builder.data_dir(DATA).start().await.expect("it starts")
        };
        let send =
            async |node: &Node, key| node.send(CreateOrder::for_customer("ann")).key(key).await;
        let node = start(10).await;
        let mut orders = Vec::new();
        for key in ["a", "b", "c"] {
            orders.push(send(&node, key).await.expect("there is room"));
        }
        host.power_cut().await;
        let node = start(1).await;
        assert_all(&node, &orders).await;
        assert_eq!(send(&node, "c").await.as_ref(), Ok(&orders[2]));
        let refused = send(&node, "d").await;
        assert!(refused.is_err_and(|failure| {
            let Failure::Fault(fault) = failure else { return false };
            fault.code() == FaultCode::KeysExhausted && fault.message().contains("limits.keys")
        }));
    });
}

#[test]
fn a_key_makes_room_when_its_time_is_over_though_nothing_else_comes() {
    catga_testkit::run(4, async |host| {
        let mut limits = Limits::default();
        limits.keys = 1;
        let builder = Catga::builder().name("node1").host(host.clone()).limits(limits);
        let builder = builder.service(|n| Orders { book: n.projection() });
        let dir = DataDir::new(DATA).key_retention(Duration::from_secs(60));
        let node = builder.data_dir(dir).start().await.expect("it starts");
        let send = |key| node.send(CreateOrder::for_customer("ann")).key(key);
        send("a").await.expect("there is room");
        host.advance(Duration::from_secs(59)).await;
        assert!(send("b").await.is_err(), "a key is remembered for a minute");
        host.advance(Duration::from_secs(1)).await;
        send("b").await.expect("the minute is over");
        assert!(send("c").await.is_err());
    });
}

#[test]
fn the_options_of_a_data_directory_decide_what_is_kept() {
    catga_testkit::run(2, async |host| {
        let node = start_as(&host, "node1", small()).await.expect("a new directory");
        let orders = place(&node, 60).await;
        host.advance(Duration::from_secs(5)).await;
        let logs = files_named(&host, ".log");
        assert!(logs.len() < 6, "checkpoints and a short log drop segments: {logs:?}");
        assert!(!files_named(&host, ".checkpoint").is_empty());
        assert_eq!(host.disk().contents(&logs[0]).expect("a segment").len(), 4096);
        host.power_cut().await;
        let node = start_as(&host, "node1", small()).await.expect("it goes on");
        assert_all(&node, &orders).await;
        node.shutdown().await;
        // With the usual options nothing of this is due.
        let other = || DataDir::new("/data/other");
        let node = start_as(&host, "node1", other()).await.expect("a new directory");
        place(&node, 60).await;
        host.advance(Duration::from_secs(5)).await;
        let mine = |path: &PathBuf| path.starts_with("/data/other");
        assert!(!files_named(&host, ".checkpoint").iter().any(mine));
    });
}

#[test]
fn options_that_cannot_work_are_refused_at_once() {
    catga_testkit::run(3, async |host| {
        let dir = DataDir::new("").segment_bytes(7).checkpoint_bytes(0);
        let error = why(start_as(&host, "node1", dir).await);
        for option in ["data_dir", "segment_bytes", "checkpoint_bytes"] {
            assert!(error.contains(option), "{error}");
        }
    });
}

#[test]
fn a_directory_has_one_process_and_one_name() {
    catga_testkit::run(4, async |host| {
        let node = start(&host).await.expect("a new directory");
        let orders = place(&node, 3).await;
        let error = why(start(&host).await);
        assert!(error.contains(DATA) && error.contains("in use by another process"), "{error}");
        assert_all(&node, &orders).await;
        node.shutdown().await;
        let error = why(start_as(&host, "node2", DataDir::new(DATA)).await);
        assert!(error.contains("`node1`") && error.contains("`node2`"), "{error}");
        assert_all(&start(&host).await.expect("it is node1's"), &orders).await;
    });
}

#[test]
fn a_directory_of_something_else_or_of_a_newer_version_is_left_alone() {
    catga_testkit::run(5, async |host| {
        let node = start(&host).await.expect("a new directory");
        node.shutdown().await;
        let (files, path) = (host.files(), Path::new(DATA).join("identity"));
        let found = read_whole(&*files, &path, FileKind::Identity).expect("readable");
        let (layout, payload) = found.expect("an identity");
        let newer = write_whole(&*files, &path, FileKind::Identity, layout + 1, &payload);
        newer.await.expect("written");
        let before = host.disk().digest();
        let error = why(start(&host).await);
        assert!(error.contains("identity") && error.contains("format 2"), "{error}");
        assert_eq!(host.disk().digest(), before, "nothing was changed");
        files.remove(&path).expect("removed");
        let error = why(start(&host).await);
        assert!(error.contains("no identity"), "{error}");
    });
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    catga_testkit::run(6, async |host| {
        host.disk().set_read_only(true);
        let error = why(start(&host).await);
        assert!(error.contains(DATA) && error.contains("may write to"), "{error}");
    });
}

#[test]
fn a_full_disk_refuses_commands_and_goes_on_when_there_is_room() {
    catga_testkit::run(7, async |host| {
        let node = start_as(&host, "node1", small()).await.expect("a new directory");
        let mut orders = place(&node, 3).await;
        host.disk().set_capacity(host.disk().used_bytes());
        let fault = loop {
            match node.send(CreateOrder::for_customer("ann")).await {
                Ok(order) => orders.push(order),
                Err(failure) => break failure.fault().expect("a fault").clone(),
            }
            assert!(orders.len() < 100, "a full disk takes no more than what was reserved");
        };
        assert_eq!((fault.code(), fault.outcome()), (FaultCode::StorageFull, Outcome::NotExecuted));
        assert!(node.health().ready && node.health().degraded[0].contains("no room"));
        assert_all(&node, &orders).await;
        host.disk().set_capacity(1 << 30);
        host.advance(Duration::from_secs(2)).await;
        orders.extend(place(&node, 3).await);
        assert!(node.health().degraded.is_empty(), "{:?}", node.health());
        host.power_cut().await;
        let node = start_as(&host, "node1", small()).await.expect("it goes on");
        assert_all(&node, &orders).await;
    });
}

#[test]
fn a_disk_that_fails_ends_the_node_and_loses_nothing() {
    catga_testkit::run(8, async |host| {
        let node = start(&host).await.expect("a new directory");
        let orders = place(&node, 5).await;
        host.disk().fail(DiskFault::of(Call::Sync));
        let failure = node.send(CreateOrder::for_customer("bob")).await.expect_err("no answer");
        assert_eq!(failure.fault().expect("a fault").outcome(), Outcome::Unknown);
        let why = node.failed().await;
        assert!(why.to_string().contains("simulated fault"), "{why}");
        assert!(!node.health().ready);
        host.power_cut().await;
        assert_all(&start(&host).await.expect("it goes on"), &orders).await;
    });
}

#[test]
fn a_directory_that_vanishes_ends_the_node() {
    catga_testkit::run(9, async |host| {
        let node = start(&host).await.expect("a new directory");
        place(&node, 5).await;
        for path in host.disk().paths() {
            host.files().remove(&path).expect("removed");
        }
        host.advance(Duration::from_secs(1)).await;
        let mut acknowledged = 0;
        while node.send(CreateOrder::for_customer("ann")).await.is_ok() {
            acknowledged += 1;
            assert!(acknowledged < 3, "it goes on to acknowledge");
        }
        let why = node.failed().await;
        assert!(why.to_string().contains("was removed while it was in use"), "{why}");
    });
}

/// Where each kind of file may be changed in one bit, and what a start makes of it.
#[test]
fn a_flipped_bit_is_named_or_mended_and_never_served() {
    catga_testkit::run(10, async |host| {
        let node = start_as(&host, "node1", small()).await.expect("a new directory");
        let orders = place(&node, 80).await;
        host.advance(Duration::from_secs(5)).await;
        node.shutdown().await;
        for (ending, refused) in [
            ("identity", true),
            (".log", true),
            (".history", true),
            // The one before it serves, or what it says is made anew.
            (".checkpoint", false),
            (".index", false),
            (".snapshot", false),
            (".view", false),
        ] {
            let path = files_named(&host, ending).pop();
            let path = path.unwrap_or_else(|| panic!("there is a file {ending}"));
            // The newest log may hold nothing yet; the one before it does.
            let path = match ending {
                ".log" => files_named(&host, ending).swap_remove(0),
                _ => path,
            };
            host.disk().flip_bit(&path, 80).expect("flipped");
            match start_as(&host, "node1", small()).await {
                Ok(node) => {
                    assert!(!refused, "{} was taken", path.display());
                    assert_all(&node, &orders).await;
                    node.shutdown().await;
                }
                Err(error) => {
                    let error = error.to_string();
                    assert!(refused, "{error}");
                    assert!(error.contains(&*path.to_string_lossy()), "{error}");
                    host.disk().flip_bit(&path, 80).expect("flipped back");
                    let node = start_as(&host, "node1", small()).await.expect("whole again");
                    assert_all(&node, &orders).await;
                    node.shutdown().await;
                }
            }
        }
    });
}
