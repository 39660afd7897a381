use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use catga_core::Position;
use fastrand::Rng;

/// The orders that all clients work on. There are new ones every few seconds, so that no order gets
/// more operations than can be checked.
#[derive(Debug, Default)]
pub(crate) struct Board(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    number: u64,
    since: Option<Instant>,
    /// The orders of this generation, and before them those of the last one.
    orders: Vec<Entry>,
}

/// An order on the board.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) product: String,
    pub(crate) customer: String,
    pub(crate) quantity: u32,
    /// Once somebody has heard it.
    pub(crate) id: Option<String>,
    /// The newest that somebody has seen of it, to be handed on.
    pub(crate) seen: Option<Position>,
    operations: usize,
}

/// How long there is a generation.
const LASTS: Duration = Duration::from_secs(3);
/// So many orders are in one.
const ORDERS: usize = 8;
/// So many operations an order gets at most.
const OPERATIONS: usize = 200;

impl Board {
    /// An order to work on; none if all have had enough.
    pub(crate) fn draw(&self, dice: &mut Rng) -> Option<Entry> {
        let mut board = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if board.since.is_none_or(|since| since.elapsed() > LASTS) {
            board.begin(dice);
        }
        // Seldom one of the last generation: what was done then must still be so.
        let old = board.orders.len() - ORDERS;
        let number = match dice.usize(..8) {
            0 if old > 0 => dice.usize(..old),
            _ => old + dice.usize(..ORDERS),
        };
        let order = &mut board.orders[number];
        order.operations += 1;
        (order.operations <= OPERATIONS).then(|| order.clone())
    }

    /// Notes what somebody has heard of an order.
    pub(crate) fn heard(&self, product: &str, id: &str, seen: Option<Position>) {
        let mut board = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(order) = board.orders.iter_mut().find(|order| order.product == product) {
            order.id.get_or_insert_with(|| id.to_owned());
            order.seen = order.seen.max(seen);
        }
    }
}

impl Generations {
    fn begin(&mut self, dice: &mut Rng) {
        self.number += 1;
        self.since = Some(Instant::now());
        let last = self.orders.len().saturating_sub(ORDERS);
        self.orders.drain(..last);
        let number = self.number;
        let entry = |order| Entry {
            product: format!("p{number}-{order}"),
            customer: format!("c{number}"),
            quantity: dice.u32(1..100),
            id: None,
            seen: None,
            operations: 0,
        };
        self.orders.extend((0..ORDERS).map(entry));
    }
}
