//! I4: linearizable reads show everything that was acknowledged before they began, reads with a
//! token what the token has seen, and local ones of one node never less than before.
//!
//! *Source.* etcd #20418 (stale linearizable reads after a pause); Jepsen on Redis-Raft (2020, stale
//! reads); Terry et al., "Session guarantees for weakly consistent replicated data" (1994).
//! *Observed:* clients read orders of their own and of others, at any node and level, and compare
//! with what the read must show. *When:* at every answer to a read.

use catga::ReadLevel;
use order_cluster::order::Order;

use super::Invariant;
use crate::Violation;
use crate::ledger::{Known, Sent};

/// The order is shown as the read must show it.
pub(crate) fn is_read(known: &mut Known, expected: &Sent, shown: &Order) -> Result<(), Violation> {
    known.exercised.evaluated.count(Invariant::Reads);
    expected.compare(shown).map_err(|what| Invariant::Reads.broken(what))
}

/// A read of an order that it must show was refused.
#[cold]
pub(crate) fn is_found(
    known: &mut Known,
    product: &str,
    level: ReadLevel,
    refusal: impl std::fmt::Display,
) -> Violation {
    known.exercised.evaluated.count(Invariant::Reads);
    Invariant::Reads
        .broken(format!("order {product} was acknowledged, and a read {level:?} says: {refusal}"))
}
