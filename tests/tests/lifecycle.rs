//! A node stops in order, stands panics, and keeps to its bounds.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use catga::prelude::*;
use catga::{FaultCode, Limits, NodeState, Outcome, OwnNode, Wiring};
use catga_tests::orders::*;
use catga_tests::wait_until;
use tokio::sync::Semaphore;

#[derive(Command, Clone, Serialize, Deserialize)]
#[command(name = "trouble.make", reply = Vec<u8>)]
enum Trouble {
    Panic,
    PanicPlainly,
    LargeReply(usize),
    LargeCommand(Vec<u8>),
    Wait,
}

#[derive(Command, Serialize, Deserialize)]
#[command(name = "trouble.plain", reply = ())]
struct PlainPanic;

struct Troubles {
    gate: Arc<Semaphore>,
}

#[service]
impl Troubles {
    async fn make(&self, cmd: Trouble, _tx: &mut Tx) -> Answer<Vec<u8>> {
        match cmd {
            Trouble::Panic | Trouble::PanicPlainly => panic!("on purpose"),
            Trouble::LargeReply(size) => Ok(vec![200; size]),
            Trouble::LargeCommand(_) => Ok(Vec::new()),
            Trouble::Wait => {
                let _open = self.gate.acquire().await;
                Ok(Vec::new())
            }
        }
    }

    async fn plain(&self, _cmd: PlainPanic) -> Answer<()> {
        panic!("plainly")
    }
}

async fn start_with(limits: Limits) -> (Node, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let troubles = Troubles { gate: gate.clone() };
    let builder = Catga::builder().limits(limits).service(|_| troubles);
    let node = builder.service(|n| Orders { book: n.projection() }).start().await;
    (node.expect("starts"), gate)
}

fn fault<R: std::fmt::Debug, E: std::fmt::Debug + Clone>(answer: Answer<R, E>) -> Fault {
    answer.expect_err("a fault").fault().expect("a fault").clone()
}

#[tokio::test]
async fn a_panic_in_a_handler_is_a_fault_and_the_node_goes_on() {
    let (node, _) = start_with(Limits::default()).await;
    let durable = fault(node.send(Trouble::Panic).await);
    assert_eq!((durable.code(), durable.outcome()), (FaultCode::Panicked, Outcome::NotExecuted));
    assert!(durable.message().contains("on purpose"), "{durable}");
    let plain = fault(node.send(PlainPanic).await);
    assert_eq!(plain.code(), FaultCode::Panicked);
    node.send(CreateOrder::for_customer("ann")).await.expect("created");
}

#[tokio::test]
async fn a_panic_is_not_recorded_so_a_retry_runs_again() {
    let (node, _) = start_with(Limits::default()).await;
    let before = node.position();
    for _ in 0..2 {
        assert_eq!(fault(node.send(Trouble::Panic).key("k").await).code(), FaultCode::Panicked);
    }
    assert_eq!(node.position(), before);
}

#[tokio::test]
async fn a_command_and_an_answer_over_their_limits_are_refused() {
    let mut limits = Limits::default();
    (limits.command_bytes, limits.answer_bytes) = (1000, 2000);
    let (node, _) = start_with(limits).await;
    let before = node.position();
    let large = fault(node.send(Trouble::LargeCommand(vec![200; 1000])).await);
    assert_eq!(large.code(), FaultCode::CommandTooLarge);
    let large = fault(node.send(Trouble::LargeReply(2000)).await);
    assert_eq!(large.code(), FaultCode::AnswerTooLarge);
    assert_eq!(node.position(), before, "neither is recorded");
    node.send(Trouble::LargeReply(900)).await.expect("within the limits");
}

#[tokio::test(start_paused = true)]
async fn a_node_with_enough_under_way_says_no_after_a_bounded_wait() {
    let mut limits = Limits::default();
    limits.in_flight = 2;
    let (node, gate) = start_with(limits).await;
    let busy: Vec<_> = (0..2)
        .map(|_| {
            tokio::spawn({
                let node = node.clone();
                async move { node.send(Trouble::Wait).await }
            })
        })
        .collect();
    tokio::task::yield_now().await;
    let start = tokio::time::Instant::now();
    let refused = fault(node.send(CreateOrder::for_customer("ann")).await);
    assert_eq!(refused.code(), FaultCode::Overloaded);
    assert_eq!(start.elapsed().as_secs(), 1, "it waited its second");
    gate.add_permits(2);
    for call in busy {
        call.await.expect("no panic").expect("done");
    }
    node.send(CreateOrder::for_customer("ann")).await.expect("there is room again");
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_outlives_the_deadline_has_no_effect() {
    let (node, _gate) = start_with(Limits::default()).await;
    let before = node.position();
    let late = fault(node.send(Trouble::Wait).deadline(Duration::from_millis(1)).await);
    assert_eq!(
        (late.code(), late.outcome()),
        (FaultCode::DeadlineBeforeStart, Outcome::NotExecuted)
    );
    assert_eq!(node.position(), before);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_is_the_calls_own_or_the_nodes() {
    let mut limits = Limits::default();
    limits.deadline = Duration::from_millis(70);
    let (node, gate) = start_with(limits).await;
    let start = tokio::time::Instant::now();
    let late = fault(node.send(Trouble::Wait).await);
    assert_eq!(late.code(), FaultCode::DeadlineBeforeStart);
    assert!((70..90).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    gate.add_permits(1);
    let patient = node.send(Trouble::Wait).deadline(Duration::MAX);
    patient.await.expect("a deadline beyond all clocks is none");
}

#[tokio::test]
async fn no_more_keys_are_remembered_than_may_be() {
    let mut limits = Limits::default();
    limits.keys = 2;
    let (node, _) = start_with(limits).await;
    let create = || node.send(CreateOrder::for_customer("ann"));
    for key in ["a", "b"] {
        create().key(key).await.expect("there is room");
    }
    let refused = fault(create().key("c").await);
    assert_eq!(refused.code(), FaultCode::KeysExhausted);
    create().key("a").await.expect("a key that is remembered is answered");
    create().await.expect("a command without a key needs no room");
}

#[tokio::test]
async fn a_handler_that_always_loses_its_race_stops_running_again() {
    let mut limits = Limits::default();
    limits.reruns = 3;
    let service = Loser { node: Arc::default(), runs: Arc::default() };
    let (own, runs) = (service.node.clone(), service.runs.clone());
    let builder = Catga::builder().limits(limits).service(|n| Orders { book: n.projection() });
    let node = builder.service(|_| service).start().await.expect("starts");
    own.set(node.clone()).expect("set once");
    let id: OrderId = Uuid::from_u128(7).into();
    node.send(ImportOrder { id }).await.expect("imported");
    let lost = fault(node.send(Lose(id)).await);
    assert_eq!((lost.code(), lost.outcome()), (FaultCode::Contention, Outcome::NotExecuted));
    assert_eq!(runs.load(Ordering::Relaxed), 1 + 3);
    // The node and its service hold each other here.
    node.shutdown().await;
}

/// Appends to an order behind the back of its own transaction.
#[derive(Command, Serialize, Deserialize)]
#[command(name = "trouble.lose", reply = ())]
struct Lose(OrderId);

struct Loser {
    node: Arc<OnceLock<Node>>,
    runs: Arc<AtomicU32>,
}

#[service]
impl Loser {
    async fn lose(&self, cmd: Lose, tx: &mut Tx) -> Answer<()> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        let order = tx.load::<Order>(&cmd.0).await?;
        let node = self.node.get().expect("set by the test");
        node.publish(OrderCancelled { id: cmd.0 }).await?;
        if let Some(mut order) = order {
            order.emit(OrderCancelled { id: cmd.0 });
        }
        Ok(())
    }
}

#[tokio::test]
async fn shutdown_lets_what_is_under_way_finish_and_refuses_the_rest() {
    let (node, gate) = start_with(Limits::default()).await;
    let busy = tokio::spawn({
        let node = node.clone();
        async move { node.send(Trouble::Wait).await }
    });
    tokio::task::yield_now().await;
    let stopping = tokio::spawn({
        let node = node.clone();
        async move { node.shutdown().await }
    });
    wait_until("the node drains", || !node.is_running()).await;
    assert_eq!(node.cluster().status().state, NodeState::Draining);
    assert!(!node.health().ready);
    let refused = fault(node.send(CreateOrder::for_customer("ann")).await);
    assert_eq!(refused.code(), FaultCode::ShuttingDown);
    let refused = fault(node.ask(CountOrders { customer: "ann".into() }).await);
    assert_eq!(refused.code(), FaultCode::ShuttingDown);
    assert!(!stopping.is_finished());
    gate.add_permits(1);
    busy.await.expect("no panic").expect("it was let finish");
    assert!(stopping.await.expect("no panic"), "everything under way had finished");
    assert!(node.shutdown().await, "a second call returns at once");
}

#[tokio::test(start_paused = true)]
async fn shutdown_does_not_wait_for_ever() {
    let (node, _gate) = start_with(Limits::default()).await;
    let busy = tokio::spawn({
        let node = node.clone();
        async move { node.send(Trouble::Wait).deadline(Duration::from_secs(3600)).await }
    });
    tokio::task::yield_now().await;
    assert!(!node.shutdown().await, "something was still under way");
    busy.abort();
}

#[tokio::test]
async fn a_single_process_is_its_own_leader() {
    let node = start().await;
    let status = node.cluster().status();
    assert!(status.is_leader);
    assert_eq!(status.state, NodeState::Leader);
    assert_eq!(status.leader.as_ref(), Some(&node.name()));
    assert_eq!(status.members.len(), 1);
    assert_eq!(status.guarantees.survives.to_string(), "nothing");
}

#[tokio::test]
async fn metrics_count_what_happened() {
    let (node, _) = start_with(Limits::default()).await;
    node.send(CreateOrder::for_customer("ann")).await.expect("created");
    let _ = node.send(CancelOrder { id: Uuid::nil().into() }).await;
    let _ = node.send(Trouble::Panic).await;
    let text = node.metrics_text();
    for line in [
        r#"catga_commands_total{message="order.create",outcome="done"} 1"#,
        r#"catga_commands_total{message="order.cancel",outcome="refused"} 1"#,
        r#"catga_commands_total{message="trouble.make",outcome="failed"} 1"#,
        r#"catga_projection_behind{name="orders"} 0"#,
    ] {
        assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
    }
}

struct Looks(OwnNode);

#[derive(Command, Serialize, Deserialize)]
#[command(name = "looks.who", reply = String)]
struct Who;

#[service]
impl Looks {
    async fn who(&self, _cmd: Who) -> Answer<String> {
        Ok(self.0.get()?.name().to_string())
    }
}

#[tokio::test]
async fn a_service_asks_its_own_node_which_it_does_not_keep_alive() {
    let (tell, told) = std::sync::mpsc::channel();
    let looks = move |n: &mut Wiring| {
        let own = n.own_node();
        assert_eq!(own.get().expect_err("it is being built").code(), FaultCode::Starting);
        tell.send(own.clone()).expect("it is heard");
        Looks(own)
    };
    let node = Catga::builder().name("alone").service(looks).start().await.expect("it starts");
    assert_eq!(node.send(Who).await, Ok("alone".to_owned()));
    let own = told.recv().expect("it was built");
    node.shutdown().await;
    drop(node);
    wait_until("it is gone", || own.get().is_err()).await;
    assert_eq!(own.get().expect_err("it is gone").code(), FaultCode::ShuttingDown);
}
