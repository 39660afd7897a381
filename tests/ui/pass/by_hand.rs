//! Everything that the macros write, written by hand.

use std::fmt;
use std::sync::Arc;

use catga::{
    Aggregate, Answer, Catga, Command, CommandKind, Checkpointed, Contract, ContractList, DecodeError, Delivery, DomainError,
    Durable, Each, EncodeError, Event, EventMeta, FoldError, Folds, Handle, Message, MessagePack, Offers, OnFailure, Plain,
    Projection, Query, QueryKind, RecordedEvent, Registrar, Request, Service, Stream, StreamEvent,
    StreamName, Subscriber, SubscriberError, Tx, View,
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Add {
    counter: String,
    amount: u64,
}

impl Message for Add {
    const NAME: &'static str = "counter.add";
    type Format = MessagePack;
}

impl Request for Add {
    type Kind = CommandKind;
    type Reply = u64;
    type Error = TooMuch;
}

impl Command for Add {}

#[derive(Serialize, Deserialize)]
struct Total;

impl Message for Total {
    const NAME: &'static str = "counter.total";
    type Format = MessagePack;
}

impl Request for Total {
    type Kind = QueryKind;
    type Reply = u64;
    type Error = TooMuch;
}

impl Query for Total {}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct TooMuch;

impl fmt::Display for TooMuch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("that is too much")
    }
}

impl std::error::Error for TooMuch {}

impl DomainError for TooMuch {
    fn code(&self) -> &'static str {
        "counter.too-much"
    }
}

#[derive(Serialize, Deserialize)]
struct Added {
    counter: String,
    amount: u64,
}

impl Message for Added {
    const NAME: &'static str = "counter.added";
    type Format = MessagePack;
}

impl Event for Added {
    const EPHEMERAL: bool = false;

    fn stream(&self) -> Option<StreamName> {
        Some(StreamName::of::<Counter>(&self.counter))
    }
}

impl StreamEvent for Added {
    type Stream = Counter;
}

#[derive(Clone, Default)]
struct Counter(u64);

impl Stream for Counter {
    const CATEGORY: &'static str = "counter";
}

impl Folds<Added> for Counter {
    fn fold_event(
        state: Option<Self>,
        event: &Added,
        _meta: &EventMeta,
    ) -> Result<Self, FoldError> {
        Ok(Self(state.unwrap_or_default().0 + event.amount))
    }
}

impl Aggregate for Counter {
    fn fold(state: Option<Self>, event: &RecordedEvent) -> Result<Self, FoldError> {
        match &*event.name {
            Added::NAME => Self::fold_event(state, &event.decode::<Added>()?, &event.meta),
            _ => Err(FoldError::unknown(event)),
        }
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Totals(u64);

impl Projection for Totals {
    const NAME: &'static str = "totals";
    const VERSION: u32 = 1;
    const EVENTS: &'static [&'static str] = &[Added::NAME];

    fn fold(&mut self, event: &RecordedEvent) -> Result<(), FoldError> {
        if event.is::<Added>() {
            self.0 += event.decode::<Added>()?.amount;
        }
        Ok(())
    }

    fn save(&self) -> Result<Option<Vec<u8>>, EncodeError> {
        Ok(Some(self.save_as::<MessagePack>()?))
    }

    fn restore(bytes: &[u8]) -> Result<Option<Self>, DecodeError> {
        Ok(Some(Self::restore_as::<MessagePack>(bytes)?))
    }
}

struct Counters {
    totals: View<Totals>,
}

impl Handle<Add> for Counters {
    type Scope = Durable;

    async fn handle(&self, message: Add, tx: &mut Tx) -> Answer<u64, TooMuch> {
        let Add { counter, amount } = message;
        if amount > 100 {
            return Err(TooMuch.into());
        }
        match tx.load::<Counter>(&counter).await? {
            Some(mut loaded) => {
                loaded.emit(Added { counter, amount });
                Ok(loaded.into_state().0)
            }
            None => {
                tx.emit(Added { counter, amount });
                Ok(amount)
            }
        }
    }
}

impl Handle<Total> for Counters {
    type Scope = Plain;

    async fn handle(&self, _message: Total, (): ()) -> Answer<u64, TooMuch> {
        Ok(self.totals.read(|totals| totals.0)?)
    }
}

impl Offers<Add> for Counters {}
impl Offers<Total> for Counters {}

impl Contract for Counters {
    const NAME: &'static str = "Counters";

    fn messages(list: &mut ContractList) {
        list.push::<Add>();
        list.push::<Total>();
    }
}

impl Service for Counters {
    const NAME: &'static str = "Counters";

    fn register<R: Registrar<Self>>(registrar: &mut R) {
        registrar.handler::<Add>();
        registrar.handler::<Total>();
        registrar.subscriber(Announce);
    }
}

struct Announce(Arc<Counters>);

impl Subscriber for Announce {
    type Event = Added;
    type Scope = Plain;
    const NAME: &'static str = "announce";

    async fn deliver(
        &self,
        _event: &Added,
        _delivery: &Delivery,
        _scope: (),
    ) -> Result<(), SubscriberError> {
        self.0.totals.read(|_| ()).map_err(SubscriberError::new)
    }
}

struct Copy;

impl Subscriber for Copy {
    type Event = Added;
    type Scope = Durable;
    const NAME: &'static str = "copy";
    const EACH: Each = Each::Cluster;
    const ON_FAILURE: OnFailure = OnFailure::Pass;

    async fn deliver(
        &self,
        _event: &Added,
        delivery: &Delivery,
        tx: &mut Tx,
    ) -> Result<(), SubscriberError> {
        assert_eq!(delivery.meta.as_ref().expect("recorded").at, tx.now());
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> catga::Result<()> {
    let node = Catga::builder()
        .service(|n| Counters { totals: n.projection() })
        .subscriber(Copy)
        .start()
        .await?;
    let add = |amount| Add { counter: "visits".to_owned(), amount };
    assert_eq!(node.send(add(2)).await, Ok(2));
    assert_eq!(node.send(add(3)).await, Ok(5));
    assert_eq!(node.ask(Total).await, Ok(5));
    let refused = node.send(add(101)).await.expect_err("a refusal");
    assert_eq!(refused.refusal(), Some(&TooMuch));
    node.shutdown().await;
    Ok(())
}
