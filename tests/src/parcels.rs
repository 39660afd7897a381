//! Parcels that are ordered and shipped: subscribers of the whole cluster, and ways to make them
//! fail.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use catga::prelude::*;
use catga::{Backend, Builder};
use catga_host::Host;
use catga_testkit::VirtualHost;
use tokio::sync::Notify;

/// Orders a parcel, or something more in it.
#[derive(Command, Clone, Debug, Serialize, Deserialize)]
#[command(name = "parcel.order", reply = ())]
pub struct Order {
    /// Which.
    pub parcel: String,
    /// What; no two have the same.
    pub number: u64,
}

/// Reads what was ordered and what was shipped.
#[derive(Query, Clone, Debug, Serialize, Deserialize)]
#[query(name = "parcel.ledger", reply = Ledger)]
pub struct GetLedger;

/// Something was ordered.
#[derive(Event, Clone, Debug, Serialize, Deserialize)]
#[event(name = "parcel.ordered", stream = Parcel, key = parcel)]
pub struct Ordered {
    /// In which parcel.
    pub parcel: String,
    /// What.
    pub number: u64,
}

/// It was shipped.
#[derive(Event, Clone, Debug, Serialize, Deserialize)]
#[event(name = "shipment.shipped", stream = Shipment, key = number)]
pub struct Shipped {
    /// What.
    pub number: u64,
    /// An id that the delivery made.
    pub id: Uuid,
    /// The time of the delivery's transaction.
    pub at: Timestamp,
}

/// The state of a parcel: none.
#[derive(Clone, Debug, Default)]
pub struct Parcel;

#[aggregate(name = "parcel")]
impl Parcel {
    fn ordered(&mut self, _event: &Ordered) {}
}

/// The state of a shipment: none.
#[derive(Clone, Debug, Default)]
pub struct Shipment;

#[aggregate(name = "shipment")]
impl Shipment {
    fn shipped(&mut self, _event: &Shipped) {}
}

/// What was ordered and what was shipped, each in the order of the journal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// What was ordered.
    pub ordered: Vec<u64>,
    /// What was shipped.
    pub shipped: Vec<u64>,
    /// When.
    pub at: Vec<Timestamp>,
}

#[projection(name = "ledger", version = 1)]
impl Ledger {
    fn ordered(&mut self, event: &Ordered) {
        self.ordered.push(event.number);
    }

    fn shipped(&mut self, event: &Shipped, meta: &EventMeta) {
        assert_eq!(meta.at, event.at, "what is recorded has the time of the transaction");
        self.shipped.push(event.number);
        self.at.push(event.at);
    }
}

/// The world outside the nodes, which all of them share.
#[derive(Debug)]
pub struct World {
    host: Arc<VirtualHost>,
    state: Mutex<State>,
    opened: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Deliveries of these fail.
    broken: BTreeSet<u64>,
    /// Deliveries of this one wait on this node.
    held: Option<(&'static str, u64)>,
    /// Subscribers are slow and fail, by chance.
    chaos: bool,
    /// Deliveries that ship nothing.
    silent: bool,
    /// Every delivery: to whom, on which node, of what, and its number.
    deliveries: Vec<Delivered>,
    /// The ids and times that the transactions for one number gave.
    derived: BTreeMap<u64, BTreeSet<(Uuid, Timestamp)>>,
}

/// One delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The subscriber.
    pub to: &'static str,
    /// The node.
    pub node: &'static str,
    /// What.
    pub number: u64,
    /// The attempt.
    pub attempt: u32,
}

impl World {
    /// A world in which all is well.
    pub fn new(host: &Arc<VirtualHost>) -> Arc<Self> {
        Arc::new(Self { host: host.clone(), state: Mutex::default(), opened: Notify::new() })
    }

    /// Makes deliveries of these fail, and of no others.
    pub fn break_only<const N: usize>(&self, numbers: [u64; N]) {
        self.lock().broken = numbers.into();
    }

    /// Makes deliveries of `number` wait on `node`.
    pub fn hold(&self, node: &'static str, number: u64) {
        self.lock().held = Some((node, number));
    }

    /// Lets the one that waits go on.
    pub fn let_go(&self) {
        self.lock().held = None;
        self.opened.notify_one();
    }

    /// Makes everything slow, and one delivery of five fail.
    pub fn set_chaos(&self, chaos: bool) {
        self.lock().chaos = chaos;
    }

    /// Lets deliveries record nothing.
    pub fn set_silent(&self, silent: bool) {
        self.lock().silent = silent;
    }

    /// Every delivery to a subscriber so far.
    pub fn deliveries(&self, to: &str) -> Vec<Delivered> {
        self.lock().deliveries.iter().filter(|it| it.to == to).cloned().collect()
    }

    /// What was delivered to a subscriber, in order, each as often as it was.
    pub fn numbers(&self, to: &str) -> Vec<u64> {
        self.deliveries(to).iter().map(|it| it.number).collect()
    }

    /// The nodes that delivered to a subscriber.
    pub fn nodes(&self, to: &str) -> BTreeSet<&'static str> {
        self.deliveries(to).iter().map(|it| it.node).collect()
    }

    /// The largest number of different ids or times that the deliveries of one event saw.
    pub fn derived_max(&self) -> usize {
        self.lock().derived.values().map(BTreeSet::len).max().unwrap_or(0)
    }

    /// Looks again and again until `holds` is true.
    ///
    /// # Panics
    /// If that has not come after ten minutes of virtual time, with `what` was waited for.
    pub async fn wait_until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let until = self.host.now() + Duration::from_secs(600);
        while !holds() {
            assert!(self.host.now() < until, "waited in vain until {what}");
            self.host.sleep(Duration::from_millis(5)).await;
        }
    }

    async fn delivered(
        &self,
        (to, node): (&'static str, &'static str),
        event: &Ordered,
        delivery: &Delivery,
    ) -> Result<(), String> {
        let number = event.number;
        let (held, chaos) = {
            let mut state = self.lock();
            let attempt = delivery.attempt;
            state.deliveries.push(Delivered { to, node, number, attempt });
            (state.held == Some((node, number)), state.chaos)
        };
        if held {
            self.opened.notified().await;
        }
        if chaos {
            // Now and then it takes so long that leadership is lost and won again meanwhile.
            let most = if self.host.random().is_multiple_of(8) { 300 } else { 20 };
            self.host.sleep(Duration::from_millis(self.host.random() % most)).await;
        }
        if self.lock().broken.contains(&number) || (chaos && self.host.random().is_multiple_of(5)) {
            return Err(format!("{number} cannot be handled"));
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes orders.
#[derive(Debug)]
pub struct Orders {
    ledger: View<Ledger>,
}

#[service]
impl Orders {
    async fn order(&self, cmd: Order, tx: &mut Tx) -> Answer<()> {
        tx.append_any(Ordered { parcel: cmd.parcel, number: cmd.number });
        Ok(())
    }

    async fn ledger(&self, _query: GetLedger) -> Answer<Ledger> {
        Ok(self.ledger.read(Clone::clone)?)
    }
}

/// The subscribers, each on one node.
#[derive(Debug)]
pub struct Post {
    world: Arc<World>,
    node: &'static str,
}

/// Ships: it records.
#[derive(Debug)]
pub struct Ship(Post);

#[service]
impl Ship {
    #[subscriber(name = "ship", each = "cluster", from = "start")]
    async fn ship(&self, event: &Ordered, tx: &mut Tx, delivery: &Delivery) -> Result<(), String> {
        let (id, at) = (tx.new_id(), tx.now());
        let silent = {
            let mut state = self.0.world.lock();
            state.derived.entry(event.number).or_default().insert((id, at));
            state.silent
        };
        self.0.world.delivered(("ship", self.0.node), event, delivery).await?;
        if !silent {
            // Without a condition, so that nothing but the cursor keeps it from counting twice.
            tx.append_any(Shipped { number: event.number, id, at });
        }
        Ok(())
    }
}

/// Notifies: it records nothing.
#[derive(Debug)]
pub struct Notifier(Post);

#[service]
impl Notifier {
    #[subscriber(name = "notify", each = "cluster", from = "start", on_failure = "pass")]
    async fn notify(&self, event: &Ordered, delivery: &Delivery) -> Result<(), String> {
        self.0.world.delivered(("notify", self.0.node), event, delivery).await
    }
}

/// Begins late.
#[derive(Debug)]
pub struct Late(Post);

#[service]
impl Late {
    #[subscriber(name = "late", each = "cluster", from = "now")]
    async fn late(&self, event: &Ordered, delivery: &Delivery) -> Result<(), String> {
        self.0.world.delivered(("late", self.0.node), event, delivery).await
    }
}

/// A builder of the node called `node`, which takes orders and has the subscribers called so.
pub fn builder<B: Backend>(
    builder: Builder<B>,
    world: &Arc<World>,
    node: &'static str,
    subscribers: &[&str],
) -> Builder<B> {
    let post = || Post { world: world.clone(), node };
    let mut builder = builder.name(node).host(world.host.clone());
    builder = builder.service(|n| Orders { ledger: n.projection() });
    for subscriber in subscribers {
        let post = post();
        builder = match *subscriber {
            "ship" => builder.service(|_| Ship(post)),
            "notify" => builder.service(|_| Notifier(post)),
            "late" => builder.service(|_| Late(post)),
            other => panic!("no subscriber is called {other}"),
        };
    }
    builder
}
