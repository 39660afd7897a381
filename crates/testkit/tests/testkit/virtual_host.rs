//! Time, chance and crashes on a machine of the test's own.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use catga::host::{Host, TaskEnd};
use catga::prelude::*;
use catga::{Limits, Outcome};
use catga_testkit::{VirtualHost, time};

use crate::orders::*;

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn start(host: &Arc<VirtualHost>) -> Node {
    let builder = Catga::builder().host(host.clone());
    builder.service(|n| Orders { book: n.projection() }).start().await.expect("starts")
}

fn create(customer: &str) -> CreateOrder {
    CreateOrder { customer: customer.into() }
}

async fn count(node: &Node, customer: &str) -> usize {
    let answer = node.ask(CountOrders { customer: customer.into() }).after(node.position()).await;
    answer.expect("counted")
}

/// Everything that a run of some length shows.
fn trace(seed: u64) -> Vec<String> {
    catga_testkit::run(seed, async |host| {
        let node = start(&host).await;
        let mut trace = Vec::new();
        for _ in 0..20 {
            let wait = Duration::from_millis(host.random() % 10_000);
            host.advance(wait).await;
            let replied = node.send(create("ann")).reported().await;
            trace.push(format!("{:?} {:?} {replied:?}", host.now(), node.rolling_hash()));
        }
        trace.push(format!("{:?}", host.trace()));
        trace
    })
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_gives_another() {
    assert_eq!(trace(7), trace(7));
    assert_ne!(trace(7), trace(8));
}

#[test]
fn time_passes_timer_by_timer() {
    catga_testkit::run(1, async |host| {
        let ticks = Arc::new(Mutex::new(Vec::new()));
        for (name, period) in [("fast", 2), ("slow", 5)] {
            let (clock, ticks) = (host.clone(), ticks.clone());
            let ticking = async move {
                loop {
                    clock.sleep(Duration::from_secs(period)).await;
                    ticks.lock().unwrap().push((name, clock.now().as_secs()));
                }
            };
            drop(host.spawn(name, Box::pin(ticking)));
        }
        host.advance(Duration::from_secs(9)).await;
        assert_eq!(host.now(), Duration::from_secs(9));
        let expected = [("fast", 2), ("fast", 4), ("slow", 5), ("fast", 6), ("fast", 8)];
        assert_eq!(*ticks.lock().unwrap(), expected);
        assert_eq!(host.tasks(), ["fast", "slow"]);
    });
}

#[test]
fn the_wall_clock_goes_along_and_wherever_it_is_put() {
    catga_testkit::run(1, async |host| {
        assert_eq!(host.wall(), time("2026-01-01T00:00:00Z"));
        host.advance(HOUR).await;
        assert_eq!(host.wall(), time("2026-01-01T01:00:00Z"));
        host.set_wall(time("1970-01-01T00:10:00Z"));
        assert_eq!(host.wall(), time("1970-01-01T00:10:00Z"));
        host.advance(HOUR).await;
        assert_eq!(host.wall(), time("1970-01-01T01:10:00Z"));
        host.step_wall(DAY);
        assert_eq!(host.wall(), time("1970-01-02T01:10:00Z"));
        host.step_wall_back(HOUR);
        assert_eq!(host.wall(), time("1970-01-02T00:10:00Z"));
        host.step_wall_back(30 * DAY);
        assert_eq!(host.wall(), time("1970-01-01T00:00:00Z"));
        assert_eq!(host.now(), 2 * HOUR, "the monotonic clock goes on");
    });
}

#[test]
fn a_node_goes_on_when_the_wall_clock_goes_backwards() {
    catga_testkit::run(1, async |host| {
        let node = start(&host).await;
        let before = node.send(create("ann")).key("k").await.expect("created");
        host.step_wall_back(365 * DAY);
        let after = node.send(create("ann")).await.expect("created");
        assert_eq!(after.created_at, time("2025-01-01T00:00:00Z"), "the origin's wall time");
        assert_ne!(before.id, after.id);
        assert_eq!(node.send(create("ann")).key("k").await, Ok(before));
        assert_eq!(count(&node, "ann").await, 2);
    });
}

#[test]
fn a_key_is_kept_for_a_day_of_the_journal_whatever_the_wall_clock_says() {
    catga_testkit::run(1, async |host| {
        let node = start(&host).await;
        let first = node.send(create("ann")).key("k").await.expect("created");
        host.step_wall(365 * DAY);
        node.send(create("bob")).await.expect("created");
        assert_eq!(node.send(create("ann")).key("k").await.as_ref(), Ok(&first), "the wall jumped");
        host.advance(DAY - HOUR).await;
        node.send(create("bob")).await.expect("created");
        assert_eq!(node.send(create("ann")).key("k").await.as_ref(), Ok(&first), "not a day yet");
        host.step_wall_back(2 * 365 * DAY);
        host.advance(HOUR).await;
        // The journal's time stands in its entries.
        node.send(create("bob")).await.expect("created");
        let second = node.send(create("ann")).key("k").await.expect("created anew");
        assert_ne!(second.id, first.id);
        assert_eq!(count(&node, "ann").await, 2);
        assert_eq!(node.send(create("ann")).key("k").await, Ok(second), "kept for a day again");
    });
}

#[test]
fn an_id_is_known_long_after_its_key_has_expired() {
    catga_testkit::run(1, async |host| {
        let node = start(&host).await;
        let first = node.send(create("ann")).key("k").reported().await;
        let id = first.report.expect("reported").message_id;
        host.advance(3 * DAY).await;
        node.send(create("bob")).await.expect("created");
        assert_eq!(node.send(create("ann")).id(id).await, first.answer);
        assert_eq!(count(&node, "ann").await, 1);
    });
}

#[test]
fn a_crash_ends_what_runs_and_nobody_waits_for_ever() {
    catga_testkit::run(1, async |host| {
        let node = start(&host).await;
        assert!(host.tasks().contains(&"journal-batcher"), "{:?}", host.tasks());
        let held = Arc::new(());
        let holder = held.clone();
        let task = host.spawn(
            "holder",
            Box::pin(async move {
                let _held = holder;
                std::future::pending::<()>().await;
            }),
        );
        host.crash().await;
        assert_eq!(host.tasks(), [""; 0]);
        assert_eq!(task.await, TaskEnd::Aborted);
        assert_eq!(Arc::strong_count(&held), 1, "what it held is dropped");
        let failure = node.send(create("ann")).await.expect_err("nobody commits it");
        let fault = failure.fault().expect("a fault");
        assert_eq!(fault.outcome(), Outcome::NotExecuted, "{fault}");
        assert!(host.now() <= Limits::default().deadline, "{:?}", host.now());
        // A new start on the same machine; memory remembers nothing.
        let node = start(&host).await;
        node.send(create("ann")).await.expect("created");
        assert_eq!(count(&node, "ann").await, 1);
    });
}

#[test]
fn a_panic_of_a_task_is_told() {
    catga_testkit::run(1, async |host| {
        let task = host.spawn("burns", Box::pin(async { panic!("oh") }));
        let TaskEnd::Panicked(said) = task.await else { panic!("it panics") };
        assert!(said.contains("burns"), "{said}");
        assert_eq!(host.spawn("ends", Box::pin(async {})).await, TaskEnd::Finished);
        assert_eq!(host.tasks(), [""; 0]);
    });
}

#[tokio::test(start_paused = true)]
async fn it_also_runs_in_a_test_with_a_paused_runtime_and_listens_for_real() {
    let host = VirtualHost::new(5);
    assert_eq!(host.seed(), 5);
    let listener = host.listen("127.0.0.1:0".parse().unwrap()).await.expect("listens");
    assert_ne!(listener.local_addr().expect("an address").port(), 0);
    assert!(format!("{host:?}").starts_with("VirtualHost { seed: 5, now: 0ns"), "{host:?}");
}

#[tokio::test]
#[should_panic(expected = "or use `VirtualHost::new` in a `#[tokio::test(start_paused = true)]`")]
async fn a_run_within_another_runtime_says_what_to_write() {
    catga_testkit::run(1, async |_host| ());
}

#[test]
fn a_node_that_is_dropped_or_shut_down_leaves_no_task_behind() {
    catga_testkit::run(1, async |host| {
        for shut_down in [false, true] {
            let node = start(&host).await;
            node.send(create("ann")).await.expect("created");
            assert!(!host.tasks().is_empty());
            if shut_down {
                assert!(node.shutdown().await);
            }
            drop(node);
            host.advance(Duration::from_secs(1)).await;
            assert_eq!(host.tasks(), Vec::<&str>::new(), "shut down: {shut_down}");
        }
    });
}
