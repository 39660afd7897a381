use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::AddAssign;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;
use order_cluster::client::{Answer, Call, Client, NoAnswer};
use order_cluster::fleet::Servers;
use order_cluster::messages::{CreateOrder, CustomerOrders};
use order_cluster::order::{Order, Status};
use tokio::task::JoinSet;

/// How many clients have a command under way at the leader when it is paused.
const PENDING: usize = 8;
/// How long anything may take, but for what is paused.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was seen, in numbers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    /// Commands that were under way at the leader while it stood still.
    pub(crate) pending: usize,
    /// Those that it acknowledged when it woke.
    pub(crate) acknowledged: usize,
    /// Those of which it said that they certainly did not run.
    pub(crate) not_executed: usize,
    /// Those of which nobody said what became of them.
    pub(crate) unknown: usize,
    /// Reads that it got while it stood still, and answered when it woke.
    pub(crate) reads_answered: usize,
    /// Those that it put off.
    pub(crate) reads_put_off: usize,
}

impl AddAssign for Seen {
    fn add_assign(&mut self, more: Self) {
        self.pending += more.pending;
        self.acknowledged += more.acknowledged;
        self.not_executed += more.not_executed;
        self.unknown += more.unknown;
        self.reads_answered += more.reads_answered;
        self.reads_put_off += more.reads_put_off;
    }
}

/// One pause of the leader.
pub(crate) struct Round<'a> {
    servers: &'a mut Servers,
    rng: Rng,
    leader: usize,
    term: u64,
    /// Whether it sleeps for longer than some wait for their answer.
    is_long: bool,
    /// For whom everything of this round is ordered.
    customer: String,
}

/// A command, and what came back of it.
struct Sent {
    call: Call,
    key: String,
    took: Duration,
    came: Result<Answer, NoAnswer>,
}

/// What a node must say if it says anything.
#[derive(Clone)]
struct Probe {
    what: &'static str,
    call: Call,
    expected: Expected,
}

#[derive(Clone)]
enum Expected {
    /// This order, as it stands now.
    Order(Order),
    /// The very answer that another node gave.
    Same(Answer),
    /// Orders, this one among them.
    Among(Order),
}

impl<'a> Round<'a> {
    pub(crate) async fn new(servers: &'a mut Servers, number: usize, rng: Rng) -> Self {
        let (leader, term) = servers.leader().await.expect("somebody leads");
        let (is_long, customer) = (number % 2 == 1, format!("round{number}"));
        Self { servers, rng, leader, term, is_long, customer }
    }

    pub(crate) async fn play(mut self) -> Seen {
        let addresses = self.servers.addresses();
        let (paused, other) = (addresses[self.leader], addresses[(self.leader + 1) % 3]);
        let mut elsewhere = Client::new(vec![other]);
        let old = order_in(&settle(&mut elsewhere, &self.create("old")).await, 201);

        let stop = Arc::new(AtomicBool::new(false));
        let pending = self.keep_ordering(paused, &stop);
        tokio::time::sleep(Duration::from_millis(self.rng.u64(20..200))).await;
        let since = Instant::now();
        self.servers.one(self.leader).pause().expect("it is paused");
        let term = self.until_another_leads().await;

        let probes = self.change(&mut elsewhere, &old).await;
        let asked = ask_all(paused, &probes);
        let rest = if self.is_long { 1_200..2_500 } else { 0..500 };
        tokio::time::sleep(Duration::from_millis(self.rng.u64(rest))).await;
        stop.store(true, Ordering::Relaxed);
        let stood_still = since.elapsed();
        self.servers.one(self.leader).wake().expect("it goes on");

        let mut seen = Seen::default();
        for (probe, came) in asked.join_all().await {
            match came {
                Ok(answer) if !answer.is_put_off() => {
                    probe.check(&answer);
                    seen.reads_answered += 1;
                }
                _ => seen.reads_put_off += 1,
            }
        }
        let sent: Vec<Sent> = pending.join_all().await.into_iter().flatten().collect();
        self.until_deposed(term).await;
        // Now that it follows it must know it all.
        let mut deposed = Client::new(vec![paused]);
        for probe in &probes {
            probe.check(&settle(&mut deposed, &probe.call).await);
        }
        self.settle_all(&mut elsewhere, sent, stood_still, &mut seen).await;
        seen
    }

    fn create(&self, key: &str) -> Call {
        create(&self.customer, key)
    }

    /// Clients that place one order after the other at the leader, until `stop`, and never repeat
    /// one.
    fn keep_ordering(&self, at: SocketAddr, stop: &Arc<AtomicBool>) -> JoinSet<Vec<Sent>> {
        let mut clients = JoinSet::new();
        for client in 0..PENDING {
            let (stop, customer) = (Arc::clone(stop), self.customer.clone());
            clients.spawn(async move {
                let (mut http, mut sent) = (Client::new(vec![at]).patience(PATIENCE), Vec::new());
                while !stop.load(Ordering::Relaxed) {
                    let key = format!("pending{client}-{}", sent.len());
                    let (call, since) = (create(&customer, &key), Instant::now());
                    // Some of them are not waited for as long as the pause may be.
                    let wait = if client % 2 == 0 { "wait=1" } else { "wait=30" };
                    let came = http.send(&call.clone().header("prefer", wait)).await;
                    sent.push(Sent { call, key, took: since.elapsed(), came });
                }
                sent
            });
        }
        clients
    }

    /// Waits until one of the others leads; in which term.
    async fn until_another_leads(&self) -> u64 {
        let since = Instant::now();
        loop {
            let (leader, term) = self.servers.leader().await.expect("somebody leads");
            if leader != self.leader {
                assert!(term > self.term, "term {term} after {}", self.term);
                return term;
            }
            assert!(since.elapsed() < PATIENCE, "nobody takes over");
        }
    }

    /// Places an order and cancels the `old` one while the former leader knows nothing of it; what
    /// every node has to say from then on.
    async fn change(&self, elsewhere: &mut Client, old: &Order) -> Vec<Probe> {
        let create = self.create("new");
        let created = settle(elsewhere, &create).await;
        let new = order_in(&created, 201);
        let cancel = Call::post(
            format!("/orders/{}/cancel", old.order_id),
            &serde_json::json!({ "reason": "the leader sleeps" }),
        );
        let cancel = cancel.keyed(format!("{}-cancel", self.customer));
        let cancelled = settle(elsewhere, &cancel).await;
        let old = order_in(&cancelled, 200);
        assert_eq!(old.status, Status::Cancelled);
        let token = cancelled.position.clone().expect("a session token");
        let get = |order: &Order| Call::get(format!("/orders/{}", order.order_id));
        let strictly = |call: Call| call.header("catga-read", "linearizable");
        let later = |call: Call| call.header("catga-position", token.clone());
        let list = Call::get(format!("/orders/customer/{}", self.customer));
        let probe = |what, call, expected| Probe { what, call, expected };
        vec![
            probe("a new order", strictly(get(&new)), Expected::Order(new.clone())),
            probe("a cancelled order", strictly(get(&old)), Expected::Order(old.clone())),
            probe("a new order by token", later(get(&new)), Expected::Order(new.clone())),
            probe("a cancelled order by token", later(get(&old)), Expected::Order(old.clone())),
            probe("a list", strictly(list.clone()), Expected::Among(new.clone())),
            probe("a list by token", later(list), Expected::Among(old)),
            probe("a known key", create, Expected::Same(created)),
            probe("a known cancellation", cancel, Expected::Same(cancelled)),
        ]
    }

    /// Waits until the one that was paused follows, in `term` or a later one.
    async fn until_deposed(&self, term: u64) {
        let since = Instant::now();
        loop {
            let status = self.servers.all()[self.leader].status().await;
            // It may be elected again; what ended is its former term.
            if status.is_some_and(|status| status.term >= term && status.leader_id.is_some()) {
                return;
            }
            assert!(since.elapsed() < PATIENCE, "it does not follow");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Asks again, at another node, for all that the paused leader was asked to do.
    async fn settle_all(
        &self,
        elsewhere: &mut Client,
        sent: Vec<Sent>,
        stood_still: Duration,
        seen: &mut Seen,
    ) {
        let before = self.orders(elsewhere).await;
        for Sent { call, key, took, came } in sent {
            let first = match &came {
                Ok(answer) if answer.status == 201 => Some(answer),
                Ok(answer) => {
                    let problem: serde_json::Value = answer.json().expect("a problem");
                    assert!(answer.is_put_off(), "{key}: {problem}");
                    if problem["outcome"] == "not-executed" {
                        assert!(!before.contains_key(&key), "{key} did run: {problem}");
                        seen.not_executed += 1;
                    } else {
                        assert_eq!(problem["outcome"], "unknown", "{key}");
                        seen.unknown += 1;
                    }
                    None
                }
                Err(why) => panic!("{key}: {why}"),
            };
            if took >= stood_still {
                seen.pending += 1;
                seen.acknowledged += usize::from(first.is_some());
            }
            let again = settle(elsewhere, &call).await;
            assert_eq!(again.status, 201, "{key}");
            if let Some(first) = first {
                assert_eq!(again.body, first.body, "{key}");
                assert!(before.contains_key(&key), "{key} was acknowledged, and is not there");
            }
        }
        let twice: Vec<_> =
            self.orders(elsewhere).await.into_iter().filter(|(_, times)| *times != 1).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }

    /// How often each product of this round was ordered, as one node says.
    async fn orders(&self, client: &mut Client) -> HashMap<String, usize> {
        let call = Call::get(format!("/orders/customer/{}", self.customer));
        let answer = settle(client, &call.header("catga-read", "linearizable")).await;
        let all: CustomerOrders = answer.json().expect("orders");
        let mut times = HashMap::new();
        for order in all.orders {
            *times.entry(order.product_id).or_default() += 1;
        }
        times
    }
}

impl Probe {
    fn check(&self, answer: &Answer) {
        let what = self.what;
        match &self.expected {
            Expected::Order(order) => assert_eq!(order_in(answer, 200), *order, "{what}"),
            Expected::Same(first) => {
                assert_eq!((answer.status, &answer.body), (first.status, &first.body), "{what}");
            }
            Expected::Among(order) => {
                let list: CustomerOrders =
                    answer.json().unwrap_or_else(|| panic!("{what}: {answer:?}"));
                assert!(list.orders.contains(order), "{what}: {order:?} is not in {list:?}");
            }
        }
    }
}

/// Asks the node at `at` all of it, each on a connection of its own.
fn ask_all(at: SocketAddr, probes: &[Probe]) -> JoinSet<(Probe, Result<Answer, NoAnswer>)> {
    let mut asked = JoinSet::new();
    for probe in probes.iter().cloned() {
        asked.spawn(async move {
            let came = Client::new(vec![at]).patience(PATIENCE).send(&probe.call).await;
            (probe, came)
        });
    }
    asked
}

fn create(customer: &str, key: &str) -> Call {
    let order =
        CreateOrder { product_id: key.to_owned(), quantity: 1, customer_id: customer.to_owned() };
    Call::post("/orders", &order).keyed(format!("{customer}-{key}"))
}

/// Sends `call` until it is answered.
async fn settle(client: &mut Client, call: &Call) -> Answer {
    let since = Instant::now();
    loop {
        match client.send(call).await {
            Ok(answer) if !answer.is_put_off() => return answer,
            put_off => assert!(since.elapsed() < PATIENCE, "{call:?}: {put_off:?}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn order_in(answer: &Answer, status: u16) -> Order {
    assert_eq!(answer.status, status, "{answer:?}");
    answer.json().expect("an order")
}
