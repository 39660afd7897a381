//! Aggregates with and without a maker, and what they say of events in the wrong place.

#[path = "../orders.rs"]
mod orders;

use catga::prelude::*;
use catga::{Folds, Position, Stream, StreamName};
use orders::*;

#[derive(Clone, Debug, Default, PartialEq)]
struct Count {
    created: u32,
    last: u64,
}

/// Another state of the same streams, which starts from its default.
#[aggregate(name = "order")]
impl Count {
    fn created(&mut self, _event: &OrderCreated, meta: &EventMeta) {
        self.created += 1;
        self.last = meta.version;
    }

    #[cfg(any())]
    fn absent(&mut self, _event: &NoSuchType) {}
}

fn main() {
    let order_id = || OrderId::from("a/b");
    let created = OrderCreated { order_id: order_id() };
    let cancelled = OrderCancelled { order_id: order_id() };
    let meta = EventMeta::new(
        Position::default(),
        StreamName::of::<Order>(&order_id()),
        7,
        Timestamp::default(),
    );
    assert_eq!(meta.stream.as_str(), "order/a%2Fb");
    assert_eq!(<Count as Stream>::CATEGORY, <Order as Stream>::CATEGORY);

    let order = Order::fold_event(None, &created, &meta).expect("the first event");
    assert!(order.is_open);
    let order = Order::fold_event(Some(order), &cancelled, &meta).expect("the second event");
    assert!(!order.is_open);
    let again = Order::fold_event(Some(order), &created, &meta).expect_err("it is there");
    assert!(again.to_string().ends_with("only the first event of its stream can be one of these"));
    let absent = Order::fold_event(None, &cancelled, &meta).expect_err("it is not there");
    assert!(absent.to_string().ends_with("it cannot be the first event of its stream"));

    let count = Count::fold_event(None, &created, &meta).expect("a start from the default");
    let count = Count::fold_event(Some(count), &created, &meta).expect("another one");
    assert_eq!(count, Count { created: 2, last: 7 });
}
