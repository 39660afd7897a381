use catga_core::Position;
use serde::{Deserialize, Serialize};

use crate::{Outcome, Refusal, Reply, Shown};

/// One request of one client: what it asked, and what came of it.
///
/// A request that is sent again under the same key is another operation: each attempt has its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Its number in the history, which no other has.
    pub number: u64,
    /// Who asked. A client does one thing after the other.
    pub client: u32,
    /// Which node was asked.
    pub node: u32,
    /// When, in nanoseconds of a clock that all clients read and that only goes forward.
    pub invoked: u64,
    /// When the client heard, or gave up.
    pub returned: u64,
    /// Which order it is about, by its product: each has one of its own, known before its id is.
    pub order: String,
    /// What was asked.
    pub action: Action,
    /// The `Idempotency-Key`: all operations with one key are one command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Which attempt it is, from 1.
    pub attempt: u32,
    /// What came of it.
    pub outcome: Outcome,
    /// The `Catga-Position` of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// False if the answer said that the node does not show it yet (`Catga-Visible`).
    pub visible: bool,
}

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Place the order.
    Create {
        /// Who orders.
        customer: String,
        /// How many.
        quantity: u32,
    },
    /// Cancel it.
    Cancel {
        /// Its id.
        id: String,
        /// Why, in words that no other command uses.
        reason: String,
    },
    /// Read it.
    Get {
        /// Its id.
        id: String,
        /// What must be shown at least.
        level: Level,
        /// What the client has seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<Position>,
    },
    /// Read all orders of a customer, of everything that was acknowledged.
    List {
        /// Whose.
        customer: String,
    },
}

/// What a read must show at least (`Catga-Read`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// What the node holds.
    Local,
    /// What the client has seen.
    Session,
    /// Everything that was acknowledged before.
    Linearizable,
}

impl Operation {
    /// True if it may change something.
    pub fn is_command(&self) -> bool {
        matches!(self.action, Action::Create { .. } | Action::Cancel { .. })
    }

    /// True if the service decided: a reply or a refusal.
    pub fn is_answered(&self) -> bool {
        matches!(self.outcome, Outcome::Ok(_) | Outcome::Refused(_))
    }

    /// The order in the answer, if that is one.
    pub fn shown(&self) -> Option<&Shown> {
        match &self.outcome {
            Outcome::Ok(Reply::Order(order)) => Some(order),
            _ => None,
        }
    }

    /// Why the service refused, if it did.
    pub fn refusal(&self) -> Option<&Refusal> {
        match &self.outcome {
            Outcome::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }
}
