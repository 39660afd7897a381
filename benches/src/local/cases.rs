use std::hint::black_box;
use std::rc::Rc;

use tokio::runtime::Runtime;

use super::mediator::Mediator;
use super::work;
use crate::harness::{Measured, measured};

/// Runs so many operations and measures them; their allocations if it is told to.
pub(super) type Batch = Box<dyn FnMut(u64, bool) -> Measured>;

/// A case, and how many calls one operation of it makes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) calls: u64,
}

const fn case(name: &'static str, calls: u64) -> Case {
    Case { name, calls }
}

/// All cases, in the order of the table.
pub(super) const CASES: [Case; 12] = [
    case("core/command", 1),
    case("core/query", 1),
    case("core/event", 1),
    case("core/command-x100", 100),
    case("core/event-x100", 100),
    case("business/create", 1),
    case("business/pay", 1),
    case("business/get", 1),
    case("business/event", 1),
    case("business/flow", 1),
    case("business/shop", 1),
    case("business/create-x10", 10),
];

/// The cases of one subject, in the order of [`CASES`]; none where it cannot do one.
pub(super) fn batches<M: Mediator>(runtime: &Rc<Runtime>, mediator: M) -> Vec<Option<Batch>> {
    let run = Run { runtime: runtime.clone(), mediator: Rc::new(mediator) };
    let events = |batch: Batch| M::EVENTS.then_some(batch);
    vec![
        Some(run.prepared(1, work::a_command, async |m, command| {
            black_box(m.command(command).await);
        })),
        Some(run.prepared(1, work::a_query, async |m, query| {
            black_box(m.query(query).await);
        })),
        events(run.prepared(1, work::an_event, async |m, event| m.event(event).await)),
        Some(run.prepared(100, work::a_command, async |m, command| {
            black_box(m.command(command).await);
        })),
        events(run.prepared(100, work::an_event, async |m, event| m.event(event).await)),
        Some(run.fresh(async |m| {
            black_box(m.create(work::an_order()).await);
        })),
        Some(run.fresh(async |m| {
            black_box(m.pay(work::a_payment()).await);
        })),
        Some(run.fresh(async |m| {
            black_box(m.get(work::a_get()).await);
        })),
        events(run.fresh(async |m| m.order_created(work::created(black_box(ORDER))).await)),
        events(run.fresh(async |m| {
            let created = m.create(work::an_order()).await;
            m.order_created(work::created(created.order_id)).await;
        })),
        Some(run.fresh(shop)),
        Some(run.fresh(async |m| {
            black_box(m.create_ten().await);
        })),
    ]
}

const ORDER: catga::Uuid = catga::Uuid::from_u128(789);

/// Create, pay and get, each checked.
async fn shop<M: Mediator>(mediator: &M) {
    let created = mediator.create(work::an_order()).await;
    assert_eq!(created.status, "Created");
    let paid = mediator.pay(work::a_payment()).await;
    assert_eq!(paid.transaction.len(), 16);
    let order = mediator.get(work::a_get()).await;
    assert_eq!(order.order_id, 789);
}

/// A subject on its runtime.
struct Run<M> {
    runtime: Rc<Runtime>,
    mediator: Rc<M>,
}

impl<M: Mediator> Run<M> {
    /// Calls with messages that were made before the clock starts, `calls` to an operation.
    fn prepared<T: 'static>(
        &self,
        calls: u64,
        make: fn() -> T,
        call: impl AsyncFn(&M, T) + 'static,
    ) -> Batch {
        let (runtime, mediator) = (self.runtime.clone(), self.mediator.clone());
        Box::new(move |ops, count| {
            let messages: Vec<T> = (0..ops * calls).map(|_| make()).collect();
            measured(count, || {
                runtime.block_on(async {
                    for message in messages {
                        call(&mediator, message).await;
                    }
                });
            })
        })
    }

    /// Calls that make their messages themselves.
    fn fresh(&self, call: impl AsyncFn(&M) + 'static) -> Batch {
        let (runtime, mediator) = (self.runtime.clone(), self.mediator.clone());
        Box::new(move |ops, count| {
            measured(count, || {
                runtime.block_on(async {
                    for _ in 0..ops {
                        call(&mediator).await;
                    }
                });
            })
        })
    }
}
