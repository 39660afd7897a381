use noon::entry::{ReceiveNotification, RequestResponse};
use noon::hlist::{Cons, Nil};
use noon::mediator::{Mediate, MediatorBuilder};

use super::super::mediator::Mediator;
use super::super::messages::{
    CoreCommand, CoreEvent, CoreQuery, CreateOrder, Created, Found, GetOrder, Order, OrderCreated,
    Paid, PayOrder, Processed,
};
use super::super::work;

type Requests = Cons<
    RequestResponse<GetOrder, Order>,
    Cons<
        RequestResponse<PayOrder, Paid>,
        Cons<
            RequestResponse<CreateOrder, Created>,
            Cons<
                RequestResponse<CoreQuery, Found>,
                Cons<RequestResponse<CoreCommand, Processed>, Nil>,
            >,
        >,
    >,
>;
type Events = Cons<ReceiveNotification<OrderCreated>, Cons<ReceiveNotification<CoreEvent>, Nil>>;

/// Its mediator with synchronous handlers; the type of the mediator itself has no name.
pub(in crate::local) struct Sync<N>(N);

pub(in crate::local) fn start()
-> Sync<impl Mediate<Handlers = Requests, NotifyReceivers = Events> + 'static> {
    let mediator = MediatorBuilder::new()
        .add_handler(work::command)
        .add_handler(work::query)
        .add_handler(work::create)
        .add_handler(work::pay)
        .add_handler(work::get)
        .listen_for::<CoreEvent>()
        .listen_for::<OrderCreated>()
        .add_notification_receiver(work::seen::<CoreEvent>)
        .add_notification_receiver(work::seen::<OrderCreated>)
        .add_notification_receiver(work::seen::<OrderCreated>)
        .add_notification_receiver(work::seen::<OrderCreated>)
        .build();
    Sync(mediator)
}

impl<N: Mediate<Handlers = Requests, NotifyReceivers = Events> + 'static> Mediator for Sync<N> {
    async fn command(&self, command: CoreCommand) -> Processed {
        self.0.handle(command)
    }

    async fn query(&self, query: CoreQuery) -> Found {
        self.0.handle(query)
    }

    async fn event(&self, event: CoreEvent) {
        self.0.notify(&event);
    }

    async fn create(&self, order: CreateOrder) -> Created {
        self.0.handle(order)
    }

    async fn pay(&self, payment: PayOrder) -> Paid {
        self.0.handle(payment)
    }

    async fn get(&self, query: GetOrder) -> Order {
        self.0.handle(query)
    }

    async fn order_created(&self, event: OrderCreated) {
        self.0.notify(&event);
    }

    async fn create_ten(&self) -> [Created; 10] {
        std::array::from_fn(|_| self.0.handle(work::an_order()))
    }
}
