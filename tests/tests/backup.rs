//! A cluster is backed up while it works, and comes back as another one: whole nodes on simulated
//! machines.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use catga::prelude::*;
use catga::tools::{RestoreError, Restored, Which, restore_on};
use catga::{BackupError, Backups, DataDir, Failure, FaultCode, Limits, NodeState, StartError};
use catga_host::{Host, Open};
use catga_testkit::VirtualHost;
use catga_testkit::disk::{Call, Fault};
use catga_tests::machines::{Machines, endpoint, name};
use catga_tests::orders::{CountOrders, CreateOrder, GetOrder, Orders, count, order};
use catga_tests::parcels::{self, GetLedger, World};
use catga_tests::wait_until;
use futures_util::future::join_all;

const BACKUPS: &str = "/backups";
const RESTORED: &str = "/restored";

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Makes a node of the latest backup on machine `number`, on that machine.
async fn restore(machines: &Machines, number: usize) -> Result<Restored, RestoreError> {
    let host: Arc<dyn Host> = machines.host(number).clone();
    restore_on(&host, BACKUPS, Which::Latest, RESTORED, name(0)).await
}

/// Starts what was restored on a machine, as a process alone.
async fn start_restored(host: &Arc<VirtualHost>) -> Node {
    try_start_restored(host).await.expect("it starts")
}

async fn try_start_restored(host: &Arc<VirtualHost>) -> Result<Node, StartError> {
    let builder = Catga::builder().name(name(0)).host(host.clone());
    let service = builder.service(|n| Orders { book: n.projection() });
    service.data_dir(DataDir::new(RESTORED)).start().await
}

/// Places orders one after the other on `node`, under keys of its own, until it is told to stop; adds
/// each that was acknowledged to `placed`.
async fn shop(
    node: &Node,
    shopper: usize,
    placed: &RefCell<Vec<(String, catga_tests::orders::Order)>>,
    goes_on: &Cell<bool>,
) {
    for number in 0.. {
        if !goes_on.get() {
            return;
        }
        let key = format!("{shopper}-{number}");
        let sent = node.send(CreateOrder::for_customer("alice")).key(&*key).await;
        placed.borrow_mut().push((key, sent.expect("it is placed")));
    }
}

#[test]
fn what_was_acknowledged_before_a_backup_under_load_is_in_the_cluster_that_comes_back() {
    for seed in 1..=4 {
        catga_testkit::run(seed, async |test| {
            let mut machines = Machines::new(&test, seed, 4);
            let nodes = machines.start_all(3).await;
            let leads = |node: &Node| node.cluster().status().is_leader;
            let follower = nodes.iter().position(|node| !leads(node)).expect("two follow");
            let (placed, goes_on) = (RefCell::default(), Cell::new(true));
            let shoppers = nodes.iter().enumerate();
            let load = join_all(shoppers.map(|(it, node)| shop(node, it, &placed, &goes_on)));
            let back_up = async {
                tokio::time::sleep(ms(300)).await;
                let before = placed.borrow().len();
                let backup = nodes[follower].backup(BACKUPS).await.expect("a backup");
                tokio::time::sleep(ms(100)).await;
                goes_on.set(false);
                (before, backup)
            };
            let (_, (before, backup)) = futures_util::join!(load, back_up);
            let placed = placed.into_inner();
            assert!(before > 50 && placed.len() > before, "{before} of {}", placed.len());
            assert_eq!((&*backup.cluster, backup.node.as_str()), ("test", &*name(follower)));
            let old = nodes[0].position();

            // All is lost but the backups, which are on a machine of their own.
            let restored = restore(&machines, follower).await.expect("restored");
            assert_eq!(restored.backup, backup);
            let host = machines.host(follower).clone();
            for number in (0..3).filter(|number| *number != follower) {
                machines.wipe(number).await;
            }
            drop(nodes);
            host.crash().await;
            let node = start_restored(&host).await;
            let held = count(&node, "alice").await;
            assert!((before..=placed.len()).contains(&held), "{before}, {held}");

            // What was answered is answered so again, and counts once.
            for (key, order) in &placed[..before] {
                let again = node.send(CreateOrder::for_customer("alice")).key(&**key).await;
                assert_eq!(again.as_ref(), Ok(order), "{key}");
                let shown = node.ask(GetOrder { id: order.id }).await;
                assert_eq!(shown.as_ref(), Ok(order), "{key}");
            }
            assert_eq!(count(&node, "alice").await, held);
            let ask = node.ask(CountOrders { customer: "alice".into() }).after(old);
            let refused = match ask.await.expect_err("of a former life") {
                Failure::Fault(fault) => fault,
                Failure::Domain(never) => match never {},
            };
            assert_eq!(refused.code(), FaultCode::PositionUnknown, "{refused}");
            order(&node, "alice").await;
            assert!(node.shutdown().await);
            assert_eq!(count(&start_restored(&host).await, "alice").await, held + 1);
        });
    }
}

/// Machine 0 has the backup; the others have nothing.
#[test]
fn what_was_restored_grows_again_by_nodes_that_join_it() {
    catga_testkit::run(1, async |test| {
        let machines = Machines::new(&test, 1, 5);
        let old = machines.start_all(3).await;
        for _ in 0..20 {
            order(&old[1], "alice").await;
        }
        old[0].backup(BACKUPS).await.expect("a backup");
        restore(&machines, 0).await.expect("restored");
        for number in 0..3 {
            machines.host(number).power_cut().await;
            machines.host(number).power_on();
        }
        let at = |number| machines.cluster(number, 3);
        let first = machines.start(0, at(0).data_dir(RESTORED)).await.expect("it starts");
        order(&first, "alice").await;
        assert_eq!(first.cluster().status().members.len(), 1);

        // Nodes of the cluster as it was have no place in it, whatever they are called.
        let why = match machines.start(1, at(1)).await {
            Ok(node) => node.failed().await.to_string(),
            Err(error) => error.to_string(),
        };
        let of_old = why.contains("was never a part of this cluster") && why.contains("restore");
        assert!(of_old, "{why}");
        assert_eq!(first.cluster().status().members.len(), 1);

        let mut nodes = vec![first];
        for number in 1..3 {
            let joined = machines.start(number, at(number).data_dir(RESTORED)).await;
            nodes.push(joined.expect("it joins"));
        }
        let voters = |node: &Node| {
            let members = node.cluster().status().members;
            members.iter().filter(|member| member.has_vote).count()
        };
        machines.until("all vote", || nodes.iter().all(|node| voters(node) == 3)).await;
        order(&nodes[2], "alice").await;
        for node in &nodes {
            assert_eq!(count(node, "alice").await, 22);
        }
        let hashes: Vec<_> = nodes.iter().map(Node::rolling_hash).collect();
        assert!(hashes.iter().all(|hash| *hash == hashes[0]), "{hashes:?}");
        // One is lost, and a fourth joins as a learner.
        machines.host(0).power_cut().await;
        order(&nodes[1], "alice").await;
        let fourth = machines.start(3, at(3).address(endpoint(3))).await.expect("it joins");
        assert_eq!(fourth.cluster().status().state, NodeState::Learner);
        assert_eq!(count(&fourth, "alice").await, 23);

        // What grew can be backed up and restored as well.
        let again = fourth.backup(Backups::new(BACKUPS).keep(3)).await.expect("by a learner");
        let life = |node: &Node| node.position().incarnation;
        assert_eq!(again.position.incarnation, life(&nodes[1]));
        assert_ne!(life(&nodes[1]), life(&old[1]));
        restore(&machines, 3).await.expect("restored");
        machines.host(3).crash().await;
        assert_eq!(count(&start_restored(machines.host(3)).await, "alice").await, 23);
    });
}

/// Another node has what is damaged on this one, and mends it meanwhile.
#[test]
fn what_is_damaged_on_a_node_is_mended_and_backed_up() {
    catga_testkit::run(1, async |test| {
        let machines = Machines::new(&test, 1, 3);
        let nodes = machines.start_all(3).await;
        for _ in 0..20 {
            order(&nodes[1], "alice").await;
        }
        nodes[0].backup("/first").await.expect("a backup");
        let disk = machines.host(0).disk();
        let is_history = |path: &&std::path::PathBuf| path.starts_with("/data/journal/history");
        let paths = disk.paths();
        disk.flip_bit(paths.iter().find(is_history).expect("a segment"), 300).expect("there");
        nodes[0].backup(BACKUPS).await.expect("a backup");
        assert_eq!(nodes[0].rolling_hash(), nodes[1].rolling_hash());
        restore(&machines, 0).await.expect("restored");
        drop(nodes);
        machines.host(0).crash().await;
        assert_eq!(count(&start_restored(machines.host(0)).await, "alice").await, 20);
    });
}

#[test]
fn an_id_that_another_node_minted_hears_its_first_answer_after_a_restore() {
    catga_testkit::run(1, async |test| {
        let machines = Machines::new(&test, 1, 3);
        let nodes = machines.start_all(3).await;
        let sent = nodes[1].send(CreateOrder::for_customer("alice")).reported().await;
        let id = sent.report.expect("it is durable").message_id;
        nodes[0].backup(BACKUPS).await.expect("a backup");
        restore(&machines, 0).await.expect("restored");
        drop(nodes);
        machines.host(0).crash().await;
        let node = start_restored(machines.host(0)).await;
        let again = node.send(CreateOrder::for_customer("alice")).id(id).await;
        assert_eq!(again, sent.answer);
        assert_eq!(count(&node, "alice").await, 1);
    });
}

#[test]
fn subscribers_go_on_where_they_were_and_keep_their_dead_letters() {
    catga_testkit::run(1, async |host| {
        let world = World::new(&host);
        let start = async |dir: &str| {
            let mut limits = Limits::default();
            limits.delivery_attempts = 2;
            let node = Catga::builder().limits(limits).host(host.clone()).data_dir(dir);
            let node = parcels::builder(node, &world, "node1", &["ship"]);
            node.start().await.expect("it starts")
        };
        let node = start("/data").await;
        let send = async |node: &Node, number: u64| {
            let order = parcels::Order { parcel: format!("p-{number}"), number };
            node.send(order).await.expect("ordered");
        };
        world.break_only([2]);
        for number in 1..=3 {
            send(&node, number).await;
        }
        let settled =
            || node.subscribers()[0].dead_letters == 1 && world.numbers("ship").len() >= 4;
        world.wait_until("one is dead", settled).await;
        tokio::time::sleep(ms(2000)).await;
        node.backup(BACKUPS).await.expect("a backup");
        send(&node, 4).await;
        assert!(node.shutdown().await);

        let delivered = world.numbers("ship").len();
        let host: Arc<dyn Host> = host.clone();
        let restored = restore_on(&host, BACKUPS, Which::Number(1), RESTORED, "node1").await;
        restored.expect("restored");
        let node = start(RESTORED).await;
        let letters = node.dead_letters("ship").await.expect("told");
        assert_eq!(letters.len(), 1);
        tokio::time::sleep(ms(5000)).await;
        assert_eq!(world.numbers("ship").len(), delivered, "none is delivered again");
        world.break_only([]);
        let letter = &letters[0];
        let asked = node.retry_dead_letter("ship", letter.position, letter.index);
        asked.await.expect("it is delivered again");
        send(&node, 5).await;
        let all =
            || world.numbers("ship").ends_with(&[2, 5]) || world.numbers("ship").ends_with(&[5, 2]);
        world.wait_until("both came", all).await;
        tokio::time::sleep(ms(2000)).await;
        let mut shipped = node.ask(GetLedger).await.expect("a ledger").shipped;
        shipped.sort_unstable();
        assert_eq!(shipped, [1, 2, 3, 5], "what came after the backup is lost");
    });
}

#[test]
fn what_cannot_be_restored_is_refused_before_anything_is_written() {
    catga_testkit::run(1, async |test| {
        let machines = Machines::new(&test, 1, 1);
        let node = machines.start_alone(0).await.expect("it starts");
        order(&node, "alice").await;
        let none = restore(&machines, 0).await.expect_err("there is none").to_string();
        assert!(none.contains("/backups"), "{none}");
        let wrong = node.backup("/data").await.expect_err("it is a node's");
        assert!(matches!(wrong, BackupError::NotBackups { .. }), "{wrong}");
        node.backup(BACKUPS).await.expect("a backup");

        let host: Arc<dyn Host> = machines.host(0).clone();
        let disk = machines.host(0).disk();
        let into = async |which, dir: &str| restore_on(&host, BACKUPS, which, dir, "node1").await;
        let refused =
            into(Which::Number(7), RESTORED).await.expect_err("there is none").to_string();
        assert!(refused.contains("no backup `7`") && refused.contains("there are 1"), "{refused}");
        for name in ["", " ", "node\n1"] {
            let refused = restore_on(&host, BACKUPS, Which::Latest, RESTORED, name).await;
            let refused = refused.expect_err("it is no name").to_string();
            assert!(refused.contains(&format!("the name {name:?}")), "{refused}");
        }
        let refused = into(Which::Latest, "/data").await.expect_err("it is used").to_string();
        assert!(refused.contains("/data holds") && refused.contains("empty"), "{refused}");
        let is_piece = |path: &&std::path::PathBuf| path.starts_with("/backups/pieces");
        let pieces = disk.paths();
        let pieces: Vec<_> = pieces.iter().filter(is_piece).collect();
        disk.flip_bit(pieces[0], 100).expect("there");
        let refused = into(Which::Latest, RESTORED).await.expect_err("damaged").to_string();
        assert!(refused.contains("nothing was restored"), "{refused}");
        assert!(refused.contains(&pieces[0].display().to_string()), "{refused}");
        assert!(!disk.paths().iter().any(|path| path.starts_with(RESTORED)));
        disk.flip_bit(pieces[0], 100).expect("there");
        into(Which::Latest, RESTORED).await.expect("restored");
        let refused = into(Which::Latest, RESTORED).await.expect_err("it is there").to_string();
        assert!(refused.contains("/restored holds"), "{refused}");
    });
}

/// Its power goes at any moment of a restore.
#[test]
fn an_interrupted_restore_is_no_node_and_says_so() {
    let (mut refused, mut done) = (0, 0);
    for stop in 0..72 {
        catga_testkit::run(1, async |test| {
            let machines = Machines::new(&test, 1, 1);
            let node = machines.start_alone(0).await.expect("it starts");
            order(&node, "alice").await;
            node.backup(BACKUPS).await.expect("a backup");
            assert!(node.shutdown().await);
            let host = machines.host(0).clone();
            let end = async {
                tokio::time::sleep(ms(stop)).await;
                host.power_cut().await;
            };
            let (restored, ()) = futures_util::join!(restore(&machines, 0), end);
            host.power_on();
            match try_start_restored(&host).await {
                Ok(node) => {
                    // Nothing at all was there, or all.
                    let held = count(&node, "alice").await;
                    assert!(held == 1 || restored.is_err(), "after {stop} ms");
                    done += held;
                }
                Err(error) => {
                    assert!(restored.is_err(), "after {stop} ms: {error}");
                    let why = error.to_string();
                    assert!(why.contains("was interrupted") && why.contains("again"), "{why}");
                    let again = restore(&machines, 0).await.expect_err("not over it").to_string();
                    assert!(again.contains("was interrupted"), "{again}");
                    refused += 1;
                }
            }
        });
    }
    assert!(refused > 5 && done > 5, "{refused}, {done}");
}

/// It ended with its identity there and its marker not yet away; then the disk fails.
#[test]
fn nobody_starts_where_the_marker_of_an_interrupted_restore_cannot_be_read() {
    catga_testkit::run(1, async |test| {
        let machines = Machines::new(&test, 1, 1);
        let node = machines.start_alone(0).await.expect("it starts");
        order(&node, "alice").await;
        node.backup(BACKUPS).await.expect("a backup");
        assert!(node.shutdown().await);
        restore(&machines, 0).await.expect("restored");
        let host = machines.host(0).clone();
        let (files, disk) = (host.files(), host.disk());
        let marker = Path::new(RESTORED).join("restoring");
        files.open(&marker, Open::Create).expect("a file");
        let why = async || try_start_restored(&host).await.expect_err("refused").to_string();

        let failing = Fault::of(Call::Open).on(|path| path.ends_with("restoring"));
        disk.fail(failing.every());
        let said = why().await;
        assert!(said.contains("/restored cannot be used: simulated fault"), "{said}");
        disk.heal();
        let said = why().await;
        assert!(said.contains("was interrupted"), "{said}");
        files.remove(&marker).expect("it is there");
        assert_eq!(count(&start_restored(&host).await, "alice").await, 1);
    });
}

/// The metrics of `node` about backups, without what is said of them.
fn counted(node: &Node) -> Vec<String> {
    let text = node.metrics_text();
    let about = text.lines().filter(|line| line.starts_with("catga_") && line.contains("backup"));
    about.map(ToOwned::to_owned).collect()
}

#[test]
fn metrics_say_when_a_backup_was_made_and_how_many_were_not() {
    catga_testkit::run(1, async |test| {
        let machines = Machines::new(&test, 1, 1);
        let node = machines.start_alone(0).await.expect("it starts");
        let host = machines.host(0);
        let last = || format!("catga_last_backup_timestamp_seconds {}", host.wall_ms() / 1000);
        order(&node, "alice").await;
        assert_eq!(counted(&node), ["catga_backups_failed_total 0"]);
        node.backup("/data").await.expect_err("it is a node's");
        assert_eq!(counted(&node), ["catga_backups_failed_total 1"]);
        node.backup(BACKUPS).await.expect("a backup");
        let first = last();
        assert_eq!(counted(&node), ["catga_backups_failed_total 1", &first]);

        // Whoever asks goes away before it is made, or is not.
        let ask = async |dir: &'static str| {
            tokio::time::sleep(ms(5000)).await;
            let before = counted(&node);
            let gone = tokio::time::timeout(ms(1), node.backup(dir)).await;
            assert!(gone.is_err() && counted(&node) == before, "{gone:?}");
            wait_until("it is counted", || counted(&node) != before).await;
        };
        ask(BACKUPS).await;
        assert_eq!(counted(&node), ["catga_backups_failed_total 1", &last()]);
        let second = last();
        assert_ne!(first, second);
        ask("/data").await;
        assert_eq!(counted(&node), ["catga_backups_failed_total 2", &second]);
    });
}

#[test]
fn a_backup_without_a_leader_fails_and_is_counted() {
    catga_testkit::run(1, async |test| {
        let machines = Machines::new(&test, 1, 3);
        let nodes = machines.start_all(3).await;
        for number in 1..3 {
            machines.host(number).power_cut().await;
        }
        let failed = nodes[0].backup(BACKUPS).await.expect_err("nobody confirms it");
        assert!(matches!(failed, BackupError::Journal(_)), "{failed}");
        assert_eq!(counted(&nodes[0]), ["catga_backups_failed_total 1"]);
    });
}

#[test]
fn a_node_that_keeps_nothing_says_so() {
    catga_testkit::run(1, async |_| {
        let node = catga_tests::orders::start().await;
        let refused = node.backup(BACKUPS).await.expect_err("it has no disk");
        assert!(matches!(refused, BackupError::NoDisk), "{refused}");
    });
}
