//! Subscribers get every event in order, at least once; ephemeral ones in place.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use catga::prelude::*;
use catga::{Limits, SubscriberState};
use catga_tests::orders::*;
use catga_tests::wait_until;

type Seen = Arc<Mutex<Vec<(OrderId, String)>>>;

struct Mailer {
    seen: Seen,
    failures: Arc<AtomicU32>,
}

#[service]
impl Mailer {
    #[subscriber(name = "confirm-by-mail", each = "node", from = "start")]
    async fn confirm(&self, event: &OrderCreated, delivery: &Delivery) -> Result<(), String> {
        let left = self.failures.load(Ordering::Relaxed);
        if left > 0 {
            self.failures.store(left - 1, Ordering::Relaxed);
            if left.is_multiple_of(2) {
                panic!("the mail server burns");
            }
            return Err("the mail server is down".into());
        }
        self.seen.lock().expect("not poisoned").push((event.id, delivery.idempotency_key()));
        Ok(())
    }
}

async fn start_with(failures: u32, attempts: u32) -> (Node, Seen, Arc<AtomicU32>) {
    let (seen, failures) = (Seen::default(), Arc::new(AtomicU32::new(failures)));
    let mut limits = Limits::default();
    limits.delivery_attempts = attempts;
    let mailer = Mailer { seen: seen.clone(), failures: failures.clone() };
    let started = Catga::builder()
        .limits(limits)
        .service(|n| Orders { book: n.projection() })
        .service(|_| mailer)
        .start()
        .await;
    (started.expect("starts"), seen, failures)
}

#[tokio::test(start_paused = true)]
async fn every_event_comes_in_order_each_with_a_key_of_its_own() {
    let (node, seen, _) = start_with(0, 10).await;
    let mut created = Vec::new();
    for _ in 0..300 {
        created.push(node.send(CreateOrder::for_customer("ann")).await.expect("created").id);
    }
    wait_until("all are delivered", || seen.lock().expect("not poisoned").len() == 300).await;
    let seen = seen.lock().expect("not poisoned");
    assert!(seen.iter().map(|(id, _)| *id).eq(created));
    let mut keys: Vec<_> = seen.iter().map(|(_, key)| key).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 300);
}

#[tokio::test(start_paused = true)]
async fn a_failed_delivery_comes_again_with_the_same_event() {
    let (node, seen, _) = start_with(3, 10).await;
    let order = node.send(CreateOrder::for_customer("ann")).await.expect("created");
    let next = node.send(CreateOrder::for_customer("ann")).await.expect("created");
    wait_until("both are delivered", || seen.lock().expect("not poisoned").len() == 2).await;
    let seen: Vec<_> = seen.lock().expect("not poisoned").iter().map(|(id, _)| *id).collect();
    assert_eq!(seen, [order.id, next.id], "a panic and an error are retried, in order");
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_that_fails_too_often_pauses_and_loses_nothing() {
    let (node, seen, failures) = start_with(u32::MAX, 3).await;
    let order = node.send(CreateOrder::for_customer("ann")).await.expect("created");
    let paused =
        |node: &Node| matches!(node.subscribers()[0].state, SubscriberState::Paused { .. });
    wait_until("it pauses", || paused(&node)).await;
    assert!(node.health().ready, "the node goes on");
    assert!(node.health().degraded[0].contains("confirm-by-mail"), "{:?}", node.health());
    assert!(node.subscribers()[0].cursor < node.position().offset);
    failures.store(0, Ordering::Relaxed);
    assert!(node.resume_subscriber("confirm-by-mail"));
    assert!(!node.resume_subscriber("no-such"));
    wait_until("it is delivered", || seen.lock().expect("not poisoned").len() == 1).await;
    assert_eq!(seen.lock().expect("not poisoned")[0].0, order.id);
    wait_until("it runs again", || node.health().degraded.is_empty()).await;
    assert!(!node.resume_subscriber("confirm-by-mail"), "it is not paused");
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "price.ticked", ephemeral)]
struct PriceTicked(u32);

struct Ticker(Arc<AtomicU32>);

#[service]
impl Ticker {
    #[subscriber(name = "add")]
    async fn add(&self, event: &PriceTicked) -> Result<(), String> {
        self.0.fetch_add(event.0, Ordering::Relaxed);
        Ok(())
    }

    #[subscriber(name = "refuse-seven")]
    async fn refuse(&self, event: &PriceTicked) -> Result<(), String> {
        match event.0 {
            7 => Err("seven".into()),
            13 => panic!("thirteen"),
            _ => Ok(()),
        }
    }

    #[subscriber(name = "add-again")]
    async fn again(&self, event: &PriceTicked) -> Result<(), String> {
        self.add(event).await
    }
}

#[tokio::test]
async fn an_ephemeral_event_is_handled_in_place_and_not_recorded() {
    let sum = Arc::new(AtomicU32::new(0));
    let service = Ticker(sum.clone());
    let node = Catga::builder().service(|_| service).start().await.expect("starts");
    let before = node.position();
    node.publish(PriceTicked(1)).await.expect("handled");
    assert_eq!(sum.load(Ordering::Relaxed), 2, "handled before publish returned");
    for bad in [7, 13] {
        let fault = node.publish(PriceTicked(bad)).await.expect_err("one failed");
        assert!(fault.message().contains("price.ticked"), "{fault}");
    }
    assert_eq!(sum.load(Ordering::Relaxed), 2 + 14 + 26, "the others had it all the same");
    assert_eq!(node.position(), before);
}

#[tokio::test]
async fn a_recorded_event_is_published_to_its_stream() {
    let node = start().await;
    let id: OrderId = Uuid::from_u128(1).into();
    node.publish(OrderCreated { id, customer: "ann".into() }).await.expect("recorded");
    let count = node.ask(CountOrders { customer: "ann".into() }).after(node.position());
    assert_eq!(count.await, Ok(1));
    assert!(node.send(CancelOrder { id }).await.expect("cancelled").cancelled);
}
