//! Tallies that are added to, and who says what they come to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use catga::prelude::*;

/// Adds to a tally, and answers with what was there before.
#[derive(Command, Clone, Debug, Serialize, Deserialize)]
#[command(name = "tally.add", reply = Added, error = TallyError)]
pub(crate) struct Add {
    tally: String,
    amount: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Added {
    pub(crate) before: u64,
    pub(crate) id: Uuid,
    pub(crate) at: Timestamp,
}

#[derive(Query, Clone, Debug, Serialize, Deserialize)]
#[query(name = "tally.sum", reply = u64)]
pub(crate) struct Sum;

#[derive(Event, Clone, Debug, Serialize, Deserialize)]
#[event(name = "tally.grown", stream = Tally, key = tally)]
pub(crate) struct Grown {
    pub(crate) tally: String,
    pub(crate) amount: u64,
}

#[derive(DomainError, Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub(crate) enum TallyError {
    #[error("{0} is too much")]
    TooMuch(u64),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(u64);

#[aggregate(name = "tally")]
impl Tally {
    fn grown(&mut self, event: &Grown) {
        self.0 += event.amount;
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Total(u64);

#[projection(name = "total", version = 1)]
impl Total {
    fn grown(&mut self, event: &Grown) {
        self.0 += event.amount;
    }
}

pub(crate) struct Tallies {
    pub(crate) total: View<Total>,
    pub(crate) runs: Arc<AtomicU64>,
}

#[service]
impl Tallies {
    async fn add(&self, cmd: Add, tx: &mut Tx) -> Answer<Added, TallyError> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        let (id, at) = (tx.new_id(), tx.now());
        let loaded = tx.load::<Tally>(&cmd.tally).await?;
        if cmd.amount > 1000 {
            return Err(TallyError::TooMuch(cmd.amount).into());
        }
        let grown = Grown { tally: cmd.tally, amount: cmd.amount };
        let before = match loaded {
            Some(mut tally) => {
                let before = tally.0;
                tally.emit(grown);
                before
            }
            None => {
                tx.emit(grown);
                0
            }
        };
        Ok(Added { before, id, at })
    }

    async fn sum(&self, _query: Sum) -> Answer<u64> {
        Ok(self.total.read(|total| total.0)?)
    }
}

pub(crate) fn add(tally: &str, amount: u64) -> Add {
    Add { tally: tally.to_owned(), amount }
}
