use super::messages::{
    CoreCommand, CoreEvent, CoreQuery, CreateOrder, Created, Found, GetOrder, Order, OrderCreated,
    Paid, PayOrder, Processed,
};
use super::work;

/// Whatever finds the handlers of messages: every subject is one.
pub(super) trait Mediator: 'static {
    /// Whether it has events.
    const EVENTS: bool = true;

    async fn command(&self, command: CoreCommand) -> Processed;

    async fn query(&self, query: CoreQuery) -> Found;

    /// Gives the event to one subscriber.
    async fn event(&self, event: CoreEvent);

    async fn create(&self, order: CreateOrder) -> Created;

    async fn pay(&self, payment: PayOrder) -> Paid;

    async fn get(&self, query: GetOrder) -> Order;

    /// Gives the event to three subscribers.
    async fn order_created(&self, event: OrderCreated);

    /// Starts ten creates and then awaits them; where nothing can be started, one by one.
    async fn create_ten(&self) -> [Created; 10] {
        let one = || self.create(work::an_order());
        tokio::join!(one(), one(), one(), one(), one(), one(), one(), one(), one(), one()).into()
    }
}
