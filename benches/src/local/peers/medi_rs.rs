use anyhow::{Result, anyhow};
use medi_rs::{medi_handler, medi_module};

use super::super::mediator::Mediator;
use super::super::messages::{
    CoreCommand, CoreEvent, CoreQuery, CreateOrder, Created, Found, GetOrder, Order, OrderCreated,
    Paid, PayOrder, Processed,
};
use super::super::work;

/// Its messages: the derive has to stand on a type, so these wrap ours.
macro_rules! command {
    ($name:ident($message:ty) => $reply:ty) => {
        #[derive(medi_rs::MediCommand)]
        #[medi_command(return_type = $reply, error_type = medi_rs::Error)]
        struct $name($message);
    };
}

command!(Process(CoreCommand) => Processed);
command!(Find(CoreQuery) => Found);
command!(Create(CreateOrder) => Created);
command!(Pay(PayOrder) => Paid);
command!(Get(GetOrder) => Order);

#[medi_handler]
async fn process(command: Process) -> medi_rs::Result<Processed> {
    Ok(work::command(command.0))
}

#[medi_handler]
async fn find(query: Find) -> medi_rs::Result<Found> {
    Ok(work::query(query.0))
}

#[medi_handler]
async fn create(order: Create) -> medi_rs::Result<Created> {
    Ok(work::create(order.0))
}

#[medi_handler]
async fn pay(payment: Pay) -> medi_rs::Result<Paid> {
    Ok(work::pay(payment.0))
}

#[medi_handler]
async fn get(query: Get) -> medi_rs::Result<Order> {
    Ok(work::get(query.0))
}

#[medi_handler]
async fn seen(event: CoreEvent) -> medi_rs::Result<()> {
    work::seen(&event);
    Ok(())
}

#[medi_handler]
async fn mail(event: OrderCreated) -> medi_rs::Result<()> {
    work::seen(&event);
    Ok(())
}

#[medi_handler]
async fn stock(event: OrderCreated) -> medi_rs::Result<()> {
    work::seen(&event);
    Ok(())
}

#[medi_handler]
async fn audit(event: OrderCreated) -> medi_rs::Result<()> {
    work::seen(&event);
    Ok(())
}

medi_module! {
    manifest work_manifest;
    commands {
        Process => process;
        Find => find;
        Create => create;
        Pay => pay;
        Get => get;
    }
    events {
        CoreEvent => [seen];
        OrderCreated => [mail, stock, audit];
    }
}

medi_rs::mediator! {
    pub(in crate::local) struct Generated {
        event_queue_capacity: 1024;
        event_workers: 1;
        modules: [work_manifest];
    }
}

/// Its mediator lives as long as the process: its workers ask for that.
pub(in crate::local) fn start() -> Result<&'static Generated> {
    let mediator: &'static Generated = Box::leak(Box::new(Generated::builder().build()));
    mediator.start().map_err(|error| anyhow!("medi-rs does not start: {error:?}"))?;
    Ok(mediator)
}

const ANSWERS: &str = "the handler always answers";

impl Mediator for &'static Generated {
    async fn command(&self, command: CoreCommand) -> Processed {
        self.send(Process(command)).await.expect(ANSWERS)
    }

    async fn query(&self, query: CoreQuery) -> Found {
        self.send(Find(query)).await.expect(ANSWERS)
    }

    async fn event(&self, event: CoreEvent) {
        self.publish_and_wait(event).await.expect(ANSWERS);
    }

    async fn create(&self, order: CreateOrder) -> Created {
        self.send(Create(order)).await.expect(ANSWERS)
    }

    async fn pay(&self, payment: PayOrder) -> Paid {
        self.send(Pay(payment)).await.expect(ANSWERS)
    }

    async fn get(&self, query: GetOrder) -> Order {
        self.send(Get(query)).await.expect(ANSWERS)
    }

    async fn order_created(&self, event: OrderCreated) {
        self.publish_and_wait(event).await.expect(ANSWERS);
    }
}
