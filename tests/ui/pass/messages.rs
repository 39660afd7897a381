//! Each option of each derive.

use catga::prelude::*;
use catga::{
    FieldFaults, Message, MessagePack, ReadLevel, RefusalKind, Stream, StreamKey, StreamName,
};

/// Another way to the framework, as a company's own platform crate might have.
mod platform {
    pub use catga;
}

#[derive(Command, Serialize, Deserialize)]
#[command(name = "order.create", reply = Vec<(u32, String)>, error = OrderError)]
#[command(version = 3, format = MessagePack, check = CreateOrder::check_quantity)]
#[command(crate = "platform::catga")]
enum CreateOrder {
    Of { quantity: u32 },
}

impl CreateOrder {
    fn check_quantity(&self, faults: &mut FieldFaults) {
        let Self::Of { quantity } = self;
        faults.require(*quantity > 0, "quantity", "must be at least 1");
    }
}

#[derive(Command, Serialize, Deserialize)]
#[command(name = "touch")]
struct Touch;

#[derive(Query, Serialize, Deserialize)]
#[query(name = "order.get", level = Linearizable)]
struct GetOrder(#[allow(dead_code)] u8);

struct Line;

impl Stream for Line {
    const CATEGORY: &'static str = "line";
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "line.added", stream = Line, key = (tenant, order, number))]
#[event(tag = tenant, tag = r#type)]
struct LineAdded {
    tenant: Tenant,
    order: OrderId,
    number: u32,
    r#type: String,
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "line.removed", stream = Line, key = 1, version = 2)]
struct LineRemoved(u32, String);

#[derive(Event, Serialize, Deserialize)]
#[event(name = "line.seen", ephemeral)]
enum LineSeen {
    Once,
}

#[derive(Id, Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Tenant(String);

#[derive(Id, Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct OrderId(pub Uuid);

#[derive(Id, Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Number(i64);

#[derive(Debug, thiserror::Error, DomainError, Serialize, Deserialize)]
enum OrderError {
    #[error("there is no such order")]
    #[refusal(code = "order.not-found", kind = NotFound)]
    NotFound,
    #[error("there are {left} left")]
    OutOfStock { left: u32 },
    #[error("the bank does not answer")]
    #[refusal(kind = Unavailable, transient)]
    BankAway(String),
}

#[derive(Debug, thiserror::Error, DomainError, Serialize, Deserialize)]
#[error("that is no quantity")]
#[refusal(kind = Invalid)]
struct NoQuantity(u32);

fn main() {
    assert_eq!((CreateOrder::NAME, CreateOrder::VERSION), ("order.create", 3));
    assert_eq!((Touch::NAME, Touch::VERSION), ("touch", 1));
    assert_eq!(<GetOrder as catga::Query>::LEVEL, ReadLevel::Linearizable);
    let mut faults = FieldFaults::default();
    CreateOrder::Of { quantity: 0 }.check(&mut faults);
    assert!(!faults.is_empty());

    let nil = Uuid::nil();
    let added = LineAdded {
        tenant: Tenant::from("a"),
        order: OrderId::from(nil),
        number: 3,
        r#type: "b".to_owned(),
    };
    let stream = added.stream().expect("a stream");
    assert_eq!(stream.as_str(), format!("line/a/{nil}/3"));
    let mut tags = Vec::new();
    added.tags(&mut tags);
    assert_eq!(tags, [Tag::new("tenant", "a"), Tag::new("type", "b")]);
    let removed = LineRemoved(1, "c".to_owned());
    assert_eq!(removed.stream(), Some(StreamName::new("line", "c")));
    assert_eq!(LineRemoved::VERSION, 2);
    assert!(LineSeen::EPHEMERAL && LineSeen::Once.stream().is_none());

    assert_eq!("-7".parse(), Ok(Number::from(-7)));
    assert_eq!(nil.to_string().parse(), Ok(OrderId(nil)));
    assert_eq!("x".parse(), Ok(Tenant("x".to_owned())));
    assert_eq!(Number(5).to_string(), "5");
    Number(5).parts(&mut |part| assert_eq!(part, "5"));

    let refusals = [
        OrderError::NotFound,
        OrderError::OutOfStock { left: 1 },
        OrderError::BankAway("b".to_owned()),
    ];
    let codes = refusals.each_ref().map(|refusal| refusal.code());
    assert_eq!(codes, ["order.not-found", "out-of-stock", "bank-away"]);
    let kinds = refusals.each_ref().map(|refusal| refusal.kind());
    assert_eq!(kinds, [RefusalKind::NotFound, RefusalKind::Conflict, RefusalKind::Unavailable]);
    assert_eq!(refusals.each_ref().map(|refusal| refusal.is_transient()), [false, false, true]);
    let invalid = NoQuantity(0);
    assert_eq!((invalid.code(), invalid.kind()), ("no-quantity", RefusalKind::Invalid));
}
