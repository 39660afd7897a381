use std::sync::Arc;

use anyhow::Result;
use hexeract::core::{
    Command, CommandHandler, HandlerContext, HexeractError, Notification, NotificationHandler,
    Query, QueryHandler,
};
use hexeract::mediator::MediatorBuilder;

use super::super::mediator::Mediator;
use super::super::messages::{
    CoreCommand, CoreEvent, CoreQuery, CreateOrder, Created, Found, GetOrder, Order, OrderCreated,
    Paid, PayOrder, Processed,
};
use super::super::work;

/// Its mediator without middleware.
type Plain = hexeract::mediator::Mediator;

struct Handlers;

/// Defines what a message answers, and its handler.
macro_rules! handles {
    ($kind:ident $handler:ident $message:ty => $reply:ty = $work:path) => {
        impl $kind for $message {
            type Output = $reply;
        }

        impl $handler<$message> for Handlers {
            type Error = HexeractError;

            async fn handle(
                &self,
                message: $message,
                _: &HandlerContext,
            ) -> Result<$reply, HexeractError> {
                Ok($work(message))
            }
        }
    };
}

handles!(Command CommandHandler CoreCommand => Processed = work::command);
handles!(Query QueryHandler CoreQuery => Found = work::query);
handles!(Command CommandHandler CreateOrder => Created = work::create);
handles!(Command CommandHandler PayOrder => Paid = work::pay);
handles!(Query QueryHandler GetOrder => Order = work::get);

impl Notification for CoreEvent {}
impl Notification for OrderCreated {}

impl<N: Notification> NotificationHandler<N> for Handlers {
    type Error = HexeractError;

    async fn handle(&self, event: Arc<N>, _: &HandlerContext) -> Result<(), HexeractError> {
        work::seen(&*event);
        Ok(())
    }
}

pub(in crate::local) fn start() -> Result<Plain> {
    let mediator = MediatorBuilder::new()
        .register_command_handler::<CoreCommand, _>(Handlers)
        .register_query_handler::<CoreQuery, _>(Handlers)
        .register_notification_handler::<CoreEvent, _>(Handlers)
        .register_command_handler::<CreateOrder, _>(Handlers)
        .register_command_handler::<PayOrder, _>(Handlers)
        .register_query_handler::<GetOrder, _>(Handlers)
        .register_notification_handler::<OrderCreated, _>(Handlers)
        .register_notification_handler::<OrderCreated, _>(Handlers)
        .register_notification_handler::<OrderCreated, _>(Handlers)
        .build()?;
    Ok(mediator)
}

const ANSWERS: &str = "the handler was registered";

impl Mediator for Plain {
    async fn command(&self, command: CoreCommand) -> Processed {
        self.send(command).await.expect(ANSWERS)
    }

    async fn query(&self, query: CoreQuery) -> Found {
        Plain::query(self, query).await.expect(ANSWERS)
    }

    async fn event(&self, event: CoreEvent) {
        self.publish(event).await.expect(ANSWERS);
    }

    async fn create(&self, order: CreateOrder) -> Created {
        self.send(order).await.expect(ANSWERS)
    }

    async fn pay(&self, payment: PayOrder) -> Paid {
        self.send(payment).await.expect(ANSWERS)
    }

    async fn get(&self, query: GetOrder) -> Order {
        Plain::query(self, query).await.expect(ANSWERS)
    }

    async fn order_created(&self, event: OrderCreated) {
        self.publish(event).await.expect(ANSWERS);
    }
}
