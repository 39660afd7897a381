use std::sync::Arc;

use hyper::StatusCode;
use tokio::sync::watch;

use super::findings::Wrong;
use super::ledger::{Account, Answered, Placed, create};
use super::settle::{Settled, settle};
use super::tally::Tally;
use crate::client::{Answer, Client};
use crate::order::{Order, Status};

/// What all clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// They place orders.
    Open,
    /// They finish what they do, and wait.
    Held,
    /// They finish what they do, and go.
    Closed,
}

/// Of a hundred requests so many cancel an order.
const CANCELS: usize = 10;
/// So many repeat a key.
const REPEATS: usize = 4;

/// The service did what it never should, which the tally knows: nothing that follows says more.
struct Broke;

/// One client at work: it places orders for its customer, cancels some, and sometimes repeats a
/// key that was answered.
pub(super) struct Shopper {
    pub(super) client: Client,
    pub(super) rng: fastrand::Rng,
    pub(super) door: watch::Receiver<Door>,
    pub(super) tally: Arc<Tally>,
    pub(super) account: Account,
}

impl Shopper {
    /// Shops until the door is closed or the service does what it never should.
    pub(super) async fn shop(mut self) -> Account {
        while self.is_let_in().await {
            let known = self.account.placed.len();
            let dice = self.rng.usize(..100);
            let which = self.rng.usize(..known.max(1));
            let done = if known > 0 && dice < CANCELS {
                self.cancel(which).await
            } else if known > 0 && dice < CANCELS + REPEATS {
                self.repeat(which).await
            } else {
                self.place().await
            };
            if done.is_err() {
                break;
            }
        }
        self.account
    }

    /// Waits until the door is open; false if it was closed.
    async fn is_let_in(&mut self) -> bool {
        let door = self.door.wait_for(|door| *door != Door::Held).await;
        door.is_ok_and(|door| *door == Door::Open)
    }

    async fn place(&mut self) -> Result<(), Broke> {
        let (customer, number) = (&self.account.customer, self.account.placed.len());
        let key = format!("{customer}-{number}");
        let quantity = self.rng.u32(1..10);
        let call = create(&key, quantity, customer);
        let settled = settle(&mut self.client, &call, &self.tally).await.ok_or(Broke)?;
        let created = self.expect(&key, &settled, StatusCode::CREATED, Status::Created)?;
        let (order, kills) = (&created.order, self.tally.lock().kills);
        if (&order.product_id, order.quantity, &order.customer_id) != (&key, quantity, customer) {
            let what = format!("{key} asked for {quantity} and got {order:?}");
            self.tally.lock().findings.add(Wrong::Differs, what);
        }
        self.account.placed.push(Placed { key, quantity, kills, created, cancelled: None });
        self.tally.acknowledge(settled.sent);
        Ok(())
    }

    /// Cancels one of its orders, unless it did before.
    async fn cancel(&mut self, which: usize) -> Result<(), Broke> {
        let placed = &self.account.placed[which];
        if placed.cancelled.is_some() {
            return self.repeat(which).await;
        }
        let (call, key) = (placed.cancel_call(), placed.key.clone());
        let settled = settle(&mut self.client, &call, &self.tally).await.ok_or(Broke)?;
        let cancelled = self.expect(&key, &settled, StatusCode::OK, Status::Cancelled)?;
        self.account.placed[which].cancelled = Some(cancelled);
        self.tally.lock().cancelled += 1;
        Ok(())
    }

    /// Asks again what was answered, at the next node: the answer must be the same.
    async fn repeat(&mut self, which: usize) -> Result<(), Broke> {
        self.client.move_on();
        let placed = &self.account.placed[which];
        let (customer, tally) = (&self.account.customer, &self.tally);
        repeat(&mut self.client, placed, customer, tally).await.ok_or(Broke)
    }

    /// The order in an answer that must have `status` and an order that stands at `stands`.
    fn expect(
        &self,
        key: &str,
        settled: &Settled,
        status: StatusCode,
        stands: Status,
    ) -> Result<Answered, Broke> {
        let answer = &settled.answer;
        let order = answer.json::<Order>().filter(|order| order.status == stands);
        let Some(order) = order.filter(|_| answer.status == status) else {
            self.tally.unexpected(format!("{key}: {}", shown(answer)));
            return Err(Broke);
        };
        if settled.retries > 0 {
            self.tally.lock().retried += 1;
        }
        Ok(Answered { body: answer.body.clone(), by: settled.by, order })
    }
}

/// Asks again for an order, and for its cancellation if it was cancelled. None if nobody answers.
pub(super) async fn repeat(
    client: &mut Client,
    placed: &Placed,
    customer: &str,
    tally: &Tally,
) -> Option<()> {
    let created = (placed.create_call(customer), StatusCode::CREATED, &placed.created);
    let cancelled = placed.cancelled.as_ref().map(|it| (placed.cancel_call(), StatusCode::OK, it));
    for (call, status, first) in [created].into_iter().chain(cancelled) {
        let Settled { answer, by, .. } = settle(client, &call, tally).await?;
        let mut counts = tally.lock();
        counts.repeated += 1;
        counts.repeated_elsewhere += usize::from(by != first.by);
        counts.repeated_after_kill += usize::from(placed.kills < counts.kills);
        if answer.status != status || answer.body != first.body {
            let first = String::from_utf8_lossy(&first.body);
            let what = format!("{} was answered {first}, then {}", placed.key, shown(&answer));
            counts.findings.add(Wrong::Differs, what);
        }
    }
    Some(())
}

/// An answer in words.
pub(super) fn shown(answer: &Answer) -> String {
    format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body))
}
