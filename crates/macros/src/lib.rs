//! The macros of Catga. Programs name them through the facade crate `catga`.
//!
//! Each macro writes only impls that you could have written; its page ends with what it writes.
//! Everything works without them too. All mistakes of one item are reported at once, and the item
//! itself is kept, so that one mistake does not look like many.
//!
//! This file is a thin shell: each macro's expansion is plain code over tokens in a module of its
//! own, with its tests. `options` reads attributes, `block` impl blocks, `fold` the methods of
//! aggregates and projections.

mod aggregate;
mod block;
mod contract;
mod domain_error;
mod errors;
mod event;
mod fold;
mod id;
mod message;
mod names;
mod options;
mod projection;
mod request;
mod service;
mod spans;

use proc_macro::TokenStream;

/// Makes a type a command: a request to change something.
///
/// ```text
/// #[derive(Command, Serialize, Deserialize)]
/// #[command(name = "order.create", reply = Order, error = OrderError, check = check_order)]
/// struct CreateOrder { product_id: String, quantity: u32 }
/// ```
///
/// | option | meaning | default |
/// |---|---|---|
/// | `name = "…"` | the stable, written name, which is stored and sent | none: it must be given |
/// | `reply = Type` | what a handler answers | `()` |
/// | `error = Type` | what a handler refuses with, a `DomainError` | `NoError` |
/// | `check = function` | finds fields that no handler could take | nothing is checked |
/// | `format = Type` | how payloads are written | `MessagePack` |
/// | `version = 1` | the version of the payload's shape | 1 |
/// | `crate = "path"` | where `catga` is, if a crate of yours re-exports it | `::catga` |
///
/// # What it writes
///
/// ```text
/// impl ::catga::Message for CreateOrder {
///     const NAME: &'static str = "order.create";
///     type Format = ::catga::MessagePack;
///     fn check(&self, faults: &mut ::catga::FieldFaults) {
///         check_order(self, faults);
///     }
/// }
/// impl ::catga::Request for CreateOrder {
///     type Kind = ::catga::CommandKind;
///     type Reply = Order;
///     type Error = OrderError;
/// }
/// impl ::catga::Command for CreateOrder {}
/// ```
#[proc_macro_derive(Command, attributes(command))]
pub fn derive_command(input: TokenStream) -> TokenStream {
    request::command(input.into()).into()
}

/// Makes a type a query: a request to read something.
///
/// ```text
/// #[derive(Query, Serialize, Deserialize)]
/// #[query(name = "order.get", reply = Order, error = OrderError, level = Session)]
/// struct GetOrder { order_id: OrderId }
/// ```
///
/// Its options are those of [`Command`](macro@Command), and `level = Local`, `Session` or
/// `Linearizable`: what it may answer from unless a call says otherwise; `Local` by default.
///
/// # What it writes
///
/// ```text
/// impl ::catga::Message for GetOrder {
///     const NAME: &'static str = "order.get";
///     type Format = ::catga::MessagePack;
/// }
/// impl ::catga::Request for GetOrder {
///     type Kind = ::catga::QueryKind;
///     type Reply = Order;
///     type Error = OrderError;
/// }
/// impl ::catga::Query for GetOrder {
///     const LEVEL: ::catga::ReadLevel = ::catga::ReadLevel::Session;
/// }
/// ```
#[proc_macro_derive(Query, attributes(query))]
pub fn derive_query(input: TokenStream) -> TokenStream {
    request::query(input.into()).into()
}

/// Makes a type an event: something that has happened.
///
/// ```text
/// #[derive(Event, Serialize, Deserialize)]
/// #[event(name = "order.cancelled", stream = Order, key = order_id, tag = customer_id)]
/// struct OrderCancelled { order_id: OrderId, customer_id: CustomerId, reason: String }
///
/// #[derive(Event, Serialize, Deserialize)]
/// #[event(name = "order.viewed", ephemeral)]
/// struct OrderViewed { order_id: OrderId }
/// ```
///
/// | option | meaning |
/// |---|---|
/// | `name = "…"` | the stable, written name, which is stored and sent; it must be given |
/// | `stream = Type` | the category of its stream, usually the aggregate that folds it |
/// | `key = field` or `key = (a, b)` | the field or fields that name its stream in the category |
/// | `tag = field` | a tag by which conditions find it over all streams; may come again |
/// | `ephemeral` | it is never recorded, only published; then it has no stream, key or tag |
/// | `format`, `version`, `crate` | as with [`Command`](macro@Command) |
///
/// # What it writes
///
/// ```text
/// impl ::catga::Message for OrderCancelled {
///     const NAME: &'static str = "order.cancelled";
///     type Format = ::catga::MessagePack;
/// }
/// impl ::catga::Event for OrderCancelled {
///     const EPHEMERAL: bool = false;
///     fn stream(&self) -> Option<::catga::StreamName> {
///         Some(::catga::StreamName::of::<Order>(&self.order_id))
///     }
///     fn tags(&self, tags: &mut Vec<::catga::Tag>) {
///         tags.push(::catga::Tag::new("customer_id", &self.customer_id));
///     }
/// }
/// impl ::catga::StreamEvent for OrderCancelled {
///     type Stream = Order;
/// }
/// ```
#[proc_macro_derive(Event, attributes(event))]
pub fn derive_event(input: TokenStream) -> TokenStream {
    event::expand(input.into()).into()
}

/// Makes a newtype an id, which can name a stream.
///
/// ```text
/// #[derive(Id, Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
/// #[serde(transparent)]
/// struct OrderId(Uuid);
/// ```
///
/// The inner value is a `Uuid`, an integer, a `String`, or another id. Serde's derives stay yours.
/// An id of a `String` converts from `&str` too.
///
/// # What it writes
///
/// ```text
/// impl From<Uuid> for OrderId {
///     fn from(inner: Uuid) -> Self {
///         Self(inner)
///     }
/// }
/// impl Display for OrderId {
///     fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
///         Display::fmt(&self.0, f)
///     }
/// }
/// impl FromStr for OrderId {
///     type Err = <Uuid as FromStr>::Err;
///     fn from_str(text: &str) -> Result<Self, Self::Err> {
///         FromStr::from_str(text).map(Self)
///     }
/// }
/// impl ::catga::StreamKey for OrderId {
///     fn parts(&self, part: &mut dyn FnMut(&str)) {
///         ::catga::StreamKey::parts(&self.0, part);
///     }
/// }
/// ```
#[proc_macro_derive(Id, attributes(id))]
pub fn derive_id(input: TokenStream) -> TokenStream {
    id::expand(input.into()).into()
}

/// Makes an error enum (or struct) the error of a domain: what handlers refuse with.
///
/// ```text
/// #[derive(Debug, thiserror::Error, DomainError, Serialize, Deserialize)]
/// enum OrderError {
///     #[error("there is no order {0}")]
///     #[refusal(code = "order.not-found", kind = NotFound)]
///     NotFound(OrderId),
///     #[error("the bank does not answer")]
///     #[refusal(kind = Unavailable, transient)]
///     BankAway,
/// }
/// ```
///
/// | option of a variant | meaning | default |
/// |---|---|---|
/// | `code = "…"` | the stable, written code | the variant's name, `bank-away` |
/// | `kind = …` | `Conflict`, `NotFound`, `Invalid`, `Forbidden` or `Unavailable` | `Conflict` |
/// | `transient` | it may pass by itself, so it is not recorded and a retry runs again | it is recorded |
///
/// # What it writes
///
/// ```text
/// impl ::catga::DomainError for OrderError {
///     fn code(&self) -> &'static str {
///         match self {
///             Self::NotFound { .. } => "order.not-found",
///             Self::BankAway { .. } => "bank-away",
///         }
///     }
///     fn kind(&self) -> ::catga::RefusalKind {
///         match self {
///             Self::NotFound { .. } => ::catga::RefusalKind::NotFound,
///             Self::BankAway { .. } => ::catga::RefusalKind::Unavailable,
///         }
///     }
///     fn is_transient(&self) -> bool {
///         match self {
///             Self::NotFound { .. } => false,
///             Self::BankAway { .. } => true,
///         }
///     }
/// }
/// ```
#[proc_macro_derive(DomainError, attributes(domain_error, refusal))]
pub fn derive_domain_error(input: TokenStream) -> TokenStream {
    domain_error::expand(input.into()).into()
}

/// Makes a type the state of a stream; each method of the impl block folds one type of event.
///
/// ```text
/// #[aggregate(name = "order")]
/// impl Order {
///     fn created(event: &OrderCreated, meta: &EventMeta) -> Self { … }
///     fn cancelled(&mut self, event: &OrderCancelled) { self.status = Status::Cancelled; }
/// }
/// ```
///
/// A method takes `event: &SomeEvent` and, if it likes, `meta: &EventMeta`. With `&mut self` it
/// goes on from the state so far. Without `self` it makes the state: its event can only be the
/// first of a stream, and then no other event can be. If no method makes the state, it starts from
/// its `Default`. A fold cannot refuse: what it sees has happened. Methods that fold nothing belong
/// in an ordinary impl block.
///
/// `name` is the category of its streams, under which they are stored.
///
/// # What it writes
///
/// ```text
/// const _: () = {
///     const fn is_recorded<Event: ::catga::StreamEvent>() {}
///     is_recorded::<OrderCreated>();
///     is_recorded::<OrderCancelled>();
/// };
/// impl ::catga::Stream for Order {
///     const CATEGORY: &'static str = "order";
/// }
/// impl ::catga::Folds<OrderCreated> for Order {
///     fn fold_event(
///         state: Option<Self>,
///         event: &OrderCreated,
///         meta: &::catga::EventMeta,
///     ) -> Result<Self, ::catga::FoldError> {
///         match state {
///             None => Ok(Self::created(event, meta)),
///             Some(_) => Err(::catga::FoldError::not_again(OrderCreated::NAME, meta)),
///         }
///     }
/// }
/// impl ::catga::Folds<OrderCancelled> for Order {
///     fn fold_event(
///         state: Option<Self>,
///         event: &OrderCancelled,
///         meta: &::catga::EventMeta,
///     ) -> Result<Self, ::catga::FoldError> {
///         // If no method makes the state: `let mut state = state.unwrap_or_default();`
///         let Some(mut state) = state else {
///             return Err(::catga::FoldError::not_first(OrderCancelled::NAME, meta));
///         };
///         Self::cancelled(&mut state, event);
///         Ok(state)
///     }
/// }
/// impl ::catga::Aggregate for Order {
///     fn fold(
///         state: Option<Self>,
///         event: &::catga::RecordedEvent,
///     ) -> Result<Self, ::catga::FoldError> {
///         match &*event.name {
///             OrderCreated::NAME => {
///                 Self::fold_event(state, &event.decode::<OrderCreated>()?, &event.meta)
///             }
///             OrderCancelled::NAME => {
///                 Self::fold_event(state, &event.decode::<OrderCancelled>()?, &event.meta)
///             }
///             _ => Err(::catga::FoldError::unknown(event)),
///         }
///     }
/// }
/// ```
#[proc_macro_attribute]
pub fn aggregate(options: TokenStream, item: TokenStream) -> TokenStream {
    aggregate::expand(options.into(), item.into()).into()
}

/// Makes a type a read model; each method of the impl block folds one type of event.
///
/// ```text
/// #[derive(Default, Serialize, Deserialize)]
/// struct OrderBook { … }
///
/// #[projection(name = "orders", version = 1)]
/// impl OrderBook {
///     fn created(&mut self, event: &OrderCreated, meta: &EventMeta) { … }
/// }
/// ```
///
/// A method takes `&mut self`, `event: &SomeEvent` and, if it likes, `meta: &EventMeta`. The read
/// model starts from its `Default` and ignores events that no method takes. Methods that fold
/// nothing belong in an ordinary impl block.
///
/// | option | meaning | default |
/// |---|---|---|
/// | `name = "…"` | what it is stored and shown under | none: it must be given |
/// | `version = 1` | raise it when the folds or the fields change: everything is folded again | 1 |
/// | `checkpoint = false` | it is folded again from the start whenever the process starts | `true` |
/// | `crate = "path"` | where `catga` is, if a crate of yours re-exports it | `::catga` |
///
/// Where the node keeps data, the state is written to a local checkpoint from time to time and when
/// the node stops in order, in the default format; a start then folds only what came after it. So
/// the type needs serde's `Serialize` and `Deserialize`, unless it says `checkpoint = false`.
///
/// # What it writes
///
/// ```text
/// const _: () = {
///     const fn is_recorded<Event: ::catga::StreamEvent>() {}
///     is_recorded::<OrderCreated>();
/// };
/// impl ::catga::Projection for OrderBook {
///     const NAME: &'static str = "orders";
///     const VERSION: u32 = 1;
///     const EVENTS: &'static [&'static str] = &[OrderCreated::NAME];
///     fn fold(&mut self, event: &::catga::RecordedEvent) -> Result<(), ::catga::FoldError> {
///         match &*event.name {
///             OrderCreated::NAME => {
///                 Self::created(self, &event.decode::<OrderCreated>()?, &event.meta)
///             }
///             _ => {}
///         }
///         Ok(())
///     }
///     fn save(&self) -> Result<Option<Vec<u8>>, ::catga::EncodeError> {
///         let bytes = <OrderBook as ::catga::Checkpointed>::save_as::<::catga::MessagePack>(self)?;
///         Ok(Some(bytes))
///     }
///     fn restore(bytes: &[u8]) -> Result<Option<Self>, ::catga::DecodeError> {
///         let state =
///             <OrderBook as ::catga::Checkpointed>::restore_as::<::catga::MessagePack>(bytes)?;
///         Ok(Some(state))
///     }
/// }
/// ```
#[proc_macro_attribute]
pub fn projection(options: TokenStream, item: TokenStream) -> TokenStream {
    projection::expand(options.into(), item.into()).into()
}

#[doc = include_str!("service.md")]
#[proc_macro_attribute]
pub fn service(options: TokenStream, item: TokenStream) -> TokenStream {
    service::expand(options.into(), item.into()).into()
}

/// Declares a contract: a list of messages that clients may send.
///
/// ```text
/// contract! {
///     /// What shops may do with orders.
///     pub OrdersApi: CreateOrder, CancelOrder, GetOrder
/// }
/// ```
///
/// A service is a contract already. This declares one that stands in a crate of its own, so that
/// clients need not depend on the service; `#[service(contract(OrdersApi))]` makes sure that the
/// service handles all of it.
///
/// # What it writes
///
/// ```text
/// /// What shops may do with orders.
/// #[derive(Clone, Copy, Debug)]
/// pub struct OrdersApi;
/// impl ::catga::Contract for OrdersApi {
///     const NAME: &'static str = "OrdersApi";
///     fn messages(list: &mut ::catga::ContractList) {
///         list.push::<CreateOrder>();
///         list.push::<CancelOrder>();
///         list.push::<GetOrder>();
///     }
/// }
/// impl ::catga::Offers<CreateOrder> for OrdersApi {}
/// impl ::catga::Offers<CancelOrder> for OrdersApi {}
/// impl ::catga::Offers<GetOrder> for OrdersApi {}
/// impl OrdersApi {
///     // What `#[service(contract(OrdersApi))]` calls.
///     #[doc(hidden)]
///     pub const fn is_implemented_by<Service>()
///     where
///         Service: ::catga::Handle<CreateOrder>,
///         Service: ::catga::Handle<CancelOrder>,
///         Service: ::catga::Handle<GetOrder>,
///     {
///     }
/// }
/// ```
#[proc_macro]
pub fn contract(input: TokenStream) -> TokenStream {
    contract::expand(input.into()).into()
}
