//! Edge layers run once per call, handler layers around every attempt and every delivery.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use catga::prelude::*;
use catga::{Call, Class, FaultCode, Layer, Settled};
use catga_tests::orders::*;
use catga_tests::wait_until;

type Trail = Arc<Mutex<Vec<String>>>;

struct Tracing(&'static str, Trail);

impl Layer for Tracing {
    async fn around<C: Call>(&self, call: C) -> C::Outcome {
        let name = call.name();
        self.1.lock().expect("not poisoned").push(format!("{} > {name}", self.0));
        let outcome = call.proceed().await;
        let end = match outcome.class() {
            Class::Done => "done",
            Class::Refused(code) => code,
            Class::Failed(fault) => fault.code().as_str(),
            Class::Undelivered(reason) => reason,
        };
        self.1.lock().expect("not poisoned").push(format!("{} < {end}", self.0));
        outcome
    }
}

struct OnlyAnn;

impl Layer for OnlyAnn {
    async fn around<C: Call>(&self, call: C) -> C::Outcome {
        if call.message_as::<CreateOrder>().is_some_and(|order| order.customer != "ann") {
            return C::Outcome::fault(Fault::denied("only ann orders here"));
        }
        call.proceed().await
    }
}

struct Mail(Arc<AtomicU32>);

#[service]
impl Mail {
    #[subscriber(name = "mail", each = "node", from = "start")]
    async fn mail(&self, _event: &OrderCreated) -> Result<(), String> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

#[tokio::test]
async fn layers_go_around_in_the_order_in_which_they_were_added() {
    let (trail, mails) = (Trail::default(), Arc::new(AtomicU32::new(0)));
    let mail = Mail(mails.clone());
    let node = Catga::builder()
        .edge(Tracing("edge", trail.clone()))
        .edge(OnlyAnn)
        .layer(Tracing("outer", trail.clone()))
        .layer(Tracing("inner", trail.clone()))
        .service(|n| Orders { book: n.projection() })
        .service(|_| mail)
        .start()
        .await
        .expect("starts");
    let take = || std::mem::take(&mut *trail.lock().expect("not poisoned"));

    node.send(CreateOrder::for_customer("ann")).await.expect("created");
    wait_until("the mail is out", || mails.load(Ordering::Relaxed) == 1).await;
    wait_until("its layers are left", || trail.lock().expect("not poisoned").len() == 10).await;
    let seen = take();
    let of = |prefix: &str| -> Vec<&str> {
        seen.iter().filter(|line| line.starts_with(prefix)).map(String::as_str).collect()
    };
    assert_eq!(of("edge"), ["edge > order.create", "edge < done"], "a delivery has no edge");
    assert_eq!(
        of("outer"),
        ["outer > order.create", "outer < done", "outer > order.created", "outer < done"]
    );
    assert_eq!(seen[..3], ["edge > order.create", "outer > order.create", "inner > order.create"]);

    let _ = node.ask(CountOrders { customer: "ann".into() }).await;
    assert_eq!(take().len(), 6, "a query passes all layers as well");

    let before = node.position();
    let denied = node.send(CreateOrder::for_customer("bob")).await.expect_err("denied");
    assert_eq!(denied.fault().map(Fault::code), Some(FaultCode::Denied));
    assert_eq!(take(), ["edge > order.create", "edge < denied"]);
    assert_eq!(node.position(), before, "what an edge layer refuses is not recorded");

    let _ = node.send(CancelOrder { id: Uuid::nil().into() }).await;
    assert!(take().contains(&"inner < order.not-found".to_owned()));
}

#[tokio::test]
async fn a_layer_goes_around_what_is_added_after_it() {
    let trail = Trail::default();
    let node = Catga::builder()
        .service(|n| Orders { book: n.projection() })
        .layer(Tracing("late", trail.clone()))
        .start()
        .await
        .expect("starts");
    node.send(CreateOrder::for_customer("ann")).await.expect("created");
    assert!(trail.lock().expect("not poisoned").is_empty());
}
