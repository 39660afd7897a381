use std::collections::BTreeMap;

use catga_core::{Fault, Offset};
use catga_journal::{Filter, Journal};

use crate::invariants::{Evaluations, is_created_once, is_in_order, is_next};
use crate::{Invariant, Violation};

/// Reads the whole history of a node, and judges every event.
///
/// # Errors
/// When it cannot be read.
pub(crate) async fn judge_history(
    journal: &dyn Journal,
    evaluated: &mut Evaluations,
) -> Result<Result<(), Violation>, Fault> {
    for invariant in [Invariant::Once, Invariant::OneOrder, Invariant::OneWinner] {
        evaluated.count(invariant);
    }
    let mut versions = BTreeMap::<String, u64>::new();
    let (mut after, mut last) = (Offset::ZERO, Offset::ZERO);
    loop {
        let page = journal.page(after, &Filter::All, 512).await?;
        for event in &page.events {
            let judged = is_in_order(last, event)
                .and_then(|()| is_created_once(event))
                .and_then(|()| is_next(&mut versions, event));
            if judged.is_err() {
                return Ok(judged);
            }
            last = event.meta.position.offset;
        }
        if page.upto <= after {
            return Ok(Ok(()));
        }
        after = page.upto;
    }
}
