use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use catga_check::{Action, Level, Operation, Outcome, Recorder};
use catga_core::Position;
use fastrand::Rng;
use order_cluster::client::Client as Connection;
use tokio::sync::watch;

use super::board::{Board, Entry};
use crate::witnessed::{call, sent};

/// How a client takes it when it is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Habit {
    /// It asks again under the same key, at the next node, a few times.
    Retries,
    /// It does not.
    Shrugs,
    /// It asks again also when it was answered, at any node; and sometimes for something else under
    /// the same key, which must be refused.
    Repeats,
}

/// One client, which does one thing after the other.
pub(super) struct Client {
    number: usize,
    habit: Habit,
    /// One connection to each node.
    nodes: Vec<Connection>,
    board: Arc<Board>,
    recorder: Arc<Recorder>,
    dice: Rng,
    /// How many keys it has made.
    keys: u64,
    /// The newest that it has seen.
    seen: Option<Position>,
    /// What it has sent under a key, to be sent again: some of it long ago, since what is forgotten
    /// may be forgotten late, as with a snapshot.
    sent: Vec<Wanted>,
}

/// Something that a client wants, however often it asks.
#[derive(Clone, Debug)]
struct Wanted {
    order: String,
    action: Action,
    key: Option<String>,
    attempts: u32,
    /// Somebody was answered: what comes under its key now has no effect.
    answered: bool,
    /// It is not what was asked for first.
    is_changed: bool,
}

impl Wanted {
    /// Something else under the same key.
    fn change(&mut self) {
        match &mut self.action {
            Action::Create { quantity, .. } => *quantity += 1,
            Action::Cancel { reason, .. } => reason.push_str("-or-not"),
            Action::Get { .. } | Action::List { .. } => {}
        }
        self.is_changed = true;
    }
}

/// So often something is asked for at most, by those who ask again.
const ATTEMPTS: u32 = 6;
/// So many keys are remembered to be repeated.
const REMEMBERED: usize = 24;
/// Longer than the 10 s after which the service itself gives up on a request.
const PATIENCE: Duration = Duration::from_secs(12);

impl Client {
    pub(super) fn new(
        number: usize,
        nodes: &[SocketAddr],
        board: Arc<Board>,
        recorder: Arc<Recorder>,
        dice: Rng,
    ) -> Self {
        let habit = match number % 4 {
            0 | 1 => Habit::Retries,
            2 => Habit::Shrugs,
            _ => Habit::Repeats,
        };
        let nodes = nodes.iter().map(|node| Connection::new(vec![*node])).collect();
        let sent = Vec::new();
        Self { number, habit, nodes, board, recorder, dice, keys: 0, seen: None, sent }
    }

    /// Works until the door closes.
    ///
    /// # Errors
    /// When nothing can be written down any more.
    pub(super) async fn work(mut self, door: watch::Receiver<bool>) -> Result<()> {
        while *door.borrow() {
            if let Some(wanted) = self.think() {
                self.see_to(wanted, &door).await?;
            }
            // Slowly enough that the history stays one that can be checked.
            tokio::time::sleep(Duration::from_millis(self.dice.u64(2..40))).await;
        }
        Ok(())
    }

    /// What it wants next.
    fn think(&mut self) -> Option<Wanted> {
        let dice = self.dice.u8(..100);
        let repeats = if self.habit == Habit::Repeats { 20 } else { 3 };
        if dice < repeats && !self.sent.is_empty() {
            let mut again = self.sent.get(self.dice.usize(..self.sent.len())).cloned()?;
            if self.habit == Habit::Repeats && again.answered && self.dice.u8(..6) == 0 {
                again.change();
            }
            return Some(again);
        }
        let entry = self.board.draw(&mut self.dice)?;
        let Some(id) = entry.id.clone() else {
            // Whoever is first: all of them use the same key, and there is one order.
            let key = Some(format!("create {}", entry.product).replace(' ', "-"));
            return Some(self.create(&entry, entry.product.clone(), key));
        };
        match self.dice.u8(..100) {
            0..14 => {
                self.keys += 1;
                let reason = format!("cancel-{}-{}-{}", entry.product, self.number, self.keys);
                let key = (self.habit != Habit::Shrugs || self.dice.bool()).then(|| reason.clone());
                let action = Action::Cancel { id, reason };
                Some(Wanted {
                    order: entry.product,
                    action,
                    key,
                    attempts: 0,
                    answered: false,
                    is_changed: false,
                })
            }
            14..26 => {
                self.keys += 1;
                let product = format!("{}-own-{}-{}", entry.product, self.number, self.keys);
                let key = (self.habit != Habit::Shrugs).then(|| format!("create-{product}"));
                Some(self.create(&entry, product, key))
            }
            _ => {
                let (level, token) = match self.dice.u8(..3) {
                    0 => (Level::Local, None),
                    1 => (Level::Linearizable, None),
                    // Its own, or one that somebody else has handed on.
                    _ => (Level::Session, self.seen.max(entry.seen)),
                };
                let action = Action::Get { id, level, token };
                Some(Wanted {
                    order: entry.product,
                    action,
                    key: None,
                    attempts: 0,
                    answered: false,
                    is_changed: false,
                })
            }
        }
    }

    fn create(&self, entry: &Entry, order: String, key: Option<String>) -> Wanted {
        let (customer, quantity) = (entry.customer.clone(), entry.quantity);
        Wanted {
            order,
            action: Action::Create { customer, quantity },
            key,
            attempts: 0,
            answered: false,
            is_changed: false,
        }
    }

    /// Asks for it, and again if that is its habit.
    async fn see_to(&mut self, mut wanted: Wanted, door: &watch::Receiver<bool>) -> Result<()> {
        let mut node = self.dice.usize(..self.nodes.len());
        let once = self.habit == Habit::Shrugs || wanted.key.is_none() || wanted.is_changed;
        let most = if once { 1 } else { ATTEMPTS };
        for _ in 0..most {
            wanted.attempts += 1;
            let operation = self.ask(&wanted, node).await?;
            if operation.is_answered() {
                wanted.answered = true;
                break;
            }
            if !*door.borrow() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(self.dice.u64(2..100))).await;
            node = (node + 1) % self.nodes.len();
        }
        if wanted.key.is_some() && !wanted.is_changed {
            if self.sent.len() == REMEMBERED {
                self.sent.swap_remove(self.dice.usize(..REMEMBERED));
            }
            self.sent.push(wanted);
        }
        Ok(())
    }

    /// One attempt at one node.
    async fn ask(&mut self, wanted: &Wanted, node: usize) -> Result<Operation> {
        let operation = Operation {
            number: 0,
            client: u32::try_from(self.number).unwrap_or(u32::MAX),
            node: u32::try_from(node).unwrap_or(u32::MAX),
            invoked: 0,
            returned: 0,
            order: wanted.order.clone(),
            action: wanted.action.clone(),
            key: wanted.key.clone(),
            attempt: wanted.attempts,
            outcome: Outcome::Unknown,
            position: None,
            visible: true,
        };
        let mut call = call(&wanted.order, &wanted.action);
        if let Some(key) = &wanted.key {
            call = call.keyed(key);
        }
        // Some give up soon, and some have the service give up soon.
        let patience = match self.dice.u8(..8) {
            0 => Duration::from_millis(self.dice.u64(20..600)),
            _ => PATIENCE,
        };
        if self.dice.u8(..8) == 0 {
            call = call.header("prefer", format!("wait={}", self.dice.u8(1..4)));
        }
        let (operation, answer) =
            sent(&self.recorder, &mut self.nodes[node], operation, &call, patience).await?;
        if let (Some(shown), Ok(answer)) = (operation.shown(), &answer) {
            debug_assert!(answer.status.is_success());
            self.board.heard(&wanted.order, &shown.order_id, operation.position);
        }
        self.seen = self.seen.max(operation.position);
        Ok(operation)
    }
}
